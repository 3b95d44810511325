"""The Firefox profile: tables that fit together, and the samples with their real times."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from hypothesis import given

from kvtop.events import Role, StackSample
from kvtop.export.firefox import FirefoxMeta, write_firefox, write_firefox_fold
from kvtop.profile.ring import Filter, SampleRing
from kvtop.profile.stacks import StackTable
from tests.profile.test_ring import Row, entries, fill
from tests.profile.test_tree import STACKS, Stacks, fold

TABLES = ("samples", "stackTable", "frameTable", "funcTable", "resourceTable", "markers")


def write(ring: SampleRing, filter: Filter) -> Any:
    return json.loads(write_firefox(ring, FirefoxMeta("kvtop", 1000.0, 0.01), filter))


def read(thread: Any) -> list[tuple[float, tuple[str, ...]]]:
    """(time, root first symbols) of every sample."""
    for name in TABLES:
        table = thread[name]
        columns = [column for column in table.values() if isinstance(column, list)]
        assert {len(column) for column in columns} <= {table["length"]}, name
    stacks, frames, functions = (thread[n] for n in ("stackTable", "frameTable", "funcTable"))
    found = []
    for time, end in zip(thread["samples"]["time"], thread["samples"]["stack"], strict=True):
        names = []
        while end is not None:
            function = frames["func"][stacks["frame"][end]]
            names.append(thread["stringArray"][functions["name"][function]])
            before = stacks["prefix"][end]
            assert before is None or before < end  # the format asks for this order
            end = before
        found.append((time, tuple(names[::-1])))
    return found


@given(rows=entries())
def test_every_sample_is_there_at_its_time(rows: list[Row]) -> None:
    ring = SampleRing(StackTable(), seconds=100)
    filter = Filter(roles=frozenset({Role.LEADER}))
    kept = [e for e in fill(ring, rows) if e[2] is Role.LEADER]
    data = write(ring, filter)
    expected: dict[tuple[str, str, int], Counter[tuple[float, tuple[str, ...]]]] = {}
    for sample, label, _ in kept:
        names = tuple(ring.table.frame(f).symbol for f in ring.table.frames(sample.stack))
        key = f"{label} {sample.comm}", str(sample.pid), sample.tid
        time = round((sample.time - kept[0][0].time) * 1000, 6)
        expected.setdefault(key, Counter())[time, names] += 1
    assert {
        (t["name"], t["pid"], t["tid"]): Counter((round(at, 6), names) for at, names in read(t))
        for t in data["threads"]
    } == expected
    if kept:
        assert data["meta"]["startTime"] == (kept[0][0].time + 1000.0) * 1000
    assert data["meta"]["preprocessedProfileVersion"] == 47


def test_kinds_are_categories_and_objects_are_resources() -> None:
    ring = SampleRing(StackTable())
    table = ring.table
    frames = [table.frame_id("py::run:/srv/core.py", ""), table.frame_id("read", "/l/libc.so.6")]
    ring.append(StackSample(5.0, 1, 1, "c", "e", 1, table.stack_id(frames)), "n", Role.OTHER)
    data = write(ring, Filter())
    (thread,) = data["threads"]
    names = [data["meta"]["categories"][c]["name"] for c in thread["stackTable"]["category"]]
    assert names == ["Python", "native"]
    strings = thread["stringArray"]
    assert [strings[at] for at in thread["resourceTable"]["name"]] == ["core.py", "libc.so.6"]
    assert strings[thread["funcTable"]["fileName"][0]] == "/srv/core.py"


@given(STACKS, STACKS)
def test_a_fold_has_its_weights_and_says_that_it_knows_no_times(one: Stacks, two: Stacks) -> None:
    table = StackTable()
    groups = {"node0": fold(table, one), "": fold(table, two)}
    data = json.loads(write_firefox_fold(groups, table, FirefoxMeta("title"), "ms"))
    assert [t["name"] for t in data["threads"]] == ["node0 (no times)", "title (no times)"]
    for thread, stacks in zip(data["threads"], (one, two), strict=True):
        weights = thread["samples"]["weight"] or []
        found: Counter[tuple[str, ...]] = Counter()
        for (_, names), weight in zip(read(thread), weights, strict=True):
            found[names] += weight
        assert found == Counter(stacks)
        assert thread["samples"]["weightType"] == "tracing-ms"
