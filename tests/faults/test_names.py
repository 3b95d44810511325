"""Threads and processes whose names are bytes that no text has, or that a terminal acts upon."""

from __future__ import annotations

import sys
import time

import pytest

from kvtop.app import KvtopApp
from kvtop.collectors.processes import started_since
from kvtop.events import Health
from tests.collectors.helpers import answer, order, processes, until
from tests.faults.helpers import attached, needs_perf, samples_of
from tests.widgets.render import screen_text

pytestmark = [pytest.mark.e2e, needs_perf]

NAMES = [b"\xff\xfe\xe2\x28)", b"\x1b[31mred\x1b]0;x", b"a\nb/1 2: ) R", "\u202etxt[/b]".encode()]
"""The third is as a line of perf script and of /proc/PID/stat may look."""
NAMED = """
import ctypes, os, sys, threading
def call_me(name): ctypes.CDLL(None).prctl(15, name, 0, 0, 0)
call_me({name!r})
print("ready", flush=True)
order = threading.Thread(target=sys.stdin.readline)
order.start()
while order.is_alive(): sum(range(1000))
if os.fork() == 0:
    ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)  # dies with its parent
    call_me({name!r})
    print(os.getpid(), flush=True)
while True: sum(range(1000))
"""


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_that_is_hostile_does_no_harm(name: bytes) -> None:
    with processes([sys.executable, "-c", NAMED.format(name=name)]) as (program,):
        assert answer(program)
        async with attached(program.pid) as session:
            store = session.store
            (label,) = store.targets
            assert label.isprintable() and label.endswith(f"({program.pid})")
            await until(lambda: session.store.health("perf_record").health is Health.OK)
            order(program, b"go on")
            child = int(answer(program))
            await until(lambda: {program.pid, child} <= {o.pid for o in store.ring.origins})
            await until(lambda: samples_of(session) > 20)
            await until(lambda: label in store.cluster.usage)
            assert all(origin.comm.isprintable() for origin in store.ring.origins)
            assert store.health("perf_record").health is Health.OK
            app = KvtopApp(session)
            async with app.run_test(size=(120, 40)) as pilot:
                app.tick()
                await pilot.pause()
                text = screen_text(app)
            assert str(program.pid) in text
            assert text.replace("\n", "").isprintable() and "\u202e" not in text


def test_children_with_such_names_are_found() -> None:
    """Those that a perf which is started again has to be told of."""
    since = time.clock_gettime(time.CLOCK_BOOTTIME) - 0.01
    with processes(*([sys.executable, "-c", NAMED.format(name=name)] for name in NAMES)) as family:
        for program in family:
            answer(program)
            order(program, b"go on")
            child = int(answer(program))
            assert started_since([program.pid], since) == (child,)
