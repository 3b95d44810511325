"""``kvtop run``: a run without a screen, for scripts and CI jobs, with a summary at its end."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import time

from kvtop.batch import format_report
from kvtop.config import Config, UsageError, add_options, load
from kvtop.options import OPTIONS
from kvtop.profile.text import safe_text
from kvtop.session import Session
from kvtop.summary import recording_facts, summary, summary_lines

TAKES_COMMAND = True
"""The command line may end in -- COMMAND."""
_NOT_HERE = ("pick", "theme", "no_mouse", "readonly", "layers", "output", "batch", "once", "count")
"""Options that only a screen, or reports, have a use for."""
_STEP = 0.1
_DESCRIPTION = """\
Run without a screen until --duration is over, the targets have ended, or SIGINT or SIGTERM comes;
then print a summary on standard output: text, or with --json one JSON object.

  kvtop run --duration 30 --record out.kvtop
  kvtop run --duration 30 --json --attach 4211
  kvtop run --record out.kvtop -- python app.py
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Every option of kvtop that is of use without a screen."""
    parser.description = _DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.usage = "kvtop run [options] [-- COMMAND ARGS]"
    add_options(parser, [option.name for option in OPTIONS if option.name not in _NOT_HERE])


def run(arguments: argparse.Namespace) -> int:
    """Run to the end; the exit code is 1 where the run or its recording failed."""
    from kvtop.run import run as run_config

    config = load(arguments)
    if config.pick:
        raise UsageError("kvtop run has no list to pick from: name the processes with --attach.")
    if config.debug is not None:
        from kvtop import debug_log

        debug_log.start(config.debug, sys.argv[1:])
    return run_config(config, _go)


async def _go(session: Session, config: Config) -> int:
    """Wait for the end, then tell what there was; also where a signal ends it."""
    begun = time.monotonic()
    progress = _Progress(session, config)
    interrupted = False
    try:
        await _wait(session, config, begun, progress)
    except asyncio.CancelledError:
        interrupted = True
    seconds = time.monotonic() - begun
    progress.clear()
    recorder = session.recorder
    # At one moment with the end of the recording: both hold the same samples.
    told = summary(session, config, seconds, interrupted)
    recorded = await recorder.stop() if recorder is not None else None
    problem = recorder.problem if recorder is not None else ""
    told["run"] |= recording_facts(recorded, problem)
    if config.json:
        print(json.dumps(told), flush=True)
    else:
        print(format_report(told) + "\n".join(map(safe_text, summary_lines(told))), flush=True)
    if interrupted:
        raise asyncio.CancelledError
    if problem:
        print(f"kvtop: {problem}", file=sys.stderr)
    return int(bool(problem) or session.failed)


async def _wait(session: Session, config: Config, begun: float, progress: _Progress) -> None:
    while not (session.ended or session.failed):
        left = None if config.duration is None else begun + config.duration - time.monotonic()
        if left is not None and left <= 0:
            return
        if session.recorder is not None and session.recorder.problem:
            return
        progress.show(time.monotonic() - begun)
        await asyncio.sleep(_STEP if left is None else min(_STEP, left))


class _Progress:
    """One line on standard error, where that is a terminal."""

    def __init__(self, session: Session, config: Config) -> None:
        self._session = session
        self._duration = config.duration
        self._shown = ""
        self._on = sys.stderr.isatty()

    def show(self, seconds: float) -> None:
        """Say how far it is; the same is not said again."""
        if not self._on:
            return
        store = self._session.store
        whole = "" if self._duration is None else f"/{self._duration:g}"
        parts = [f"{int(seconds)}{whole} s"]
        if store.pipeline is not None:
            parts.append(f"{store.pipeline.samples:,} samples")
        if store.stress.last is not None:
            parts.append(f"{store.stress.last.rate:,.0f} ops/s")
        if self._session.recorder is not None and (now := self._session.recorder.current):
            parts.append(f"{now.size_text} recorded")
        text = f"kvtop: {'  '.join(parts)}"[: shutil.get_terminal_size().columns - 1]
        if text != self._shown:
            self._shown = text
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Leave the line to what follows."""
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
