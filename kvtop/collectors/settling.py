"""Records in order of time: perf reads one CPU's buffer after the other."""

from __future__ import annotations

from bisect import bisect_right
from operator import itemgetter
from typing import Any, Generic, TypeVar

Item = TypeVar("Item", bound=tuple[Any, ...])
SETTLE_NS = 500_000_000
"""Records are in order, none comes before them any more, when they are so old."""
_TIME = itemgetter(0)


class Settling(Generic[Item]):
    """Takes tuples that begin with their time, ns of CLOCK_MONOTONIC; gives them back in order.

    Those of the same time keep the order in which they came.
    """

    def __init__(self) -> None:
        self.newest = 0
        """The latest time of any that perf wrote."""
        self._queue: list[Item] = []

    def put(self, item: Item) -> None:
        """Take one that perf wrote."""
        self._queue.append(item)
        self.newest = max(self.newest, item[0])

    def remark(self, item: Item) -> None:
        """Take one of kvtop's own: it does not tell how far perf's buffers have been read."""
        self._queue.append(item)

    def horizon(self, now_ns: int, fresh: bool) -> int:
        """Up to which time all is there; ``fresh``: perf had something to read just now."""
        # As long as there is something to read, who knows what is still to be read. The clock
        # counts where a record is dated ahead of it.
        return (min(self.newest, now_ns) if fresh else now_ns) - SETTLE_NS

    def before(self, horizon_ns: int) -> list[Item]:
        """Those up to a time, which are not given again."""
        self._queue.sort(key=_TIME)
        at = bisect_right(self._queue, horizon_ns, key=_TIME)
        settled = self._queue[:at]
        del self._queue[:at]
        return settled

    def clear(self) -> None:
        """Forget those that were not given."""
        self._queue.clear()
