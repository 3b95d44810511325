"""What one view hands to another: the samples it shows, and a function to look at closely."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from textual.message import Message

from kvtop.profile.frames import Frame
from kvtop.profile.ring import matching_stacks
from kvtop.profile.stacks import StackTable
from kvtop.widgets.flame_state import Groups

View = Literal["callers", "source"]
Bounds = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of a view as it shows them: what another view of the same ones is made from.

    ``counts`` is the fold (stack id -> weight in ``unit``), ``caption`` says of what, parts apart
    by `` · ``; ``revision`` moves when a new ``counts`` may differ. ``bounds`` are the first and
    last moment, monotonic seconds, None where open; ``label`` is the one target, None for all.
    Not ``live``, the first ``counts`` is what stays.
    """

    counts: Callable[[], Mapping[int, int]]
    caption: Callable[[], str]
    revision: Callable[[], object]
    bounds: Callable[[], Bounds] = lambda: (None, None)
    label: str | None = None
    live: bool = True
    unit: str = "samples"


class FunctionAsked(Message):
    """Somebody wants to see a function closely: its callers and callees, or its source."""

    def __init__(self, frame: Frame, view: View) -> None:
        super().__init__()
        self.frame = frame
        self.view = view


def keep_matching(groups: Groups, table: StackTable, pattern: re.Pattern[str]) -> Groups:
    """The groups without the stacks in which no symbol matches, and without groups of none."""
    kept = {}
    for name, counts in groups.items():
        matching = matching_stacks(table, dict(counts), pattern)
        if matching or not name:
            kept[name] = {stack: n for stack, n in counts.items() if stack in matching}
    return kept
