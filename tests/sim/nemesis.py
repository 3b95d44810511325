"""Faults at random moments: what goes wrong, where, and for how long."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

from kvtop.workload.raft.core import Raft
from kvtop.workload.raft.types import ChangeKind, ChangeRefused, ConfigChange, NotLeader
from tests.sim.cluster import Cluster
from tests.sim.node import Node
from tests.sim.parameters import TICK, random_quality


class Nemesis:
    """Does one fault after another until it is stopped; counts them by name."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.counts: Counter[str] = Counter()
        self.stopped = False
        self._rng = random.Random(f"nemesis {cluster.seed}")
        faults: list[tuple[Callable[[], bool], int]] = [
            (self.crash, 5),
            (self.crash_all, 1),
            (self.restart, 8),
            (self.pause, 2),
            (self.pause_leader, 2),
            (self.resume, 4),
            (self.isolate_leader, 3),
            (self.partition, 4),
            (self.one_way, 2),
            (self.heal, 6),
            (self.network, 1),
            (self.slow_disk, 1),
            (self.skew_clock, 1),
            (self.transfer, 2),
            (self.change_members, 4),
        ]
        # Each run has its own mix: some faults often, some never.
        chosen = [(fault, weight * self._rng.choice((0, 1, 1, 3))) for fault, weight in faults]
        self._faults = [fault for fault, _ in chosen]
        self._weights = [weight for _, weight in chosen]
        if not any(self._weights):
            self._weights[0] = 1
        self._next()

    def _next(self) -> None:
        self.cluster.after(self._rng.randint(*self.cluster.parameters.fault_gap), self._strike)

    def _strike(self) -> None:
        if self.stopped:
            return
        [fault] = self._rng.choices(self._faults, self._weights)
        if fault():
            self.counts[fault.__name__] += 1
        self._next()

    def _pick(self, nodes: list[Node]) -> Node | None:
        return self._rng.choice(nodes) if nodes else None

    def _running(self) -> list[Node]:
        return [node for node in self.cluster.nodes if node.up and not node.is_paused]

    # --- processes -----------------------------------------------------------------------------

    def crash(self) -> bool:
        """kill -9 or power loss of one node."""
        return self._crash(self._pick([node for node in self.cluster.nodes if node.up]))

    def _crash(self, node: Node | None) -> bool:
        if node is None:
            return False
        queued = len(node.disk.queue)
        node.crash(self._rng.choice((0, 0, self._rng.randint(0, queued))))
        return True

    def crash_all(self) -> bool:
        """Power loss of all."""
        running = [node for node in self.cluster.nodes if node.up]
        for node in running:
            self._crash(node)
        return bool(running)

    def restart(self) -> bool:
        """A crashed node comes back."""
        node = self._pick([node for node in self.cluster.nodes if not node.up])
        if node is not None:
            node.start()
        return node is not None

    def pause(self) -> bool:
        """SIGSTOP."""
        node = self._pick(self._running())
        if node is not None:
            node.pause()
        return node is not None

    def pause_leader(self) -> bool:
        """SIGSTOP of the leader for longer than an election takes."""
        node = self.cluster.leader
        if node is None or node.is_paused:
            return False
        node.pause()
        self.cluster.after(self._rng.randint(10, 40) * TICK, node.resume)
        return True

    def resume(self) -> bool:
        """SIGCONT."""
        node = self._pick([node for node in self.cluster.nodes if node.is_paused])
        if node is not None:
            node.resume()
        return node is not None

    # --- network -------------------------------------------------------------------------------

    def isolate_leader(self) -> bool:
        """The leader alone on its side."""
        leader = self.cluster.leader
        if leader is not None:
            self.cluster.isolate(leader.id)
        return leader is not None

    def partition(self) -> bool:
        """Two sides."""
        ids = [node.id for node in self.cluster.nodes]
        side = self._rng.sample(ids, self._rng.randint(1, len(ids) // 2))
        self.cluster.network.partition(side, set(ids) - set(side))
        return True

    def one_way(self) -> bool:
        """One node hears, but is not heard; or the reverse."""
        ids = [node.id for node in self.cluster.nodes]
        sides = [[self._rng.choice(ids)], ids]
        self._rng.shuffle(sides)
        self.cluster.network.block(*sides)
        return True

    def heal(self) -> bool:
        """All partitions end."""
        self.cluster.network.heal()
        return True

    def network(self) -> bool:
        """Other losses and delays."""
        self.cluster.network.quality = random_quality(self._rng)
        return True

    # --- machines ------------------------------------------------------------------------------

    def slow_disk(self) -> bool:
        """One disk stalls, or recovers."""
        node = self._rng.choice(self.cluster.nodes)
        slow = node.disk_delay == self.cluster.parameters.disk
        node.disk_delay = (50_000, 300_000) if slow else self.cluster.parameters.disk
        return True

    def skew_clock(self) -> bool:
        """One clock runs up to twice as fast, or half as fast."""
        node = self._rng.choice(self.cluster.nodes)
        node.tick_interval = int(TICK * 2 ** self._rng.uniform(-1, 1))
        return True

    # --- operators -----------------------------------------------------------------------------

    def _ask_leader(self, request: Callable[[Raft], object]) -> bool:
        leader = self.cluster.leader
        if leader is None:
            return False
        accepted: list[bool] = []

        def ask(raft: Raft) -> None:
            try:
                request(raft)
                accepted.append(True)
            except (NotLeader, ChangeRefused):
                pass

        leader.call(ask)
        return bool(accepted)

    def transfer(self) -> bool:
        """Leadership goes to another node, if all goes well."""
        to = self._rng.choice(self.cluster.nodes).id
        return self._ask_leader(lambda raft: raft.transfer_leadership(to))

    def change_members(self) -> bool:
        """Add, promote, demote or remove a member, mostly one that may be spared."""
        node = self._rng.choice(self.cluster.nodes).id
        kind = self._rng.choice(
            (ChangeKind.ADD_VOTER, ChangeKind.ADD_VOTER, ChangeKind.ADD_LEARNER, ChangeKind.REMOVE)
        )
        return self._ask_leader(lambda raft: raft.propose_config(ConfigChange(kind, node)))
