"""Reads ``py-spy record --format raw --threads --full-filenames``: one stack a line.

Frames are functions, as everywhere; the lines they were in stand beside them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kvtop.profile.frames import Frame, Kind, short_source
from kvtop.profile.text import safe_text

# py-spy writes the operating system's thread id where it knows it, else Python's in hex.
_THREAD = re.compile(r"thread \((0x[0-9A-Fa-f]{1,16}|[0-9]{1,10})\)(?:: (.*))?", re.DOTALL)
_FRAME = re.compile(r"(.*?) \((.*?)(?::([0-9]{1,9}))?\)", re.DOTALL)
_COUNT = re.compile(r"[0-9]{1,9}")
_MOST_FRAMES = 2000
_STARTS = frozenset(
    ("<module>", "_run_module_as_main", "Thread._bootstrap", "_bootstrap", "_run_code")
)
"""Where threads of Python begin; those that C code started begin anywhere."""
CUT_OFF = Frame("[callers not seen]", "py-spy", Kind.UNKNOWN)
"""Above a stack that changed while py-spy read it: the program is not stopped for that."""


class SpiedStack(NamedTuple):
    """How often py-spy saw a thread in a stack, root first. ``tid`` is 0 where it is not known.

    ``lines`` is the line that each frame was in, 0 where unknown.
    """

    tid: int
    thread: str
    frames: tuple[Frame, ...]
    samples: int
    lines: tuple[int, ...]


def parse_raw(text: str) -> list[SpiedStack]:
    """The stacks of one recording; lines that are none are left out."""
    return [stack for line in text.splitlines() if (stack := _parse_line(line)) is not None]


def mark_torn(stacks: list[SpiedStack]) -> list[SpiedStack]:
    """The stacks, with ``CUT_OFF`` above those without the beginning that their thread has."""
    whole = {stack.tid for stack in stacks if stack.frames[0].symbol in _STARTS}
    return [
        stack
        if stack.tid not in whole or stack.frames[0].symbol in _STARTS
        else stack._replace(frames=(CUT_OFF, *stack.frames), lines=(0, *stack.lines))
        for stack in stacks
    ]


def _parse_line(line: str) -> SpiedStack | None:
    head, _, number = line.rpartition(" ")
    if not _COUNT.fullmatch(number) or not int(number):
        return None
    parts = head.split(";")
    tid, name = 0, ""
    if match := _THREAD.fullmatch(parts[0]):
        tid = 0 if match[1].startswith("0x") else int(match[1])
        name = match[2] or ""
        del parts[0]
        while parts and not _FRAME.fullmatch(parts[0]):
            # A thread's name may hold what stands between frames.
            name += f";{parts.pop(0)}"
    found = [_frame(part) for part in parts[:_MOST_FRAMES] if part]
    if not found:
        return None
    frames, lines = zip(*found, strict=True)
    return SpiedStack(tid, name, frames, int(number), lines)


def _frame(part: str) -> tuple[Frame, int]:
    """As perf names the functions of ``-X perf_jit``, so that both are one function in a view."""
    match = _FRAME.fullmatch(part)
    name, file, line = match.groups() if match else (part, "", None)
    file = safe_text(file)
    return Frame(safe_text(name), short_source(file), Kind.PYTHON, file), int(line or 0)
