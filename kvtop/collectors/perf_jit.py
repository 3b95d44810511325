"""Names and unwind tables for run-time compiled code, put into the live stream as MMAP2 records.

``perf inject --jit`` does this for files; it cannot stream. Here the dumps that profiled processes
map (``jit-PID.dump``, seen in the stream itself) are read as they grow. Functions become
small ELF objects, shared by the processes that run the same code, and a mapping record with the
time at which it was compiled, so that perf script sorts it before the samples that hit it.

The objects are anonymous files (memfd_create(2)) that perf opens through ``/proc/PID/fd``: nothing
is left in a directory, however kvtop ends.
"""

from __future__ import annotations

import math
import os
import re
import resource
import struct
import time
from bisect import insort
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kvtop.collectors.jit_elf import TEXT_OFFSET, CodeRun, jit_elf, make_runs
from kvtop.collectors.jitdump import CodeLoad, JitDumpReader
from kvtop.collectors.perf_pipe import (
    COMM,
    EXIT,
    FORK,
    MISC_EXEC,
    MMAP2,
    EventAttr,
    Record,
    make_mmap2,
    read_mmap2,
    record_pid,
)

_DUMP_NAME = re.compile(rb"(?:^|/)jit-\d+\.dump$")
_READ_SIZE = 1 << 16
_READS_AT_ONCE = 16
_SPARE_DESCRIPTORS = 256
YOUNG = 5.0
"""Seconds from the first sight of a dump in which functions run right after they are compiled."""
JIT_OBJECT_DIRECTORY = f"/proc/{os.getpid()}/fd/"
"""What the file names of all JIT objects begin with, as perf script prints them."""


@dataclass(frozen=True, slots=True)
class JitObject:
    """An ELF object in memory, and what a mapping record says of it."""

    fd: int
    device: tuple[int, int]
    inode: int
    length: int

    @property
    def filename(self) -> bytes:
        """The name under which other processes can open it."""
        return f"{JIT_OBJECT_DIRECTORY}{self.fd}".encode()


class SharedDump:
    """One dump, read once for all streams that follow its process."""

    def __init__(self, fd: int) -> None:
        self.runs: list[tuple[int, int, int, CodeRun]] = []
        """Thread, time (ns), address, and what was compiled there."""
        self.users = 0
        self._fd = fd
        self._reader = JitDumpReader()

    @property
    def broken(self) -> bool:
        """Whether there is nothing more to expect of it."""
        return self._reader.broken

    def read_on(self) -> None:
        """Read for a bounded while."""
        loads: list[CodeLoad] = []
        for _ in range(_READS_AT_ONCE):
            chunk = os.read(self._fd, _READ_SIZE)
            if not chunk:
                break
            loads += self._reader.feed(chunk)
        for first, run in make_runs(loads):
            self.runs.append((first.tid, first.time_ns, first.address, run))

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


class JitObjects:
    """One object per run of functions, however many processes compiled it.

    Streams that share it read each dump once between them.

    perf finds the unwind table of an object by the lowest address at which the process maps it: a
    process that compiled the same run twice needs two objects.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.limit = _raise_descriptor_limit() if limit is None else limit
        """How many objects there may be; each costs a descriptor and a few pages of memory."""
        self.refused = 0
        """Functions that stay without a name because the limit was reached."""
        self._objects: dict[tuple[CodeRun, int], JitObject] = {}
        self._dumps: dict[tuple[int, int], SharedDump] = {}

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, run: CodeRun, used: Counter[CodeRun]) -> JitObject | None:
        """The object of a run; None where the limit is reached.

        ``used`` belongs to the process and counts the runs that it has mapped.
        """
        key = run, used[run]
        used[run] += 1
        known = self._objects.get(key)
        if known is None and len(self._objects) < self.limit:
            known = self._make(run)
            if known is not None:
                self._objects[key] = known
        if known is None:
            self.refused += len(run.names)
        return known

    def share(self, fd: int) -> SharedDump:
        """The dump that was opened as ``fd``, which belongs to it from now on."""
        stat = os.fstat(fd)
        key = stat.st_dev, stat.st_ino
        known = self._dumps.get(key)
        if known is None:
            known = self._dumps[key] = SharedDump(fd)
        else:
            os.close(fd)
        known.users += 1
        return known

    def unshare(self, dump: SharedDump) -> None:
        """Give back one `share`."""
        dump.users -= 1
        if not dump.users:
            dump.close()
            self._dumps = {key: one for key, one in self._dumps.items() if one is not dump}

    def close(self) -> None:
        """Close every descriptor."""
        for known in self._objects.values():
            os.close(known.fd)
        self._objects.clear()

    @staticmethod
    def _make(run: CodeRun) -> JitObject | None:
        try:
            fd = os.memfd_create("kvtop-jit", os.MFD_CLOEXEC)
        except OSError:
            return None
        os.write(fd, jit_elf(run))
        stat = os.fstat(fd)
        device = os.major(stat.st_dev), os.minor(stat.st_dev)
        return JitObject(fd, device, stat.st_ino, run.length)


def _raise_descriptor_limit() -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    limit = 65536 if soft == resource.RLIM_INFINITY else soft
    return max(0, limit - _SPARE_DESCRIPTORS)


@dataclass(slots=True)
class _Mapped:
    """What a process mapped of compiled code."""

    used: Counter[CodeRun]
    code: list[int]
    """Where runs begin, in order of their addresses."""

    @classmethod
    def nothing(cls) -> _Mapped:
        return cls(Counter(), [])

    def copy(self) -> _Mapped:
        return _Mapped(Counter(self.used), list(self.code))


@dataclass(slots=True)
class _Dump:
    pid: int
    shared: SharedDump
    mapped: _Mapped
    told: int = 0
    """How many of the shared runs were made records of."""
    exited: bool = False


class JitDumps:
    """The dumps of the profiled processes, and the mapping records that came out of them."""

    def __init__(self, objects: JitObjects) -> None:
        self.objects = objects
        self.functions = 0
        """Functions that mapping records were made for so far."""
        self.opened = 0
        """Dumps found so far."""
        self._found_at = -math.inf
        self._dumps: dict[int, _Dump] = {}
        self._inherited: dict[int, _Mapped] = {}
        """What children mapped when they were forked and did not exec yet."""

    @property
    def pids(self) -> frozenset[int]:
        """Processes whose compiled code is followed."""
        return frozenset(self._dumps)

    def code_of(self, pid: int) -> Sequence[int]:
        """Where a process has compiled functions: the beginnings of the runs, in order."""
        if pid in self._dumps:
            return self._dumps[pid].mapped.code
        inherited = self._inherited.get(pid)
        return () if inherited is None else inherited.code

    def is_young(self, now: float) -> bool:
        """Whether a dump was found in the last seconds, ``now`` in monotonic ones."""
        return now - self._found_at < YOUNG

    def passes(self, record: Record) -> bool:
        """Look at a record of the stream; False where it must not reach perf script.

        The kernel reports the anonymous memory that code is compiled into in one piece and again
        whenever it grows; perf would let that hide the functions in it.
        """
        if record.type == MMAP2:
            mapped = read_mmap2(record.data)
            if mapped is not None and _DUMP_NAME.search(mapped.filename):
                self._open(mapped.pid, mapped.filename)
            return mapped is None or mapped.filename != b"//anon" or mapped.pid not in self._dumps
        if record.type == FORK:
            pid, parent = struct.unpack_from("=II", record.data, 8)
            if pid != parent and parent in self._dumps:
                self._inherited[pid] = self._dumps[parent].mapped.copy()
        elif record.type == COMM and record.misc & MISC_EXEC:
            self._inherited.pop(record_pid(record.data), None)
        elif record.type == EXIT:
            pid, _, tid = struct.unpack_from("=III", record.data, 8)
            if pid == tid:
                self._inherited.pop(pid, None)
                if pid in self._dumps:
                    self._dumps[pid].exited = True
        return True

    def look(self, pids: Iterable[int]) -> None:
        """Follow the dumps that processes have mapped and the stream did not tell of."""
        for pid in pids:
            if pid in self._dumps:
                continue
            try:
                maps = Path(f"/proc/{pid}/maps").read_bytes()
            except OSError:
                continue
            for line in maps.splitlines():
                _, _, name = line.partition(b"/")
                if _DUMP_NAME.search(b"/" + name):
                    self._open(pid, b"/" + name)
                    break

    def poll(self, attr: EventAttr) -> list[tuple[int, bytes]]:
        """Time (ns) and mapping record of all functions gained since the last call."""
        records: list[tuple[int, bytes]] = []
        for dump in list(self._dumps.values()):
            exited = dump.exited
            if not self._read(dump, attr, records) or exited:
                self._close(dump)
        return records

    def close(self) -> None:
        """Close the dumps; the objects stay, a restarted stream needs them again."""
        for dump in list(self._dumps.values()):
            self._close(dump)

    def _open(self, pid: int, filename: bytes) -> None:
        if pid in self._dumps:
            self._close(self._dumps[pid])
        # The process may see another /tmp than we do.
        for path in (filename, f"/proc/{pid}/root".encode() + filename):
            with suppress(OSError):
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
                if Path(f"/proc/self/fd/{fd}").is_file():
                    shared = self.objects.share(fd)
                    mapped = self._inherited.pop(pid, None) or _Mapped.nothing()
                    self._dumps[pid] = _Dump(pid, shared, mapped)
                    self.opened += 1
                    self._found_at = time.monotonic()
                    return
                os.close(fd)

    def _close(self, dump: _Dump) -> None:
        self.objects.unshare(dump.shared)
        del self._dumps[dump.pid]

    def _read(self, dump: _Dump, attr: EventAttr, records: list[tuple[int, bytes]]) -> bool:
        """Read on for a bounded while; False where there is nothing more to expect."""
        dump.shared.read_on()
        fresh = dump.shared.runs[dump.told :]
        dump.told += len(fresh)
        for tid, time_ns, address, run in fresh:
            insort(dump.mapped.code, address)
            made = self.objects.get(run, dump.mapped.used)
            if made is None:
                continue
            self.functions += len(run.names)
            record = make_mmap2(
                attr,
                *(dump.pid, tid, time_ns, address, made.length),
                *(TEXT_OFFSET, made.device, made.inode, made.filename),
            )
            records.append((time_ns, record))
        return not dump.shared.broken
