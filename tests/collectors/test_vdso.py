"""The stand-in for the vdso: the same code, in records of the same process."""

from __future__ import annotations

import os
from pathlib import Path

from kvtop.collectors.perf_pipe import EventAttr, as_record, make_mmap2, read_mmap2
from kvtop.collectors.vdso import VDSO, VdsoFile

ATTR = EventAttr(1, 0, 1 << 1 | 1 << 2 | 1 << 7, sample_id_all=True, exclude_kernel=False)


def mapping(name: bytes, pid: int = 0) -> bytes:
    where = (0x7FFD0000, 0x2000, 0x1000, (0, 0), 0)
    return make_mmap2(ATTR, pid or os.getpid(), 9, 123_456_789, *where, name)


def test_a_mapping_of_the_vdso_names_a_file_with_its_code() -> None:
    vdso = VdsoFile()
    try:
        record = vdso.stand_in(as_record(mapping(VDSO.encode())), ATTR)
        mapped = read_mmap2(record.data)
        assert mapped is not None and mapped[:5] == (os.getpid(), 9, 0x7FFD0000, 0x2000, 0)
        assert mapped.filename == vdso.filename.encode()
        assert ATTR.time_of(record) == 123_456_789
        assert int.from_bytes(record.data[6:8], "little") == len(record.data)
        assert len(record.data) % 8 == 0
        code = Path(vdso.filename).read_bytes()
        assert code.startswith(b"\x7fELF") and b"clock_gettime" in code
    finally:
        vdso.close()
    assert not Path(vdso.filename).exists()


def test_all_other_records_stay_as_they_are() -> None:
    vdso = VdsoFile()
    for name in (b"/usr/lib/libc.so.6", b"[vsyscall]", b"//anon"):
        record = as_record(mapping(name))
        assert vdso.stand_in(record, ATTR) is record
    vdso.close()
    record = as_record(mapping(VDSO.encode()))
    assert vdso.stand_in(record, ATTR) is record


def test_a_build_id_stays_in_its_place() -> None:
    data = bytearray(mapping(VDSO.encode()))
    data[4:6] = (1 << 14 | 2).to_bytes(2, "little")
    data[40:64] = bytes(range(24))
    vdso = VdsoFile()
    record = vdso.stand_in(as_record(bytes(data)), ATTR)
    vdso.close()
    assert record.misc == 1 << 14 | 2
    assert record.data[4:6] == data[4:6] and record.data[40:64] == bytes(range(24))
