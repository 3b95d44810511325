"""What is known of a run and its machine, for the head of its recording."""

from __future__ import annotations

import os
import platform
import sys
import time
from contextlib import suppress
from pathlib import Path

from kvtop import __version__
from kvtop.config import Config
from kvtop.recording.meta import RecordingMeta
from kvtop.store import Store


def run_facts(store: Store, config: Config) -> RecordingMeta:
    """What is known of the run now."""
    commands = [target.command for target in store.targets.values()] or [" ".join(config.command)]
    return RecordingMeta(
        kvtop=__version__,
        host=store.info.host,
        kernel=store.info.kernel,
        perf=store.info.perf_version,
        cpu=store.info.cpu or cpu_model(),
        cpus=store.info.cpus or os.cpu_count() or 0,
        event=config.event or "",
        frequency=0 if config.period else config.frequency,
        period=config.period,
        call_graph=config.call_graph,
        command=("kvtop", *sys.argv[1:]),
        targets=tuple(command for command in commands if command),
        value_size=config.value_size if store.info.has_faults and not config.no_stress else None,
        wall=time.time(),
        run=store.info,
    )


def cpu_model() -> str:
    """The CPU as /proc/cpuinfo names it (proc(5)); its architecture where it names none."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.machine()
