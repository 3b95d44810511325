"""What was handed to the disk and not yet reported durable, in order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from kvtop.workload.raft.types import HardState


@dataclass(slots=True)
class _Write:
    number: int
    last_index: int
    hard_state: HardState


class PendingWrites:
    """A queue of Readys; several may become durable at once, never out of order."""

    __slots__ = ("_queue", "hard_state")

    def __init__(self, hard_state: HardState) -> None:
        self._queue: deque[_Write] = deque()
        self.hard_state = hard_state
        """The hard state that is durable now."""

    def add(self, number: int, last_index: int, hard_state: HardState) -> None:
        """Ready ``number`` stores the log up to ``last_index``, and ``hard_state``."""
        self._queue.append(_Write(number, last_index, hard_state))

    def truncate_from(self, index: int) -> None:
        """Entries from ``index`` on were replaced: writes of the old ones prove nothing."""
        for write in self._queue:
            write.last_index = min(write.last_index, index - 1)

    def done(self, number: int) -> int | None:
        """All up to ``number`` are durable; the last index that is durable now, None if none."""
        last_index: int | None = None
        while self._queue and self._queue[0].number <= number:
            write = self._queue.popleft()
            last_index = write.last_index
            self.hard_state = write.hard_state
        return last_index
