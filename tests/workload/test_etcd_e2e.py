"""A real etcd under the supervisor: it loses its leader and serves on; nothing outlives it."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
from pathlib import Path

import pytest

from kvtop.etcd.api import fetch_status
from kvtop.etcd.http import HttpConnection
from kvtop.workload.etcd_log import read_log_line
from kvtop.workload.etcd_plan import BOOK, load_book
from kvtop.workload.supervisor_protocol import (
    Exited,
    Kill,
    Pause,
    Paused,
    Restart,
    Resume,
    Serving,
    Start,
    Started,
    Stress,
)
from tests.workload.harness import SupervisedCluster, is_running, send_signal, wait_all_gone

needs_etcd = pytest.mark.skipif(
    shutil.which("etcd") is None, reason="needs etcd (Debian: etcd-server)"
)


@pytest.mark.e2e
@needs_etcd
async def test_a_killed_leader_is_replaced_and_comes_back(tmp_path: Path) -> None:
    start = Start(cluster="etcd", clients=4, dir=str(tmp_path))
    async with SupervisedCluster(start) as cluster:
        await cluster.wait_for(Stress, lambda event: event.operations > 0)
        since = len(cluster.events)
        cluster.send(Kill("leader"))
        dead = await cluster.wait_for(Exited, since=since)
        assert dead.signal == signal.SIGKILL
        after = await cluster.wait_for(Serving, since=since)
        assert after.leader != dead.name
        port, since = cluster.started(dead.name).port, len(cluster.events)
        await cluster.wait_for(Stress, lambda event: event.operations > 0, since)
        cluster.send(Restart(dead.name))
        again = await cluster.wait_for(Started, since=since)
        assert (again.name, again.port) == (dead.name, port)
        cluster.send(Pause(dead.name))
        await cluster.wait_for(Paused)
        cluster.send(Resume(dead.name))
        pids = cluster.pids
    assert not [pid for pid in pids if is_running(pid)]
    assert (tmp_path / BOOK).exists()


@pytest.mark.e2e
@needs_etcd
async def test_data_that_were_kept_are_found_again(tmp_path: Path) -> None:
    start = Start(cluster="etcd", no_stress=True, dir=str(tmp_path))
    terms = []
    for _ in range(2):
        async with SupervisedCluster(start) as cluster:
            serving = await cluster.wait_for(Serving)
            port = cluster.started(serving.leader).port
            assert port is not None
            connection = HttpConnection("127.0.0.1", port)
            terms.append((await fetch_status(connection, 10)).term)
            connection.close()
    assert terms[1] > terms[0]


@pytest.mark.e2e
@needs_etcd
async def test_members_die_with_a_supervisor_that_is_killed() -> None:
    async with SupervisedCluster(Start(cluster="etcd", clients=1)) as cluster:
        await cluster.wait_for(Stress)
        directory = Path(_argument(cluster.started("node0").pid, "--data-dir")).parent
        send_signal(cluster.process.pid, signal.SIGKILL)
        await cluster.process.wait()
        await wait_all_gone(cluster.pids)
    await asyncio.to_thread(shutil.rmtree, directory)  # its user's part, as ClusterRun does it


def _argument(pid: int, name: str) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    return words[words.index(name) + 1]


def test_the_addresses_of_a_cluster_stay(tmp_path: Path) -> None:
    first = load_book(tmp_path, Start(cluster="etcd"))
    assert load_book(tmp_path, Start(cluster="etcd")) == first
    assert len({*first.clients, *first.peers}) == 6
    with pytest.raises(ValueError, match="holds 3 members of etcd, not 5"):
        load_book(tmp_path, Start(cluster="etcd", nodes=5))
    (tmp_path / BOOK).write_text("{")
    with pytest.raises(ValueError, match="is damaged"):
        load_book(tmp_path, Start(cluster="etcd"))


def test_lines_of_etcds_log_are_read() -> None:
    line = {"level": "warn", "ts": "x", "caller": "a.go:1", "msg": "slow", "took": "2s"}
    assert read_log_line(json.dumps(line)) == ("warning", "slow took=2s")
    for other in ("", "{", "[1]", '{"level":"loud","msg":"x"}', "[" * 100_000):
        assert read_log_line(other) is None
