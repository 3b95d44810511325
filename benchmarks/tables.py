"""Figures as a Markdown table, or as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

Line = Mapping[str, object]
"""The cells of a row by the names of their columns; underscores stand for blanks."""


def show(title: str, lines: Iterable[Line], as_json: bool) -> None:
    """Print each line as it comes; all have the columns of the first."""
    for number, line in enumerate(lines):
        if as_json:
            print(json.dumps({"measure": title} | dict(line)), flush=True)
            continue
        if number == 0:
            print(f"\n**{title}**\n")
            print(f"| {' | '.join(name.replace('_', ' ') for name in line)} |")
            print(f"|{'|'.join('---' if isinstance(v, str) else '--:' for v in line.values())}|")
        print(f"| {' | '.join(map(_cell, line.values()))} |", flush=True)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
