"""Opens a profile that some program wrote: told by its content, read by the reader for it."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from kvtop import __version__
from kvtop.export.detect import HEAD, Format, UnknownFormat, detect, is_recording
from kvtop.export.folded import read_folded
from kvtop.export.pprof_read import LARGEST, read_pprof
from kvtop.export.speedscope import read_speedscope
from kvtop.export.svg import SvgMeta, read_svg
from kvtop.opening.model import Profile, ProfileError, Sink, Thread, Wanted
from kvtop.profile.stacks import StackTable
from kvtop.profile.text import safe_text

STDIN = "-"


def open_profile(name: str, wanted: Wanted | None = None, sink: Sink | None = None) -> Profile:
    """Read a file, or standard input where the name is "-"; ProfileError says why not."""
    wanted = wanted or Wanted()
    shown = "standard input" if name == STDIN else safe_text(name, 200)
    try:
        with _opened(name) as file:
            profile = _read(file, name, shown, wanted, sink)
    except OSError as error:
        raise ProfileError(f"cannot read {shown}: {error.strerror or error}.") from error
    except UnknownFormat as error:
        raise ProfileError(f"{shown} is not a profile that can be read: {error}.") from error
    except ValueError as error:
        raise ProfileError(f"cannot read {shown}: {error}.") from error
    if not any(sum(counts.values()) for counts in profile.folds.values()):
        if wanted.has_range:
            raise ProfileError(f"{shown} holds no samples in that time: choose another.")
        raise ProfileError(f"{shown} holds no samples: record for longer, or another event.")
    return profile


@contextmanager
def _opened(name: str) -> Iterator[IO[bytes]]:
    if name == STDIN:
        yield sys.stdin.buffer
        return
    with Path(name).open("rb") as file:
        yield file


def _read(file: IO[bytes], name: str, shown: str, wanted: Wanted, sink: Sink | None) -> Profile:
    head = file.read(HEAD)
    if not head.strip():
        hint = "what should have written it failed or found nothing"
        raise ProfileError(f"{shown} is empty: {hint}.")
    head, file = _unzipped(head, file)
    form = wanted.format or detect(head)
    if form in (Format.PERF_DATA, Format.PERF_SCRIPT):
        profile = _read_perf(form, head, file, name, wanted, sink)
    elif form is Format.RECORDING:
        profile = _read_recorded(head, file, name, wanted, sink)
    elif wanted.has_range:
        raise ProfileError(f"{shown} is {form}, which has no times: leave --start and --end out.")
    else:
        profile = _READERS[form](head + file.read())
    meta = replace(
        profile.meta,
        title=profile.meta.title or ("" if name == STDIN else Path(name).name),
        version=profile.meta.version or __version__,
    )
    return replace(profile, meta=meta)


def _unzipped(head: bytes, file: IO[bytes]) -> tuple[bytes, IO[bytes]]:
    """What a gzipped file holds, unless that is pprof's or a recording: read as they are."""
    if not head.startswith(b"\x1f\x8b"):
        return head, file
    if is_recording(head):
        return head, file
    try:
        inside = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, HEAD)
        if detect(inside) is Format.PPROF:
            return head, file
    except (UnknownFormat, zlib.error):
        return head, file
    with gzip.open(io.BytesIO(head + file.read())) as unpacked:
        try:
            data = unpacked.read(LARGEST + 1)
        except (EOFError, zlib.error) as error:
            raise ValueError("its gzip data is damaged") from error
    if len(data) > LARGEST:
        raise ValueError("it is too large once unpacked; unpack it with gunzip first")
    return data[:HEAD], io.BytesIO(data[HEAD:])


def _read_perf(
    form: Format, head: bytes, file: IO[bytes], name: str, wanted: Wanted, sink: Sink | None
) -> Profile:
    # Loaded only here: what starts programs takes longer to load than most profiles to read.
    from kvtop.opening import perf

    if form is Format.PERF_SCRIPT:
        return perf.read_perf_text(head, file, wanted, sink)
    if name == STDIN:
        return perf.read_perf_stream(head, file, wanted, sink)
    return perf.read_perf_data(name, wanted, sink)


def _read_recorded(
    head: bytes, file: IO[bytes], name: str, wanted: Wanted, sink: Sink | None
) -> Profile:
    from kvtop.opening import recorded

    if name == STDIN:
        return recorded.read_recording_stream(head, file, wanted, sink)
    return recorded.read_recording(name, wanted, sink)


# Formats that are read whole


def _text(data: bytes) -> str:
    return data.decode("utf-8-sig", errors="replace")


def _read_folded(data: bytes) -> Profile:
    table = StackTable()
    counts = read_folded(_text(data).splitlines(), table)
    return Profile(table, SvgMeta(""), {Thread(""): counts})


def _read_svg(data: bytes) -> Profile:
    table = StackTable()
    counts, meta = read_svg(_text(data), table)
    return Profile(table, meta, {Thread(""): counts})


def _read_speedscope(data: bytes) -> Profile:
    table = StackTable()
    groups, unit = read_speedscope(_text(data), table)
    if len(groups) == 1:
        # One profile needs no name of its own in the picture.
        ((title, counts),) = groups.items()
        return Profile(table, SvgMeta(title, unit=unit), {Thread(""): counts})
    return Profile(table, SvgMeta("", unit=unit), {Thread(name): c for name, c in groups.items()})


def _read_pprof(data: bytes) -> Profile:
    table = StackTable()
    counts, unit = read_pprof(data, table)
    return Profile(table, SvgMeta("", unit=unit), {Thread(""): counts})


_READERS: dict[Format, Callable[[bytes], Profile]] = {
    Format.FOLDED: _read_folded,
    Format.SVG: _read_svg,
    Format.SPEEDSCOPE: _read_speedscope,
    Format.PPROF: _read_pprof,
}
