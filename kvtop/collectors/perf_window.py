"""The last seconds of the raw stream, kept so that a key can save what is already past."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from pathlib import Path

from kvtop.collectors.perf_jit import JIT_OBJECT_DIRECTORY
from kvtop.collectors.perf_pipe import (
    EXIT,
    FINISHED_ROUND,
    FIRST_OF_PERF,
    FORK,
    LOST,
    LOST_SAMPLES,
    MMAP2,
    PIPE_HEADER,
    SAMPLE,
    EventAttr,
    Record,
    make_mmap2,
    read_mmap2,
    record_pid,
)

_PASSING = frozenset((SAMPLE, LOST, LOST_SAMPLES))


class PipeWindow:
    """Samples of the last ``seconds`` within ``max_bytes``, and everything needed to read them.

    What describes processes (attributes, names, mappings) is kept from the beginning; once that
    is larger than ``max_bytes`` / 4, what concerns processes that have ended is forgotten.
    ``dropped`` counts samples that had to leave early for want of room.
    """

    def __init__(self, seconds: float = 60.0, max_bytes: int = 128 << 20) -> None:
        self.seconds = seconds
        self.max_bytes = max_bytes
        self.dropped = 0
        self._samples: deque[tuple[float, bytes]] = deque()
        self._sample_bytes = 0
        self._state: list[tuple[float, Record]] = []
        self._state_bytes = 0
        self._state_limit = max_bytes // 4

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._sample_bytes + self._state_bytes

    @property
    def oldest(self) -> float | None:
        """Arrival time of the oldest sample held, monotonic seconds."""
        return self._samples[0][0] if self._samples else None

    def clear(self) -> None:
        """Forget everything: a new stream begins."""
        self._samples.clear()
        self._state.clear()
        self._sample_bytes = self._state_bytes = 0

    def keep(self, record: Record, now: float) -> None:
        """Take a record that arrived at ``now`` (monotonic seconds)."""
        if record.type in _PASSING:
            self._samples.append((now, record.data))
            self._sample_bytes += len(record.data)
            while self._samples and self._samples[0][0] < now - self.seconds:
                self._pop()
            while self._sample_bytes > self.max_bytes:
                self._pop()
                self.dropped += 1
        elif record.type != FINISHED_ROUND:
            self._state.append((now, record))
            self._state_bytes += len(record.data)
            if self._state_bytes > self._state_limit:
                self._forget_the_dead()

    def cut(self, wanted: Callable[[bytes], bool]) -> PipeWindow:
        """A window of its own with some of the samples: one that a thread may write."""
        cut = PipeWindow(self.seconds, self.max_bytes)
        cut._samples.extend(sample for sample in self._samples if wanted(sample[1]))
        cut._state = self._state.copy()
        return cut

    def write(self, path: Path, since: float, attr: EventAttr) -> int:
        """Write what arrived from ``since`` on as a pipe-mode perf.data; the number of samples.

        ``perf script -i`` and ``perf report -i`` read it. Objects of compiled code are copied
        into the directory ``path`` + ``.jit``. OSError where that cannot be written.
        """
        objects = path.with_name(path.name + ".jit")
        samples = [data for at, data in self._samples if at >= since]
        copies: dict[bytes, tuple[Path, os.stat_result]] = {}
        with path.open("wb") as file:
            file.write(PIPE_HEADER)
            for _, record in self._state:
                file.write(_on_disk(record, objects, copies, attr))
            file.writelines(samples)
        return len(samples)

    def _pop(self) -> None:
        self._sample_bytes -= len(self._samples.popleft()[1])

    def _forget_the_dead(self) -> None:
        """Drop the records of processes that ended before the oldest sample was taken."""
        before = self.oldest
        ended: set[int] = set()
        for at, record in self._state:
            if before is None or at >= before:
                break
            if record.type == EXIT and record.data[8:12] == record.data[16:20]:
                ended.add(record_pid(record.data))
            elif record.type == FORK:
                ended.discard(record_pid(record.data))
        self._set_state(lambda r: record_pid(r.data) not in ended)
        if self._state_bytes > self.max_bytes // 2:
            # Somebody maps files without end; what was mapped long ago is likely gone by now.
            middle = len(self._state) // 2
            old = {id(record) for _, record in self._state[:middle] if record.type == MMAP2}
            self._set_state(lambda r: id(r) not in old)
        # Not at every record again, however little could be dropped.
        room = min(2 * self._state_bytes, self.max_bytes // 2)
        self._state_limit = max(room, self._state_bytes + self.max_bytes // 8)

    def _set_state(self, wanted: Callable[[Record], bool]) -> None:
        self._state = [s for s in self._state if s[1].type >= FIRST_OF_PERF or wanted(s[1])]
        self._state_bytes = sum(len(record.data) for _, record in self._state)


def _on_disk(
    record: Record, objects: Path, copies: dict[bytes, tuple[Path, os.stat_result]], attr: EventAttr
) -> bytes:
    """The record itself, or, for compiled code, one that names a copy of the object on disk."""
    if record.type != MMAP2:
        return record.data
    mapped = read_mmap2(record.data)
    if mapped is None or not mapped.filename.startswith(JIT_OBJECT_DIRECTORY.encode()):
        return record.data
    if mapped.filename not in copies:
        objects.mkdir(exist_ok=True)
        copy = (objects / f"jitted-{len(copies)}.so").absolute()
        # One that an earlier run left under this name holds other functions.
        copy.write_bytes(Path(os.fsdecode(mapped.filename)).read_bytes())
        copies[mapped.filename] = copy, copy.stat()
    copy, stat = copies[mapped.filename]
    return make_mmap2(
        attr,
        *(mapped.pid, mapped.tid, attr.time_of(record)),
        *(mapped.address, mapped.length, mapped.offset),
        (os.major(stat.st_dev), os.minor(stat.st_dev)),
        stat.st_ino,
        os.fsencode(copy),
    )
