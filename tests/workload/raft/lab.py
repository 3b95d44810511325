"""The vocabulary of MIT 6.5840's Raft tests on the simulated cluster, with all invariants on."""

from __future__ import annotations

from kvtop.workload.raft.types import Entry
from tests.sim.cluster import Cluster
from tests.sim.node import Node
from tests.sim.parameters import TICK, NetworkQuality, Parameters

ELECTION = 100 * TICK
"""Long enough for an election, split votes included."""

UNRELIABLE = NetworkQuality(drop=0.1, duplicate=0.05, delay=(100, 27_000), straggle=0.05)


class Lab(Cluster):
    """A cluster whose nodes are connected to the network or not."""

    def __init__(
        self, servers: int, *, seed: int = 1, unreliable: bool = False, **more: int
    ) -> None:
        quality = UNRELIABLE if unreliable else NetworkQuality()
        super().__init__(seed, Parameters(servers, network=quality, **more))  # type: ignore[arg-type]
        self.cut: set[int] = set()
        self._indexes: dict[bytes, int] = {}
        self._commands = 0

    @property
    def ids(self) -> list[int]:
        """All nodes."""
        return [node.id for node in self.nodes]

    def disconnect(self, *ids: int) -> None:
        """Cut each of these off from everybody."""
        self.cut |= set(ids)
        self._rewire()

    def connect(self, *ids: int) -> None:
        """Let these reach all others that are connected."""
        self.cut -= set(ids)
        self._rewire()

    def _rewire(self) -> None:
        self.network.heal()
        for id in self.cut:
            self.isolate(id)

    def restart(self, *ids: int) -> None:
        """Crash these, losing all that is not durable, and start them again."""
        for id in ids:
            if self.nodes[id].up:
                self.nodes[id].crash(0)
            self.nodes[id].start()

    def connected_leader(self) -> Node | None:
        """The leader of the highest term among the connected."""
        leaders = [node for node in self.nodes if node.is_leader and node.id not in self.cut]
        return max(leaders, key=lambda node: node.raft.term, default=None)

    def check_one_leader(self) -> Node:
        """Wait until exactly one connected node leads the newest term, and return it."""

        def settled() -> bool:
            leader = self.connected_leader()
            return leader is not None and all(
                node.raft.term == leader.raft.term and node.raft.leader == leader.id
                for node in self.nodes
                if node.up and node.id not in self.cut
            )

        assert self.run_until(settled, 5 * ELECTION), "no leader that all connected nodes follow"
        leader = self.connected_leader()
        assert leader is not None
        return leader

    def check_no_leader(self) -> None:
        """After a while no connected node leads."""
        self.run(2 * ELECTION)
        assert self.connected_leader() is None

    def start(self, node: Node, count: int = 1) -> list[bytes]:
        """Give a leader commands without waiting."""
        commands = []
        for _ in range(count):
            self._commands += 1
            commands.append(b"command %d" % self._commands)
        node.call(lambda raft: raft.propose(commands))
        return commands

    def holders(self, command: bytes) -> list[int]:
        """Nodes that have applied the command."""
        return [node.id for node in self.nodes if node.up and command in self.applied_by(node)]

    def applied_by(self, node: Node) -> set[bytes]:
        """Commands that the node's machine has seen, in its log or through a snapshot."""
        applied = node.machine.applied
        return {data for data, index in self._indexes.items() if index <= applied}

    def reaches(self, command: bytes, expected: int) -> bool:
        """Whether ``expected`` nodes come to apply the command."""
        return self.run_until(lambda: len(self.holders(command)) >= expected, 2 * ELECTION)

    def one(self, expected: int) -> bytes:
        """Bring one new command through, as often as it takes, to ``expected`` nodes."""
        for _ in range(10):
            if not self.run_until(lambda: self.connected_leader() is not None, 10 * ELECTION):
                break
            leader = self.connected_leader()
            assert leader is not None
            [command] = self.start(leader)
            if self.reaches(command, expected):
                return command
        raise AssertionError(f"no command reached {expected} nodes")

    def applied(self, node: Node, entry: Entry) -> None:
        """Note where each command was applied first."""
        super().applied(node, entry)
        self._indexes.setdefault(entry.data, entry.index)
