"""Source lines in colour, by rich's highlighter, in the terminal's own sixteen colours."""

from __future__ import annotations

from collections.abc import Sequence

from rich.style import Style
from rich.text import Text

from kvtop.widgets.line import Piece

MOST_CHARACTERS = 300_000
"""Beyond it the file is shown plain: a second or more for what nobody reads whole."""
_LEXERS = {
    "py": "python", "pyx": "cython", "c": "c", "h": "cpp", "cc": "cpp", "cpp": "cpp",
    "cxx": "cpp", "hh": "cpp", "hpp": "cpp", "hxx": "cpp", "inl": "cpp", "ipp": "cpp",
    "tcc": "cpp", "rs": "rust", "go": "go", "java": "java", "js": "javascript",
    "ts": "typescript", "s": "gas", "S": "gas",
}  # fmt: skip


def highlight(name: str, lines: Sequence[str], dark: bool) -> list[list[Piece]]:
    """Pieces per line, styles without a background; plain where the language is not known.

    C++'s headers of the standard library have no suffix, so a name without one is C++.
    """
    base, _, suffix = name.rpartition("/")[2].rpartition(".")
    lexer = _LEXERS.get(suffix if base else "cpp")
    if lexer is None or sum(map(len, lines)) > MOST_CHARACTERS:
        return [[(line, Style.null())] for line in lines]
    # Not before: no other part of kvtop needs the hundreds of lexers.
    from rich.syntax import Syntax

    theme = "ansi_dark" if dark else "ansi_light"
    text = Syntax("", lexer, theme=theme).highlight("\n".join(lines))
    found = [_pieces(line) for line in text.split("\n", allow_blank=True)][: len(lines)]
    # A highlighter strips blank lines at the end.
    return found + [[] for _ in range(len(lines) - len(found))]


def _pieces(line: Text) -> list[Piece]:
    """The line cut where its style changes."""
    plain = line.plain
    styles = [Style.null()] * len(plain)
    for span in line.spans:
        style = span.style if isinstance(span.style, Style) else Style.null()
        for at in range(max(0, span.start), min(len(plain), span.end)):
            styles[at] += Style(color=style.color, bold=style.bold, italic=style.italic)
    pieces: list[Piece] = []
    start = 0
    for at in range(1, len(plain) + 1):
        if at == len(plain) or styles[at] != styles[start]:
            pieces.append((plain[start:at], styles[start]))
            start = at
    return pieces
