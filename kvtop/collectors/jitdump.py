"""``jit-PID.dump``, the file in which a run-time compiler tells perf what code it made.

Read as it grows (tools/perf/Documentation/jitdump-specification.txt). CPython 3.13 writes one with
``-X perf_jit``, Node.js with ``--perf-prof``. Code that moves is not followed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_MAGIC = 0x4A695444
_HEADER = struct.Struct("=IIIIIIQQ")
_RECORD = struct.Struct("=IIQ")
_LOAD = struct.Struct("=IIQQQQ")
_UNWINDING = struct.Struct("=QQQ")
_CODE_LOAD, _UNWINDING_INFO = 0, 4
_LARGEST = 16 << 20


@dataclass(frozen=True, slots=True)
class Unwinding:
    """``.eh_frame``, then ``.eh_frame_hdr``; how much is mapped behind the code."""

    data: bytes
    header_size: int
    mapped_size: int


@dataclass(frozen=True, slots=True)
class CodeLoad:
    """A function that was compiled at ``time_ns`` (CLOCK_MONOTONIC) to ``address``."""

    pid: int
    tid: int
    time_ns: int
    address: int
    name: bytes
    code: bytes
    unwinding: Unwinding | None


class JitDumpReader:
    """Incremental reader of one dump; ``broken`` once its text makes no sense, for good."""

    def __init__(self) -> None:
        self.broken = False
        self._begun = False
        self._rest = b""
        self._unwinding: Unwinding | None = None

    def feed(self, chunk: bytes) -> list[CodeLoad]:
        """The functions that ``chunk`` completed."""
        loads: list[CodeLoad] = []
        data = self._rest + chunk
        at = 0
        if not self._begun and not self.broken:
            if len(data) < _HEADER.size:
                self._rest = data
                return loads
            magic, _, size, *_ = _HEADER.unpack_from(data)
            self.broken = magic != _MAGIC or size < _HEADER.size
            self._begun = True
            at = size
        while not self.broken and at + _RECORD.size <= len(data):
            kind, size, time_ns = _RECORD.unpack_from(data, at)
            if not _RECORD.size <= size <= _LARGEST:
                self.broken = True
            elif at + size > len(data):
                break
            else:
                self._record(kind, time_ns, data[at + _RECORD.size : at + size], loads)
                at += size
        self._rest = b"" if self.broken else data[at:]
        return loads

    def _record(self, kind: int, time_ns: int, body: bytes, loads: list[CodeLoad]) -> None:
        if kind == _UNWINDING_INFO and len(body) >= _UNWINDING.size:
            size, header, mapped = _UNWINDING.unpack_from(body)
            data = body[_UNWINDING.size : _UNWINDING.size + size]
            if len(data) == size and header <= size:
                self._unwinding = Unwinding(data, header, mapped)
        elif kind == _CODE_LOAD and len(body) >= _LOAD.size:
            pid, tid, _, address, size, _ = _LOAD.unpack_from(body)
            name, end, rest = body[_LOAD.size :].partition(b"\0")
            if end and len(rest) >= size > 0:
                loads.append(
                    CodeLoad(pid, tid, time_ns, address, name, rest[:size], self._unwinding)
                )
            self._unwinding = None
