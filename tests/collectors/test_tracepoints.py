"""Formats of tracepoints: a recorded one, hostile ones, and what is said where there are none."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.collectors import tracepoints
from kvtop.collectors.tracepoints import TracepointError, parse_format, read_formats

# Linux 6.18, x86-64, events/block/block_rq_complete/format.
RECORDED = """name: block_rq_complete
ID: 2107
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:unsigned char common_flags;	offset:2;	size:1;	signed:0;
	field:unsigned char common_preempt_count;	offset:3;	size:1;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:dev_t dev;	offset:8;	size:4;	signed:0;
	field:sector_t sector;	offset:16;	size:8;	signed:0;
	field:unsigned int nr_sector;	offset:24;	size:4;	signed:0;
	field:int error;	offset:28;	size:4;	signed:1;
	field:unsigned short ioprio;	offset:32;	size:2;	signed:0;
	field:char rwbs[10];	offset:34;	size:10;	signed:0;
	field:__data_loc char[] cmd;	offset:44;	size:4;	signed:0;

print fmt: "%d,%d", REC->dev
"""


def test_fields_are_read_where_the_kernel_says_they_are() -> None:
    found = parse_format(RECORDED)
    assert found is not None and found.id == 2107
    raw = struct.pack("=HBBiI4xQIiH10s2xI", 2107, 0, 0, 7, 0xFE00000, 8192, 8, -5, 0, b"WS", 0)
    assert found.reader("dev", "sector", "error").unpack_from(raw) == (0xFE00000, 8192, -5)
    assert found.reader("sector", "rwbs").unpack_from(raw) == (8192, b"WS".ljust(10, b"\0"))


def test_a_field_that_is_not_there_is_no_figure() -> None:
    found = parse_format(RECORDED)
    assert found is not None
    with pytest.raises(TracepointError, match="no field bytes"):
        found.reader("bytes")


@given(st.text(max_size=400))
def test_any_text_is_a_format_or_none(text: str) -> None:
    for candidate in (text, RECORDED + text, text + RECORDED):
        found = parse_format(candidate)
        assert found is None or found.id >= 0


def test_what_is_missing_is_said_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracepoints, "TRACEFS", (tmp_path,))
    with pytest.raises(TracepointError, match="sudo mount -t tracefs"):
        read_formats(["block:block_rq_issue"])
    (tmp_path / "events").mkdir()
    with pytest.raises(TracepointError, match="no tracepoint block:block_rq_issue"):
        read_formats(["block:block_rq_issue"])


def test_without_rights_root_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise PermissionError

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(TracepointError, match="start kvtop with sudo"):
        read_formats(["block:block_rq_issue"])
