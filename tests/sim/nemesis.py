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
            (self.crash, 4),
            (self.crash_leader, 4),
            (self.crash_all, 1),
            (self.burst, 2),
            (self.crash_in_burst, 3),
            (self.isolate_in_burst, 2),
            (self.pause, 2),
            (self.pause_leader, 2),
            (self.isolate_leader, 4),
            (self.partition, 4),
            (self.one_way, 2),
            (self.network, 1),
            (self.slow_disk, 2),
            (self.skew_clock, 1),
            (self.transfer, 2),
            (self.change_members, 4),
        ]
        # Each run has its own mix: some faults often, some never.
        chosen = [(fault, weight * self._rng.choice((0, 1, 1, 4))) for fault, weight in faults]
        if names := cluster.parameters.faults:
            chosen = [(fault, int(fault.__name__ in names)) for fault, _ in faults]
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

    def _for_a_while(self, end: Callable[[], None]) -> bool:
        """Let what was just begun end after a time between a message's and some elections'."""
        ticks = 2 ** self._rng.uniform(-1, 6)
        self.cluster.after(int(ticks * TICK), lambda: None if self.stopped else end())
        return True

    def _any(self, nodes: list[Node]) -> Node | None:
        return self._rng.choice(nodes) if nodes else None

    # --- processes -----------------------------------------------------------------------------

    def crash(self) -> bool:
        """kill -9 or power loss of one node, which comes back later."""
        return self._crash(self._any([node for node in self.cluster.nodes if node.up]))

    def crash_leader(self) -> bool:
        """The same, aimed."""
        return self._crash(self.cluster.leader)

    def crash_all(self) -> bool:
        """Power loss of all."""
        running = [node for node in self.cluster.nodes if node.up]
        for node in running:
            self._crash(node)
        return bool(running)

    def burst(self) -> bool:
        """Many proposals at once at the leader."""
        count = self._rng.randint(2, 12)
        return self._ask_leader(lambda raft: raft.propose([b"burst"] * count))

    def crash_in_burst(self) -> bool:
        """A leader dies while its entries are on their way: some are here, some there."""
        leader = self.cluster.leader
        if leader is None or not self.burst():
            return False
        self.cluster.after(self._rng.randint(0, 4_000), lambda: self._crash_again(leader))
        return True

    def _crash_again(self, node: Node) -> None:
        if node.up and not self.stopped:
            self._crash(node)

    def isolate_in_burst(self) -> bool:
        """A leader goes on appending what nobody hears of."""
        return self.isolate_leader() and self.burst()

    def _crash(self, node: Node | None) -> bool:
        if node is None:
            return False
        queued = len(node.disk.queue)
        node.crash(self._rng.choice((0, 0, self._rng.randint(0, queued))))
        return self._for_a_while(lambda: None if node.up else node.start())

    def pause(self) -> bool:
        """SIGSTOP."""
        return self._pause(self._any([node for node in self.cluster.nodes if node.up]))

    def pause_leader(self) -> bool:
        """The same, aimed."""
        return self._pause(self.cluster.leader)

    def _pause(self, node: Node | None) -> bool:
        if node is None or node.is_paused:
            return False
        node.pause()
        return self._for_a_while(node.resume)

    # --- network -------------------------------------------------------------------------------

    def isolate_leader(self) -> bool:
        """The leader alone on its side."""
        leader = self.cluster.leader
        return leader is not None and self._cut([leader.id])

    def partition(self) -> bool:
        """Two sides."""
        ids = [node.id for node in self.cluster.nodes]
        return self._cut(self._rng.sample(ids, self._rng.randint(1, len(ids) // 2)))

    def _cut(self, side: list[int]) -> bool:
        network = self.cluster.network
        network.partition(side, {node.id for node in self.cluster.nodes} - set(side))
        return self._for_a_while(network.heal)

    def one_way(self) -> bool:
        """One node hears, but is not heard; or the reverse."""
        ids = [node.id for node in self.cluster.nodes]
        sides = [[self._rng.choice(ids)], ids]
        self._rng.shuffle(sides)
        self.cluster.network.block(*sides)
        return self._for_a_while(self.cluster.network.heal)

    def network(self) -> bool:
        """Other losses and delays."""
        self.cluster.network.quality = random_quality(self._rng)
        return True

    # --- machines ------------------------------------------------------------------------------

    def slow_disk(self) -> bool:
        """One disk stalls."""
        node = self._rng.choice(self.cluster.nodes)
        usual = self.cluster.parameters.disk
        node.disk_delay = (50_000, 300_000)
        return self._for_a_while(lambda: setattr(node, "disk_delay", usual))

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
