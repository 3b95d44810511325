"""Ring buffers as large as the limits allow, and no larger."""

from __future__ import annotations

import resource

import pytest

from kvtop.collectors import perf_buffer
from kvtop.collectors.perf_buffer import WANTED, buffer_options, largest_buffer


@pytest.mark.parametrize(
    ("limit", "cpus", "size"),
    [
        (8 << 20, 1, WANTED),
        (8 << 20, 2, 2 << 20),
        (8 << 20, 16, 256 << 10),
        ((2 << 20) + 4096, 1, 2 << 20),
        ((2 << 20) + 4095, 1, 1 << 20),
        (64 << 10, 64, 0),
        (0, 1, 0),
        (resource.RLIM_INFINITY, 64, WANTED),
    ],
)
def test_all_buffers_fit_the_limit(limit: int, cpus: int, size: int) -> None:
    assert largest_buffer(limit, cpus, 4096) == size


def test_an_ordinary_user_gets_what_the_limit_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perf_buffer, "_may_lock_all", lambda: False)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr("resource.getrlimit", lambda which: (8 << 20, 8 << 20))
    assert buffer_options() == ["-m", "2048K"]
    monkeypatch.setattr("resource.getrlimit", lambda which: (64 << 10, 64 << 10))
    assert buffer_options() == []


def test_who_may_lock_all_gets_what_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perf_buffer, "read_paranoid", lambda: -1)
    assert buffer_options() == ["-m", "4096K"]
