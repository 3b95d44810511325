"""A real cluster under a real supervisor: faults, recovery, and nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kvtop.workload.clerk import Clerk, ClerkError, Cluster, OutcomeUnknown, Refused
from kvtop.workload.rpc.kv_pb2 import Change
from kvtop.workload.status import NodeReport, StatusError, fetch_status
from kvtop.workload.supervisor_protocol import (
    Error,
    Exited,
    Kill,
    Log,
    Pause,
    Paused,
    RemoveOnExit,
    Restart,
    Resume,
    Resumed,
    Serving,
    Start,
    Started,
    Stop,
    Stopped,
    Stress,
)
from tests.workload.harness import (
    PATIENCE,
    SupervisedCluster,
    is_running,
    perf_files,
    send_signal,
    wait_all_gone,
)

pytestmark = pytest.mark.e2e
QUIET = Start(no_stress=True)


class _Writer:
    """Writes numbered values to keys of its own and remembers what was acknowledged."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._clerk = Clerk(cluster, deadline=PATIENCE)
        self._name = name
        self.acknowledged: dict[bytes, bytes] = {}
        self.appended = 0

    async def run(self) -> None:
        """Write until cancelled."""
        number = 0
        while True:
            key, value = f"{self._name}-{number % 50}".encode(), b"%d" % number
            self.acknowledged.pop(key, None)  # until the answer, old and new are both possible
            await self._clerk.put(key, value)
            self.acknowledged[key] = value
            self.appended = await self._clerk.append(self._name.encode(), b".")
            number += 1


async def test_no_acknowledged_write_is_lost_when_the_leader_is_killed() -> None:
    async with SupervisedCluster(QUIET) as cluster:
        connections = cluster.connect()
        writers = [_Writer(connections, f"writer{number}") for number in range(6)]
        tasks = [asyncio.create_task(writer.run()) for writer in writers]
        killed = [await _replace_leader(cluster) for _ in range(2)]
        async with asyncio.timeout(PATIENCE):
            while any(len(writer.acknowledged) <= 10 for writer in writers):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results), results
        reader = Clerk(connections)
        stored = dict(await reader.scan())
        for number, writer in enumerate(writers):
            for key, value in writer.acknowledged.items():
                assert stored[key] == value
            # Exactly once: every dot came from one call, and only the cancelled one may be extra.
            dots = stored[b"writer%d" % number]
            assert writer.appended <= len(dots) <= writer.appended + 1
        leader = await cluster.leader()
        for name in killed:
            await cluster.wait_report(name, lambda r: r.applied >= leader.commit)
        await connections.close()


async def _replace_leader(cluster: SupervisedCluster) -> str:
    """Kill the leader, wait for the next, restart the dead one; its name."""
    await asyncio.sleep(0.7)
    leader = (await cluster.leader()).name
    before = len(cluster.events)
    cluster.send(Kill(leader))
    exited = await cluster.wait_for(Exited, since=before)
    assert exited.signal == signal.SIGKILL
    await cluster.leader(other_than=exited.name)
    before = len(cluster.events)
    cluster.send(Restart(exited.name))
    await cluster.wait_for(Started, lambda e: e.name == exited.name, before)
    return exited.name


async def test_a_paused_leader_is_replaced_and_rejoins() -> None:
    async with SupervisedCluster(QUIET) as cluster:
        connections = cluster.connect()
        clerk = Clerk(connections)
        await clerk.put(b"key", b"before")
        first = (await cluster.leader()).name
        cluster.send(Pause(first))
        await cluster.wait_for(Paused)
        await cluster.leader(other_than=first)
        await clerk.put(b"key", b"during")
        cluster.send(Resume(first))
        await cluster.wait_for(Resumed)
        report = await cluster.wait_report(first, lambda r: r.leader not in (None, first))
        assert report.role == "follower"
        assert await clerk.get(b"key") == b"during"
        await connections.close()


async def test_a_whole_cluster_restarts_from_its_disks(tmp_path: Path) -> None:
    start = Start(no_stress=True, dir=str(tmp_path / "data"))
    written = {b"key%d" % number: b"value%d" % number for number in range(200)}
    async with SupervisedCluster(start) as cluster:
        connections = cluster.connect()
        clerk = Clerk(connections)
        for key, value in list(written.items())[:100]:
            await clerk.put(key, value)
        await clerk.change(Change.SNAPSHOT)
        for key, value in list(written.items())[100:]:
            await clerk.put(key, value)
        await connections.close()
    async with SupervisedCluster(start) as cluster:
        connections = cluster.connect()
        assert dict(await Clerk(connections).scan()) == written
        assert [log for log in cluster.all(Log) if "recovered" in log.text]
        await connections.close()


async def test_a_follower_far_behind_gets_a_snapshot(tmp_path: Path) -> None:
    async with SupervisedCluster(QUIET) as cluster:
        connections = cluster.connect()
        clerks = [Clerk(connections) for _ in range(50)]
        leader = (await cluster.leader()).name
        victim = next(name for name in ("node0", "node1", "node2") if name != leader)
        cluster.send(Kill(victim))
        await cluster.wait_for(Exited)

        async def fill(clerk: Clerk, share: int) -> None:
            for number in range(220):
                await clerk.put(b"%d-%d" % (share, number), b"x" * 500)

        await asyncio.gather(*(fill(clerk, share) for share, clerk in enumerate(clerks)))
        await _change(cluster, clerks[0], Change.SNAPSHOT, 0, lambda r: r.first_index > 500)
        commit = (await cluster.leader()).commit
        cluster.send(Restart(victim))
        report = await cluster.wait_report(
            victim, lambda r: r.applied >= commit and bool(r.snapshot_index)
        )
        assert report.keys == 50 * 220
        await connections.close()


async def test_members_leave_and_join_and_the_leadership_moves() -> None:
    async with SupervisedCluster(QUIET) as cluster:
        connections = cluster.connect()
        clerk = Clerk(connections)
        await clerk.put(b"key", b"1")
        other = (int((await cluster.leader()).name[4:]) + 1) % 3
        rest = tuple(sorted({0, 1, 2} - {other}))
        await _change(cluster, clerk, Change.REMOVE, other, lambda r: r.voters == rest)
        await clerk.put(b"key", b"2")
        await _change(cluster, clerk, Change.ADD_LEARNER, other, lambda r: r.learners == (other,))
        await cluster.wait_report(f"node{other}", lambda r: r.role == "learner")
        await _change(cluster, clerk, Change.ADD_VOTER, other, lambda r: r.voters == (0, 1, 2))
        await _change(cluster, clerk, Change.TRANSFER, other, lambda r: r.leader == f"node{other}")
        assert await clerk.get(b"key") == b"2"
        assert "already is so" in await _refusal(clerk, Change.ADD_VOTER, other)
        await connections.close()


async def _change(
    cluster: SupervisedCluster,
    clerk: Clerk,
    kind: Change.Kind,
    node: int,
    done: Callable[[NodeReport], bool],
) -> None:
    """Change members as an operator does: where the outcome is unknown, look, and ask again."""
    async with asyncio.timeout(PATIENCE):
        while True:
            # Refused: a new leader has not committed yet, or the first attempt was carried out.
            with contextlib.suppress(OutcomeUnknown, Refused):
                await clerk.change(kind, node)
            for _ in range(10):
                if done(await cluster.leader()):
                    return
                await asyncio.sleep(0.05)


async def _refusal(clerk: Clerk, kind: Change.Kind, node: int) -> str:
    """Why a change is refused for good, whoever leads."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await clerk.change(kind, node)
            except OutcomeUnknown:
                continue
            except Refused as refused:
                if "committed" not in str(refused):
                    return str(refused)
            else:
                raise AssertionError("the change was taken")


async def test_stress_runs_and_adds_up_over_its_processes() -> None:
    start = Start(clients=5, client_processes=2, mix=(80, 20), keys=100)
    async with SupervisedCluster(start) as cluster:
        stress = await cluster.wait_for(Stress, lambda e: e.total_operations > 500)
        assert stress.clients == 5
        seconds = cluster.all(Stress)
        assert sum(e.reads for e in seconds) > sum(e.writes for e in seconds) > 0
        assert all(e.reads + e.writes == e.operations for e in seconds)
        assert stress.p50 is not None
        assert stress.p99 is not None
        assert 0 < stress.p50 <= stress.p99
        assert sum(e.operations for e in cluster.all(Stress)) >= stress.total_operations
        assert {e.name for e in cluster.all(Started)} == {
            *("node0", "node1", "node2"),
            *("client0", "client1"),
        }
        assert (await cluster.leader()).leader
        for node in range(3):  # one of them may be behind
            report = await cluster.wait_report(
                f"node{node}", lambda r: r.fdatasyncs > 0 and bool(r.fdatasync_p99)
            )
            assert report.keys <= 100


async def test_a_rate_is_kept() -> None:
    async with SupervisedCluster(Start(clients=4, rate=200.0)) as cluster:
        last = await cluster.wait_for(Stress, lambda e: e.total_operations >= 400)
        # Operations that a stall held up are made up for, so only the whole has a bound.
        began = cluster.started("client0").time
        assert last.total_operations <= 200.0 * (last.time - began) + 4


async def test_the_stress_ends_after_its_duration() -> None:
    async with SupervisedCluster(Start(clients=2, duration=1.0)) as cluster:
        exited = await cluster.wait_for(Exited, lambda e: e.kind == "client")
        assert exited.returncode == 0
        assert all(e.kind == "client" for e in cluster.all(Exited))


@pytest.mark.parametrize("way", ["stop", "end of input", "SIGTERM", "SIGINT", "SIGHUP", "SIGKILL"])
async def test_nothing_is_left_behind(tmp_path: Path, way: str) -> None:
    extra = tmp_path / "extra"
    extra.mkdir()
    frames = "jit" if sys.version_info >= (3, 13) and way == "stop" else "off"
    async with SupervisedCluster(Start(clients=2, python_frames=frames)) as cluster:
        cluster.send(RemoveOnExit((str(extra),)))
        await cluster.wait_for(Stress, lambda e: e.operations > 0)
        data = [Path(p) for p in _data_directories(cluster)]
        assert all(path.is_dir() for path in data)
        follower = next(n for n in ("node0", "node1") if n != cluster.all(Serving)[-1].leader)
        cluster.send(Pause(follower))  # a stopped process must not survive either
        await cluster.wait_for(Paused)
        if frames == "jit":
            assert perf_files(cluster.pids)
        if way == "stop":
            cluster.send(Stop())
        elif way == "end of input":
            assert cluster.process.stdin is not None
            cluster.process.stdin.close()
        else:
            send_signal(cluster.process.pid, signal.Signals[way])
        assert await cluster.process.wait() == (-9 if way == "SIGKILL" else 0)
        await wait_all_gone(cluster.pids)
        assert not perf_files(cluster.pids)
        if way == "SIGKILL":
            # Nobody is left to remove the data; the processes are what counts.
            for path in set(data):
                shutil.rmtree(path)
            return
        await cluster.wait_for(Stopped)
        assert not any(path.exists() for path in data)
        assert not extra.exists()


def _data_directories(cluster: SupervisedCluster) -> list[str]:
    pids = [e.pid for e in cluster.all(Started) if e.kind == "node"]
    lines = [Path(f"/proc/{pid}/cmdline").read_text().split("\0") for pid in pids]
    return [str(Path(words[words.index("--dir") + 1]).parent) for words in lines]


async def test_commands_that_cannot_be_carried_out_are_answered() -> None:
    async with SupervisedCluster(None) as cluster:
        cluster.send(Kill("leader"))
        assert "no leader" in (await cluster.wait_for(Error)).message
        cluster.send(Restart("node9"))
        assert await cluster.wait_for(Error, lambda e: "node9" in e.message)
        assert cluster.process.stdin is not None
        cluster.process.stdin.write(b'{"cmd":"start","nodes":3,"colour":1}\nnonsense\n')
        assert await cluster.wait_for(Error, lambda e: "colour" in e.message)
        assert await cluster.wait_for(Error, lambda e: "Expecting value" in e.message)
        assert not cluster.pids


async def test_a_start_that_fails_ends_the_supervisor(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with SupervisedCluster(None) as cluster:
        cluster.send(replace(QUIET, dir=str(tmp_path / "file" / "data")))
        assert "Not a directory" in (await cluster.wait_for(Error)).message
        assert await cluster.wait_for(Stopped)
        assert not cluster.pids


async def test_a_node_whose_port_is_taken_says_so() -> None:
    async with SupervisedCluster(QUIET) as cluster:
        port = cluster.started("node0").port
        assert port is not None
        async with SupervisedCluster(None) as other:
            other.send(Start(nodes=1, no_stress=True, ports=(port,)))
            assert (await other.wait_for(Exited)).returncode == 1
            assert await other.wait_for(Log, lambda e: e.level == "error" and str(port) in e.text)


async def test_a_killed_nodes_status_is_an_error() -> None:
    async with SupervisedCluster(QUIET) as cluster:
        started = cluster.started("node2")
        assert started.status_port is not None
        cluster.send(Kill("node2"))
        await cluster.wait_for(Exited)
        assert not is_running(started.pid)
        with pytest.raises(StatusError):
            await fetch_status("127.0.0.1", started.status_port, 1.0)


async def test_without_a_quorum_nothing_is_acknowledged() -> None:
    async with SupervisedCluster(QUIET) as cluster:
        connections = cluster.connect()
        await Clerk(connections).put(b"key", b"value")
        clerk = Clerk(connections, deadline=1.5)
        leader = cluster.all(Serving)[-1].leader
        others = {"node0", "node1", "node2"} - {leader}
        for name in others:
            cluster.send(Kill(name))
        await cluster.wait_for(Exited, lambda _: {e.name for e in cluster.all(Exited)} == others)
        with pytest.raises(ClerkError):
            await clerk.put(b"key", b"lost")
        with pytest.raises(ClerkError):
            await clerk.get(b"key")
        await connections.close()
