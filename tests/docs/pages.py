"""The documents as data: headings, fenced blocks, and the commands in them.

A block's info string says what it is: ``sh`` is executed, ``sh background`` is started and runs on
until the page is through, ``sh no-run: REASON`` is not executed.
A block without a language is a command block if a line begins with a program that kvtop brings.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHELL = ("sh", "bash", "console")
PROGRAMS = ("kvtop", "raft_server", "kv_stress_test", "simple_stress_test")
_FENCE = re.compile(r"^ *(`{3,})([^`]*)$")
_HEADING = re.compile(r"^(#{1,6}) (.+)$")
_INLINE = re.compile(r"(?<!`)`(kvtop [^`]+)`(?!`)")
_ASSIGNMENT = re.compile(r"[A-Z_][A-Z0-9_]*=.*", re.DOTALL)
_SUBSTITUTION = re.compile(r'"?\$\([^()]*\)"?|"?\$[A-Za-z_]\w*"?')
_REDIRECTION = re.compile(r"[0-9&]?>[>&]?[0-9]?|<")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block; ``line`` is that of its first fence, from 1 on."""

    page: Path
    line: int
    info: str
    text: str

    @property
    def language(self) -> str:
        """The first word of the info string; ``sh`` where the text shows it."""
        first = self.info.split()[0] if self.info else ""
        if first:
            return first
        commands = (line.strip().split(" ")[0] for line in self.text.splitlines())
        return "sh" if any(word in PROGRAMS for word in commands) else ""

    @property
    def is_shell(self) -> bool:
        """Whether a reader types it."""
        return self.language in SHELL

    @property
    def tag(self) -> str:
        """What the info string says behind the language."""
        return self.info.partition(" ")[2].strip()

    @property
    def reason(self) -> str:
        """Why it is not executed; "" where it is."""
        return self.tag.removeprefix("no-run:").strip() if self.tag.startswith("no-run") else ""

    @property
    def where(self) -> str:
        """For messages and test ids."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """README and docs, without the Chinese ones, which repeat the commands of the English ones."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [page for page in found if not page.name.endswith(".zh-CN.md")]


def translations() -> list[tuple[Path, Path]]:
    """(English, Chinese) pages."""
    chinese = [*ROOT.glob("*.zh-CN.md"), *(ROOT / "docs").glob("*.zh-CN.md")]
    return [(page.with_name(page.name.replace(".zh-CN", "")), page) for page in sorted(chinese)]


def blocks(page: Path) -> list[Block]:
    """Every fenced block."""
    found: list[Block] = []
    begun: tuple[int, str, str] | None = None
    lines: list[str] = []
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fence = _FENCE.match(line)
        if begun is None and fence:
            begun, lines = (number, fence[1], fence[2].strip()), []
        elif begun is not None and line.strip() == begun[1]:
            found.append(Block(page, begun[0], begun[2], "\n".join(lines) + "\n"))
            begun = None
        elif begun is not None:
            lines.append(line)
    assert begun is None, f"{page}: the block of line {begun[0]} does not end"
    return found


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    kept, inside = [], False
    for line in page.read_text().splitlines():
        if _FENCE.match(line):
            inside = not inside
        elif not inside:
            kept.append(line)
    return "\n".join(kept)


def headings(page: Path) -> list[tuple[int, str]]:
    """(level, text) of each."""
    found = map(_HEADING.match, prose(page).splitlines())
    return [(len(match[1]), match[2]) for match in found if match]


def inline_commands(page: Path) -> list[str]:
    """Code in running text that begins with ``kvtop``."""
    return _INLINE.findall(prose(page))


def simple_commands(block: Block) -> Iterator[list[str]]:
    """The words of every simple command; redirections, assignments, ``sudo`` are left out.

    What the shell would put in (``$(pidof x)``, ``$PID``) stands there as ``4211``.
    """
    text = block.text.replace("\\\n", " ")
    for raw in text.splitlines():
        line = raw.strip()
        if block.language == "console":
            if not line.startswith(("$ ", "# ")):
                continue  # what a command printed
            line = line[2:]
        words = shlex.shlex(_SUBSTITUTION.sub("4211", line), posix=True, punctuation_chars="|&;<>")
        words.whitespace_split = True
        words.commenters = "#"
        yield from _split(list(words))


def _split(words: list[str]) -> Iterator[list[str]]:
    command: list[str] = []
    skip = False
    for word in [*words, ";"]:
        if skip:
            skip = False
        elif _REDIRECTION.fullmatch(word):
            if command and command[-1].isdigit() and word.startswith(">"):
                command.pop()  # the 2 of 2>
            skip = not word.endswith(("&1", "&2"))
        elif set(word) <= set("|&;"):
            while command and (_ASSIGNMENT.fullmatch(command[0]) or command[0] in ("sudo", "-E")):
                del command[0]
            if command:
                yield command
            command = []
        else:
            command.append(word)
