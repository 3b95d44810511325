"""Samples per instruction and per source line of one function, by ``perf annotate``.

On demand, of a recording that is written for it and deleted afterwards; perf, objdump and
addr2line run as children with a time limit. What they say is text from outside.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kvtop.collectors.children import Child
from kvtop.collectors.perf_pipe import SAMPLE, EventAttr, as_record
from kvtop.collectors.perf_window import PipeWindow
from kvtop.collectors.source_text import SourceError, read_source
from kvtop.profile.frames import UNKNOWN_SYMBOL, Frame, Kind
from kvtop.profile.listing import Instruction, Listing, SourceFile
from kvtop.profile.text import safe_text

PATIENCE = 20.0
"""Seconds for each of perf annotate and addr2line: of a huge function, or in a huge program."""
MOST_OUTPUT = 32 << 20
MOST_INSTRUCTIONS = 50_000
MOST_FILES = 8
_HEAD = re.compile(r"^.*\|\s*Source code & Disassembly of (.*?) for \S.*\((\d+) samples")
_INSTRUCTION = re.compile(r"^\s*(\d+)\s*:\s*([0-9a-f]+):\s*(.*?)\s*$")
_PLACE = re.compile(r"^(.*):(\d+|\?)(?: \(discriminator \d+\))?$")


class AnnotateError(Exception):
    """A function that cannot be annotated: one sentence with the reason."""


@dataclass(frozen=True, slots=True)
class Block:
    """perf's answer for one object that has a function of the name."""

    object: str
    samples: int
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """Which samples count: monotonic seconds, both inclusive, and processes (None: all)."""

    start: float
    end: float
    pids: frozenset[int] | None = None


def parse_annotate(text: str) -> list[Block]:
    """The blocks of ``perf annotate --stdio -n -P --no-source``."""
    heads: list[tuple[str, int]] = []
    found: list[list[Instruction]] = []
    for line in text.split("\n"):
        if head := _HEAD.match(line):
            heads.append((head[1], int(head[2])))
            found.append([])
        elif found and len(found[-1]) < MOST_INSTRUCTIONS and (one := _INSTRUCTION.match(line)):
            code = safe_text(one[3].expandtabs(8), 200)
            found[-1].append(Instruction(int(one[2], 16), int(one[1]), code))
    return [
        Block(name, samples, tuple(instructions))
        for (name, samples), instructions in zip(heads, found, strict=True)
    ]


def parse_places(text: str) -> list[tuple[str, int]]:
    """File and line per line of ``addr2line``'s answer; '' and 0 where it does not know."""
    places: list[tuple[str, int]] = []
    for answer in text.removesuffix("\n").split("\n"):
        match = _PLACE.match(answer)
        known = match is not None and match[1] != "??" and match[2].isascii() and match[2].isdigit()
        places.append((match[1], int(match[2])) if match is not None and known else ("", 0))
    return places


async def annotate(window: PipeWindow, attr: EventAttr, frame: Frame, span: Span) -> Listing:
    """The lines and instructions of a function that is no Python's; AnnotateError, OSError."""
    if frame.kind in (Kind.UNKNOWN, Kind.GROUP) or frame.symbol == UNKNOWN_SYMBOL:
        raise AnnotateError("What has no name cannot be annotated.")
    if shutil.which("objdump") is None:
        raise AnnotateError("objdump is missing: install the package binutils.")
    cut = window.cut(_wanted(attr, span))
    seconds = span.end - max(span.start, window.oldest or span.end)
    directory = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="kvtop-annotate-"))
    try:
        data = directory / "perf.data"
        await asyncio.to_thread(cut.write, data, 0.0, attr)
        block = _own_block(await _perf_annotate(data, frame.symbol, directory), frame)
        places = await _places(block, directory)
    finally:
        await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)
    instructions = tuple(
        replace(one, file=safe_text(file), line=line)
        for one, (file, line) in zip(block.instructions, places, strict=True)
    )
    files = await asyncio.to_thread(_files, block, places)
    remark = "" if files else f"{safe_text(frame.object)} has no line table: compile it with -g."
    return Listing(block.samples, files, instructions, remark, seconds)


def _wanted(attr: EventAttr, span: Span) -> Callable[[bytes], bool]:
    start, end = round(span.start * 1e9), round(span.end * 1e9)

    def wanted(sample: bytes) -> bool:
        if as_record(sample).type != SAMPLE:
            return False
        pid, time = attr.whose(sample)
        return start <= time <= end and (span.pids is None or pid in span.pids)

    return wanted


async def _perf_annotate(data: Path, symbol: str, directory: Path) -> list[Block]:
    command = ["perf", "annotate", "--stdio", "-n", "-P", "--no-source", "-i", str(data)]
    text, error = await _run([*command, f"--symbol={symbol}"], directory / "annotate")
    blocks = await asyncio.to_thread(parse_annotate, text)
    if not blocks and "has no samples" in error:
        raise AnnotateError(
            "perf annotate finds no sample taken in the code of a function of this name."
        )
    if not blocks:
        raise AnnotateError(f"perf annotate cannot: {_reason(error)}.")
    return blocks


def _reason(error: str) -> str:
    """The first sentence of perf's complaint that says something."""
    lines = [line.strip() for line in error.splitlines()]
    said = [x for x in lines if x and x != "Error:" and not x.startswith("Couldn't annotate")]
    text = " ".join(said).partition(". ")[0].partition("Note that")[0]
    return safe_text(text.strip().rstrip("."), 200) or "it says nothing"


def _own_block(blocks: Sequence[Block], frame: Frame) -> Block:
    """The block of the frame's object, else the one with the most samples."""
    own = [block for block in blocks if block.object.rpartition("/")[2] == frame.object]
    return max(own or blocks, key=lambda block: block.samples)


async def _places(block: Block, directory: Path) -> list[tuple[str, int]]:
    """File and line of every instruction; unknown ones where addr2line cannot say."""
    unknown = [("", 0)] * len(block.instructions)
    if shutil.which("addr2line") is None or not block.object.startswith("/"):
        return unknown
    asked = directory / "addresses"
    lines = [f"{one.address:x}\n" for one in block.instructions]
    await asyncio.to_thread(asked.write_text, "".join(lines))
    command = ["addr2line", "-e", block.object]
    text, _ = await _run(command, directory / "places", asked)
    places = await asyncio.to_thread(parse_places, text)
    return places if len(places) == len(unknown) else unknown


async def _run(command: Sequence[str], path: Path, stdin: Path | None = None) -> tuple[str, str]:
    """stdout (through the file ``path``) and stderr of a child; AnnotateError if it takes long."""
    given = stdin.open("rb") if stdin is not None else None
    try:
        with path.open("wb") as output:
            child = await Child.spawn(
                command,
                stdin=asyncio.subprocess.DEVNULL if given is None else given.fileno(),
                stdout=output.fileno(),
            )
            async with child:
                try:
                    async with asyncio.timeout(PATIENCE):
                        await child.wait()
                except TimeoutError:
                    text = f"{command[0]} took longer than {PATIENCE:g} s."
                    raise AnnotateError(text) from None
    except FileNotFoundError:
        raise AnnotateError(f"{command[0]} is missing.") from None
    finally:
        if given is not None:
            given.close()
    return await asyncio.to_thread(_read, path), child.stderr


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(MOST_OUTPUT).decode("utf-8", "replace")


def _files(block: Block, places: Sequence[tuple[str, int]]) -> tuple[SourceFile, ...]:
    """The source files of the instructions, the function's own first."""
    samples: dict[str, Counter[int]] = {}
    for one, (file, line) in zip(block.instructions, places, strict=True):
        if line:
            samples.setdefault(file, Counter())[line] += one.samples
    own, first = next(((file, line) for file, line in places if line), ("", 0))
    names = sorted(samples, key=lambda name: (name != own, -samples[name].total(), name))
    files = []
    for name in names[:MOST_FILES]:
        counts = {line: n for line, n in samples[name].items() if n}
        if not counts and name != own:
            continue
        try:
            lines = read_source(name)
        except SourceError:
            lines = ()
        files.append(SourceFile(safe_text(name), lines, first if name == own else 0, counts))
    return tuple(files)
