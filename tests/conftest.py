"""For all tests: no deadlines for hypothesis, what runs alone, and what belongs in the log."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes is no reason to fail on a busy machine.
settings.register_profile("kvtop", deadline=None)
settings.load_profile("kvtop")

TESTS = Path(__file__).parent
ALONE = {
    "collectors/test_block_io.py",
    "collectors/test_known_split.py",
    "collectors/test_locks.py",
    "collectors/test_off_cpu.py",
    "collectors/test_names_e2e.py",
    "collectors/test_perf_record.py",
    "collectors/test_perf_stat.py",
    "collectors/test_sched_latency.py",
    "collectors/test_syscalls.py",
    "collectors/test_wakers.py",
    "e2e/test_attach.py",
    "e2e/test_diff.py",
    "e2e/test_journey.py",
    "e2e/test_off_cpu.py",
    "e2e/test_profile_truth.py",
    "faults/test_perf.py",
}
"""Where e2e tests compare shares of time, trace the whole machine, or need perf to be prompt."""


@pytest.hookimpl(tryfirst=True)  # before -m is looked at
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what ``make test`` runs when nothing else does."""
    for item in items:
        if item.get_closest_marker("e2e") and str(item.path.relative_to(TESTS)) in ALONE:
            item.add_marker("alone")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests gave ``record_property("measured", ...)``, from whichever worker."""
    lines = [
        str(text)
        for report in terminalreporter.getreports("passed")
        if report.when == "call"
        for name, text in report.user_properties
        if name == "measured"
    ]
    if lines:
        terminalreporter.section("measured")
        for line in sorted(lines, key=_numbered):
            terminalreporter.line(line)


def _numbered(line: str) -> list[tuple[int, str]]:
    """An order in which 25 comes before 100."""
    words = line.replace(":", " ").replace(".", " ").split()
    return [(int(word), "") if word.isdigit() else (-1, word) for word in words]
