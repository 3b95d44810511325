"""The processes pane of ``--attach``: each target's CPU, memory and state, exited ones too."""

from __future__ import annotations

from typing import ClassVar

from kvtop.events import ProcessUsage, Target
from kvtop.profile.text import safe_text
from kvtop.store import Store
from kvtop.widgets.base import Help
from kvtop.widgets.figures import percent, size, whole
from kvtop.widgets.table import Cell, Column, LiveTable, Row

_MACHINE = 0
"""The parent of all where the whole machine is profiled."""
_LOUD = {"stopped", "zombie", "dead", "tracing-stop"}


class ProcessesPane(LiveTable[Target]):
    """Targets in name order. One that has exited stays, so that its end is not missed."""

    NAME = "Processes"
    COLLECTORS = ("processes",)
    FILTERABLE = True
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("target", "target", 12, 0, right=False, descending=False, grow=1, middle=True),
        Column("state", "state", 10, 1, right=False, descending=False),
        Column("pid", "PID", 7, 0),
        Column("cpu", "CPU %", 6, 1),
        Column("rss", "RSS", 6, 2),
        Column("threads", "threads", 8, 3),
        Column("command", "command", 16, 4, right=False, descending=False, grow=2, middle=True),
    )
    KEYS_HELP: ClassVar[list[Help]] = [
        *LiveTable.KEYS_HELP,
        ("enter", "profile of this process alone, and of all again"),
    ]

    def __init__(self, store: Store, *, id: str | None = None) -> None:
        super().__init__(store, id=id)
        self.sort_key = "target"
        self.descending = False
        self._seen_targets: dict[str, Target] = {}

    def data_revision(self) -> object:
        return self.store.cluster.revision, tuple(self.store.targets.values())

    def update_data(self) -> None:
        if any(target.parent == _MACHINE for target in self.store.targets.values()):
            # The busiest of the machine: who is not among them any more has not exited.
            self._seen_targets = {}
        self._seen_targets |= self.store.targets
        for label in [t.label for t in self._seen_targets.values() if t.parent is not None]:
            # Children that ended are told in the logs: there may be thousands of them.
            if label not in self.store.targets:
                del self._seen_targets[label]
        self.update_items(list(self._seen_targets.values()))

    def describe(self) -> None:
        gone = len(self._seen_targets) - len(self.store.targets)
        self.set_state(f"{len(self.store.targets)} alive", f"{gone} exited" if gone else "")

    def _usage(self, target: Target) -> ProcessUsage | None:
        """The newest reading of a process that still runs."""
        usage = self.store.cluster.usage.get(target.label)
        alive = target.label in self.store.targets
        return usage if alive and usage is not None and usage.pid == target.pid else None

    def _status(self, target: Target) -> str:
        usage = self._usage(target)
        if target.label not in self.store.targets:
            return "EXITED"
        return usage.status if usage is not None else ""

    def identity(self, item: Target) -> str:
        return item.label

    def filter_text(self, item: Target) -> str:
        return f"{item.label} {item.pid} {item.command}"

    def sort_value(self, item: Target, key: str) -> float | str | None:
        usage = self._usage(item)
        values: dict[str, float | str | None] = {
            "target": item.label,
            "state": self._status(item),
            "pid": item.pid,
            "cpu": usage.cpu_percent if usage is not None else None,
            "rss": usage.rss if usage is not None else None,
            "threads": usage.threads if usage is not None else None,
            "command": item.command,
        }
        return values[key]

    def row(self, item: Target) -> Row:
        usage = self._usage(item)
        state = self._status(item)
        loud = state == "EXITED" or state in _LOUD
        return {
            "target": Cell(safe_text(item.label), "bold"),
            "state": Cell(f" {state} " if loud else state, "loud" if loud else ""),
            "pid": Cell(whole(item.pid)),
            "cpu": Cell(percent(usage.cpu_percent if usage is not None else None)),
            "rss": Cell(size(usage.rss if usage is not None else None)),
            "threads": Cell(whole(usage.threads if usage is not None else None)),
            "command": Cell(safe_text(item.command), "dim"),
        }
