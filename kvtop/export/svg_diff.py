"""The differential flamegraph as one offline SVG file: red where there is more, blue where less.

The page is that of `kvtop.export.svg` with a second weight in every node; opened again, it is the
profile of the later side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from kvtop.export.svg import (
    PLAIN,
    SvgMeta,
    SvgView,
    document,
    notes_of,
    profile_json,
    safe_frames,
    safe_meta,
)
from kvtop.export.svg_boxes import boxes_of
from kvtop.export.svg_static import WIDTH, Page, narrowest, weight_text
from kvtop.profile.diff import BAND, Change, Normalise, Scale, Side, strength
from kvtop.profile.preorder import Groups, Preorder, preorder
from kvtop.profile.stacks import StackTable
from kvtop.profile.text import safe_text

COUNTED = "samples"
"""The unit whose noise is known; of milliseconds or bytes nothing tells it."""
_STEPS = (-3, -2, -1, 0, 1, 2, 3)
_WORDS = (
    *("half or less", "a fifth less", "less", "may be noise"),
    *("more", "a quarter more", "twice or more"),
)
# Two weights travel through a layout as one number: sums of the halves never run into each other.
_HALF = 64
_LATER = (1 << _HALF) - 1


@dataclass(frozen=True, slots=True)
class DiffMeta:
    """What is compared: names of both sides, the seconds that each covers (0: unknown).

    With seconds on both sides the page can compare rates as well as shares; ``normalise`` says
    which it begins with.
    """

    before: str = "before"
    after: str = "after"
    seconds: tuple[float, float] = (0.0, 0.0)
    normalise: Normalise = "share"

    @property
    def timed(self) -> bool:
        """Whether rates can be compared."""
        return min(self.seconds) > 0


def write_svg_diff(
    before: Groups,
    after: Groups,
    table: StackTable,
    meta: SvgMeta,
    diff: DiffMeta,
    view: SvgView = PLAIN,
) -> str:
    """The whole file as text; both sides are folds by group, of weights in ``meta.unit``."""
    safe = safe_meta(meta)
    names = safe_text(diff.before, 200), safe_text(diff.after, 200)
    band = BAND if safe.unit == COUNTED else 0.0
    groups = _joined(before, after)
    whole = safe_frames(preorder(groups, table))
    was, now = _split(whole)
    sides = Side({0: was.total[0]}, diff.seconds[0]), Side({0: now.total[0]}, diff.seconds[1])
    normalise: Normalise = diff.normalise if diff.timed else "share"
    notes = _notes(safe, names, sides, band)
    drawn_was, drawn = _split(
        safe_frames(preorder(groups, table, not view.glue, reverse=view.callers))
    )
    width = view.width or WIDTH
    least = narrowest(drawn.total[0], width)
    scale = Scale(*sides, normalise)
    page = Page(
        drawn.frames,
        boxes_of(drawn, least),
        drawn.total[0],
        title=safe.title,
        unit=safe.unit,
        notes=notes,
        width=width,
        inverted=view.inverted,
        paint=list(_paint(drawn_was, drawn, least, scale, normalise, band)),
        legend=legend(band),
    )
    data = profile_json(now, safe, notes, view)
    data["before"] = was.self_weight
    data["diff"] = {
        "names": names,
        "seconds": diff.seconds if diff.timed else None,
        "rates": normalise == "time",
        "band": band,
        "legend": legend(band),
    }
    return document(page, data)


def step_class(step: int) -> str:
    """The CSS class of a box that `strength` gave a step."""
    return f"less{-step}" if step < 0 else f"more{step}" if step else "same"


def legend(band: float) -> list[tuple[str, str]]:
    """Class and words of every colour."""
    words = [*_WORDS[:3], _WORDS[3] if band else "the same", *_WORDS[4:]]
    return [(step_class(step), text) for step, text in zip(_STEPS, words, strict=True)]


def _joined(before: Groups, after: Groups) -> dict[str, dict[int, int]]:
    joined: dict[str, dict[int, int]] = {}
    for groups, shift in ((before, _HALF), (after, 0)):
        for name, counts in groups.items():
            group = joined.setdefault(name, {})
            for stack, weight in counts.items():
                group[stack] = group.get(stack, 0) + (weight << shift)
    return joined


def _split(both: Preorder) -> tuple[Preorder, Preorder]:
    """The same nodes with the weights before, and those after."""
    halves = []
    for half in (lambda weight: weight >> _HALF, lambda weight: weight & _LATER):
        own, total = [*map(half, both.self_weight)], [*map(half, both.total)]
        halves.append(replace(both, self_weight=own, total=total))
    return halves[0], halves[1]


def _paint(
    was: Preorder, now: Preorder, least: float, scale: Scale, normalise: Normalise, band: float
) -> Iterator[tuple[str, str]]:
    """Class and figures of every box that `boxes_of` has, in its order."""
    for before, after in zip(was.total, now.total, strict=True):
        if after >= least:
            change = scale.change(before, after)
            yield step_class(strength(change, band)), _figures(change, normalise, band)


def _figures(change: Change, normalise: Normalise, band: float) -> str:
    unit, times = ("%", 100) if normalise == "share" else ("/s", 1)
    rates = [f"{times * rate:.2f} {unit}" for rate in (change.before_rate, change.after_rate)]
    text = f"{change.before:,} → {change.after:,}, {rates[0]} → {rates[1]}"
    return text if not band or change.significant(band) else f"{text}, may be noise"


def _notes(
    meta: SvgMeta, names: tuple[str, str], sides: tuple[Side, Side], band: float
) -> list[str]:
    weights = [
        f"{name} ({weight_text(side.weight, meta.unit)}"
        + (f" of {side.seconds:.3g} s)" if side.seconds else ")")
        for name, side in zip(names, sides, strict=True)
    ]
    meaning = "red: more after than before  ·  blue: less"
    if band:
        meaning += f"  ·  pale: within the noise, |z| ≤ {band:.2f} (99 %)"
    else:
        meaning += f"  ·  {meta.unit} are no counts: what is noise is not known"
    first, *others = notes_of(meta, " → ".join(weights))
    return [first, meaning, *others]
