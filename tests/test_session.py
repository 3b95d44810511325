"""A session: with real perf, without perf, with a collector that fails, without supervisor."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import kvtop.session
from kvtop import collecting
from kvtop.app import KvtopApp
from kvtop.cluster_run import ClusterRun
from kvtop.collectors.doctor import perf_missing
from kvtop.collectors.processes import process_exists
from kvtop.config import Config, UsageError
from kvtop.events import Emit, Health, LogLine, MarkerKind, NodeState
from kvtop.session import Session
from kvtop.widgets.cluster import ClusterPane
from tests.collectors.helpers import until
from tests.fake_session import config
from tests.widgets.made_up import make_store
from tests.widgets.render import screen_text

BUSY = "while True: sum(range(1000))"


@pytest.fixture
def busy() -> Iterator[subprocess.Popen[bytes]]:
    """A process that keeps a CPU busy."""
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    yield process
    process.kill()
    process.wait()


@asynccontextmanager
async def started(config: Config) -> AsyncIterator[Session]:
    """A session that is started, and stopped at the end."""
    session = Session(config)
    try:
        await session.start()
        yield session
    finally:
        await session.stop()


@pytest.fixture
def no_perf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PATH on which there is no perf."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.e2e
async def test_a_process_is_sampled_counted_and_read(busy: subprocess.Popen[bytes]) -> None:
    async with started(config("--attach", str(busy.pid))) as session:
        store = session.store
        (label,) = store.targets
        await until(lambda: sum(session.fold(30).values()) > 50)
        await until(lambda: store.counters.last(label, "task-clock"))
        await until(lambda: label in store.cluster.usage and store.own)
        assert store.health("perf_record").health is Health.OK
        clock = store.counters.last(label, "task-clock")
        assert clock is not None and clock.value is not None and clock.value > 0
        assert store.cluster.usage[label].pid == busy.pid
        assert not session.ended
        busy.kill()
        busy.wait()
        await until(lambda: session.ended)
        assert [m.kind for m in store.markers.items if m.label == label] == [MarkerKind.EXIT]
        assert sum(session.fold(30).values()) > 50


@pytest.mark.parametrize(
    ("system", "package"),
    [
        ("ID=debian", "apt-get install linux-perf"),
        ("ID=ubuntu\nID_LIKE=debian", "apt-get install linux-tools-"),
        ("ID=fedora", "dnf install perf"),
        ("ID=arch", "pacman -S perf"),
        ("ID=unheard-of", "linux-perf (Debian)"),
    ],
)
@pytest.mark.usefixtures("no_perf")
async def test_without_perf_the_package_of_the_distribution_is_named(
    system: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = tmp_path / "os-release"
    release.write_text(system)
    monkeypatch.setattr("kvtop.collectors.doctor._OS_RELEASE", release)
    async with started(config("--attach", str(os.getpid()))) as session:
        assert package in session.store.health("perf_record").reason
        assert package in session.store.health("perf_stat").reason


@pytest.mark.usefixtures("no_perf")
async def test_without_perf_the_screen_opens_and_says_so(
    busy: subprocess.Popen[bytes],
) -> None:
    async with started(config("--attach", str(busy.pid))) as session:
        store = session.store
        await until(lambda: store.cluster.usage)
        reason = store.health("perf_record").reason
        assert reason == perf_missing()
        assert store.health("perf_stat").reason == reason
        app = KvtopApp(session)
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.pause()
            app.tick()
            await pilot.pause()
            text = screen_text(app)
            assert "no samples: perf does not work here" in text
            assert "perf is not installed" in text
            assert str(busy.pid) in text
            await pilot.press("s")
            await app.workers.wait_for_complete()
            assert "no samples" in next(iter(app._notifications)).message


@pytest.mark.e2e
@pytest.mark.usefixtures("no_perf")
async def test_without_perf_the_cluster_serves() -> None:
    async with started(config("--clients", "1", "--rate", "50")) as session:
        store = session.store
        # Stress and the nodes' own words come by different ways, in any order.
        await until(lambda: store.stress.last is not None and store.stress.last.operations)
        await until(lambda: store.cluster.leader is not None)
        assert store.health("perf_record").health is Health.UNAVAILABLE


@pytest.mark.e2e
@pytest.mark.usefixtures("no_perf")
async def test_a_dead_supervisor_is_told() -> None:
    async with started(config("--clients", "1", "--rate", "50")) as session:
        store = session.store
        assert session._cluster is not None and session._cluster._process is not None
        os.kill(session._cluster._process.pid, signal.SIGKILL)
        await until(lambda: store.health("supervisor").health is Health.UNAVAILABLE)
        assert "supervisor has ended" in store.health("supervisor").reason
        await asyncio.sleep(1)  # The poller of the nodes' statuses must not cover it.
        assert "supervisor has ended" in ClusterPane(store).complaint()
        assert {m.state for m in session._cluster.members.values()} == {NodeState.DOWN}
        with pytest.raises(kvtop.session.FaultError, match="no node0 any more"):
            await session.kill("node0")


class Flaky:
    """A collector that fails twice before it works."""

    name = "flaky"

    def __init__(self) -> None:
        self.runs = 0

    async def run(self, emit: Emit) -> None:
        """Fail, fail, then say that all is well."""
        self.runs += 1
        if self.runs < 3:
            raise RuntimeError("planted")
        emit(LogLine(1.0, self.name, "info", "works"))
        await asyncio.sleep(3600)


async def test_a_collector_that_fails_is_started_again_and_the_gap_is_marked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collecting, "RESTART_DELAYS", (0.01,))
    session = Session(config())
    session.store = make_store()
    flaky = Flaky()
    session._launch((flaky,))
    await until(lambda: flaky.runs == 3)
    await asyncio.sleep(0)
    store = session.store
    gaps = [m.text for m in store.markers.items if m.kind is MarkerKind.GAP]
    assert gaps == ["flaky failed", "flaky failed"]
    assert "planted" in store.health("flaky").reason
    assert [line.level for line in store.logs.items] == ["error", "error", "info"]
    await session.stop()


@pytest.mark.parametrize("pid", ["4194305", "999999999"])
async def test_a_process_that_does_not_exist_is_a_usage_error(pid: str) -> None:
    with pytest.raises(UsageError, match=pid):
        async with started(config("--attach", pid)):
            pass


async def test_faults_are_refused_where_kvtop_started_nothing() -> None:
    session = Session(config("--attach", "1"))
    with pytest.raises(kvtop.session.FaultError, match="did not start this target"):
        await session.kill("node0")


async def test_readonly_refuses_every_fault() -> None:
    session = Session(config("--readonly"))
    session._cluster = ClusterRun(session.emit, lambda member: None, False)
    for fault in (session.kill, session.pause, session.resume, session.restart):
        with pytest.raises(kvtop.session.FaultError, match="--readonly"):
            await fault("node0")


NAPS = "import time\nwhile True: time.sleep(0.005)"


@pytest.fixture
def naps() -> Iterator[subprocess.Popen[bytes]]:
    """A process that sleeps 5 ms at a time."""
    process = subprocess.Popen([sys.executable, "-c", NAPS])
    yield process
    process.kill()
    process.wait()


@pytest.mark.e2e
@pytest.mark.skipif(shutil.which("perf") is None, reason="needs perf")
@pytest.mark.skipif(os.geteuid() != 0, reason="the kernel's part of stacks needs root")
async def test_waits_are_followed_only_while_somebody_looks(
    naps: subprocess.Popen[bytes],
) -> None:
    async with started(config("--attach", str(naps.pid))) as session:
        waits = session.store.waits
        session.follow_waits(True)
        await until(lambda: sum(waits.ring.fold(weight="period").values()) > 0.5e9)
        assert session.store.health("off_cpu").health is Health.OK
        (origin,) = {(o.pid, o.label) for o in waits.ring.origins}
        assert origin == (naps.pid, f"{Path(sys.executable).name[:15]}({naps.pid})")
        assert session._waiting.collector is not None
        perf = session._waiting.collector.child_pids
        assert perf and set(perf) <= set(session._perf_pids())
        session.follow_waits(False)
        assert session._waiting.collector is None
        await until(lambda: not any(map(process_exists, perf)))
        seen = len(waits.ring)
        assert seen, "what was recorded stays"
        session.follow_waits(True)
        assert not len(waits.ring), "another recording begins from nothing"
        session.follow_waits(False)
        session.follow_waits(True)
        await until(lambda: bool(len(waits.ring)))
        assert session._waiting.collector is not None
        perf = session._waiting.collector.child_pids
    assert not any(map(process_exists, perf))


@pytest.mark.usefixtures("no_perf")
async def test_without_perf_the_reason_is_that_of_the_samples(
    busy: subprocess.Popen[bytes],
) -> None:
    async with started(config("--attach", str(busy.pid))) as session:
        session.follow_waits(True)
        status = session.store.health("off_cpu")
        assert (status.health, status.reason) == (Health.UNAVAILABLE, perf_missing())
