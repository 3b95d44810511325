"""For all tests: hypothesis without deadlines, and what tests want in the log of a run."""

from __future__ import annotations

import pytest
from hypothesis import settings

# How long an example takes is no reason to fail on a busy machine.
settings.register_profile("kvtop", deadline=None)
settings.load_profile("kvtop")


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
