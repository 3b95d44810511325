"""Which switches to record a stack of, and how many there are."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from kvtop.collectors.switch_rate import Part, count_switches, plan, switch_rates
from tests.collectors.helpers import SPIN, processes

NAPS = (sys.executable, "-c", "import time\nwhile True: time.sleep(0.01)")


def test_few_switches_are_all_recorded() -> None:
    assert plan({11: 100.0, 12: 0.0, 10: 150.0}) == [Part((10, 11, 12), 1)]
    assert plan({}) == []


def test_of_busy_threads_one_in_n_so_that_the_budget_holds() -> None:
    busy, seldom = plan({1: 5000.0, 2: 3000.0, 3: 10.0, 4: 0.0})
    assert busy.tids == (1, 2) and seldom == Part((3, 4), 1)
    assert 8000 / 240 <= busy.every < 8000 / 240 + 6


def test_a_regular_loop_does_not_hide_behind_the_choice() -> None:
    (busy,) = plan({1: 4000.0})
    # 1 in 16, which the budget asks for, would show a loop of two or four switches one of them.
    assert busy.every == 17


@given(st.dictionaries(st.integers(1, 3000), st.floats(0, 5000), min_size=1, max_size=400))
def test_every_thread_is_in_one_part_and_the_budget_is_kept(rates: dict[int, float]) -> None:
    parts = plan(rates)
    tids = [tid for part in parts for tid in part.tids]
    assert sorted(tids) == sorted(rates)
    assert sum(sum(rates[t] for t in part.tids) / part.every for part in parts) <= 251


async def test_rates_of_a_thread_that_naps_and_of_one_that_spins() -> None:
    with processes(NAPS, SPIN) as (naps, spins):
        rates = await switch_rates((naps.pid, spins.pid), 1.0)
    assert set(rates) == {naps.pid, spins.pid}
    assert 20 < rates[naps.pid] < 200


def test_a_process_that_is_gone_has_no_threads() -> None:
    assert count_switches([4194304]) == {}
