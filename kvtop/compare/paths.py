"""The call paths on which a function gained the most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kvtop.compare.functions import Weigher
from kvtop.compare.model import Pair
from kvtop.profile.frames import Frame

PATHS = 3
_WORTH = 0.1
"""Share of the function's gain below which a path is not told."""
_CARRIED = 0.5
"""A caller belongs to the path as long as it has this share of the gain of what it called."""


@dataclass(frozen=True, slots=True)
class Path:
    """Frames from the outermost caller told to the function, and what it gained on them.

    ``gain`` is in the basis of the comparison.
    """

    frames: tuple[Frame, ...]
    gain: float


def gained_paths(
    pair: Pair, weigher: Weigher, frame_id: int, own: bool, sign: int = 1
) -> list[Path]:
    """At most `PATHS` paths to a function, the greatest gain (with ``sign`` -1: loss) first.

    ``own`` looks at what it did itself, else at what ran below it as well.
    """
    gains: dict[tuple[int, ...], float] = {}
    for side, runs in enumerate(pair.sides):
        for stack, samples in pair.whole(runs).items():
            path = _path(pair, stack, frame_id, own)
            if path:
                rate = weigher.rate(samples, side)
                gains[path] = gains.get(path, 0.0) + sign * (rate if side else -rate)
    whole = sum(gains.values())
    found: list[Path] = []
    while len(found) < PATHS and gains:
        path, gain = _heaviest(gains)
        if gain <= max(whole, 0.0) * _WORTH:
            break
        frames = tuple(pair.table.frame(f) for f in reversed(path))
        found.append(Path(frames, sign * gain))
        gains = {other: n for other, n in gains.items() if other[: len(path)] != path}
    return found


def _path(pair: Pair, stack: int, frame_id: int, own: bool) -> tuple[int, ...]:
    """Frames from the function to the root, without glue; empty where it is not on the stack."""
    table = pair.table
    frames = [f for f in table.frames(stack) if f not in table.glue or f == frame_id]
    if frame_id not in frames or (own and frames[-1] != frame_id):
        return ()
    last = len(frames) - 1 if own else frames.index(frame_id)
    return tuple(reversed(frames[: last + 1]))


def _heaviest(gains: Mapping[tuple[int, ...], float]) -> tuple[tuple[int, ...], float]:
    """From the function upwards, always to the caller with the greatest gain."""
    path: tuple[int, ...] = next(iter(gains))[:1]
    inside = dict(gains)
    gain = sum(inside.values())
    while True:
        above: dict[int, float] = {}
        for frames, n in inside.items():
            if len(frames) > len(path):
                above[frames[len(path)]] = above.get(frames[len(path)], 0.0) + n
        if not above:
            return path, gain
        caller, most = max(above.items(), key=lambda item: item[1])
        # The greatest of the direct callers is told in any case.
        if most <= 0 or (len(path) > 1 and most < gain * _CARRIED):
            return path, gain
        path, gain = (*path, caller), most
        inside = {frames: n for frames, n in inside.items() if frames[: len(path)] == path}
