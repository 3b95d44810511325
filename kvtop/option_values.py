"""Text to the value of an option; a ValueError says what it must be."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

CALL_GRAPHS = ("auto", "fp", "dwarf", "lbr")


def integer(low: int, high: int) -> Callable[[str], int]:
    """A whole number from ``low`` to ``high``."""

    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError(f"must be from {low:,} to {high:,}")
        return value

    return parse


def number(low: float, high: float) -> Callable[[str], float]:
    """A number from ``low`` to ``high``."""

    def parse(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise ValueError(f"must be from {low:,.10g} to {high:,.10g}")
        return value

    return parse


def odd_nodes(text: str) -> int:
    """How many nodes a cluster has."""
    value = integer(1, 9)(text)
    if value % 2 == 0:
        raise ValueError("must be odd (1, 3, 5, 7, 9): an even number adds no fault tolerance")
    return value


def mix(text: str) -> tuple[int, int]:
    """``READ:WRITE``, shares of reads and writes."""
    try:
        reads, writes = (int(part) for part in text.split(":"))
    except ValueError:
        raise ValueError("must be READ:WRITE, for example 80:20") from None
    if reads < 0 or writes < 0 or reads + writes == 0:
        raise ValueError("needs two shares of 0 or more that are not both 0")
    return reads, writes


def pids(text: str) -> tuple[int, ...]:
    """``PID,PID``, each once."""
    try:
        pids = tuple(dict.fromkeys(int(part) for part in text.split(",") if part.strip()))
    except ValueError:
        raise ValueError("must be process ids, for example 4211 or 4211,4212") from None
    if not pids or min(pids) < 1:
        raise ValueError("must be process ids of 1 or more, for example 4211 or 4211,4212")
    return pids


def regex(text: str) -> str:
    """A regular expression, as text."""
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"must be a regular expression: {error}") from None
    return name(text)


def name(text: str) -> str:
    """Any text but an empty one."""
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def endpoints(text: str) -> tuple[tuple[str, int], ...]:
    """``HOST:PORT,...``, each once; ``http://`` before it is of no account."""
    found: dict[tuple[str, int], None] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        address = part.removeprefix("http://").removesuffix("/")
        host, _, port = address.rpartition(":")
        if "/" in address or not host or not re.fullmatch(r"[0-9]{1,5}", port):
            raise ValueError("must be HOST:PORT,... without TLS, for example 10.0.0.1:2379")
        found[host.strip("[]"), int(port)] = None
    if not found or not all(1 <= port <= 65535 for _, port in found):
        raise ValueError("must be HOST:PORT,... with ports of 1 to 65535")
    return tuple(found)


def words(text: str) -> tuple[str, ...]:
    """A command line, split as a shell would."""
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise ValueError(f"must be a command: {str(error).lower()}") from None
    if not words:
        raise ValueError("must be a command, for example 'ssh -i key'")
    return words


def choice(*names: str) -> Callable[[str], str]:
    """One of these names."""

    def parse(text: str) -> str:
        if text not in names:
            raise ValueError(f"must be one of {', '.join(names)}")
        return text

    return parse


def call_graph(text: str) -> str:
    """perf's ``--call-graph``, or auto."""
    mode, _, size = text.partition(",")
    sized = mode == "dwarf" and size.isdecimal() and 8 <= int(size) <= 65528 and not int(size) % 8
    if text not in CALL_GRAPHS and not sized:
        raise ValueError(f"must be one of {', '.join(CALL_GRAPHS)}, or dwarf,BYTES (8 to 65528)")
    return text


def switch(text: str) -> bool:
    """Yes or no, in one of the usual spellings."""
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off", ""}:
        return False
    raise ValueError("must be true or false")
