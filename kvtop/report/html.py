"""A report as one HTML page: styles, scripts and pictures inside, nothing fetched.

The page's Content-Security-Policy names the hash of each style and script in it, so that nothing
else can run or load, whatever a name in the profile looks like. Each flamegraph is a document of
its own (``srcdoc``, under the same policy): their ids and keys do not meet.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from functools import cache, singledispatch
from hashlib import sha256
from html import escape
from importlib.resources import files

from kvtop.profile.text import safe_text
from kvtop.report.blocks import (
    Advice,
    Bars,
    Chart,
    Code,
    Flame,
    Report,
    Section,
    Table,
    Text,
)
from kvtop.report.plots import NARROW, WIDE, chart_svg, figures

_LONGEST = 600
"""Characters of a cell; a command line may be longer than anybody reads."""
_FRAME_STYLE = (
    "body{margin:0;overflow-x:hidden}svg{display:block}"
    "@media print{svg{max-width:100%;height:auto}}"
)
_MARKS = "E election · K kill · P pause · C continued · R restart · X exit · G gap · N note"
_INLINE = re.compile(r"<(style|script)>(.*?)</\1>", re.DOTALL)
_HEIGHT = re.compile(r'<svg [^>]*?\bheight="(\d+)"')


def write_html(report: Report) -> str:
    """The whole page."""
    body = "".join(_body(report))
    style, script = _resource("report.css"), _resource("report.js")
    blocks = [block for part in report.sections for block in part.blocks]
    frames = [block.svg for block in blocks if isinstance(block, Flame)]
    hashes = _hashes(
        [("style", style), ("script", script), ("style", _FRAME_STYLE)]
        + [inline for svg in frames for inline in _inline(svg)]
    )
    policy = (
        f"default-src 'none'; style-src {hashes['style']}; script-src {hashes['script']}; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        "<!doctype html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{_text(report.title)} · kvtop report</title>\n"
        f"<style>{style}</style>\n</head>\n<body>\n{body}"
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _inline(svg: str) -> list[tuple[str, str]]:
    """Kind and text of every style and script of a flamegraph, as a browser reads them."""
    found = []
    for kind, text in _INLINE.findall(svg):
        found.append((kind, text.removeprefix("<![CDATA[").removesuffix("]]>")))
    return found


def _hashes(inline: list[tuple[str, str]]) -> dict[str, str]:
    """The sources of a policy by kind: each text's SHA-256 once."""
    found: dict[str, dict[str, None]] = {"style": {}, "script": {}}
    for kind, text in inline:
        digest = b64encode(sha256(text.encode()).digest()).decode()
        found[kind][f"'sha256-{digest}'"] = None
    return {kind: " ".join(sources) for kind, sources in found.items()}


def _body(report: Report) -> Iterator[str]:
    yield '<header class="top">\n<p class="kind">Performance report</p>\n'
    yield f'<h1>{_text(report.title)}</h1>\n<p class="sub">{_text(report.subtitle)}</p>\n'
    yield '</header>\n<main>\n<section id="summary">\n<h2>Summary</h2>\n<div class="summary">'
    yield "".join(f"<p>{_text(sentence)}</p>" for sentence in report.summary)
    yield "</div>\n"
    yield "".join(f'<p class="quiet">{_text(text)}</p>\n' for text in report.left_out)
    yield '<dl class="tiles">'
    for tile in report.tiles:
        yield (
            f"<div><dt>{_text(tile.name)}</dt><dd>{_text(tile.value)}</dd>"
            f'<dd class="quiet">{_text(tile.note)}</dd></div>'
        )
    yield '</dl>\n</section>\n<nav aria-label="sections"><ol>'
    for part in report.sections:
        yield f'<li><a href="#{part.id}">{_text(part.title)}</a></li>'
    yield "</ol></nav>\n"
    for part in report.sections:
        yield from _section(part)
    yield f"</main>\n<footer><p>{_text(report.made)}</p></footer>\n"


def _section(part: Section) -> Iterator[str]:
    yield f'<section id="{part.id}">\n<h2>{_text(part.title)}</h2>\n'
    for block in part.blocks:
        yield _block(block)
        yield "\n"
    if any(isinstance(block, Chart) and block.marks for block in part.blocks):
        yield f'<p class="quiet">Marks on the charts: {_MARKS}.</p>\n'
    yield "</section>\n"


def _text(raw: str, limit: int = _LONGEST) -> str:
    """Printable text, escaped. No-break spaces are kept: the report's own figures have them."""
    parts = [escape(safe_text(part, limit)) for part in raw.split("\u00a0")]
    return "&#160;".join(parts)


@singledispatch
def _block(block: object) -> str:
    raise TypeError(f"no way to write a {type(block).__name__}")


@_block.register
def _(block: Text) -> str:
    kind = ' class="quiet"' if block.quiet else ""
    return f"<p{kind}>{_text(block.text)}</p>"


@_block.register
def _(block: Code) -> str:
    lines = "\n".join(_text(line, 4 * _LONGEST) for line in block.lines)
    return f"<pre><code>{lines}</code></pre>"


@_block.register
def _(block: Table) -> str:
    caption = f"<caption>{_text(block.caption)}</caption>" if block.caption else ""
    heads = zip(block.head, block.align, strict=True)
    head = "".join(f'<th scope="col" class="{align}">{_text(text)}</th>' for text, align in heads)
    rows = []
    for at, row in enumerate(block.rows):
        cells = []
        for column, (text, align) in enumerate(zip(row, block.align, strict=True)):
            shown = _text(text)
            shown = f"<code>{shown}</code>" if align == "c" and shown else shown
            if column == 0 and block.shares:
                shown = _share_bar(block.shares[at], max(block.shares)) + shown
            cells.append(f'<td class="{align}">{shown}</td>')
        rows.append(f"<tr>{''.join(cells)}</tr>")
    if not rows:
        return f'<p class="quiet">{_text(block.caption)}.</p>'
    body = "".join(rows)
    table = f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide" tabindex="0">{table}</div>'


def _share_bar(share: float, most: float) -> str:
    """A bar as long as the share is of the greatest."""
    width = 56 * share / most if most else 0.0
    return (
        '<svg class="share" width="56" height="9" aria-hidden="true">'
        f'<rect width="{width:.1f}" height="9" rx="1.5"/></svg>'
    )


@_block.register
def _(block: Chart) -> str:
    legend = []
    for at, line in enumerate(block.lines):
        known = figures(line)
        told = ""
        if known is not None:
            low, middle, high = (_text(block.show(value)) for value in known)
            told = f" <span>{low} to {high}, median {middle}</span>"
        legend.append(
            f'<li><svg width="18" height="10" aria-hidden="true"><line class="line c{at}" '
            f'x1="0" x2="18" y1="5" y2="5"/></svg><b>{_text(line.name, 60)}</b>{told}</li>'
        )
    note = f'<p class="quiet">{_text(block.note)}</p>' if block.note else ""
    return (
        f'<figure class="chart"><figcaption>{_text(block.title)} '
        f"<span>{_text(block.quantity)}</span></figcaption>"
        f'<div class="on-wide">{chart_svg(block, WIDE)}</div>'
        f'<div class="on-narrow">{chart_svg(block, NARROW)}</div>'
        f'<ul class="legend">{"".join(legend)}</ul>{note}</figure>'
    )


@_block.register
def _(block: Bars) -> str:
    classes = dict(block.classes)
    rows = []
    for name, shares in block.rows:
        x, boxes = 0.0, []
        for layer, share in shares:
            if share <= 0:
                continue
            title = f"{_text(layer)}: {100 * share:.1f} %"
            boxes.append(
                f'<rect class="{classes[layer]}" x="{100 * x:.3f}" width="{100 * share:.3f}" '
                f'height="10"><title>{title}</title></rect>'
            )
            x += share
        rows.append(
            f'<div class="bar"><b>{_text(name, 40)}</b><svg viewBox="0 0 100 10" '
            f'preserveAspectRatio="none" role="img" aria-label="{_text(name, 40)}">'
            f"{''.join(boxes)}</svg></div>"
        )
    legend = "".join(
        f'<li><svg width="12" height="12" aria-hidden="true"><rect class="{kind}" width="12" '
        f'height="12" rx="2"/></svg>{_text(name)}</li>'
        for name, kind in block.classes
    )
    return (
        f'<figure class="bars"><figcaption>{_text(block.title)}</figcaption>{"".join(rows)}'
        f'<ul class="legend">{legend}</ul></figure>'
    )


@_block.register
def _(block: Flame) -> str:
    svg = block.svg.partition("?>")[2].lstrip()
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="color-scheme" content="light dark">'
        f"<style>{_FRAME_STYLE}</style><body>{svg}</body></html>"
    )
    found = _HEIGHT.search(svg)
    height = found[1] if found else "600"
    return (
        f'<figure class="flame"><figcaption>{_text(block.title)}</figcaption>'
        f"<p>{_text(block.text)}</p>"
        f'<iframe title="{_text(block.title)}" height="{height}" srcdoc=\'{_attribute(page)}\'>'
        "</iframe></figure>"
    )


def _attribute(text: str) -> str:
    """A value between single quotes: JSON's double ones would grow to six characters each."""
    return text.replace("&", "&amp;").replace("'", "&#39;")


@_block.register
def _(block: Advice) -> str:
    finding = block.finding
    evidence = "".join(f"<p>{_text(sentence)}</p>" for sentence in finding.evidence)
    hot = "".join(
        f"<li><code>{_text(one.symbol)}</code> {100 * one.share:.1f}&#160;%</li>"
        for one in finding.frames
    )
    hot = f"<ul>{hot}</ul>" if hot else ""
    return (
        f'<article class="finding"><h3>{_text(finding.title)} <span>{_text(block.of)}</span></h3>'
        f'{evidence}{hot}<p class="try"><b>Try:</b> {_text(finding.remedy)}</p></article>'
    )


@cache
def _resource(name: str) -> str:
    return files("kvtop.report").joinpath(name).read_text("utf-8")
