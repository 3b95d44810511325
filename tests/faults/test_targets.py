"""Targets that run another program, are stopped, have 2,000 threads, or compile without end."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import psutil
import pytest

from kvtop.app import KvtopApp
from kvtop.events import Health
from tests.collectors.helpers import SPIN, answer, compiled, order, processes, until
from tests.faults.helpers import attached, needs_perf, samples_of, symbols_of
from tests.widgets.render import screen_text

pytestmark = [pytest.mark.e2e, needs_perf]


async def test_a_target_that_runs_another_program(tmp_path: Path) -> None:
    spin = str(compiled(tmp_path, "spin.c"))
    code = (
        "import os, sys, threading\n"
        "order = threading.Thread(target=sys.stdin.readline)\n"
        "order.start()\n"
        "while order.is_alive(): sum(range(1000))\n"
        f"os.execv({spin!r}, ['spin'])\n"
    )
    with processes([sys.executable, "-c", code]) as (program,):
        async with attached(program.pid) as session:
            await until(lambda: samples_of(session) > 20)
            assert "by_three" not in symbols_of(session)
            order(program, b"another")
            await until(lambda: {"by_three", "by_one"} <= symbols_of(session))
            assert not session.ended
            assert session.store.health("perf_record").health is Health.OK


async def test_a_stopped_target_is_waited_for() -> None:
    with processes(SPIN) as (program,):
        os.kill(program.pid, signal.SIGSTOP)
        async with attached(program.pid) as session:
            store = session.store
            (label,) = store.targets
            await until(lambda: label in store.cluster.usage)
            await until(lambda: store.counters.last(label, "task-clock"))
            assert samples_of(session) == 0 and not session.ended
            app = KvtopApp(session)
            async with app.run_test(size=(100, 30)) as pilot:
                app.tick()
                await pilot.pause()
                assert "no samples" in screen_text(app)
                os.kill(program.pid, signal.SIGCONT)
                await until(lambda: samples_of(session) > 20)
                app.tick()
                await pilot.pause()
                assert "no samples" not in screen_text(app)
            seen = samples_of(session)
            os.kill(program.pid, signal.SIGSTOP)
            os.kill(program.pid, signal.SIGCONT)
            await until(lambda: samples_of(session) > seen + 20)


THREADS = """
import sys, threading
threading.stack_size(65536)
end = threading.Event()
def waits(): end.wait()
def works():
    while True: sum(range(1000))
for n in range(1999): threading.Thread(target=waits, daemon=True).start()
threading.Thread(target=works, daemon=True).start()
print("ready", flush=True)
sys.stdin.readline()
"""


async def test_a_target_with_two_thousand_threads() -> None:
    with processes([sys.executable, "-c", THREADS]) as (program,):
        assert answer(program)
        assert len(psutil.Process(program.pid).threads()) == 2001
        async with attached(program.pid) as session:
            store = session.store
            (label,) = store.targets
            await until(lambda: samples_of(session) > 50)
            await until(lambda: label in store.cluster.usage)
            assert store.cluster.usage[label].threads == 2001
            await until(lambda: store.counters.last(label, "task-clock"))
            assert store.health("perf_record").health is Health.OK


CHURN = """
import time, types
def work(): return sum(range(1500))
start = time.monotonic()
for n in range(1_000_000_000):
    name = f"churn_{n}"
    types.FunctionType(work.__code__.replace(co_name=name, co_qualname=name), globals())()
    if n % 1000 == 0:
        print(n, flush=True)
    if n % 100 == 0:
        time.sleep(max(0, start + n / 10_000 - time.monotonic()))
"""
"""Each is compiled anew by perf_jit, and called once."""


@pytest.mark.skipif(sys.version_info < (3, 13), reason="-X perf_jit came with Python 3.13")
async def test_a_target_that_compiles_ten_thousand_functions_a_second(tmp_path: Path) -> None:
    script = tmp_path / "churn.py"
    script.write_text(CHURN)
    with processes([sys.executable, "-X", "perf_jit", str(script)]) as (program,):
        answer(program)
        async with attached(program.pid) as session:

            def churned() -> set[str]:
                return {name for name in symbols_of(session) if re.fullmatch(r"churn_\d+", name)}

            await until(lambda: len(churned()) > 50)
            seen = churned()
            newest = max(int(name.removeprefix("churn_")) for name in seen)
            # It keeps up: functions are named that did not exist yet when the first ones were.
            await until(
                lambda: any(int(n.removeprefix("churn_")) > newest + 10_000 for n in churned())
            )
            record = session.store.health("perf_record")
            assert record.health is Health.OK, record.reason
            stats = session.store.pipeline
            assert stats is not None and stats.unresolved <= 0.1 * stats.samples
