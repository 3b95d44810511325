"""A stand-in for the ``[vdso]`` of profiled processes, so that perf needs no temporary file.

perf reads the kernel's page of code from a copy of its own that it writes to
``/tmp/perf-vdso.so-XXXXXX`` (tools/perf/util/vdso.c), and leaves there when it is killed. Mapping
records that name an anonymous file with the same bytes spare it that, however kvtop or perf end.
"""

from __future__ import annotations

import os
import re
import weakref
from contextlib import suppress
from pathlib import Path

from kvtop.collectors.perf_pipe import EventAttr, Record, read_mmap2, rename_mmap2

VDSO = "[vdso]"
_DIRECTORY = f"/proc/{os.getpid()}/task/{os.getpid()}/fd/"
_RANGE = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) .*\[vdso\]$", re.MULTILINE)


class VdsoFile:
    """The vdso in an anonymous file (memfd_create(2)); one serves all processes of a machine."""

    def __init__(self) -> None:
        self._fd = _copy_vdso()
        # A collector that is cancelled before it ran never comes to close it.
        self._closer = None if self._fd is None else weakref.finalize(self, os.close, self._fd)

    @property
    def filename(self) -> str:
        """The name under which other processes can open it, distinct from those of JIT objects."""
        return f"{_DIRECTORY}{self._fd}"

    def stand_in(self, record: Record, attr: EventAttr) -> Record:
        """For an MMAP2 record of the vdso one that names the file; any other as it is."""
        mapped = read_mmap2(record.data)
        if self._fd is None or mapped is None or mapped.filename != VDSO.encode():
            return record
        if not _shares_our_files(mapped.pid):
            return record
        stat = os.fstat(self._fd)
        device = os.major(stat.st_dev), os.minor(stat.st_dev)
        name = self.filename.encode()
        return record._replace(data=rename_mmap2(record.data, attr, device, stat.st_ino, name))

    def close(self) -> None:
        """Close the file; records that name it cannot be read any more."""
        if self._closer is not None:
            self._closer()
        self._fd = None


def _copy_vdso() -> int | None:
    found = _RANGE.search(Path("/proc/self/maps").read_text(errors="replace"))
    if found is None:
        return None
    start, end = (int(address, 16) for address in found.groups())
    try:
        with Path("/proc/self/mem").open("rb", buffering=0) as memory:
            memory.seek(start)
            code = memory.read(end - start)
        fd = os.memfd_create("kvtop-vdso", os.MFD_CLOEXEC)
    except OSError:
        return None
    os.write(fd, code)
    return fd


def _shares_our_files(pid: int) -> bool:
    """Whether perf will look for the process's files where we do, not in a container."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/ns/mnt").samefile("/proc/self/ns/mnt")
    return True
