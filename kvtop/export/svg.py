"""The flamegraph as one offline SVG file that can be looked at, searched, and opened again.

The file holds three things: the profile as JSON in ``<metadata>``, a script that draws it to the
size of the window and answers mouse and keys, and the boxes as plain SVG for viewers that run no
scripts (the script removes those). Nothing in it refers to anything outside.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from importlib.resources import files

from kvtop.export.palette import shade, stylesheet
from kvtop.export.svg_boxes import boxes_of, boxes_without_glue
from kvtop.export.svg_static import WIDTH, Page, narrowest, static_parts, weight_text
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.preorder import Groups, Preorder, preorder
from kvtop.profile.stacks import StackTable
from kvtop.profile.text import safe_text

FORMAT = 1
_OPEN = '<metadata id="kvtop-profile">'
_CLOSE = "</metadata>"


@dataclass(frozen=True, slots=True)
class SvgMeta:
    """What the title and the footer say; texts may be hostile, empty ones are left out.

    ``frequency`` and ``window`` are texts with their units ("99 Hz", "last 30 s"); ``unit`` is
    the plural of what weights count ("samples", "ms").
    """

    title: str
    command: str = ""
    host: str = ""
    kernel: str = ""
    event: str = ""
    frequency: str = ""
    window: str = ""
    version: str = ""
    unit: str = "samples"


@dataclass(frozen=True, slots=True)
class SvgView:
    """How the page looks when it is opened; ``width`` in px, 0 as wide as the window."""

    inverted: bool = False
    callers: bool = False
    glue: bool = False
    width: int = 0


PLAIN = SvgView()


class NotOurSvg(ValueError):
    """The file holds no profile of this program, or a damaged one."""


def write_svg(counts: Mapping[int, int], table: StackTable, meta: SvgMeta) -> str:
    """The whole file as text; ``counts`` is a fold (stack id -> weight in ``meta.unit``)."""
    return write_svg_groups({"": counts}, table, meta)


def write_svg_groups(
    groups: Groups, table: StackTable, meta: SvgMeta, view: SvgView = PLAIN
) -> str:
    """As `write_svg`, with each fold under a box that has the group's name."""
    safe = safe_meta(meta)
    whole = safe_frames(preorder(groups, table))
    notes = notes_of(safe, weight_text(whole.total[0], safe.unit))
    width = view.width or WIDTH
    least = narrowest(whole.total[0], width)
    drawn = whole
    if view.callers:
        drawn = safe_frames(preorder(groups, table, not view.glue, reverse=True))
    fold_glue = table.glue and not view.glue and not view.callers
    page = Page(
        drawn.frames,
        boxes_without_glue(drawn, least) if fold_glue else boxes_of(drawn, least),
        drawn.total[0],
        title=safe.title,
        unit=safe.unit,
        notes=notes,
        width=width,
        inverted=view.inverted,
    )
    return document(page, profile_json(whole, safe, notes, view))


def document(page: Page, profile: Mapping[str, object]) -> str:
    """The whole file: what viewers without scripts show, the profile, and the script."""
    size = f"{page.width} {page.height}"
    return "".join(
        (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<svg xmlns="http://www.w3.org/2000/svg" class="kvtop" version="1.1" '
            f'width="{page.width}" height="{page.height}" viewBox="0 0 {size}">\n',
            f"<style>\n{_resource('flamegraph.css')}{stylesheet()}</style>\n",
            _OPEN,
            _embed(profile),
            _CLOSE,
            "\n",
            *static_parts(page),
            f"<script><![CDATA[\n{_resource('flamegraph.js')}]]></script>\n</svg>\n",
        )
    )


def read_svg(text: str, table: StackTable) -> tuple[dict[int, int], SvgMeta]:
    """Fold and meta of a file that `write_svg` made; `NotOurSvg` says what is wrong with others.

    Groups come back as frames at the root of their stacks.
    """
    _, found, rest = text.partition(_OPEN)
    body, closed, _ = rest.partition(_CLOSE)
    if not found or not closed:
        raise NotOurSvg("not a flamegraph of kvtop: it holds no profile")
    try:
        data = json.loads(body)
        if data["version"] != FORMAT:
            raise NotOurSvg(f"made by another version of kvtop (format {data['version']!r})")
        frames = [_read_frame(row, table) for row in data["frames"]]
        meta = SvgMeta(**{f.name: safe_text(str(data["meta"][f.name])) for f in fields(SvgMeta)})
        counts: dict[int, int] = {}
        for path, weight in _paths(data["depth"], data["frame"], data["self"]):
            stack = table.stack_id([frames[at] for at in path])
            counts[stack] = counts.get(stack, 0) + weight
    except NotOurSvg:
        raise
    except (KeyError, TypeError, IndexError, RecursionError, ValueError) as error:
        raise NotOurSvg("the profile in this file is damaged") from error
    return counts, meta


def _read_frame(row: list[object], table: StackTable) -> int:
    symbol, source, kind, file, line = row[:5]
    if not isinstance(kind, int) or not isinstance(line, int):
        raise TypeError("kind and line are numbers")
    texts = [safe_text(str(text)) for text in (symbol, source, file)]
    return table.intern(Frame(texts[0], texts[1], Kind(kind), texts[2], line))


def _paths(
    depths: list[int], frames: list[int], weights: list[int]
) -> Iterator[tuple[list[int], int]]:
    """Path below the root and own weight of every node that has one."""
    spine: list[int] = []
    for depth, frame, weight in zip(depths, frames, weights, strict=False):
        if not 0 <= depth <= len(spine) + 1 or not isinstance(weight, int):
            raise TypeError("not in depth-first order")
        if depth:
            spine[depth - 1 :] = [frame]
        else:
            spine.clear()
        if weight:
            yield spine, weight


def safe_meta(meta: SvgMeta) -> SvgMeta:
    """The same in printable texts."""
    return SvgMeta(*(safe_text(str(getattr(meta, f.name)), 400) for f in fields(SvgMeta)))


def safe_frames(profile: Preorder) -> Preorder:
    """The profile with printable names, whoever made its frames."""
    return replace(profile, frames=[_safe_frame(frame) for frame in profile.frames])


def _safe_frame(frame: Frame) -> Frame:
    texts = frame.symbol, frame.object, frame.file
    symbol, source, file = map(safe_text, texts)
    if (symbol, source, file) == texts:
        return frame
    return Frame(symbol, source, frame.kind, file, frame.line)


def profile_json(
    profile: Preorder, meta: SvgMeta, notes: list[str], view: SvgView
) -> dict[str, object]:
    """What the script in the page draws, and `read_svg` reads again."""
    return {
        "version": FORMAT,
        "meta": asdict(meta),
        "notes": notes,
        "view": asdict(view),
        "frames": [
            [f.symbol, f.object, int(f.kind), f.file, f.line, shade(f)] for f in profile.frames
        ],
        "depth": profile.depth,
        "frame": profile.frame,
        "self": profile.self_weight,
    }


def _embed(data: Mapping[str, object]) -> str:
    text = json.dumps(data, separators=(",", ":"))
    # Escaped inside JSON, so that neither an XML nor an HTML parser can end the element early.
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def notes_of(meta: SvgMeta, weight: str) -> list[str]:
    """Lines of the footer: what was measured, then where."""
    measured = [weight, meta.event, meta.frequency, meta.window]
    where = [
        f"host {meta.host}" if meta.host else "",
        f"Linux {meta.kernel}" if meta.kernel else "",
        f"kvtop {meta.version}" if meta.version else "",
    ]
    lines = [measured, [f"command: {meta.command}"] if meta.command else [], where]
    return [line for parts in lines if (line := "  ·  ".join(filter(None, parts)))]


@cache
def _resource(name: str) -> str:
    return files("kvtop.export").joinpath(name).read_text("utf-8")
