"""What ``perf mem report --stdio`` prints, as rows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kvtop.profile.text import safe_text
from kvtop.tool_events import MemoryRow

SORT = "mem,sym,dso"
"""What to give ``perf mem report --sort``."""
_MOST_ROWS = 5000
_ROW = re.compile(r"\s*(\d{1,3}(?:\.\d{1,6})?)%\s+(?:(\d{1,12})\s+)?(\S.*?)\s*", re.ASCII)
_LEVEL = re.compile(r"[\[(][.kguHx!][\])]\s")
"""perf writes [.] before a program's function and [k] before one of the kernel."""


def parse_report(text: str) -> tuple[MemoryRow, ...]:
    """The rows of a report that was sorted by `SORT`; lines that are none are left out."""
    rows = []
    for line in _lines(text):
        found = _ROW.fullmatch(line)
        if found is None or not 0 <= float(found[1]) <= 100:
            continue
        access, symbol, where = _columns(found[3])
        rows.append(
            MemoryRow(
                *(float(found[1]), int(found[2] or 0), safe_text(access, 60) or "unknown"),
                *(safe_text(symbol, 200) or "[unknown]", safe_text(where, 100)),
            )
        )
        if len(rows) >= _MOST_ROWS:
            break
    return tuple(rows)


def _lines(text: str) -> Iterator[str]:
    return (line[:2000] for line in text.split("\n") if line.strip() and not line.startswith("#"))


def _columns(rest: str) -> tuple[str, str, str]:
    """Access, symbol, object: separated by two blanks or more, the symbol by its level's mark."""
    mark = _LEVEL.search(rest)
    if mark is None:
        parts = re.split(r"\s{2,}", rest, maxsplit=2)
        parts += [""] * (3 - len(parts))
        return parts[0], parts[1], parts[2]
    behind = re.split(r"\s{2,}", rest[mark.end() :].strip(), maxsplit=2)
    return rest[: mark.start()].strip(), behind[0], behind[1] if len(behind) > 1 else ""
