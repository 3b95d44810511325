"""The cluster pane: a row per Raft node, who leads, how far each is behind, what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from kvtop.events import NodeState, NodeStatus, ProcessUsage, Role
from kvtop.profile.text import safe_text
from kvtop.store import Store
from kvtop.widgets.base import Help
from kvtop.widgets.figures import NONE, duration, percent, size, whole
from kvtop.widgets.table import Cell, Column, LiveTable, Row

_ROLES = {
    Role.LEADER: ("♛ leader", "good"),
    Role.FOLLOWER: ("follower", ""),
    Role.CANDIDATE: ("candidate", "warn"),
}
_STATES = {
    NodeState.STARTING: ("starting", "warn"),
    NodeState.UP: ("up", "good"),
    NodeState.PAUSED: (" PAUSED ", "loud"),
    NodeState.DOWN: (" DOWN ", "loud"),
    NodeState.SILENT: (" SILENT ", "loud"),
}
_LIVE = (NodeState.UP, NodeState.PAUSED)
_LONGEST_NAME = 21
"""Cells: an IPv4 address with its port."""
_FAR = 1000
"""Entries behind the leader that deserve a colour."""


class ClusterPane(LiveTable[NodeStatus]):
    """Nodes in name order; the selected one is what pause and restart act on."""

    NAME = "Cluster"
    COLLECTORS = ("supervisor", "cluster")
    FILTERABLE = True
    KEYS_HELP: ClassVar[list[Help]] = [
        *LiveTable.KEYS_HELP,
        ("enter", "profile of this node alone, and of all again"),
    ]
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("node", "node", 5, 0, right=False, descending=False, grow=1),
        Column("state", "state", 8, 0, right=False),
        Column("role", "role", 9, 1, right=False),
        Column("pid", "PID", 7, 3),
        Column("term", "term", 4, 3),
        Column("commit", "commit", 8, 5),
        Column("applied", "applied", 8, 8),
        Column("lag", "lag", 5, 4),
        Column("cpu", "CPU %", 5, 2),
        Column("rss", "RSS", 6, 6),
        Column("fsync", "fsync p99", 9, 4),
        Column("keys", "keys", 7, 9),
    )
    DB_SIZE: ClassVar[Column] = Column("db", "db size", 7, 7)
    """Only of nodes that have such a file."""

    def __init__(self, store: Store, *, id: str | None = None) -> None:
        super().__init__(store, id=id)
        self.sort_key = "node"
        self.descending = False

    @property
    def selected_node(self) -> str | None:
        """Name of the node under the cursor, None where no node is known."""
        return self.selected if isinstance(self.selected, str) else None

    def columns(self) -> Sequence[Column]:
        """Those of every store, and the one that only some have."""
        nodes = self.store.cluster.nodes.values()
        first, *rest = self.COLUMNS
        longest = max((len(node.name) for node in nodes), default=0)
        if longest > first.width:  # addresses, which differ at their ends
            first = replace(first, width=min(longest, _LONGEST_NAME), middle=True)
        known = any(node.db_size is not None for node in nodes)
        return (first, *rest, self.DB_SIZE) if known else (first, *rest)

    def data_revision(self) -> object:
        return self.store.cluster.revision

    def update_data(self) -> None:
        self.update_items(list(self.store.cluster.nodes.values()))

    def describe(self) -> None:
        nodes = self.store.cluster.nodes.values()
        up = sum(1 for node in nodes if node.state is NodeState.UP)
        leader = self.store.cluster.leader
        terms = [node.term for node in nodes if node.term is not None]
        if not nodes:
            self.set_state("")
        elif leader is None:
            self.set_state("NO LEADER", f"{up}/{len(nodes)} up")
        else:
            self.set_state(f"{leader} leads term {max(terms, default=0)}", f"{up}/{len(nodes)} up")

    def identity(self, item: NodeStatus) -> str:
        return item.name

    def filter_text(self, item: NodeStatus) -> str:
        return f"{item.name} {item.state} {item.role} {item.pid}"

    def _usage(self, node: NodeStatus) -> ProcessUsage | None:
        """The /proc reading, unless it is of an earlier process of this node."""
        usage = self.store.cluster.usage.get(node.name)
        if usage is None or usage.pid != node.pid or node.state not in _LIVE:
            return None
        return usage

    def sort_value(self, item: NodeStatus, key: str) -> float | str | None:
        usage = self._usage(item)
        values: dict[str, float | str | None] = {
            "node": item.name,
            "state": item.state.value,
            "role": item.role.value,
            "pid": item.pid,
            "term": item.term,
            "commit": item.commit,
            "applied": item.applied,
            "lag": item.lag,
            "cpu": usage.cpu_percent if usage is not None else None,
            "rss": usage.rss if usage is not None else None,
            "fsync": item.fdatasync_p99,
            "keys": item.keys,
            "db": item.db_size,
        }
        return values[key]

    def row(self, item: NodeStatus) -> Row:
        usage = self._usage(item)
        live = item.state in _LIVE
        role, role_style = _ROLES.get(item.role, (NONE, "")) if live else (NONE, "dim")
        style = "" if live else "dim"
        return {
            "node": Cell(safe_text(item.name), "bold" if live else "dim"),
            "state": Cell(*_STATES[item.state]),
            "role": Cell(role, role_style),
            "pid": Cell(whole(item.pid), style),
            "term": Cell(whole(item.term), style),
            "commit": Cell(whole(item.commit), style),
            "applied": Cell(whole(item.applied), style),
            "lag": Cell(whole(item.lag), "warn" if (item.lag or 0) > _FAR else style),
            "cpu": Cell(percent(usage.cpu_percent if usage is not None else None), style),
            "rss": Cell(size(usage.rss if usage is not None else None), style),
            "fsync": Cell(duration(item.fdatasync_p99), style),
            "keys": Cell(whole(item.keys), style),
            "db": Cell(size(item.db_size), style),
        }
