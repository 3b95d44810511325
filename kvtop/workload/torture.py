"""Break a real cluster while clients use it, then judge what the clients saw.

``python -m kvtop.workload.torture --seconds N``: nodes are killed, paused, partitioned, filled up
and restarted with torn logs, members leave and come back, the leadership moves. At the end all
heals, every key is read, and the history of all clients is checked for linearizability.
Exit code 0: linearizable; 1: not, or nothing was served.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path

import uvloop

from kvtop.workload.clerk import Clerk, ClerkError, Cluster
from kvtop.workload.linearizability import Operation, check
from kvtop.workload.rpc.channel import RpcError
from kvtop.workload.rpc.kv_pb2 import Change
from kvtop.workload.status import NodeReport
from kvtop.workload.torture_clients import TortureClient
from kvtop.workload.torture_cluster import TortureCluster

_LONG_PAUSE = (0.7, 2.0)
"""Seconds, longer than an election timeout (0.25 to 0.5 s)."""

_NOTICE = 5.0
"""Seconds within which a node that is written to should notice that its disk is full."""


class Nemesis:
    """Chooses and does the faults."""

    def __init__(self, cluster: TortureCluster, chance: random.Random) -> None:
        self._cluster = cluster
        self._chance = chance
        self._admin = Cluster(cluster.addresses)
        self._clerk = Clerk(self._admin, deadline=3.0)
        self.done: Counter[str] = Counter()
        self.faults: dict[str, Callable[[], Awaitable[bool]]] = {
            "kill": self.kill_one,
            "kill leader": self.kill_leader,
            "kill all": self.kill_all,
            "pause": self.pause_one,
            "pause leader": self.pause_leader,
            "partition": self.partition,
            "one-way partition": self.partition_one_way,
            "torn log": self.tear_log,
            "full disk": self.fill_disk,
            "member change": self.change_member,
            "transfer": self.transfer,
        }

    async def run(self, names: list[str]) -> None:
        """Faults one after another until cancelled."""
        while True:
            await asyncio.sleep(self._chance.uniform(0.3, 1.5))
            name = self._chance.choice(names)
            if await self.faults[name]():
                self.done[name] += 1
            await self.recover()

    async def recover(self) -> None:
        """Undo what the last fault did."""
        self._cluster.heal()
        for node in list(self._cluster.paused):
            self._cluster.resume(node)
        for node in self._cluster.dead:
            self._cluster.start_node(node)

    async def close(self) -> None:
        """Drop the connections."""
        await self._admin.close()

    async def kill_one(self) -> bool:
        """One node dies for a while."""
        self._cluster.kill(self._any())
        return await self._last(0.2, 1.5)

    async def kill_leader(self) -> bool:
        """The leader dies for a while."""
        self._cluster.kill(self._leader())
        return await self._last(0.2, 1.5)

    async def kill_all(self) -> bool:
        """All nodes die at once."""
        for node in self._cluster.running:
            self._cluster.kill(node)
        return await self._last(0.0, 0.3)

    async def pause_one(self) -> bool:
        """One node stands still."""
        self._cluster.pause(self._any())
        return await self._last(*_LONG_PAUSE)

    async def pause_leader(self) -> bool:
        """The leader stands still, and wakes as a leader of the past."""
        self._cluster.pause(self._leader())
        return await self._last(*_LONG_PAUSE)

    async def partition(self) -> bool:
        """A minority is cut off."""
        near, far = self._split()
        self._cluster.cut(near, far, both_ways=True)
        return await self._last(*_LONG_PAUSE)

    async def partition_one_way(self) -> bool:
        """A minority hears but is not heard, or the other way round."""
        sides = self._split()
        near, far = sides if self._chance.random() < 0.5 else sides[::-1]
        self._cluster.cut(near, far, both_ways=False)
        return await self._last(*_LONG_PAUSE)

    async def tear_log(self) -> bool:
        """A node dies in the middle of a write."""
        node = self._any()
        self._cluster.kill(node)
        torn = self._cluster.tear_log_tail(node, self._chance)
        await self._last(0.0, 0.5)
        return torn

    async def fill_disk(self) -> bool:
        """A node can write no more, until it is killed and finds space again."""
        node = self._any()
        self._cluster.fill_disk(node)
        until = time.monotonic() + _NOTICE
        while not (noticed := await self._has_failed(node)) and time.monotonic() < until:
            await self._last(0.1, 0.3)
        await self._last(0.0, 1.0)
        self._cluster.kill(node)
        return noticed

    async def _has_failed(self, node: int) -> bool:
        """Whether the node says that it serves no more, or has ended because it could not start."""
        if node in self._cluster.dead:
            return True
        channel = self._admin.channel(node)
        try:
            if not await channel.wait_connected(0.5):
                return False
            body = await channel.call("status", b"", 0.5)
        except RpcError:
            return False
        return bool(NodeReport.from_json(json.loads(body)).failure)

    async def change_member(self) -> bool:
        """A member is removed and comes back, first as a learner."""
        node = self._any()
        done = await self._ask(Change.REMOVE, node)
        await self._last(0.2, 1.0)
        for kind in (Change.ADD_LEARNER, Change.ADD_VOTER):
            while not await self._ask(kind, node):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        return done

    async def transfer(self) -> bool:
        """The leader hands over."""
        return await self._ask(Change.TRANSFER, self._any())

    async def _ask(self, kind: Change.Kind, node: int) -> bool:
        try:
            await self._clerk.change(kind, node)
        except ClerkError as error:
            return "already is so" in str(error)
        return True

    async def _last(self, low: float, high: float) -> bool:
        await asyncio.sleep(self._chance.uniform(low, high))
        return True

    def _any(self) -> int:
        return self._chance.choice(self._cluster.running)

    def _leader(self) -> int:
        leader = self._admin.leader
        return leader if leader in self._cluster.running else self._any()

    def _split(self) -> tuple[set[int], set[int]]:
        nodes = list(range(self._cluster.count))
        self._chance.shuffle(nodes)
        minority = self._chance.randint(1, (len(nodes) - 1) // 2)
        return set(nodes[:minority]), set(nodes[minority:])


async def torture(arguments: argparse.Namespace, directory: Path) -> int:
    """One run; the exit code."""
    chance = random.Random(arguments.seed)
    cluster = TortureCluster(arguments.nodes, directory)
    history: list[Operation] = []
    clients = [
        TortureClient(number, cluster.addresses, history, chance.getrandbits(32))
        for number in range(arguments.clients)
    ]
    nemesis = Nemesis(cluster, chance)
    names = arguments.faults.split(",") if arguments.faults else list(nemesis.faults)
    try:
        await cluster.start()
        began = time.monotonic()
        tasks = [asyncio.create_task(client.run(began)) for client in clients]
        tasks.append(asyncio.create_task(nemesis.run(names)))
        await asyncio.wait(tasks, timeout=arguments.seconds, return_when=asyncio.FIRST_EXCEPTION)
        failed = [task.exception() for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for problem in failed:
            if problem is not None:
                raise problem
        await nemesis.recover()
        await _read_everything(cluster, history)
    finally:
        for client in clients:
            await client.close()
        await nemesis.close()
        await cluster.stop()
    return _judge(arguments, history, nemesis, clients, cluster)


async def _read_everything(cluster: TortureCluster, history: list[Operation]) -> None:
    """After healing, what was acknowledged must be there."""
    reader = TortureClient(10_000, cluster.addresses, history, 0)
    probe = Clerk(Cluster(cluster.addresses), deadline=30.0)
    await probe.put(b"healed", b"yes")
    await reader.read_all(sorted({operation.key for operation in history}))
    await reader.close()


def _judge(
    arguments: argparse.Namespace,
    history: list[Operation],
    nemesis: Nemesis,
    clients: list[TortureClient],
    cluster: TortureCluster,
) -> int:
    began = time.monotonic()
    verdict = check(history)
    elapsed = time.monotonic() - began
    kinds = Counter(operation.kind.value for operation in history)
    unanswered = sum(operation.is_pending for operation in history)
    errors: Counter[str] = Counter()
    for client in clients:
        errors.update(client.errors)
    print(f"seed {arguments.seed}: {arguments.seconds:g} s, {cluster.count} nodes")
    print(f"operations: {len(history)} ({_listed(kinds)}), {unanswered} without an answer")
    print(f"faults: {sum(nemesis.done.values())} ({_listed(nemesis.done)})")
    print(f"nodes started {cluster.starts} times; client errors: {_listed(errors) or 'none'}")
    print(f"checked {len({o.key for o in history})} keys in {elapsed:.1f} s")
    if verdict.violated:
        _save(history, Path(arguments.history))
        print(f"NOT LINEARIZABLE: keys {', '.join(verdict.violated[:10])}")
        print(f"the history is in {arguments.history}")
        return 1
    if verdict.undecided:
        print(f"undecided within the limit of the search: keys {', '.join(verdict.undecided)}")
    if len(history) - unanswered < arguments.seconds:
        print("NOT SERVED: fewer than one answer a second")
        return 1
    print("verdict: linearizable" + (" as far as decided" if verdict.undecided else ""))
    return 0


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())


def _save(history: list[Operation], path: Path) -> None:
    with path.open("w") as file:
        for operation in history:
            fields = asdict(operation) | {"kind": operation.kind.value}
            file.write(json.dumps(fields) + "\n")


def build_parser() -> argparse.ArgumentParser:
    """Options of the program."""
    parser = argparse.ArgumentParser(prog="kvtop.workload.torture", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--clients", type=int, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    parser.add_argument("--faults", default="", help="comma-separated names (all)")
    parser.add_argument("--history", default="torture-history.jsonl", help="written on a violation")
    return parser


def main() -> int:
    """Entry point."""
    arguments = build_parser().parse_args()
    directory = Path(tempfile.mkdtemp(prefix="kvtop-torture-"))
    try:
        code = uvloop.run(torture(arguments, directory))
    except KeyboardInterrupt:
        code = 130
    if code == 0:
        shutil.rmtree(directory, ignore_errors=True)
    else:
        print(f"the nodes' data and logs are in {directory}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
