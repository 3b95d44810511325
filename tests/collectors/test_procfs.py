"""What /proc says, against psutil's reading of the same."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil

from kvtop.collectors.procfs import all_pids, ancestors, arguments, descendants, read_stat
from tests.collectors.helpers import processes, until

SLEEPER = "import os, time; open('/proc/self/comm', 'w').write('a) R (b'); time.sleep(60)"


async def test_a_name_with_brackets_does_not_shift_the_fields() -> None:
    with processes([sys.executable, "-c", SLEEPER]) as (sleeper,):
        await until(lambda: (stat := read_stat(sleeper.pid)) is not None and stat.comm == "a) R (b")
        stat, seen = read_stat(sleeper.pid), psutil.Process(sleeper.pid)
        assert stat is not None
        assert (stat.parent, stat.threads, stat.state) == (os.getpid(), 1, seen.status())
        assert abs(stat.cpu - sum(seen.cpu_times()[:2])) < 0.05
        assert abs(stat.rss - seen.memory_info().rss) < 1 << 20
        assert abs(psutil.boot_time() + stat.started - seen.create_time()) < 0.1
        assert arguments(sleeper.pid) == [sys.executable, "-c", SLEEPER]
        assert sleeper.pid in all_pids() and sleeper.pid in descendants(os.getpid())
        assert ancestors(sleeper.pid)[:2] == [os.getpid(), os.getppid()]


def test_what_is_gone_has_no_reading() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert read_stat(process.pid) is None
    assert arguments(process.pid) == [] and descendants(process.pid) == []
    assert ancestors(process.pid) == []
