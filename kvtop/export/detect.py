"""Which program wrote a profile, told from its first bytes and never from its name."""

from __future__ import annotations

import re
import zlib
from enum import StrEnum

HEAD = 1 << 16
"""Bytes from the beginning that are enough to tell."""


class Format(StrEnum):
    """What can be read; the values are what a person types."""

    FOLDED = "folded"
    PERF_DATA = "perf.data"
    PERF_SCRIPT = "perf-script"
    SVG = "svg"
    SPEEDSCOPE = "speedscope"
    PPROF = "pprof"
    RECORDING = "recording"


class UnknownFormat(ValueError):
    """No reader for this: one sentence that says what it is, where that is known."""


READABLE = (
    "kvtop's recordings and SVG, folded stacks (py-spy's too), perf.data, perf script's text, "
    "speedscope's JSON or pprof's protobuf"
)
# perf script's first line of a sample; its fields vary, a time with a colon is always there.
_PERF_LINE = re.compile(rb"^\s*\S.*?\s-?\d+(/-?\d+)?\s.*?\d+\.\d+:\s", re.MULTILINE)
_FRAME_LINE = re.compile(rb"^\t\s*[0-9a-f]{1,16} ", re.MULTILINE)
_RECORDING = b'{"kvtop-recording"'
_FOLDED_LINE = re.compile(rb"^[^#\n].* \d+(\.\d+)?\r?$", re.MULTILINE)


def detect(head: bytes) -> Format:
    """The format of a file that begins with ``head``; UnknownFormat says what else it is."""
    if head.startswith((b"PERFILE2", b"2ELIFREP")):
        return Format.PERF_DATA
    if head.startswith(b"\x1f\x8b"):
        return Format.RECORDING if is_recording(head) else Format.PPROF
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    # Folded stacks may begin with a frame such as <module>, {lambda} or [unknown].
    if re.match(rb"<(\?xml|!|svg|html)", text):
        if b'class="kvtop"' in text or b"kvtop-profile" in text:
            return Format.SVG
        raise UnknownFormat(
            "it is markup of another program: convert the folded stacks that it was made of"
        )
    if re.match(rb'[{\[]\s*["{}]', text):
        return _json(text)
    if b"\0" in text:
        # Field 1 of pprof's Profile, a message.
        if head.startswith(b"\x0a"):
            return Format.PPROF
        raise UnknownFormat(f"it is binary; kvtop reads {READABLE}")
    if text.startswith(b"# ========") or _FRAME_LINE.search(text):
        return Format.PERF_SCRIPT
    if _FOLDED_LINE.search(text):
        return Format.FOLDED
    if _PERF_LINE.search(text):
        return Format.PERF_SCRIPT
    if head.startswith(b"\x0a") and len(text) < len(head):
        return Format.PPROF
    raise UnknownFormat(f"kvtop reads {READABLE}")


def is_recording(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is a recording of kvtop, whole or not."""
    try:
        inside = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, len(_RECORDING))
    except zlib.error:
        return False
    return inside.startswith(_RECORDING)


def _json(text: bytes) -> Format:
    if b"speedscope" in text or b'"shared"' in text:
        return Format.SPEEDSCOPE
    if b'"preprocessedProfileVersion"' in text or b'"stackTable"' in text:
        raise UnknownFormat(
            "it is a profile for the Firefox Profiler, which kvtop writes but does not read: "
            "give what that was made of"
        )
    if b'"traceEvents"' in text or b'"nodes"' in text:
        raise UnknownFormat(
            "it is a trace of Chrome: open it in speedscope.app and export that file"
        )
    if text.startswith(_RECORDING):
        raise UnknownFormat("it is a recording of kvtop that was unpacked: give it as it was")
    # Large files may name their tables after the first frames only.
    return Format.SPEEDSCOPE
