"""Block I/O: known requests, the kernel's letters, and a file that is written through to a disk."""

from __future__ import annotations

import asyncio
import os
import shutil
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.collectors.block_io import BlockIo, bucket_of, operation
from kvtop.collectors.trace_stream import GAP, TraceEvent
from kvtop.collectors.tracepoints import parse_format
from kvtop.events import Event
from kvtop.tool_events import BlockRow, ToolReading
from tests.collectors.helpers import processes, until
from tests.collectors.test_tracepoints import RECORDED

ISSUE, COMPLETE = 2104, 2107
# The fields of events/block/block_rq_issue/format, Linux 6.18.
ISSUE_FORMAT = """ID: 2104
	field:dev_t dev;	offset:8;	size:4;	signed:0;
	field:sector_t sector;	offset:16;	size:8;	signed:0;
	field:unsigned int nr_sector;	offset:24;	size:4;	signed:0;
	field:unsigned int bytes;	offset:28;	size:4;	signed:0;
	field:unsigned short ioprio;	offset:32;	size:2;	signed:0;
	field:char rwbs[10];	offset:34;	size:10;	signed:0;
	field:char comm[16];	offset:44;	size:16;	signed:0;
"""
US = 1000


def tool() -> BlockIo:
    made = BlockIo()
    issue, complete = parse_format(ISSUE_FORMAT), parse_format(RECORDED)
    assert issue is not None and complete is not None
    made.prepare({"block:block_rq_issue": issue, "block:block_rq_complete": complete})
    return made


def issue(at: int, sector: int, rwbs: bytes, size: int, comm: bytes = b"db") -> TraceEvent:
    raw = struct.pack("=8xI4xQIIH10s16s", 254 << 20, sector, 8, size, 0, rwbs, comm)
    return TraceEvent(at, ISSUE, 0, 0, raw)


def complete(at: int, sector: int, error: int = 0) -> TraceEvent:
    raw = struct.pack("=8xI4xQIiH10s", 254 << 20, sector, 8, error, 0, b"")
    return TraceEvent(at, COMPLETE, 0, 0, raw)


def rows(made: BlockIo) -> dict[tuple[str, str], BlockRow]:
    made.turn(1.0, 1.0)
    return {(row.operation, row.comm): row for row in made.rows()}


def test_a_request_lasts_from_issue_to_completion_of_its_sector() -> None:
    made = tool()
    made.take(
        [
            issue(0, 100, b"WS", 4096),
            issue(10 * US, 200, b"R", 8192, b"re\x1bad"),
            complete(70 * US, 100),
            complete(3010 * US, 200, -5),
            complete(4000 * US, 300),
        ]
    )
    found = rows(made)
    write, read = found["write sync", "db"], found["read", "re\\x1bad"]
    assert write.requests.total == 70e-6 and write.size == 4096 and write.buckets == ((6, 1),)
    assert read.requests.longest == 3e-3 and read.failed == 1 and read.buckets == ((11, 1),)
    assert len(found) == 2


def test_requests_across_a_gap_are_not_timed() -> None:
    made = tool()
    made.take([issue(0, 100, b"W", 1), TraceEvent(1, GAP, 0, 0, b""), complete(2, 100)])
    assert rows(made) == {}


def test_letters_are_told_in_words() -> None:
    assert operation("WS") == "write sync"
    assert operation("FF") == "flush"
    assert operation("FWFS") == "flush + write sync through"
    assert operation("RA") == "read ahead"
    assert operation("WSM") == "write sync metadata"


def test_buckets_are_powers_of_two_of_microseconds() -> None:
    assert [bucket_of(us * US) for us in (0, 1, 2, 3, 4, 1023, 1024)] == [0, 0, 1, 1, 2, 9, 10]


@given(
    st.lists(
        st.tuples(st.sampled_from([ISSUE, COMPLETE, GAP, 3]), st.binary(max_size=70)), max_size=60
    )
)
def test_any_events_make_printable_rows(events: list[tuple[int, bytes]]) -> None:
    made = tool()
    made.take([TraceEvent(at, kind, 0, 0, raw) for at, (kind, raw) in enumerate(events)])
    for row in rows(made).values():
        assert (row.device + row.operation + row.comm).isprintable()
        assert sum(n for _, n in row.buckets) == row.requests.count


WRITER = """
import os, sys, time
open("/proc/self/comm", "w").write("kvtop-writer")
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
while True:
    os.write(fd, b"x" * 4096)
    os.fdatasync(fd)
    time.sleep(0.02)
"""


@pytest.fixture
def disk(tmp_path: Path) -> None:
    device = tmp_path.stat().st_dev
    if not Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").exists():
        pytest.skip("the temporary directory is on no block device")


@pytest.mark.e2e
@pytest.mark.skipif(shutil.which("perf") is None or os.geteuid() != 0, reason="needs perf and root")
async def test_writes_to_a_disk_are_seen_with_their_writer(tmp_path: Path, disk: None) -> None:
    events: list[Event] = []

    def written() -> int:
        readings = [event for event in events if isinstance(event, ToolReading)]
        return sum(
            row.size
            for row in (readings[-1].rows if readings else ())
            if isinstance(row, BlockRow) and row.comm == "kvtop-writer" and "write" in row.operation
        )

    with processes([sys.executable, "-c", WRITER, str(tmp_path / "log")]):
        running = asyncio.create_task(BlockIo().run(events.append))
        try:
            await until(lambda: written() >= 20 * 4096, 30)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
