"""CPU, memory and threads from /proc."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable

from kvtop.collectors.processes import Processes, process_exists
from kvtop.events import Event, OwnUsage, ProcessUsage, Role, Target
from tests.collectors.helpers import SPIN, collect, processes


def readings(enough: int) -> Callable[[list[Event]], bool]:
    return lambda events: sum(isinstance(e, OwnUsage) for e in events) >= enough


async def test_a_busy_process_and_an_idle_one() -> None:
    with processes(SPIN, ["sleep", "60"]) as (busy, idle):
        targets = [Target("busy", busy.pid, Role.OTHER), Target("idle", idle.pid, Role.OTHER)]
        collector = Processes(targets, lambda: (busy.pid,), interval=0.3)
        events = await collect(collector, readings(4))
    usages = [e for e in events if isinstance(e, ProcessUsage)]
    by_label = {label: [u for u in usages if u.label == label] for label in ("busy", "idle")}
    assert by_label["busy"][0].cpu_percent is None
    busy_percent, idle_percent = by_label["busy"][-1].cpu_percent, by_label["idle"][-1].cpu_percent
    assert busy_percent is not None and idle_percent is not None
    assert busy_percent > 5 * idle_percent and idle_percent < 5
    assert by_label["idle"][-1].threads == 1 and by_label["idle"][-1].rss > 100_000
    own = [e for e in events if isinstance(e, OwnUsage)][-1]
    # What was named as perf's process is part of the whole.
    assert own.perf_cpu_percent > 0 and own.cpu_percent >= own.perf_cpu_percent


async def test_a_process_that_is_gone_gives_nothing() -> None:
    with processes(["true"]) as (gone,):
        gone.wait()
        collector = Processes([Target("gone", gone.pid, Role.OTHER)], interval=0.05)
        events = await collect(collector, readings(2))
    assert not any(isinstance(e, ProcessUsage) for e in events)


def test_a_zombie_does_not_exist_and_a_live_process_does() -> None:
    process = subprocess.Popen(["sleep", "60"])
    assert process_exists(process.pid)
    process.kill()
    done = threading.Event()
    for _ in range(500):
        if not process_exists(process.pid):
            break
        done.wait(0.01)
    assert not process_exists(process.pid)
    process.wait()
