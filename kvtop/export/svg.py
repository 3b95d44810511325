"""The flamegraph as one offline SVG file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from kvtop.profile.layout import layout
from kvtop.profile.stacks import StackTable
from kvtop.profile.tree import CallTree


@dataclass(frozen=True, slots=True)
class SvgMeta:
    """What the title and the footer say; texts may be hostile, empty ones are left out."""

    title: str
    command: str = ""
    host: str = ""
    kernel: str = ""
    event: str = ""
    frequency: str = ""
    window: str = ""
    version: str = ""
    unit: str = "samples"


def write_svg(counts: Mapping[int, int], table: StackTable, meta: SvgMeta) -> str:
    """The whole file as text; ``counts`` is a fold (stack id -> weight in ``meta.unit``)."""
    tree = CallTree(table)
    tree.update(counts)
    width, row = 1200, 16
    plan = layout(tree, width, min_width=0.1)
    height = (len(plan.rows) + 3) * row
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">']
    out.append(f'<text x="10" y="14" font-size="12">{escape(meta.title)}</text>')
    for level in plan.rows:
        for box in level:
            y = height - (box.row + 1) * row
            name = escape(tree.frame(box.node).symbol)
            out.append(
                f'<g><title>{name}</title><rect x="{box.x0:.2f}" y="{y}" '
                f'width="{box.x1 - box.x0:.2f}" height="{row - 1}" fill="#e8a33d"/></g>'
            )
    out.append("</svg>\n")
    return "\n".join(out)
