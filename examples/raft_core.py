"""Three Raft cores in one process, without sockets, disks or clocks: elect, replicate, read.

    python examples/raft_core.py

The core takes ticks, messages and proposals, and hands out a ``Ready`` at a time. Here the network
is a list and the disk is a no-op; ``kvtop/workload/kvserver.py`` is the real thing.
"""

from __future__ import annotations

import random

from kvtop.workload.raft.core import Config, Raft, bootstrap
from kvtop.workload.raft.types import EntryKind, HardState, Message, Ready, Role


class Network:
    """Delivers messages between cores, and collects what each applies."""

    def __init__(self, nodes: int, seed: int = 1) -> None:
        members = bootstrap(range(nodes))
        self.cores = {
            node: Raft(Config(node), random.Random(seed + node), HardState(), members)
            for node in range(nodes)
        }
        self.applied: dict[int, list[bytes]] = {node: [] for node in range(nodes)}
        self.reads: list[int] = []

    def tick(self) -> None:
        """Let one unit of time pass everywhere, and deliver all that follows from it."""
        for core in self.cores.values():
            core.tick()
        self.settle()

    def settle(self) -> None:
        """Deliver messages until nobody has anything to say."""
        busy = True
        while busy:
            busy = False
            for node, core in self.cores.items():
                while (ready := core.ready()) is not None:
                    busy = True
                    self._deliver(self._carry_out(node, core, ready))

    def leader(self) -> Raft | None:
        """The core that leads, if one does."""
        leaders = [core for core in self.cores.values() if core.role is Role.LEADER]
        return max(leaders, key=lambda core: core.term) if leaders else None

    def _carry_out(self, node: int, core: Raft, ready: Ready) -> tuple[Message, ...]:
        if ready.must_sync:
            core.persisted(ready.number)  # a real node writes and syncs here
        for entry in ready.committed:
            if entry.kind is EntryKind.NORMAL:
                self.applied[node].append(entry.data)
            core.applied(entry.index)
        self.reads += [state.context for state in ready.reads]
        return ready.messages + ready.messages_after_sync

    def _deliver(self, messages: tuple[Message, ...]) -> None:
        for message in messages:
            self.cores[message.receiver].step(message)


def main() -> None:
    """Show one election, three commands and a linearizable read."""
    network = Network(3)
    ticks = 0
    while (leader := network.leader()) is None:
        network.tick()
        ticks += 1
    print(f"after {ticks} ticks node {leader.id} leads in term {leader.term}")
    leader.propose([b"x = 1", b"y = 2", b"x = 3"])
    leader.read_index(42)
    network.settle()
    network.tick()
    for _ in range(leader.config.heartbeat_ticks):
        network.tick()  # followers learn with a heartbeat what is committed
    for node, commands in network.applied.items():
        print(f"node {node} applied {[command.decode() for command in commands]}")
    print(f"reads served: {network.reads}")


if __name__ == "__main__":
    main()
