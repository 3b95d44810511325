"""Writes the generated parts of docs/reference.md from kvtop's own tables.

``python scripts/reference_docs.py`` rewrites the page; ``tests/docs`` fails where it is old.
A part stands between ``<!-- NAME -->`` and ``<!-- /NAME -->``.
"""

from __future__ import annotations

import re
from pathlib import Path

from kvtop import interface
from kvtop.keys import markdown_table
from kvtop.options import OPTIONS

PAGE = Path(__file__).parents[1] / "docs" / "reference.md"
_PART = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- /\2 -->)", re.DOTALL)


def options() -> str:
    """Every option of ``kvtop`` with its flag, its name in the environment and the file."""
    lines: list[str] = []
    for group in dict.fromkeys(option.group for option in OPTIONS):
        lines += [f"**{group}**", "", "| option | environment | what it does |", "|---|---|---|"]
        for option in OPTIONS:
            if option.group == group:
                flags = ", ".join(
                    f"`{flag} {option.metavar}`".replace(" `", "`") for flag in option.flags
                )
                name = f"KVTOP_{option.name.upper()}"
                lines.append(f"| {_cell(flags)} | `{name}` | {_cell(option.help)} |")
        lines.append("")
    return "\n".join(lines[:-1])


def commands() -> str:
    """Every command with its options."""
    lines: list[str] = []
    for level in interface.whole().walk():
        if len(level.path) == 1:
            continue
        lines += [f"{'#' * (len(level.path) + 1)} {' '.join(level.path)}", ""]
        if level.summary:
            lines += [f"{level.summary[0].upper()}{level.summary[1:]}.", ""]
        arguments = [a for a in level.arguments if "--help" not in a.flags]
        if arguments:
            lines += ["| | |", "|---|---|"]
            lines += [f"| {_cell(_argument(a))} | {_cell(a.help)} |" for a in arguments]
            lines.append("")
    return "\n".join(lines[:-1])


def generated() -> dict[str, str]:
    """Part -> text."""
    return {"keys": markdown_table(), "options": options(), "commands": commands()}


def rewritten(text: str) -> str:
    """The page with its parts made anew."""
    parts = generated()
    return _PART.sub(lambda m: f"{m[1]}\n{parts[m[2]]}\n\n{m[3]}", text)


def _argument(argument: interface.Argument) -> str:
    if not argument.flags:
        return f"`{argument.metavar}`"
    value = f" {argument.metavar}" if argument.metavar else ""
    return ", ".join(f"`{flag}{value}`" for flag in argument.flags)


def _cell(text: str) -> str:
    text = text.replace("%%", "%").replace("|", "\\|")
    return text if "`" in text else text.replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text()))
