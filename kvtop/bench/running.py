"""Runs the benchmarks of one ``kvtop bench``, each in processes of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from types import FrameType

import pyperf  # type: ignore[import-untyped]

from kvtop.bench.compare import figure
from kvtop.bench.macro import MACROS, MacroError, run_macro
from kvtop.bench.micro import micros
from kvtop.workload.commands.stress import StressFailed
from kvtop.workload.temporary_cluster import ClusterError

_MACRO_SECONDS = 2.0
_MACRO_RUNS = {"fast": 5, "": 10, "rigorous": 20}


class BenchFailed(Exception):
    """A benchmark that gave no figure: one sentence."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: ``pace`` is '', fast or rigorous; ``pyperf`` its other options."""

    pace: str = ""
    pyperf: tuple[str, ...] = ()
    quiet: bool = False
    processes: int | None = None

    @property
    def macro_runs(self) -> int:
        """Fresh clusters of a macro benchmark; ``--processes`` says otherwise."""
        return self.processes or _MACRO_RUNS[self.pace]


def run_one(name: str, effort: Effort) -> pyperf.Benchmark:
    """Run a benchmark of `micros` or `MACROS`; BenchFailed."""
    if name in MACROS:
        return _macro(name, effort)
    with tempfile.TemporaryDirectory(prefix="kvtop-bench-") as scratch:
        return _micro(name, effort, Path(scratch))


def _micro(name: str, effort: Effort, scratch: Path) -> pyperf.Benchmark:
    result = scratch / "result.json"
    command = [
        *(sys.executable, "-m", "kvtop.bench.worker", "--benchmark", name),
        *("--parent", str(os.getpid()), "--output", str(result), "--inherit-environ", "TMPDIR"),
        *([f"--{effort.pace}"] if effort.pace else []),
        *(["--quiet"] if effort.quiet else []),
        *effort.pyperf,
    ]
    # What a worker writes goes into our directory, so that nothing of it can be left behind.
    environment = {**os.environ, "TMPDIR": str(scratch)}
    sys.stdout.flush()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment, process_group=0)
    try:
        code = child.wait()
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    if code or not result.exists():
        raise BenchFailed(f"{name} ended with code {code}")
    return pyperf.Benchmark.load(str(result))


def _macro(name: str, effort: Effort) -> pyperf.Benchmark:
    def dot() -> None:
        if not effort.quiet:
            print(".", end="", flush=True)

    try:
        benchmark = run_macro(MACROS[name], effort.macro_runs, _MACRO_SECONDS, dot)
    except (MacroError, ClusterError, StressFailed) as error:
        raise BenchFailed(f"{name}: {error}") from error
    finally:
        if not effort.quiet:
            print()
    print(f"{name}: Mean +- std dev: {figure(benchmark)} ({1 / benchmark.mean():,.0f}/s)")
    if not effort.quiet:
        print(flush=True)
    return benchmark


@contextmanager
def tidy_on_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end us by an exception, so that children and files go as well."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def every_name() -> list[str]:
    """Of all benchmarks, in the order in which they run."""
    return [*micros(), *MACROS]


def text_of(name: str) -> str:
    """What a benchmark measures."""
    return MACROS[name].text if name in MACROS else micros()[name].text


def names_of(wanted: Sequence[str], macro: bool) -> list[str]:
    """The benchmarks that the command line asks for, in the order of the list; KeyError.

    A name is a whole one, a group (``skiplist``), or a glob. The KeyError has the name that fits
    none.
    """
    every = every_name()
    if not wanted:
        return every if macro else [*micros()]
    chosen: set[str] = set(MACROS) if macro else set()
    for pattern in wanted:
        found = {
            name for name in every if fnmatchcase(name, pattern) or name.startswith(f"{pattern}.")
        }
        if not found:
            raise KeyError(pattern)
        chosen |= found
    return [name for name in every if name in chosen]
