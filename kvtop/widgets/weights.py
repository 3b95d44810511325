"""What the weights of a fold are of: samples, or the events or CPU time that they stand for."""

from __future__ import annotations

from collections.abc import Mapping

from kvtop.profile.ring import SampleRing, Weight

_NS_PER_MS = 1_000_000


def milliseconds(counts: Mapping[int, int]) -> dict[int, int]:
    """Nanoseconds as whole milliseconds; what rounding takes from one goes to the next."""
    rounded: dict[int, int] = {}
    rest = _NS_PER_MS // 2
    for stack in sorted(counts):
        whole, rest = divmod(counts[stack] + rest, _NS_PER_MS)
        if whole:
            rounded[stack] = whole
    return rounded


def shown_event(ring: SampleRing) -> str:
    """The event whose samples the ring folds; '' where it holds none."""
    if ring.event is not None:
        return ring.event
    return next(iter(ring.events), "")


def unit_of(ring: SampleRing, weight: Weight) -> str:
    """What the numbers of `in_unit` count: clocks have a period in ns, all else of events."""
    event = shown_event(ring)
    if weight == "samples" or not event:
        return "samples"
    return "ms" if _is_clock(event) else event


def in_unit(ring: SampleRing, weight: Weight, counts: Mapping[int, int]) -> dict[int, int]:
    """A fold of the ring by this weight, in its unit."""
    if weight == "period" and _is_clock(shown_event(ring)):
        return milliseconds(counts)
    return dict(counts)


def weight_text(ring: SampleRing, weight: Weight) -> str:
    """The unit in words, with the event where that does not go without saying."""
    unit, event = unit_of(ring, weight), shown_event(ring)
    if unit == "ms":
        return f"ms of {event}"
    return f"samples of {event}" if unit == "samples" and ring.event is not None else unit


def _is_clock(event: str) -> bool:
    return event.partition(":")[0] in ("cpu-clock", "task-clock")
