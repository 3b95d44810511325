"""Reads perf's own files with ``perf script``, and its text."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from kvtop.collectors.doctor import explain, perf_missing
from kvtop.collectors.object_symbols import ObjectSymbols
from kvtop.collectors.perf_script import ScriptParser
from kvtop.collectors.perf_stream import SCRIPT_OPTIONS
from kvtop.export.detect import READABLE, UnknownFormat
from kvtop.export.perf_text import PerfText
from kvtop.export.svg import SvgMeta
from kvtop.opening.copied import PIECE, copied
from kvtop.opening.folding import Folding
from kvtop.opening.model import Profile, ProfileError, Sink, Wanted
from kvtop.profile.stacks import StackTable

_MANY_BROKEN = 0.05


def read_perf_data(path: str, wanted: Wanted, sink: Sink | None = None) -> Profile:
    """Read a perf.data file that perf can seek in."""
    command = ["perf", "script", "-i", path, "--header", *SCRIPT_OPTIONS]
    with tempfile.TemporaryFile() as errors:
        try:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                process_group=0,
            )
        except FileNotFoundError:
            raise ProfileError(perf_missing()) from None
        assert child.stdout is not None
        try:
            profile = _read(b"", child.stdout, wanted, sink, _RecordedNames())
            failed = child.wait()
        finally:
            _end(child)
        errors.seek(0)
        said = errors.read(1 << 16).decode(errors="replace")
    if failed and not profile.folds:
        raise ProfileError(_perf_failed(said))
    if failed:
        profile.notes.append(f"only a part could be read: {_perf_failed(said).rstrip('.')}")
    return profile


def read_perf_stream(
    head: bytes, file: IO[bytes], wanted: Wanted, sink: Sink | None = None
) -> Profile:
    """Read a perf.data that comes through a pipe: perf seeks in its files, so into one."""
    with copied(head, file, ".perf.data") as path:
        return read_perf_data(path, wanted, sink)


def _perf_failed(said: str) -> str:
    if "not owned by current user" in said:
        return "perf reads only files of one's own: chown it, or start kvtop with sudo."
    if re.search(r"failed to process type|incompatible file format|file's data size", said):
        return (
            "the perf.data is damaged or was cut short: record again, and let perf end by itself."
        )
    return explain(said)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill and reap it, if it still runs."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    if child.stdout is not None:
        child.stdout.close()


def read_perf_text(
    head: bytes, file: IO[bytes], wanted: Wanted, sink: Sink | None = None
) -> Profile:
    """Read what ``perf script`` printed: ``head``, then the rest of ``file``."""
    return _read(head, file, wanted, sink, None)


class _RecordedNames(ObjectSymbols):
    """Names from objects that are as they were when perf recorded, on the machine it did."""

    def __init__(self) -> None:
        super().__init__()
        self._recorded = 0.0

    def learn(self, facts: Mapping[str, str]) -> None:
        """What perf's header says; until then no name is given."""
        self.set_perf_version(facts.get("perf version", ""))
        if facts.get("hostname") == os.uname().nodename:
            self._recorded = _captured(facts.get("captured on", ""))

    def name(self, pid: int, path: str, address: int) -> str | None:
        """As in the class above, but the process is over: only the path counts."""
        try:
            if Path(path).stat().st_mtime > self._recorded:
                return None
        except OSError:
            return None
        return super().name(0, path, address)


def _read(
    head: bytes,
    file: IO[bytes],
    wanted: Wanted,
    sink: Sink | None,
    names: _RecordedNames | None,
) -> Profile:
    table = StackTable()
    text = PerfText()
    parser = ScriptParser(table, names=names)
    samples = Folding(wanted, sink)
    samples.add(parser.feed(text.feed(head)))
    while piece := file.read(PIECE):
        lines = text.feed(piece)
        if names is not None and not samples.events:
            names.learn(text.facts)
        samples.add(parser.feed(lines))
    samples.add(parser.feed(text.end()))
    if not parser.samples and parser.malformed:
        raise UnknownFormat(f"kvtop reads {READABLE}")
    event, folds = samples.chosen()
    if wanted.weight_by_period and not text.periods:
        raise ProfileError("It has no periods to weigh by: run perf script -F +period.")
    facts = text.facts
    meta = SvgMeta(
        title="",
        command=facts.get("cmdline", ""),
        host=facts.get("hostname", ""),
        kernel=facts.get("os release", ""),
        event=event,
        frequency=text.frequency,
        window=samples.window,
        unit=samples.unit(event),
    )
    duration = samples.seconds
    start = _captured(facts.get("captured on", "")) - duration
    return Profile(table, meta, folds, _notes(samples, parser, event), max(start, 0.0), duration)


def _captured(text: str) -> float:
    """Unix time of perf's "captured on", which is when recording ended; 0 where there is none."""
    try:
        return time.mktime(time.strptime(text, "%a %b %d %H:%M:%S %Y"))
    except (ValueError, OverflowError):
        return 0.0


def _notes(samples: Folding, parser: ScriptParser, event: str) -> list[str]:
    notes = samples.notes(event)
    if parser.samples and parser.broken / parser.samples > _MANY_BROKEN:
        share = 100 * parser.broken / parser.samples
        notes.append(
            f"{share:.0f} % of the stacks are cut off before the start "
            "of their thread: record with --call-graph dwarf, or build with frame pointers"
        )
    if parser.malformed:
        notes.append(f"{parser.malformed:,} pieces of the text were no samples and are left out")
    return notes
