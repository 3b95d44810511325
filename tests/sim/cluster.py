"""Nodes, network and virtual time. One seed decides all; the same seed gives the same run."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable, Sequence

from kvtop.workload.raft.core import Raft, bootstrap
from kvtop.workload.raft.types import Entry, Message
from tests.sim.invariants import ALL, Invariant, Violation
from tests.sim.network import Network
from tests.sim.node import Node
from tests.sim.parameters import TICK, NetworkQuality, Parameters

_MAX_EVENTS = 300_000


class Cluster:
    """A queue of events in virtual microseconds. Invariants are checked after each of them."""

    def __init__(
        self,
        seed: int = 0,
        parameters: Parameters | None = None,
        raft_class: type[Raft] = Raft,
        invariants: Sequence[type[Invariant]] = ALL,
    ) -> None:
        self.seed = seed
        self.parameters = parameters or Parameters()
        self.raft_class = raft_class
        self.now = 0
        self.events = 0
        self.first_applied: dict[bytes, int] = {}
        """When the data of an entry was first applied anywhere."""
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._scheduled = 0
        self.rng = random.Random(f"cluster {seed}")
        self.network = Network(
            random.Random(f"network {seed}"), self.parameters.network, self._deliver_after
        )
        self.invariants = [invariant(self) for invariant in invariants]
        self._on_event = _overriding(self.invariants, "after_event")
        self._on_message = _overriding(self.invariants, "on_message")
        self._on_apply = _overriding(self.invariants, "on_apply")
        self._on_restore = _overriding(self.invariants, "on_restore")
        self.nodes: list[Node] = []
        voters = range(self.parameters.voters)
        for id in voters:
            self.nodes.append(Node(self, id, bootstrap(voters)))
        for _ in range(self.parameters.spares):
            self.nodes.append(Node(self, len(self.nodes), bootstrap(())))

    # --- time ----------------------------------------------------------------------------------

    def after(self, delay: int, action: Callable[[], None]) -> None:
        """Do ``action`` after ``delay`` microseconds; equal times keep their order."""
        self._scheduled += 1
        heapq.heappush(self._queue, (self.now + delay, self._scheduled, action))

    def run(self, duration: int) -> None:
        """Let ``duration`` microseconds pass."""
        end = self.now + duration
        self.run_until(lambda: False, duration)
        self.now = end

    def run_ticks(self, ticks: int) -> None:
        """Let so many ticks of an exact clock pass."""
        self.run(ticks * TICK)

    def run_until(self, condition: Callable[[], bool], limit: int = 3_000_000) -> bool:
        """Run until the condition holds; False if it does not within ``limit`` microseconds."""
        end = self.now + limit
        while not condition():
            if not self._queue or self._queue[0][0] > end:
                return False
            self.now, _, action = heapq.heappop(self._queue)
            self.events += 1
            if self.events > _MAX_EVENTS:
                raise Violation(f"more than {_MAX_EVENTS} events: messages breed messages")
            action()
        return True

    # --- what nodes use ------------------------------------------------------------------------

    def send(self, messages: Iterable[Message]) -> None:
        """Messages leave their sender."""
        for message in messages:
            for hook in self._on_message:
                hook(message)
            self.network.send(message)

    def check(self, node: Node) -> None:
        """Something happened at ``node``: look whether all still holds."""
        for hook in self._on_event:
            hook(node)

    def applied(self, node: Node, entry: Entry) -> None:
        """``node`` applied ``entry``."""
        self.first_applied.setdefault(entry.data, self.now)
        for hook in self._on_apply:
            hook(node, entry)

    def restored(self, node: Node) -> None:
        """``node`` loaded a snapshot into its machine."""
        for hook in self._on_restore:
            hook(node)

    def _deliver_after(self, delay: int, message: Message) -> None:
        self.after(delay, lambda: self.nodes[message.receiver].deliver(message))

    # --- what tests and the nemesis use --------------------------------------------------------

    @property
    def leader(self) -> Node | None:
        """The running leader of the highest term, if one leads."""
        leaders = [node for node in self.nodes if node.is_leader]
        return max(leaders, key=lambda node: node.raft.term, default=None)

    def isolate(self, node: int) -> None:
        """Cut a node off from all others."""
        self.network.partition([node], [other.id for other in self.nodes])

    def calm(self) -> None:
        """End all faults: heal, wake, restart, and make network, disks and clocks good."""
        self.network.heal()
        self.network.quality = NetworkQuality()
        for node in self.nodes:
            node.tick_interval = TICK
            node.disk_delay = (200, 2_000)
            if not node.up:
                node.start()
            elif node.is_paused:
                node.resume()


def _overriding(invariants: Sequence[Invariant], name: str) -> list[Callable[..., None]]:
    """The hooks of those invariants that have one of their own."""
    return [
        getattr(invariant, name)
        for invariant in invariants
        if getattr(type(invariant), name) is not getattr(Invariant, name)
    ]
