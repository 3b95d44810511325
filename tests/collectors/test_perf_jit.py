"""Dumps of compiled code: reading as they grow, objects, mapping records."""

from __future__ import annotations

import mmap
import os
import struct
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.collectors.jit_elf import TEXT_OFFSET, CodeRun, jit_elf, make_runs
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
    names = (b"py::f\n\x1b:/x.py", b"py::g:/x.py")
    file.write_bytes(jit_elf(CodeRun(names[:1], CODE, UNWINDING, 0)))
    shown = subprocess.run(["readelf", "-SsW", file], capture_output=True, text=True, check=True)
    assert "py::f??:/x.py" in shown.stdout
    assert f"{TEXT_OFFSET:016x}" in shown.stdout
    assert all(s in shown.stdout for s in (".text", ".eh_frame ", ".eh_frame_hdr"))
    file.write_bytes(jit_elf(CodeRun(names, CODE, None, 0x40)))
    shown = subprocess.run(["readelf", "-sW", file], capture_output=True, text=True, check=True)
    assert f"{TEXT_OFFSET + 0x40:016x}" in shown.stdout and "py::g:/x.py" in shown.stdout


# What CPython 3.13 writes for each function on x86-64; the code's start is 0x10 before .eh_frame.
CPYTHON = Unwinding(
    bytes.fromhex(
        "1400000000000000017a5200017810011b0c070890010000140000001c000000d0ffffff0b000000"
        "00440e10460e0800"
        "011b033bccffffff01000000c0ffffffe8ffffff"
    ),
    20,
    80,
)


def loads_at(*addresses: int) -> list[CodeLoad]:
    return [
        CodeLoad(7, 7, at, address, b"py::f%d:/x.py" % at, CODE, CPYTHON)
        for at, address in enumerate(addresses)
    ]


def test_neighbours_share_an_object_and_one_table_that_readers_accept(tmp_path: Path) -> None:
    loads = loads_at(*range(0x1000, 0x1000 + 30 * 0x110, 0x110), 0x9000, 0x9110, 0x9330)
    runs = make_runs(loads)
    # The table must fit behind the last function: 24 entries here; a gap ends a run as well.
    assert [(first.address, len(run.names)) for first, run in runs] == [
        (0x1000, 24),
        (0x1000 + 24 * 0x110, 6),
        (0x9000, 2),
        (0x9330, 1),
    ]
    assert [name for _, run in runs for name in run.names] == [load.name for load in loads]
    for first, run in runs:
        assert run.length <= (len(run.names) - 1) * run.stride + 0x110
        file = tmp_path / f"{first.address}.so"
        file.write_bytes(jit_elf(run))
        table = file.read_bytes()[TEXT_OFFSET : TEXT_OFFSET + run.length]
        header = table.rindex(bytes.fromhex("011b033b"))
        assert int.from_bytes(table[header + 8 : header + 12], "little") == len(run.names)
        for i in range(len(run.names)):
            start, fde = struct.unpack_from("=ii", table, header + 12 + 8 * i)
            assert header + start == i * run.stride
            # The FDE's own start of code is relative to where that number stands.
            (begin,) = struct.unpack_from("=i", table, header + fde + 8)
            assert header + fde + 8 + begin == i * run.stride


def test_unlike_neighbours_do_not_share() -> None:
    plain = CodeLoad(7, 7, 0, 0x1110, b"g", CODE, None)
    assert len(make_runs([*loads_at(0x1000), plain, *loads_at(0x1220)])) == 3
    # Too close for the tables, or another layout of the table than is known.
    assert len(make_runs(loads_at(0x1000, 0x1040))) == 2
    odd = [CodeLoad(7, 7, 0, a, b"h", CODE, UNWINDING) for a in (0x1000, 0x1110)]
    assert len(make_runs(odd)) == 2


def test_objects_are_shared_between_processes_but_not_within_one() -> None:
    objects = JitObjects(limit=3)
    one = CodeRun((b"f",), CODE, None, 0)
    first, second = Counter[CodeRun](), Counter[CodeRun]()
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
    ((time_ns, early),) = dumps.poll(ATTR)
    mapped = read_mmap2(early)
    assert mapped is not None and (mapped.pid, mapped.address) == (7, 0x1000)
    assert time_ns == ATTR.time_of(as_record(early)) == 5
    assert b"py::early:/x.py" in Path(mapped.filename.decode()).read_bytes()
    assert dumps.poll(ATTR) == []
    with dump.open("ab") as file:
        file.write(load(b"py::late:/x.py", 0x800))
    dump.unlink()
    dumps.passes(event(EXIT, struct.pack("=IIIIQ", 7, 1, 9, 1, 0)))
    assert len(dumps.poll(ATTR)) == 1 and dumps.pids == {7}
    assert dumps.code_of(7) == [0x800, 0x1000] and not dumps.code_of(8)
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
    assert list(dumps.code_of(8)) == [0x1000] and not dumps.code_of(9)
    names = set()
    for child in (8, 9):
        dumps.passes(mmap2(child, os.fsencode(tmp_path / f"jit-{child}.dump")))
        names |= {read_mmap2(r).filename for _, r in dumps.poll(ATTR)}  # type: ignore[union-attr]
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


def test_two_streams_of_a_process_read_its_dump_once(tmp_path: Path) -> None:
    path = tmp_path / "jit-7.dump"
    path.write_bytes(HEADER + load(b"py::a") + load(b"py::b", 0x9000))
    objects = JitObjects()
    first, second = JitDumps(objects), JitDumps(objects)
    assert first.passes(mmap2(7, os.fsencode(path)))
    assert len(first.poll(ATTR)) == 2
    # What the other one has read is not read again, and the file may even have shrunk since.
    os.truncate(path, len(HEADER))
    assert second.passes(mmap2(7, os.fsencode(path)))
    assert [at for at, _ in second.poll(ATTR)] == [5, 5]
    assert len(objects) == 2
    first.close()
    assert second.poll(ATTR) == [] and second.pids == {7}
    second.close()
    open_files = [fd.readlink() for fd in Path("/proc/self/fd").iterdir() if fd.exists()]
    assert path not in open_files
    objects.close()


def test_a_dump_that_the_stream_did_not_tell_of_is_found_among_the_mappings(tmp_path: Path) -> None:
    path = tmp_path / "jit-7.dump"
    path.write_bytes(HEADER + load(b"hot"))
    dumps = JitDumps(JitObjects())
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ):
        dumps.look([os.getpid(), 2**22])
    assert dumps.pids == {os.getpid()} and dumps.opened == 1
    dumps.look([os.getpid()])
    assert dumps.opened == 1
    dumps.close()
    dumps.look([os.getpid()])
    assert dumps.pids == set()
