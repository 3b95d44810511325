"""Names of threads: from /proc, remembered, bounded."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from kvtop.collectors import thread_names
from kvtop.collectors.thread_names import ThreadNames

GONE = 0x7FFFFFFF
"""More than pid_max allows: no thread has this number."""


def test_a_threads_name_is_read_once_and_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    pid, tid, names = os.getpid(), threading.get_native_id(), ThreadNames()
    comm = Path(f"/proc/{pid}/task/{tid}/comm")
    before = comm.read_text()
    try:
        comm.write_text("first\x1b[1m")
        assert names.name(pid, tid) == "first\\x1b[1m"
        comm.write_text("second")
        assert names.name(pid, tid) == "first\\x1b[1m"
        monkeypatch.setattr(thread_names, "_NAME_FOR", -1.0)
        assert names.name(pid, tid) == "second"
    finally:
        comm.write_text(before)


def test_a_thread_that_is_gone_keeps_the_name_it_had(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ThreadNames()
    assert names.name(GONE, GONE) == ""
    names.learn(GONE, "worker")
    monkeypatch.setattr(thread_names, "_NAME_FOR", -1.0)
    assert names.name(GONE, GONE) == "worker"


def test_the_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread_names, "_MOST", 100)
    names = ThreadNames()
    for tid in range(GONE, GONE + 1000):
        names.learn(tid, "worker")
        assert names.name(GONE, tid) == "worker"
    assert len(names._known) <= 100
