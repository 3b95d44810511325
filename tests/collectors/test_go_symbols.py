"""Go's function table: every layout made here by hand, and Debian's etcd for real."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.collectors.elf_file import ElfError, ElfFile
from kvtop.collectors.go_symbols import go_table
from kvtop.collectors.object_symbols import ObjectSymbols, offset_in_file

TEXT_AT, TABLE_AT, RELA_AT = 0x1000, 0x2000, 0x3000
FUNCTIONS = [(0x10, "runtime.text"), (0x80, "main.(*Raft).Step"), (0x200, "main.work.func1")]
END = 0x300
LAYOUTS = ["1.2", "1.16", "1.18", "1.20", "1.20 pie"]


def names_blob() -> tuple[bytes, list[int]]:
    blob, places = b"\0", []
    for _, name in FUNCTIONS:
        places.append(len(blob))
        blob += name.encode() + b"\0"
    return blob, places


def pclntab(layout: str, base: int) -> bytes:
    """A function table as that version of Go writes it; code is at ``base`` + offset."""
    blob, places = names_blob()
    count = len(FUNCTIONS)
    if layout == "1.2":
        # Names and records count from the table's start; the header is 8 bytes and a count.
        pairs_size = 16 * count + 8
        names_at = 16 + pairs_size
        records_at = names_at + len(blob)
        pairs, records = b"", b""
        for (offset, _), place in zip(FUNCTIONS, places, strict=True):
            pairs += struct.pack("<QQ", base + offset, records_at + len(records))
            records += struct.pack("<Qi", base + offset, names_at + place)
        pairs += struct.pack("<Q", base + END)
        return struct.pack("<IHBBQ", 0xFFFFFFFB, 0, 1, 8, count) + pairs + blob + records
    relative = layout != "1.16"
    head = 8 + 8 * (8 if relative else 7)
    pairs_at = head + len(blob)
    word = "<I" if relative else "<Q"
    start = 0 if relative else base
    pair_size = 8 if relative else 16
    records_at = pair_size * count + pair_size // 2
    pairs, records = b"", b""
    for (offset, _), place in zip(FUNCTIONS, places, strict=True):
        pairs += struct.pack(word, start + offset)
        pairs += struct.pack(word, records_at + len(records))
        records += struct.pack(word, start + offset) + struct.pack("<i", place)
    pairs += struct.pack(word, start + END)
    magic = {"1.16": 0xFFFFFFFA, "1.18": 0xFFFFFFF0}.get(layout, 0xFFFFFFF1)
    text_start = [] if not relative else [0 if "pie" in layout else base]
    words = [count, 0, *text_start, head, 0, 0, 0, pairs_at]
    made = struct.pack("<IHBB", magic, 0, 1, 8) + struct.pack(f"<{len(words)}Q", *words)
    return made + blob + pairs + records + bytes(64)


def elf(table: bytes, base: int) -> bytes:
    """An ELF file: code at file offset TEXT_AT linked to ``base``, and the table."""
    names = b"\0.text\0.gopclntab\0.rela.dyn\0.shstrtab\0"
    rela = struct.pack("<QQq", base + TABLE_AT - TEXT_AT + 8 + 16, 8, base)
    sections = [
        (0, 0, 0, 0, 0),
        (1, 1, base, TEXT_AT, 0x400),
        (7, 1, base + TABLE_AT - TEXT_AT, TABLE_AT, len(table)),
        (18, 4, 0, RELA_AT, len(rela)),
        (28, 3, 0, RELA_AT + len(rela), len(names)),
    ]
    headers = b"".join(
        struct.pack("<IIQQQQIIQQ", name, kind, 0, address, at, size, 0, 0, 8, 0)
        for name, kind, address, at, size in sections
    )
    headers_at = RELA_AT + len(rela) + len(names)
    segment = struct.pack("<IIQQQQQQ", 1, 5, TEXT_AT, base, base, 0x400, 0x400, 0x1000)
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    head = struct.pack(
        "<16sHHIQQQIHHHHHH",
        *(ident, 2, 62, 1, 0, 64, headers_at, 0, 64, 56, 1, 64, len(sections), 4),
    )
    made = (head + segment).ljust(TABLE_AT, b"\xcc") + table
    return made.ljust(RELA_AT, b"\0") + rela + names + headers


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout(tmp_path: Path, layout: str) -> None:
    base = 0x401000
    path = tmp_path / "program"
    path.write_bytes(elf(pclntab(layout, base), base))
    symbols = ObjectSymbols()

    def name(offset: int) -> str | None:
        return symbols.name(os.getpid(), str(path), TEXT_AT + offset)

    assert name(0x0F) is None
    assert name(0x10) == name(0x7F) == "runtime.text"
    assert name(0x80) == name(0x1FF) == "main.(*Raft).Step"
    assert name(0x200) == name(END - 1) == "main.work.func1"
    assert name(END) is None
    assert name(0x100000) is None
    # perf before 5.13 and from 6.4 prints addresses as in memory.
    symbols.set_perf_version("6.8.12")
    assert symbols.name(os.getpid(), str(path), base + 0x90) == "main.(*Raft).Step"


@given(st.binary(max_size=60), st.integers(0, 0x180), st.sampled_from(LAYOUTS))
def test_a_damaged_table_gives_no_error(
    tmp_path_factory: pytest.TempPathFactory, damage: bytes, at: int, layout: str
) -> None:
    table = bytearray(pclntab(layout, 0x401000))
    table[at : at + len(damage)] = damage
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(elf(bytes(table), 0x401000))
    file = ElfFile(path)
    found = go_table(file)
    if layout == "1.2" and not damage:
        # Cut off in the middle, as while it is being replaced.
        path.write_bytes(path.read_bytes()[: TABLE_AT + 20])
        assert go_table(file) is None
    if found is not None:
        for offset in (0, 0x10, 0x85, END - 1, 1 << 40):
            found.name(0x401000 + offset)
    file.close()


@given(st.binary(max_size=300))
def test_what_is_no_elf_file_is_said_to_be_none(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "content"
    path.write_bytes(content)
    with pytest.raises(ElfError):
        ElfFile(path)
    path.write_bytes(b"\x7fELF\x02\x01" + content)
    try:
        file = ElfFile(path)
    except ElfError:
        return
    assert go_table(file) is None
    file.close()


def test_other_files_have_no_names(tmp_path: Path) -> None:
    symbols = ObjectSymbols()
    os.mkfifo(tmp_path / "pipe")
    for path in (
        str(tmp_path / "pipe"),
        "/proc/self/exe",
        str(tmp_path / "missing"),
        str(tmp_path),
        "//anon",
    ):
        assert symbols.name(os.getpid(), path, 0x1000) is None


def test_an_address_in_memory_is_found_in_the_file() -> None:
    line = next(
        line
        for line in Path("/proc/self/maps").read_text().splitlines()
        if "r-xp" in line and line.split()[-1].startswith("/")
    )
    span, _, offset, *_, path = line.split()
    begin = int(span.partition("-")[0], 16)
    assert offset_in_file(os.getpid(), path, begin + 5) == int(offset, 16) + 5
    assert offset_in_file(os.getpid(), path, 5) is None
    assert offset_in_file(1 << 30, path, begin) is None


@pytest.mark.skipif(not Path("/usr/bin/etcd").exists(), reason="needs Debian's etcd-server")
def test_of_a_stripped_program_that_people_run() -> None:
    path = shutil.which("etcd")
    assert path is not None
    file = ElfFile(Path(path))
    table = go_table(file)
    assert table is not None and table.functions > 10_000
    assert file.section(".symtab") is None
    names = {table.name(table.base + place) for place in range(0, 0x800000, 0x400)}
    assert any(name and name.startswith("runtime.") for name in names)
    assert any(name and "go.etcd.io/etcd" in name for name in names)
    file.close()
