"""System calls: known events, names, and a program whose calls are known to the last one."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import shutil
import socket
import struct
import sys
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.collectors import open_files
from kvtop.collectors.open_files import OpenFiles
from kvtop.collectors.syscall_names import names
from kvtop.collectors.syscalls import Syscalls, error_name
from kvtop.collectors.trace_stream import GAP, TraceEvent
from kvtop.collectors.tracepoints import Field, Format
from kvtop.events import Event
from kvtop.tool_events import SyscallRow, ToolReading
from tests.collectors.helpers import processes, until

ENTER, EXIT = 443, 442
MS = 1_000_000


def tool() -> Syscalls:
    made = Syscalls([1])
    number = Field(8, 8, True)
    made.prepare(
        {
            "raw_syscalls:sys_enter": Format(ENTER, {"id": number, "args": Field(16, 48, False)}),
            "raw_syscalls:sys_exit": Format(EXIT, {"id": number, "ret": Field(16, 8, True)}),
        }
    )
    return made


def enter(at: int, tid: int, number: int, fd: int = 0) -> TraceEvent:
    raw = struct.pack("=HBBiq6Q", ENTER, 0, 0, 0, number, fd, 0, 0, 0, 0, 0)
    return TraceEvent(at, ENTER, 1, tid, raw)


def leave(at: int, tid: int, number: int, returned: int = 0) -> TraceEvent:
    raw = struct.pack("=HBBiqq", EXIT, 0, 0, 0, number, returned)
    return TraceEvent(at, EXIT, 1, tid, raw)


def rows(made: Syscalls) -> dict[tuple[int, str], SyscallRow]:
    made.turn(1.0, 1.0)
    return {(row.tid, row.call): row for row in made.rows()}


def test_a_call_lasts_from_its_entry_to_its_return_in_the_same_thread() -> None:
    made = tool()
    futex = next(number for number, name in names().items() if name == "futex")
    made.take(
        [
            enter(0, 10, futex),
            enter(MS, 11, futex),
            leave(3 * MS, 10, futex, -errno.EAGAIN),
            leave(5 * MS, 11, futex),
            leave(6 * MS, 12, futex, -516),
        ]
    )
    found = rows(made)
    first = found[10, "futex"]
    assert first.calls.total == 0.003 and first.errors == (("EAGAIN", 1),)
    assert found[11, "futex"].calls.longest == 0.004 and not found[11, "futex"].errors
    # It began before the recording: counted, not timed.
    late = found[12, "futex"]
    assert late.calls.count == 1 and late.calls.timed == 0 and late.calls.longest is None
    assert late.errors == (("ERESTART_RESTARTBLOCK", 1),)


def test_nothing_is_timed_across_a_gap() -> None:
    made = tool()
    made.take([enter(0, 10, 202), TraceEvent(5, GAP, 0, 0, b""), leave(MS, 10, 202)])
    (row,) = rows(made).values()
    assert row.calls.count == 1 and row.calls.timed == 0


@given(
    st.lists(
        st.tuples(
            st.sampled_from([ENTER, EXIT, GAP, 7]),
            st.integers(0, 3),
            st.binary(max_size=80),
            st.integers(0, 1 << 62),
        )
    )
)
def test_any_events_make_printable_rows(events: list[tuple[int, int, bytes, int]]) -> None:
    made = tool()
    made.take([TraceEvent(at, kind, 1, tid, raw) for kind, tid, raw, at in events])
    for row in rows(made).values():
        assert (row.comm + row.call + row.file).isprintable()
        assert row.calls.timed <= row.calls.count


def test_names_agree_with_the_systems_own_table() -> None:
    header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
    if not header.exists():
        pytest.skip("no kernel headers")
    found = re.findall(r"#define __NR_(\w+)\s+(\d+)", header.read_text())
    known = names("x86_64")
    assert all(known.get(int(number), name) == name for name, number in found)
    assert names("aarch64")[64] == "write" and names("sparc") == {}
    assert error_name(errno.EBADF) == "EBADF" and error_name(4000) == "4000"


def test_descriptors_have_the_names_of_files_and_sockets(tmp_path: Path) -> None:
    files = OpenFiles()
    with (tmp_path / "data\x1b[31m").open("w") as file, socket.create_server(("127.0.0.1", 0)) as s:
        name = files.name(os.getpid(), file.fileno())
        assert name.endswith("data\\x1b[31m") and name.isprintable()
        assert files.name(os.getpid(), s.fileno()) == f"tcp 127.0.0.1:{s.getsockname()[1]}"
    assert OpenFiles().name(os.getpid(), 99_999) == ""


def test_sockets_of_processes_that_come_and_go_are_not_kept_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(open_files, "_MOST_PROCESSES", 3)
    files = OpenFiles()
    for pid in range(10):
        files._socket(pid, "socket:[1]", 100.0)
        assert pid in files._sockets and len(files._sockets) <= 3


PROGRAM = """
import os, sys
out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
sys.stdin.readline()
for _ in range(300): os.write(out, b"x")
for _ in range(7):
    try: os.fsync(999)
    except OSError: pass
sys.stdin.readline()
"""


@pytest.mark.e2e
@pytest.mark.skipif(shutil.which("perf") is None or os.geteuid() != 0, reason="needs perf and root")
async def test_every_call_of_a_known_program_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "written"
    events: list[Event] = []
    with processes([sys.executable, "-c", PROGRAM, str(path)]) as (program,):
        collector = Syscalls([program.pid])
        running = asyncio.create_task(collector.run(events.append))

        def told() -> dict[tuple[str, str], SyscallRow]:
            readings = [event for event in events if isinstance(event, ToolReading)]
            if not readings:
                return {}
            found = [row for row in readings[-1].rows if isinstance(row, SyscallRow)]
            return {(row.call, row.file): row for row in found}

        try:
            # From here on it records without a pause.
            await until(lambda: collector._stream is not None and collector._stream.recorded > 1.5)
            assert program.stdin is not None
            program.stdin.write(b"\n")
            program.stdin.flush()
            await until(lambda: ("fsync", "") in told() and ("write", str(path)) in told())
            await until(lambda: told()["fsync", ""].calls.count == 7)
        finally:
            children = collector.child_pids
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    found = told()
    written = found["write", str(path)]
    assert written.calls.count == written.calls.timed == 300 and not written.errors
    assert found["fsync", ""].errors == (("EBADF", 7),)
    assert children and not any(map(psutil.pid_exists, children))
