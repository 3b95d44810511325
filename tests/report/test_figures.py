"""Every figure of a report against one that is worked out here from what was recorded."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from math import sqrt
from pathlib import Path
from statistics import median

import pytest

from kvtop.events import Role
from kvtop.layers_config import load_rules
from kvtop.profile.advice import findings
from kvtop.profile.layers import Layers
from kvtop.profile.scope import Scope
from kvtop.profile.stacks import StackTable
from kvtop.recording.reader import Recording
from kvtop.report.blocks import Advice, Block, Chart, Flame, Report, Table
from kvtop.report.compose import compose
from kvtop.report.source import open_material
from kvtop.widgets.advice_facts import facts_of
from kvtop.widgets.layer_data import gather
from tests.report import made

SECONDS = range(made.SECONDS)
NODES = ("node0", "node1", "node2")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.record(tmp_path_factory.mktemp("report") / "made.kvtop")


@pytest.fixture(scope="module")
def report(path: Path) -> Report:
    return compose(open_material(str(path), load_rules(None, {})))


def blocks(report: Report, section: str) -> Iterator[Block]:
    yield from next(part.blocks for part in report.sections if part.id == section)


def table(report: Report, section: str, caption: str) -> Table:
    return next(
        block
        for block in blocks(report, section)
        if isinstance(block, Table) and block.caption.startswith(caption)
    )


def column(found: Table, name: str) -> list[str]:
    return [row[found.head.index(name)].replace("\u00a0", " ") for row in found.rows]


def row(found: Table, first: str) -> list[str]:
    return next([c.replace("\u00a0", " ") for c in r] for r in found.rows if r[0] == first)


def said(report: Report) -> str:
    return " ".join(report.summary).replace("\u00a0", " ")


def cpu_seconds(name: str) -> float:
    """What /proc told: nothing of the first second, which has no reading before it."""
    return sum(made.cpu(name, s) / 100 for s in SECONDS if s > 0 and made.lives(name, s))


def samples_of(*names: str, role: Role | None = None) -> dict[str, int]:
    """Samples by the name of the stack, as `made.Stacks` has them."""
    stacks = made.Stacks(StackTable())
    words = {getattr(stacks, word): word for word in ("encode", "send", "hostile", "nameless")}
    words[stacks.broken] = "broken"
    found: dict[str, int] = {}
    for name in names:
        for second in SECONDS:
            if made.lives(name, second) and role in (None, made.role(name, second)):
                for stack, count in stacks.of(name, second).items():
                    found[words[stack]] = found.get(words[stack], 0) + count
    return found


def test_throughput_and_latency(report: Report) -> None:
    done = sum(made.rate(s) for s in SECONDS)
    p99 = median(value for s in SECONDS if (value := made.p99(s)) is not None)
    clients = next(b for b in blocks(report, "figures") if isinstance(b, Table))
    assert row(clients, "Operations")[1] == f"{done:,}"
    assert row(clients, "Throughput")[1] == f"{done / made.SECONDS:,.0f}/s"
    assert row(clients, "Throughput")[2] == "0 to 1,040 in an interval"
    assert row(clients, "p99")[1] == f"{1e3 * p99:.0f} ms"
    assert row(clients, "p99")[2] == f"median; worst 250 ms at +0:{made.KILLED + 2}"
    assert row(clients, "p50")[1] == f"{1e3 * p99 / 4:.2f} ms"
    assert row(clients, "p99.9")[1] == f"{2e3 * p99:.0f} ms"
    assert row(clients, "Errors")[1:] == ["2", f"{200 / (done + 2):.2f} % of all"]
    reads = sum(made.rate(s) // 2 for s in SECONDS)
    assert row(clients, "Operations")[2] == f"{reads:,} reads, {done - reads:,} writes"
    text = said(report)
    assert f"{made.CLIENTS} clients completed {done:,} operations in 40 s" in text
    assert "2 operations failed" in text


def test_cpu_and_its_cost(report: Report) -> None:
    # From the first reading of /proc to the last.
    span = made.SECONDS - 1
    usage = table(report, "figures", "CPU")
    for name in (*NODES, "client0"):
        assert row(usage, name)[1] == f"{100 * cpu_seconds(name) / span:.1f} %"
        most = max(made.cpu(name, s) for s in SECONDS if s > 0 and made.lives(name, s))
        assert row(usage, name)[2] == f"{most:.1f} %"
        last = max(s for s in SECONDS if made.lives(name, s))
        assert row(usage, name)[3] == f"{50 + last} MiB"
    cores = sum(cpu_seconds(name) for name in NODES) / span
    each = cores / (sum(made.rate(s) for s in SECONDS) / made.SECONDS)
    assert f"used {cores:.2f} CPU seconds a second together, {1e3 * each:.2f} ms per" in said(
        report
    )
    tiles = {tile.name: tile.value.replace("\u00a0", " ") for tile in report.tiles}
    assert tiles["CPU per operation"] == f"{1e3 * each:.2f} ms"
    assert tiles["fdatasync p99"] == "4 ms"  # node1 leads at the end


def test_counters(report: Report) -> None:
    counters = table(report, "figures", "Counters")
    switches = 500 * sum(made.lives(name, s) for name in NODES for s in SECONDS)
    each = switches / sum(made.rate(s) for s in SECONDS)
    assert row(counters, "context-switches") == [
        "context-switches", "500", "500", "500", f"{each:.2f}",
    ]  # fmt: skip
    assert "cycles" not in column(counters, "Counter")
    missing = table(report, "method", "What is missing")
    assert row(missing, "cycles")[1] == "this machine has no such counters"
    assert row(missing, "pyspy")[1] == "py-spy is not installed"


def test_hot_spots_of_every_role(report: Report) -> None:
    names = {"tcp_sendmsg": "send", "json_encode": "encode", "[unknown]": "nameless"}
    for caption, roles in (("leader", Role.LEADER), ("followers", Role.FOLLOWER), ("nodes", None)):
        counts = samples_of(*NODES, role=roles)
        total = sum(counts.values())
        found = table(report, "hot", f"{caption}: {total:,} samples")
        for symbol, name in names.items():
            if name not in counts:
                continue
            share = counts[name] / total
            at = column(found, "Function").index(symbol)
            assert column(found, "Self")[at] == f"{100 * share:.1f} %"
            assert column(found, "Samples")[at] == f"{counts[name]:,}"
            error = 196 * sqrt(share * (1 - share) / total)
            assert column(found, "±")[at] == f"±{error:.1f}"
    clients = sum(samples_of("client0").values())
    assert table(report, "hot", f"clients: {clients:,} samples")


def test_layers(report: Report) -> None:
    counts = samples_of(*NODES)
    total = sum(counts.values())
    layers = table(report, "layers", "Shares of the CPU")
    assert row(layers, "network")[1] == f"{100 * counts['send'] / total:.1f} %"
    assert row(layers, "serialisation")[1] == f"{100 * counts['encode'] / total:.1f} %"
    assert row(layers, "all")[1] == f"{total:,}"
    assert f"network ({100 * counts['send'] / total:.1f} %)" in said(report)
    shares = [float(text.rstrip(" %")) for text in column(layers, "nodes")[:-1]]
    assert sum(shares) == pytest.approx(100, abs=0.3)
    # node0 is among them although it was dead when the recording ended.
    assert layers.head[1:-1] == ("nodes", "leader", "followers", *NODES, "client0")
    waits = table(report, "layers", "Off-CPU")
    assert column(waits, "ms of waiting a second") == ["300"]


def test_findings_are_those_of_the_screen(report: Report, path: Path) -> None:
    recording = Recording.open(path)
    store = recording.store()
    layers = Layers(recording.table, load_rules(None, {}))
    scope = Scope(window=recording.duration)
    gathered = gather(store, layers, scope)
    facts = facts_of(store, layers, scope, gathered, gathered.groups[0], 64)
    expected = [finding.name for finding in findings(facts)]
    shown = [b.finding.name for b in blocks(report, "findings") if isinstance(b, Advice)]
    assert shown == expected == ["small messages", "serialisation"]
    assert "2 findings" in said(report)
    for block in blocks(report, "findings"):
        assert isinstance(block, Advice)
        assert all(re.search(r"\d", sentence) for sentence in block.finding.evidence)


def test_flaws_of_the_samples(report: Report) -> None:
    counts = samples_of(*NODES, "client0")
    total = sum(counts.values())
    text = said(report)
    assert f"{100 * counts['broken'] / total:.1f} % of {total:,} samples do not reach" in text
    assert f"{100 * counts['nameless'] / total:.1f} % end in a function without a name" in text
    lost = made.SECONDS / (total + made.SECONDS)
    assert f"perf lost {made.SECONDS} more ({100 * lost:.2f} %)" in text
    flaws = table(report, "method", "Flaws")
    share = counts["nameless"] / (total + made.SECONDS)
    assert flaws.rows[0][0].replace("\u00a0", " ") == f"{100 * share:.1f} %"
    assert flaws.rows[0][1:3] == ("has no name", "libx.so")


def test_the_life_of_the_nodes(report: Report) -> None:
    nodes = table(report, "target", "Nodes")
    assert column(nodes, "At the end") == ["unknown, down", "leader, up", "follower, up"]
    # Statuses come at 0.1 s, 1.1 s ...: 39 stretches of a second each.
    told = made.SECONDS - 1
    led = [made.KILLED, told - made.KILLED - 1, 0]
    assert column(nodes, "Led for") == [f"{100 * seconds / told:.1f} %" for seconds in led]
    assert column(nodes, "Down") == [f"{told - made.KILLED:.1f} s", "–", "–"]
    assert column(nodes, "PIDs") == ["100", "101", "102"]
    happened = table(report, "target", "What happened")
    assert column(happened, "Event") == ["E election", "K kill", "E election"]
    before = [made.rate(s) for s in range(made.KILLED - 5, made.KILLED)]
    kill = happened.rows[1]
    assert kill[3:] == (f"{sum(before) / 5:,.0f}", "0", "250\u00a0ms")
    assert f"throughput fell from {sum(before) / 5:,.0f} to 0 a second" in said(report)
    assert "2 elections and 1 kill" in said(report)


def test_charts_have_every_interval_and_every_mark(report: Report) -> None:
    charts = {block.title: block for block in blocks(report, "figures") if isinstance(block, Chart)}
    assert set(charts) == {
        "Throughput", "Latency of the clients", "CPU", "fdatasync of the nodes", "context-switches",
    }  # fmt: skip
    rates = charts["Throughput"].lines[0].points
    assert [value for _, value in rates] == [made.rate(s) for s in SECONDS]
    assert [time for time, _ in rates] == pytest.approx([s + 1 for s in SECONDS])
    slow = next(line for line in charts["Latency of the clients"].lines if line.name == "p99")
    assert [value for _, value in slow.points] == [made.p99(s) for s in SECONDS]
    assert charts["Latency of the clients"].log
    for chart in charts.values():
        assert [mark.letter for mark in chart.marks] == ["E", "K", "E"]
        assert chart.marks[1].time == pytest.approx(made.KILLED)


def test_flamegraphs_and_what_changed(report: Report) -> None:
    titles = [block.title for block in blocks(report, "flames") if isinstance(block, Flame)]
    assert titles == ["On the CPU", "Off the CPU", "Leader against followers"]
    changes = table(report, "flames", "Greatest changes")
    followers, leader = (samples_of(*NODES, role=r) for r in (Role.FOLLOWER, Role.LEADER))
    one, two = (100 * c["send"] / sum(c.values()) for c in (followers, leader))
    sent = row(changes, "tcp_sendmsg")
    assert sent[1:4] == [f"{one:.1f} %", f"{two:.1f} %", f"{two - one:+.1f}"]


def test_what_ran_and_how_to_do_it_again(report: Report, path: Path) -> None:
    ran = next(b for b in blocks(report, "ran") if isinstance(b, Table))
    assert row(ran, "CPU")[1] == "Example CPU 3000, 4 CPUs"
    assert row(ran, "Kernel")[1] == "Linux 6.1.0"
    assert row(ran, "Command")[1] == "kvtop run --duration 40"
    again = next(blocks(report, "again"))
    assert f"kvtop report {path} -o report.html" in getattr(again, "lines", ())
    assert 3 <= len(report.summary) <= 6
    assert all(re.search(r"\d", sentence) for sentence in report.summary)


def test_the_size_of_values_is_what_the_recording_says(tmp_path: Path) -> None:
    meta = dataclasses.replace(made.META_OF_RUN, value_size=4096)
    path = made.record(tmp_path / "large.kvtop", meta)
    large = compose(open_material(str(path), load_rules(None, {})), flames=False)
    shown = [b.finding.name for b in blocks(large, "findings") if isinstance(b, Advice)]
    assert shown == ["serialisation"]
    assert all(part.id != "flames" for part in large.sections)
