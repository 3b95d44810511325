"""--ssh over a real sshd on the loopback interface."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from kvtop.collectors.host_checks import all_checks
from kvtop.collectors.procfs import arguments, descendants
from kvtop.config import Config
from kvtop.events import CountedBy, Health, MarkerKind
from kvtop.profile.hotspots import hotspots
from kvtop.remote.address import Address
from kvtop.remote.session import RemoteSession
from tests.collectors.helpers import compiled, processes, until
from tests.remote.host import Host, sshd

FAULTS = "import mmap\nwhile True: mmap.mmap(-1, 4096).write(b'x')"

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("perf") is None, reason="needs perf"),
]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with sshd(tmp_path_factory.mktemp("sshd")) as made:
        yield made


def kvtop(host: Host, *argv: str) -> list[str]:
    return [sys.executable, "-m", "kvtop", *host.options, *argv]


@contextmanager
def started(argv: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """kvtop while it runs; killed and reaped at the end."""
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        try:
            yield run
        finally:
            run.kill()


def over_there(host: Host) -> list[int]:
    """Every process of the sessions of the sshd: its own, the agent, perf."""
    return [pid for pid in descendants(host.pid) if arguments(pid)]


async def test_symbols_counters_and_source_come_over_it(host: Host, tmp_path: Path) -> None:
    program = compiled(tmp_path, "hot_line.c", "-g")
    config = Config(ssh=Address.parse(host.address), ssh_command=host.ssh)
    with processes([str(program), "600"]) as (spin,):
        session = RemoteSession(replace(config, attach=(spin.pid,)))
        try:
            began = time.monotonic()
            await session.start()
            store = session.store
            await until(lambda: sum(session.fold(60).values()) >= 50 and store.counters.labels)
            spots = hotspots(store.table, session.fold(60))
            hot = next(spot.frame for spot in spots if spot.frame.object == "hot_line")
            # By our clock: nothing from before the start, nothing from the time to come.
            first, last = store.ring.first_time, store.ring.last_time
            assert first is not None and last is not None
            assert began - 0.1 <= first <= last <= time.monotonic() + 0.1
            reading = store.counters.last(f"hot_line({spin.pid})", "task-clock")
            assert reading is not None and reading.value
            listing = await session.annotate(hot, began, time.monotonic(), None)
            assert listing.samples > 0 and listing.instructions
            assert any(file.name.endswith("hot_line.c") and file.lines for file in listing.files)
            assert store.own is not None and store.info.remote == f"{host.user}@127.0.0.1"
        finally:
            await session.stop()
    await until(lambda: not over_there(host))


async def test_kill_9_of_kvtop_leaves_nothing_there(host: Host) -> None:
    with processes([sys.executable, "-c", "while True: pass"]) as (spin,):
        argv = kvtop(host, "--attach", str(spin.pid), "--json")
        with started(argv):
            await until(lambda: any("record" in arguments(pid) for pid in over_there(host)))
        await until(lambda: not over_there(host))


async def test_a_lost_connection_is_said_and_is_a_failure(host: Host) -> None:
    with processes([sys.executable, "-c", "while True: pass"]) as (spin,):
        argv = kvtop(host, "--attach", str(spin.pid), "--batch")
        with started(argv) as run:
            assert run.stdout is not None
            run.stdout.readline()
            for pid in reversed(over_there(host)):
                if arguments(pid)[0].startswith("sshd"):
                    os.kill(pid, signal.SIGKILL)
            out, err = run.communicate(timeout=60)
    assert run.returncode == 1
    assert b"kvtop: the connection was lost: " in err and b"127.0.0.1" in err
    assert b"No connection since " in out and b"Start kvtop again." in out
    await until(lambda: not over_there(host))


async def test_a_connection_that_breaks_is_made_anew_with_what_was_followed(host: Host) -> None:
    config = Config(ssh=Address.parse(host.address), ssh_command=host.ssh)
    with processes([sys.executable, "-c", "while True: pass"]) as (spin,):
        session = RemoteSession(replace(config, attach=(spin.pid,)), again=True)
        try:
            await session.start()
            store = session.store
            assert not await session.sample("task-clock")
            session.count_by(CountedBy.THREAD)
            threads = store.details[CountedBy.THREAD]
            await until(lambda: store.pipeline and store.pipeline.samples and threads.labels)
            before, counted = store.pipeline, threads.revision
            for pid in descendants(os.getpid()):
                if arguments(pid)[:1] == ["ssh"]:
                    os.kill(pid, signal.SIGKILL)
            await until(lambda: "CONNECTION LOST" in session.banner)
            assert store.sample_rate.last is None and store.ring.last_time is not None
            reason = store.health("perf_record").reason
            assert "is from before" in reason and "next attempt" in reason
            await until(lambda: not session.banner)
            gap, back = (m for m in store.markers.items if "connect" in m.text)
            assert gap.kind is MarkerKind.GAP and "connected again" in back.text
            await until(lambda: (store.ring.last_time or 0) > back.time)
            await until(lambda: threads.revision > counted)
            await until(lambda: store.health("perf_record").health is not Health.UNAVAILABLE)
            # What was chosen goes on, and so do the counts from where they were.
            assert before is not None
            await until(lambda: (store.pipeline or before).samples > before.samples)
            assert session.event == "task-clock" == store.ring.events[-1]
            spin.kill()
            spin.wait()
            for pid in descendants(os.getpid()):
                if arguments(pid)[:1] == ["ssh"]:
                    os.kill(pid, signal.SIGKILL)
            await until(lambda: session.failed)
            assert "has exited meanwhile" in store.health("perf_stat").reason
        finally:
            await session.stop()
    await until(lambda: not over_there(host))


async def test_events_are_listed_and_chosen_and_cores_are_counted(host: Host) -> None:
    config = Config(ssh=Address.parse(host.address), ssh_command=host.ssh)
    with processes([sys.executable, "-c", FAULTS]) as (faulting,):
        session = RemoteSession(replace(config, attach=(faulting.pid,)))
        try:
            await session.start()
            store = session.store
            assert "page-faults" in {event.name for event in await session.list_events()}
            refused = await session.sample("no-such-event")
            assert refused.startswith(f"On {host.user}@127.0.0.1:") and session.event is None
            assert not await session.sample("page-faults")
            await until(lambda: "page-faults" in store.ring.events)
            session.count_by(CountedBy.CORE)
            await until(lambda: store.details[CountedBy.CORE].labels)
            assert len(store.details[CountedBy.CORE].labels) == os.cpu_count()
        finally:
            await session.stop()


def test_a_key_that_is_refused_and_a_host_that_is_not_known(host: Host) -> None:
    for name, sentence in (("authorized", b"does not let you in"), ("known", b"host key")):
        path = host.directory / name
        kept = path.read_bytes()
        path.write_bytes(b"")
        try:
            done = subprocess.run(
                kvtop(host, "--attach", "1", "--once"), capture_output=True, check=False
            )
        finally:
            path.write_bytes(kept)
        assert done.returncode == 1 and sentence in done.stderr, done.stderr
        assert done.stderr.count(b"\n") == 1


def test_a_process_that_is_not_there_is_bad_usage(host: Host) -> None:
    done = subprocess.run(
        kvtop(host, "--attach-name", "no-such-program-anywhere-[0-9]{9}", "--once"),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"kvtop: On {host.user}@127.0.0.1: no process".encode())


def test_the_doctor_looks_at_the_host_and_not_at_our_terminal(host: Host) -> None:
    argv = [sys.executable, "-m", "kvtop", "doctor", *host.options]
    done = subprocess.run([*argv, "--json"], capture_output=True, check=False)
    checks = json.loads(done.stdout)["checks"]
    here = [asdict(check) for check in asyncio.run(all_checks())]
    names = {check["name"] for check in here if check["area"] not in ("terminal", "python")}
    assert {check["name"] for check in checks} == names
    (perf,) = (check for check in checks if check["area"] == "perf" and check["name"] == "perf")
    assert perf in here
    nowhere = subprocess.run([*argv, "--ssh", "127.0.0.1:1"], capture_output=True, check=False)
    assert nowhere.returncode == 1 and not nowhere.stdout
    assert b"127.0.0.1 cannot be reached by ssh: connection refused" in nowhere.stderr
