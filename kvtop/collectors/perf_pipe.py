"""The binary stream that ``perf record -o -`` writes, cut into records.

A 16-byte header ("PERFILE2", its size), then records framed by ``{u32 type, u16 misc, u16 size}``
(linux/perf_event.h, tools/perf/Documentation/perf.data-file-format.txt). Nothing is decoded but
what kvtop needs: loss counts, which files a process maps, and the layout of the sample id.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

MAGIC = b"PERFILE2"
PIPE_HEADER = MAGIC + struct.pack("=Q", 16)

MMAP, LOST, COMM, EXIT, THROTTLE, FORK, SAMPLE = 1, 2, 3, 4, 5, 7, 9
MMAP2, LOST_SAMPLES = 10, 13
CGROUP = 19
FIRST_OF_PERF = 64
"""Types from here on are made by perf itself, those below by the kernel."""
HEADER_ATTR, TRACING_DATA, FINISHED_ROUND, AUXTRACE = 64, 66, 68, 71
HEADER_FEATURE, FINISHED_INIT = 80, 82

ROUND = struct.pack("=IHH", FINISHED_ROUND, 0, 8)
"""Tells perf script that it may put out what it held back to sort by time."""

_HEAD = struct.Struct("=IHH")
_MMAP2 = struct.Struct("=IIQQQIIQQII")
_MMAP2_NAME = _HEAD.size + _MMAP2.size
_USER_MODE = 2
MISC_EXEC = 1 << 13
"""PERF_RECORD_MISC_COMM_EXEC; in a FORK, where only perf itself sets it: do not copy mappings."""
_MISC_BUILD_ID = 1 << 14
"""PERF_RECORD_MISC_MMAP_BUILD_ID: a build id stands in the place of device and inode."""
_IP, _TID, _TIME = 1 << 0, 1 << 1, 1 << 2
REGS_USER, STACK_USER, DATA_SRC = 1 << 12, 1 << 13, 1 << 15
_IDENTIFIER = 1 << 16
_REGS_USER_AT, _STACK_USER_AT = 80, 88
"""Offsets of sample_regs_user and sample_stack_user in struct perf_event_attr."""
_FEATURE_VERSION = 5
_PROT_READ_EXEC = 5
_MAP_PRIVATE = 2


class PipeFormatError(Exception):
    """The stream is not what perf writes in pipe mode."""


class Record(NamedTuple):
    """One record; ``data`` is all of it, its 8-byte header and any payload behind it included."""

    type: int
    misc: int
    data: bytes


class PipeReader:
    """Cuts the stream into records, however it was split by the pipe."""

    def __init__(self) -> None:
        self._rest = b""
        self._begun = False

    def feed(self, chunk: bytes) -> list[Record]:
        """The records that ``chunk`` completed; PipeFormatError where the stream makes no sense."""
        data = self._rest + chunk if self._rest else chunk
        at, end = 0, len(data)
        records: list[Record] = []
        if not self._begun:
            if end < len(PIPE_HEADER):
                if not PIPE_HEADER.startswith(data):
                    raise PipeFormatError("perf's output does not begin with a pipe header")
                self._rest = data
                return records
            if not data.startswith(PIPE_HEADER):
                raise PipeFormatError("perf's output does not begin with a pipe header")
            self._begun = True
            at = len(PIPE_HEADER)
        while at + 8 <= end:
            kind, misc, size = _HEAD.unpack_from(data, at)
            if size < 8:
                raise PipeFormatError(f"a record of type {kind} claims {size} bytes")
            if kind in (TRACING_DATA, AUXTRACE):
                if at + 16 > end:
                    break
                # The payload follows the record instead of being part of it.
                size += struct.unpack_from("=I" if kind == TRACING_DATA else "=Q", data, at + 8)[0]
            if at + size > end:
                break
            records.append(Record(kind, misc, data[at : at + size]))
            at += size
        self._rest = data[at:]
        return records


class MmapRecord(NamedTuple):
    """What a process mapped: the parts of MMAP2 that kvtop reads."""

    pid: int
    tid: int
    address: int
    length: int
    offset: int
    filename: bytes


def as_record(data: bytes) -> Record:
    """One whole record, framed."""
    kind, misc, _ = _HEAD.unpack_from(data)
    return Record(kind, misc, data)


def read_mmap2(data: bytes) -> MmapRecord | None:
    """Decode an MMAP2 record; None where it is too short."""
    if len(data) < _MMAP2_NAME:
        return None
    pid, tid, address, length, offset = _MMAP2.unpack_from(data, 8)[:5]
    return MmapRecord(pid, tid, address, length, offset, data[_MMAP2_NAME:].partition(b"\0")[0])


def lost_count(record: Record) -> int:
    """Events that a LOST or LOST_SAMPLES record says the kernel dropped; 0 for any other."""
    if record.type == LOST and len(record.data) >= 24:
        return int.from_bytes(record.data[16:24], "little")
    if record.type == LOST_SAMPLES and len(record.data) >= 16:
        return int.from_bytes(record.data[8:16], "little")
    return 0


def record_pid(data: bytes) -> int:
    """The pid that a COMM, FORK, EXIT or MMAP2 record begins with; -1 where it is cut short."""
    return int.from_bytes(data[8:12], "little") if len(data) >= 12 else -1


@dataclass(frozen=True, slots=True)
class EventAttr:
    """The parts of ``struct perf_event_attr`` that decide how records look."""

    type: int
    config: int
    sample_type: int
    sample_id_all: bool
    exclude_kernel: bool
    stack_size: int = 0
    """Bytes of user stack that a sample has room for; 0 without DWARF call graphs."""
    user_regs: int = 0
    """The mask of the registers that a sample has; 0 without DWARF call graphs."""

    @property
    def name(self) -> str:
        """Name of a generic hardware or software event, empty for any other."""
        names = _EVENT_NAMES.get(self.type, ())
        known = names[self.config] if self.config < len(names) else ""
        return f"{known}:u" if known and self.exclude_kernel else known

    def sample_id(self, pid: int, tid: int, time_ns: int) -> bytes:
        """The trailer that every non-sample record carries under ``sample_id_all``."""
        if not self.sample_id_all:
            return b""
        parts = []
        if self.sample_type & _TID:
            parts.append(struct.pack("=II", pid, tid))
        if self.sample_type & _TIME:
            parts.append(struct.pack("=Q", time_ns))
        # ID, STREAM_ID, CPU, IDENTIFIER: 0 is what perf writes into records it makes itself.
        parts.extend(bytes(8) for bit in (6, 9, 7, 16) if self.sample_type & 1 << bit)
        return b"".join(parts)

    def time_of(self, record: Record) -> int:
        """When the kernel made a record, ns; 0 where it does not say."""
        if not self.sample_type & _TIME or not (record.type == SAMPLE or self.sample_id_all):
            return 0
        at = 8 * (self.sample_type & _TID > 0)
        if record.type == SAMPLE:
            at += 8 + 8 * (self.sample_type & _IP) + 8 * (self.sample_type & _IDENTIFIER > 0)
        else:
            at += len(record.data) - len(self.sample_id(0, 0, 0))
        return int.from_bytes(record.data[at : at + 8], "little")

    def whose(self, sample: bytes) -> tuple[int, int]:
        """Process and time, ns, of a SAMPLE record; 0 for what it does not say."""
        at = 8 + 8 * (self.sample_type & _IP) + 8 * (self.sample_type & _IDENTIFIER > 0)
        pid = int.from_bytes(sample[at : at + 4], "little") if self.sample_type & _TID else 0
        return pid, self.time_of(as_record(sample))


_EVENT_NAMES: dict[int, tuple[str, ...]] = {
    0: (
        "cycles",
        "instructions",
        "cache-references",
        "cache-misses",
        "branches",
        "branch-misses",
        "bus-cycles",
        "stalled-cycles-frontend",
        "stalled-cycles-backend",
        "ref-cycles",
    ),
    1: (
        "cpu-clock",
        "task-clock",
        "page-faults",
        "context-switches",
        "cpu-migrations",
        "minor-faults",
        "major-faults",
    ),
}


def read_attr(data: bytes) -> EventAttr | None:
    """Decode a HEADER_ATTR record; None where it is too short."""
    if len(data) < 56:
        return None
    kind, _, config, _, sample_type, _, flags = struct.unpack_from("=IIQQQQQ", data, 8)
    stack_size = user_regs = 0
    if sample_type & STACK_USER and len(data) >= 8 + _STACK_USER_AT + 4:
        (stack_size,) = struct.unpack_from("=I", data, 8 + _STACK_USER_AT)
        if sample_type & REGS_USER:
            (user_regs,) = struct.unpack_from("=Q", data, 8 + _REGS_USER_AT)
    return EventAttr(
        *(kind, config & 0xFFFFFFFF, sample_type),
        *(bool(flags & 1 << 18), bool(flags & 1 << 5)),
        stack_size,
        user_regs,
    )


def read_perf_version(data: bytes) -> str:
    """As in "6.1.187", of a HEADER_FEATURE record; empty in one of another feature."""
    if len(data) < 20:
        return ""
    feature, size = struct.unpack_from("=QI", data, 8)
    if feature != _FEATURE_VERSION:
        return ""
    return data[20 : 20 + size].partition(b"\0")[0].decode(errors="replace")


def make_mmap2(
    attr: EventAttr,
    pid: int,
    tid: int,
    time_ns: int,
    address: int,
    length: int,
    offset: int,
    device: tuple[int, int],
    inode: int,
    filename: bytes,
) -> bytes:
    """An MMAP2 record: from ``time_ns`` on ``address`` of ``pid`` is ``filename``."""
    name = filename + bytes(8 - len(filename) % 8)
    body = _MMAP2.pack(
        pid, tid, address, length, offset, *device, inode, 0, _PROT_READ_EXEC, _MAP_PRIVATE
    )
    body += name + attr.sample_id(pid, tid, time_ns)
    return _HEAD.pack(MMAP2, _USER_MODE, 8 + len(body)) + body


def rename_mmap2(
    data: bytes, attr: EventAttr, device: tuple[int, int], inode: int, filename: bytes
) -> bytes:
    """An MMAP2 record with another file in it, which is mapped from its beginning."""
    pid, tid, address, length, _, *place, protection, flags = _MMAP2.unpack_from(data, 8)
    misc = _HEAD.unpack_from(data)[1]
    if not misc & _MISC_BUILD_ID:
        place = [*device, inode, 0]
    body = _MMAP2.pack(pid, tid, address, length, 0, *place, protection, flags)
    body += filename + bytes(8 - len(filename) % 8)
    body += data[len(data) - len(attr.sample_id(0, 0, 0)) :]
    return _HEAD.pack(MMAP2, misc, 8 + len(body)) + body


def forget_mappings(record: Record, attr: EventAttr) -> bytes:
    """For a COMM record of an exec, the FORK record that belongs before it; else nothing.

    perf (seen in 6.1) keeps the mappings that a process had inherited before its exec, and where a
    library was mapped lower by the parent, DWARF unwinding through it fails ever after. A FORK
    record of the kind that perf synthesises makes it begin anew.
    """
    if record.type != COMM or not record.misc & MISC_EXEC or len(record.data) < 16:
        return b""
    pid, tid = struct.unpack_from("=II", record.data, 8)
    time_ns = attr.time_of(record)
    body = struct.pack("=IIIIQ", pid, 0, tid, 0, time_ns) + attr.sample_id(pid, tid, time_ns)
    return _HEAD.pack(FORK, MISC_EXEC, 8 + len(body)) + body


FILLER_MARK = b"PERF_RECORD_CGROUP cgroup: 1 /kvtop-filler/"
"""Is in the line that perf script prints for a filler, and in no other."""


def filler(attr: EventAttr, size: int) -> bytes:
    """A record for which ``perf script --show-cgroup-events`` prints more than ``size`` bytes.

    Without a time, so that it is printed at once. It pushes out what perf's standard output still
    holds, which no signal or option does; line buffering (stdbuf -oL) would take as much CPU time
    again as unwinding the stacks. kvtop asks perf for no CGROUP records, so there are no others.
    """
    path = b"/kvtop-filler/" + b"-" * size
    path += bytes(8 - len(path) % 8)
    body = struct.pack("=Q", 1) + path + attr.sample_id(0, 0, 0)
    return _HEAD.pack(CGROUP, _USER_MODE, 8 + len(body)) + body
