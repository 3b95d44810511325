"""Dumps of compiled code: reading as they grow, objects, mapping records."""

from __future__ import annotations

import os
import struct
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.collectors.jit_elf import TEXT_OFFSET, jit_elf
from kvtop.collectors.jitdump import CodeLoad, JitDumpReader, Unwinding
from kvtop.collectors.perf_jit import JitDumps, JitObjects
from kvtop.collectors.perf_pipe import (
    COMM,
    EXIT,
    FORK,
    MISC_EXEC,
    EventAttr,
    Record,
    as_record,
    make_mmap2,
    read_mmap2,
)

ATTR = EventAttr(1, 0, 6, True, False)
HEADER = struct.pack("=IIIIIIQQ", 0x4A695444, 1, 40, 0, 0, 7, 0, 0)
UNWINDING = Unwinding(bytes(48) + b"\x01" * 20, 20, 80)
CODE = bytes.fromhex("4883ec08ffd14883c408c3")


def load(name: bytes, address: int = 0x1000, time: int = 5, unwinding: bool = True) -> bytes:
    text = b""
    if unwinding:
        body = struct.pack("=QQQ", len(UNWINDING.data), 20, 80) + UNWINDING.data + bytes(4)
        text = struct.pack("=IIQ", 4, 16 + len(body), time) + body
    body = struct.pack("=IIQQQQ", 7, 7, address, address, len(CODE), 1) + name + b"\0" + CODE
    return text + struct.pack("=IIQ", 0, 16 + len(body), time) + body


def read(data: bytes, size: int) -> list[CodeLoad]:
    reader, found = JitDumpReader(), []
    for at in range(0, len(data), size):
        found += reader.feed(data[at : at + size])
    return found


@given(st.integers(1, 300))
def test_a_dump_may_grow_in_pieces_of_any_size(size: int) -> None:
    dump = HEADER + load(b"py::a:/x.py") + load(b"py::b:/x.py", 0x2000, 9, unwinding=False)
    assert read(dump, size) == [
        CodeLoad(7, 7, 5, 0x1000, b"py::a:/x.py", CODE, UNWINDING),
        CodeLoad(7, 7, 9, 0x2000, b"py::b:/x.py", CODE, None),
    ]


@given(st.binary(max_size=300), st.booleans(), st.integers(1, 64))
def test_garbage_never_raises(data: bytes, header: bool, size: int) -> None:
    read((HEADER if header else b"") + data, size)


def test_nonsense_ends_the_reading() -> None:
    reader = JitDumpReader()
    assert reader.feed(b"x" * 100) == [] and reader.broken
    reader = JitDumpReader()
    reader.feed(HEADER + struct.pack("=IIQ", 0, 3, 0))
    assert reader.broken and reader.feed(load(b"a")) == []


def test_the_object_is_an_elf_file_that_others_can_read(tmp_path: Path) -> None:
    file = tmp_path / "a.so"
    file.write_bytes(jit_elf(b"py::f\n\x1b:/x.py", CODE, UNWINDING))
    shown = subprocess.run(["readelf", "-SsW", file], capture_output=True, text=True, check=True)
    assert "py::f??:/x.py" in shown.stdout
    assert f"{TEXT_OFFSET:016x}" in shown.stdout
    assert all(s in shown.stdout for s in (".text", ".eh_frame ", ".eh_frame_hdr"))
    file.write_bytes(jit_elf(b"plain", CODE, None))
    subprocess.run(["readelf", "-SsW", file], capture_output=True, check=True)


def test_objects_are_shared_between_processes_but_not_within_one() -> None:
    objects = JitObjects(limit=3)
    one = CodeLoad(1, 1, 0, 0x10, b"f", CODE, None)
    first, second = Counter[bytes](), Counter[bytes]()
    made = objects.get(one, first)
    assert made is not None and objects.get(one, second) is made
    again = objects.get(one, first)
    assert again is not None and again.fd != made.fd
    assert Path(made.filename.decode()).read_bytes()[:4] == b"\x7fELF"
    assert os.fstat(made.fd).st_ino == made.inode
    assert objects.get(one, first) is not None
    assert objects.get(one, first) is None and objects.refused == 1
    objects.close()
    with pytest.raises(OSError):
        os.fstat(made.fd)


def mmap2(pid: int, name: bytes) -> Record:
    return as_record(make_mmap2(ATTR, pid, pid, 1, 0x9000, 4096, 0, (0, 0), 0, name))


def event(kind: int, body: bytes, misc: int = 0) -> Record:
    return Record(kind, misc, struct.pack("=IHH", kind, misc, 8 + len(body)) + body)


def test_a_dump_seen_in_the_stream_is_followed_until_the_process_exits(tmp_path: Path) -> None:
    dump = tmp_path / "jit-7.dump"
    dump.write_bytes(HEADER + load(b"py::early:/x.py"))
    objects = JitObjects()
    dumps = JitDumps(objects)
    assert dumps.passes(mmap2(7, b"/usr/lib/libc.so.6")) and not dumps.pids
    assert dumps.passes(mmap2(7, b"//anon"))
    assert dumps.passes(mmap2(7, os.fsencode(dump)))
    # From now on what would hide the functions stays out of the stream.
    assert not dumps.passes(mmap2(7, b"//anon"))
    assert dumps.passes(mmap2(8, b"//anon"))
    (early,) = dumps.poll(ATTR)
    mapped = read_mmap2(early)
    assert mapped is not None and (mapped.pid, mapped.address) == (7, 0x1000)
    assert ATTR.time_of(early) == 5
    assert b"py::early:/x.py" in Path(mapped.filename.decode()).read_bytes()
    assert dumps.poll(ATTR) == []
    with dump.open("ab") as file:
        file.write(load(b"py::late:/x.py", 0x2000))
    dump.unlink()
    dumps.passes(event(EXIT, struct.pack("=IIIIQ", 7, 1, 9, 1, 0)))
    assert len(dumps.poll(ATTR)) == 1 and dumps.pids == {7}
    dumps.passes(event(EXIT, struct.pack("=IIIIQ", 7, 1, 7, 1, 0)))
    assert dumps.poll(ATTR) == [] and not dumps.pids
    objects.close()


def test_a_forked_child_gets_objects_of_its_own_until_it_execs(tmp_path: Path) -> None:
    for pid in (7, 8, 9):
        (tmp_path / f"jit-{pid}.dump").write_bytes(HEADER + load(b"py::f:/x.py"))
    objects = JitObjects()
    dumps = JitDumps(objects)
    dumps.passes(mmap2(7, os.fsencode(tmp_path / "jit-7.dump")))
    dumps.poll(ATTR)
    for child in (8, 9):
        dumps.passes(event(FORK, struct.pack("=IIIIQ", child, 7, child, 7, 0)))
    dumps.passes(event(COMM, struct.pack("=II16s", 9, 9, b"python"), MISC_EXEC))
    names = set()
    for child in (8, 9):
        dumps.passes(mmap2(child, os.fsencode(tmp_path / f"jit-{child}.dump")))
        names |= {read_mmap2(r).filename for r in dumps.poll(ATTR)}  # type: ignore[union-attr]
    assert len(names) == len(objects) == 2
    dumps.close()
    objects.close()


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    dumps = JitDumps(JitObjects(limit=1))
    os.mkfifo(tmp_path / "jit-7.dump")
    (tmp_path / "jit-8.dump").symlink_to("/etc/passwd")
    for pid in (7, 8, 9):
        dumps.passes(mmap2(pid, os.fsencode(tmp_path / f"jit-{pid}.dump")))
    assert not dumps.pids
