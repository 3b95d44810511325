"""What is known of a function line by line and instruction by instruction. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Instruction:
    """One machine instruction: the samples that were taken in it, and the line it came from.

    ``file`` is '' and ``line`` 0 where the line table does not say.
    """

    address: int
    samples: int
    text: str
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A source file and the samples per line (1 is the first), as far as lines are known.

    ``lines`` is safe text, empty where the file cannot be read. ``first`` is the line where the
    function begins, 0 where unknown. ``samples`` were taken in the line itself, ``totals`` in it or
    in what it called; those are empty where they are not known.
    """

    name: str
    lines: tuple[str, ...]
    first: int = 0
    samples: Mapping[int, int] = field(default_factory=dict)
    totals: Mapping[int, int] = field(default_factory=dict)

    @property
    def hottest(self) -> int:
        """The line with the most samples, the first of equals; 0 where none has any."""
        return min(self.samples, key=lambda line: (-self.samples[line], line), default=0)

    @property
    def weight(self) -> int:
        """Samples in all its lines."""
        return sum(self.samples.values())


@dataclass(frozen=True, slots=True)
class Listing:
    """A function as measured: ``samples`` were taken in it, callees not counted.

    ``seconds`` is the length of the recording that they are from, None where there is none.
    ``files`` has the function's own source first, then those of code that was inlined into it.
    ``remark`` is one sentence on what could not be had, '' where all is there.
    ``sampler`` is whose samples they are where they are not perf's; they have ``total`` of the
    function with its callees. ``more``: who asks again soon gets more.
    """

    samples: int = 0
    files: tuple[SourceFile, ...] = ()
    instructions: tuple[Instruction, ...] = ()
    remark: str = ""
    seconds: float | None = None
    sampler: str = ""
    total: int = 0
    more: bool = False
