"""What the tools told, in a report: which reading is shown, and its figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from kvtop.events import Role, Target, TargetsChanged
from kvtop.layers_config import load_rules
from kvtop.profile.stacks import StackTable
from kvtop.report.blocks import Report, Table, Text
from kvtop.report.compose import compose
from kvtop.report.html import write_html
from kvtop.report.markdown import write_markdown
from kvtop.report.source import open_material
from kvtop.tool_events import MemoryRow, QueueRow, Recording, Tool, ToolReading
from tests.recording.builders import STARTED, write
from tests.report import made


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    path = made.record(tmp_path_factory.mktemp("report") / "made.kvtop")
    return compose(open_material(str(path), load_rules(None, {})), flames=False)


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def section(report: Report, name: str) -> tuple[str, Table]:
    """How a tool's figures came about, and their table."""
    how, table, _ = next(part.blocks for part in report.sections if part.id == name)
    assert isinstance(how, Text) and isinstance(table, Table)
    return plain(how.text), table


def rows(table: Table) -> list[list[str]]:
    return [[plain(cell) for cell in row] for row in table.rows]


def test_the_fullest_reading_is_shown_and_said(report: Report) -> None:
    for name in ("syscalls", "locks", "runqueue", "blockio"):
        how, _ = section(report, name)
        assert how == (
            "Told from +0:10 to +0:35; the figures are of 10 s recorded up to +0:20, 25 % of that "
            "time, at 1,234 events/s; 12 events lost."
        )
    # Memory was looked at, and there was nothing.
    assert "memory" not in {part.id for part in report.sections}


def test_system_calls_by_process(report: Report) -> None:
    _, table = section(report, "syscalls")
    assert rows(table)[:2] == [
        ["node1", "fdatasync", "10", "495 ms", "5 ms", "20 ms", "", "/data/0001.wal"],
        ["node1", "read", "10", "300 ms", "3.33 ms", "30 ms", "EAGAIN 9", "/data/0001.wal"],
    ]
    assert len(table.rows) == 8 and table.caption == "The 8 greatest; 4 rows more"
    # What was not timed has no times, and is behind what was.
    assert not any("futex" in row for row in table.rows)


def test_locks_run_queue_and_block_io(report: Report) -> None:
    _, locks = section(report, "locks")
    assert rows(locks) == [
        ["node2", "futex", "Queue.get", "2", "2 s", "100 ms", "500 ms", "queue.py"],
        ["node2", "spinlock", "__schedule", "0.9", "9 ms", "1 ms", "4 ms", "[kernel]"],
    ]
    _, queue = section(report, "runqueue")
    assert rows(queue) == [
        ["node2", "io 104", "40", "25.0 %", "10.0 %", "2.50 ms", "30 ms"],
        ["node2", "kv 102", "0", "0.0 %", "0.0 %", "–", "–"],
    ]
    _, block = section(report, "blockio")
    assert rows(block) == [["vda", "write sync", "kv", "10", "40 KiB/s", "200 µs", "4 ms", "3"]]


def test_memory_accesses_of_one_reading(tmp_path: Path) -> None:
    target = TargetsChanged(STARTED, (Target("a", 7, Role.OTHER),))
    accesses = (
        MemoryRow(20.0, 30, "L1 hit", "find", "kvd"),
        MemoryRow(44.2, 267, "L3 hit", "f", "x"),
    )
    reading = ToolReading(Tool.MEMORY, Recording(STARTED + 5, 2.0, 1.0, 133.5, 0), accesses)
    untimed = QueueRow(7, 8, "t", 3, 0.1, 0.2, 0.1, 0.0)
    other = ToolReading(Tool.RUN_QUEUE, Recording(STARTED + 6, 0.0, 1.0, 0.0, 0), (untimed,))
    path = write(tmp_path / "a.kvtop", [target, reading, other], StackTable())
    found = compose(open_material(str(path), load_rules(None, {})))
    how, table = section(found, "memory")
    assert how == "Told at +0:05; the figures are of 2 s recorded up to +0:05, at 134 events/s."
    assert rows(table) == [
        ["f", "L3 hit", "44.2 %", "267", "x"],
        ["find", "L1 hit", "20.0 %", "30", "kvd"],
    ]
    # No time to divide by is no figure.
    assert rows(section(found, "runqueue")[1])[0][2:5] == ["–", "–", "–"]


def test_both_writers_have_it(report: Report) -> None:
    page, markdown = write_html(report), write_markdown(report)
    assert '<section id="syscalls">' in page and "/data/0001.wal" in page
    assert "## System calls" in markdown and "`/data/0001.wal`" in markdown
    assert "## Memory" not in markdown


def test_without_readings_there_is_no_section(tmp_path: Path) -> None:
    target = TargetsChanged(STARTED, (Target("a", 7, Role.OTHER),))
    path = write(tmp_path / "a.kvtop", [target], StackTable())
    found = compose(open_material(str(path), load_rules(None, {})))
    assert not {"syscalls", "locks", "runqueue", "blockio", "memory"} & {
        part.id for part in found.sections
    }
