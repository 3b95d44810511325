"""The host's monotonic clock in terms of ours, with a bound on how wrong that may be.

Every answer to a question is a proof: its time there lies between when we asked and when we heard.
What all of them allow is an interval for the difference of both clocks; the true one is in it.
"""

from __future__ import annotations

_DRIFT = 100e-6
"""Two quartz clocks part by no more than this share of the time that passes (RFC 5905 takes 15 for
one that is well kept)."""


class Clock:
    """``offset`` is our clock minus the host's, in seconds, wrong by at most ``error``."""

    def __init__(self) -> None:
        self.offset = 0.0
        self._low = float("-inf")
        self._high = float("inf")
        self._at = 0.0

    @property
    def error(self) -> float:
        """Seconds; infinite before the first answer."""
        return max(self._high - self.offset, self.offset - self._low)

    def measure(self, asked: float, there: float, heard: float) -> None:
        """Take an answer: asked and heard by our clock, given at ``there`` by the host's.

        The offset moves only where it was proved wrong, so that times keep their order.
        """
        low, high = asked - there, heard - there
        apart = _DRIFT * max(0.0, heard - self._at)
        self._at = heard
        first = self._high == float("inf")
        self._low, self._high = max(low, self._low - apart), min(high, self._high + apart)
        if self._low > self._high:
            # A machine was suspended, which stops its clock: what was known is void.
            self._low, self._high, first = low, high, True
        if first:
            self.offset = (self._low + self._high) / 2
        self.offset = min(max(self.offset, self._low), self._high)

    def local(self, there: float) -> float:
        """A time of the host by our clock."""
        return there + self.offset

    def remote(self, here: float) -> float:
        """One of our times by the host's clock."""
        return here - self.offset
