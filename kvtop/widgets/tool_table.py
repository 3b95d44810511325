"""What the tables of the perf tools have in common: rows of a reading, merged by choice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from textual.binding import Binding, BindingType

from kvtop.events import Health
from kvtop.profile.text import safe_text
from kvtop.store import Store
from kvtop.tool_events import Latency, Recording, Tool
from kvtop.widgets.base import Help
from kvtop.widgets.figures import count, duration, percent, span
from kvtop.widgets.table import Cell, Column, LiveTable, Row

FIGURES = (
    Column("total", "total", 7, 1),
    Column("average", "avg", 7, 2),
    Column("longest", "max", 7, 3),
)
"""Columns of every latency."""
Source = TypeVar("Source")


@dataclass(slots=True)
class Line:
    """A row of the table: texts by column, and the figures of all that is in it."""

    texts: dict[str, str]
    count: int = 0
    timed: int = 0
    total: float = 0.0
    longest: float | None = None
    size: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, latency: Latency) -> None:
        """Merge another row's figures."""
        self.count += latency.count
        self.timed += latency.timed
        self.total += latency.total
        if latency.longest is not None:
            self.longest = max(self.longest or 0.0, latency.longest)

    @property
    def average(self) -> float | None:
        """Of those that were timed."""
        return self.total / self.timed if self.timed else None


def about(recording: Recording) -> list[str]:
    """What is to be known of the figures, the most needed first."""
    said = [f"last {span(round(recording.seconds, 1))}"]
    if recording.share < 0.995:
        said[0] = f"{span(round(recording.seconds, 1))} recorded"
        said.append(f"{percent(100 * recording.share, 0)}% of the time")
    if recording.lost:
        said.append(f"LOST {recording.lost:,}")
    said.append(f"{count(recording.events)} events/s")
    return said


class ToolTable(LiveTable[Line], Generic[Source]):
    """Merges the rows of the newest reading of ``TOOL`` by the texts of a grouping."""

    TOOL: ClassVar[Tool]
    GROUPINGS: ClassVar[tuple[tuple[str, tuple[Column, ...]], ...]]
    """Name and text columns of each way to merge."""
    NUMBERS: ClassVar[tuple[Column, ...]]
    EMPTY: ClassVar[str] = "nothing happened yet"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("g", "group", "merge rows otherwise")]
    KEYS_HELP: ClassVar[list[Help]] = [*LiveTable.KEYS_HELP, ("g", "merge the rows otherwise")]

    def __init__(self, store: Store, *, id: str | None = None) -> None:
        super().__init__(store, id=id)
        self.sort_key = "total"
        self.grouping = 0

    # What a subclass says of the rows

    def texts(self, row: Source) -> dict[str, str]:
        """All texts of a row, by column."""
        raise NotImplementedError

    def merge(self, line: Line, row: Source) -> None:
        """Add a row's figures."""
        raise NotImplementedError

    def number(self, line: Line, key: str, seconds: float) -> tuple[float | None, str]:
        """Value and text of a column that is not a text's."""
        if key == "rate":
            rate = line.count / seconds if seconds > 0 else None
            return rate, count(rate)
        value = {"total": line.total, "average": line.average, "longest": line.longest}[key]
        if key == "total" and not line.timed:
            value = None
        return value, duration(value)

    # The table

    def data_revision(self) -> object:
        return id(self.store.tools.reading(self.TOOL)), self.grouping, tuple(self.store.targets)

    def update_data(self) -> None:
        reading = self.store.tools.reading(self.TOOL)
        self._labels = {target.pid: target.label for target in self.store.targets.values()}
        lines: dict[tuple[str, ...], Line] = {}
        keys = [column.key for column in self.GROUPINGS[self.grouping][1]]
        rows: Any = () if reading is None else reading.rows
        for row in rows:
            texts = self.texts(row)
            identity = tuple(texts[key] for key in keys)
            line = lines.get(identity)
            if line is None:
                line = lines[identity] = Line(texts)
            self.merge(line, row)
        self.update_items(list(lines.values()))

    def label(self, pid: int, comm: str) -> str:
        """A target's name, of other processes what they call themselves."""
        return safe_text(self._labels.get(pid) or f"{comm}({pid})", 60)

    @property
    def seconds(self) -> float:
        """What the rows are of."""
        reading = self.store.tools.reading(self.TOOL)
        return 0.0 if reading is None else reading.recording.seconds

    def describe(self) -> None:
        reading = self.store.tools.reading(self.TOOL)
        name, _ = self.GROUPINGS[self.grouping]
        parts = [f"by {name}"]
        if reading is not None:
            parts += about(reading.recording)
        if self.pattern is not None:
            parts.insert(1, f"only /{self.pattern.pattern}/")
        self.set_state(*parts)

    def columns(self) -> Sequence[Column]:
        return (*self.GROUPINGS[self.grouping][1], *self.NUMBERS)

    def identity(self, item: Line) -> tuple[str, ...]:
        return tuple(item.texts[c.key] for c in self.GROUPINGS[self.grouping][1])

    def filter_text(self, item: Line) -> str:
        return " ".join(self.identity(item))

    def sort_value(self, item: Line, key: str) -> float | str | None:
        if key in item.texts:
            return item.texts[key]
        return self.number(item, key, self.seconds)[0]

    def row(self, item: Line) -> Row:
        cells = {c.key: Cell(item.texts[c.key]) for c in self.GROUPINGS[self.grouping][1]}
        seconds = self.seconds
        for column in self.NUMBERS:
            cells[column.key] = Cell(self.number(item, column.key, seconds)[1])
        return cells

    def empty_text(self, width: int) -> list[str]:
        if self.pattern is not None:
            return ["nothing matches the filter"]
        health = self.store.health(self.TOOL).health
        if health is Health.STARTING:
            return ["perf begins to record …"]
        return [self.EMPTY] if health is Health.OK else []

    def action_group(self) -> None:
        """Merge the rows by the next choice of texts."""
        self.grouping = (self.grouping + 1) % len(self.GROUPINGS)
        if self.sort_key not in {column.key for column in self.columns()}:
            self.sort_key = "total"
        self.refresh_data()
