"""A comparison as the differential flamegraph: one offline SVG in red and blue."""

from __future__ import annotations

from kvtop import __version__
from kvtop.compare.comparison import Comparison
from kvtop.compare.model import CompareError
from kvtop.export.svg import SvgMeta
from kvtop.export.svg_diff import DiffMeta, write_svg_diff


def write_picture(comparison: Comparison) -> str:
    """The page; it is coloured by the noise of counting alone."""
    pair = comparison.pair
    one, two = pair.whole(pair.before), pair.whole(pair.after)
    if not one or not two:
        raise CompareError("one of the sides has no samples, so there is no flamegraph.")
    names = tuple(", ".join(run.name for run in side) for side in pair.sides)
    first, last = pair.before[0], pair.after[0]
    meta = SvgMeta(
        title=" → ".join(names),
        host=last.host,
        kernel=last.kernel,
        event=last.event if first.event == last.event else f"{first.event} → {last.event}",
        version=__version__,
        unit=last.unit,
    )
    seconds = (sum(r.seconds for r in pair.before), sum(r.seconds for r in pair.after))
    return write_svg_diff(
        {"": one}, {"": two}, pair.table, meta, DiffMeta(names[0], names[1], seconds)
    )
