"""The hooks an invariant may have; those it does not override are never called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtop.workload.raft.types import Entry, Message

if TYPE_CHECKING:
    from tests.sim.cluster import Cluster
    from tests.sim.node import Node


class Violation(Exception):
    """An invariant does not hold; the text names it and says where."""


class Invariant:
    """Watches one cluster for one run."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def after_event(self, node: Node) -> None:
        """Something happened at ``node``."""

    def on_message(self, message: Message) -> None:
        """``message`` leaves its sender."""

    def on_apply(self, node: Node, entry: Entry) -> None:
        """``node`` applied ``entry``."""

    def on_restore(self, node: Node) -> None:
        """``node`` loaded a snapshot into its machine."""

    def demand(self, holds: bool, text: str) -> None:
        """Raise a Violation unless it holds."""
        if not holds:
            raise Violation(f"{type(self).__name__}: {text}")
