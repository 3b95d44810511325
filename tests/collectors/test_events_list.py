"""What perf list tells, in the texts of several versions, and what perf says of bad events."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.collectors.events_list import (
    check_sampling,
    list_events,
    parse_json,
    parse_text,
    split_events,
    with_missing_hardware,
)

# Lines of perf 6.1's list as recorded on a virtual machine; the hardware and vendor events as in
# perf's own documentation and event files, for no machine here has them.
TEXT = """
List of pre-defined events (to be used in -e or -M):

  branch-instructions OR branches                    [Hardware event]
  cpu-cycles OR cycles                               [Hardware event]
  page-faults OR faults                              [Software event]
  L1-dcache-load-misses                              [Hardware cache event]
  duration_time                                      [Tool event]
  msr/tsc/                                           [Kernel PMU event]

cache:
  l1d.replacement
       [Counts L1D data line replacements including opportunistic replacements,
        and replacements that require stall-for-replace. Unit: cpu]
  l2_rqsts.miss
       [Read requests with true-miss in L2 cache]

  rNNN                                               [Raw hardware event descriptor]
  mem:<addr>[/len][:access]                          [Hardware breakpoint]
  sched:sched_switch                                 [Tracepoint event]
"""


def test_names_kinds_and_vendors_descriptions() -> None:
    events = {event.name: event for event in parse_text(TEXT)}
    assert list(events) == [
        *("branches", "cycles", "page-faults", "L1-dcache-load-misses", "msr/tsc/"),
        *("l1d.replacement", "l2_rqsts.miss", "sched:sched_switch"),
    ]
    assert events["cycles"].kind == "hardware" and events["page-faults"].kind == "software"
    assert events["sched:sched_switch"].kind == "tracepoint"
    assert events["L1-dcache-load-misses"].kind == "cache"
    told = events["l1d.replacement"].text
    assert told.startswith("Counts L1D data") and told.endswith("Unit: cpu")


def test_json_of_newer_perfs() -> None:
    rows = [
        {"EventName": "cpu-cycles", "EventAlias": "cycles", "EventType": "Hardware event"},
        {"EventName": "l2.miss", "Topic": "cache", "BriefDescription": "Misses\x1b[2J of L2"},
        {"MetricName": "IPC"},
    ]
    cycles, miss = parse_json(json.dumps(rows))
    assert (cycles.name, cycles.kind) == ("cycles", "hardware")
    assert miss.text == r"Misses\x1b[2J of L2"


def test_hardware_that_is_not_there_is_listed_as_such() -> None:
    events = {e.name: e for e in with_missing_hardware(parse_text(TEXT))}
    assert not events["cycles"].problem
    assert "not supported by this machine" in events["cache-misses"].problem


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    for event in parse_text(text):
        assert event.name.isprintable() and event.text.isprintable()


@given(st.lists(st.sampled_from(["a", "{b,c}:S", "cpu/event=1,umask=2/", "s:t"]), max_size=5))
def test_lists_are_split_outside_of_groups_and_terms(parts: list[str]) -> None:
    assert split_events(",".join(parts)) == parts


@pytest.mark.e2e
async def test_this_machines_events() -> None:
    names = {event.name for event in await list_events()}
    assert {"cpu-clock", "page-faults", "context-switches", "cycles"} <= names


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("event", "words"),
    [
        ("cpu-clock,page-faults", ""),
        ("{cpu-clock,page-faults}", ""),
        ("nosuch", "does not know the event nosuch"),
        ("cpu-clock,nosuch", "does not know the event nosuch"),
        ("cpu-clok", "is it cpu-clock?"),
        ("page-faults,,", "does not know"),
        ("", "no name"),
    ],
)
async def test_perf_itself_judges_an_event(event: str, words: str) -> None:
    sentence = await check_sampling(event)
    assert words in sentence and bool(sentence) == bool(words)
    assert sentence.isprintable()


@pytest.mark.e2e
async def test_an_event_that_perf_would_replace_silently_is_refused() -> None:
    """perf record -e cycles samples cpu-clock where there are no cycles, and does not say so."""
    lacking = [e.name for e in await list_events() if e.problem]
    if "cycles" not in lacking:
        pytest.skip("this machine counts cycles")
    sentence = await check_sampling("cpu-clock,cycles")
    assert sentence.startswith("cycles: not supported by this machine")
