"""The cluster pane of etcd and of endpoints: db size, and names that are addresses."""

from __future__ import annotations

from kvtop.events import NodeState, NodeStatus, Role
from kvtop.widgets.cluster import ClusterPane
from tests.widgets.made_up import START, make_store


def test_addresses_are_told_apart_and_the_db_size_has_a_column() -> None:
    store = make_store(True)
    pane = ClusterPane(store)
    assert "db" not in [column.key for column in pane.columns()]
    for port in (20001, 20002):
        name = f"127.0.0.1:{port}"
        status = NodeStatus(START, name, None, NodeState.UP, Role.FOLLOWER, 2, db_size=1 << 20)
        store.apply(status)
    columns = {column.key: column for column in pane.columns()}
    assert columns["node"].width == len("127.0.0.1:20001")
    assert "db" in columns
    row = pane.row(status)
    assert row["node"].text == "127.0.0.1:20002"
    assert row["db"].text.startswith("1.0")
    assert row["pid"].text == "–"
