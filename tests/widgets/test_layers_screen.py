"""The layers screen: bars, figures of a layer, its functions and flamegraph, waiting, advice."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from kvtop.events import (
    Role,
    SampleBatch,
    StackSample,
    Target,
    TargetsChanged,
    WaitBatch,
    WaitState,
    WaitStats,
)
from kvtop.layers_config import BUILT_IN
from kvtop.profile.layers import Layers, parse_rules
from kvtop.profile.ring import Filter
from kvtop.profile.scope import Scope
from kvtop.store import Store
from kvtop.widgets.advice_facts import facts_of
from kvtop.widgets.layer_colours import cells
from kvtop.widgets.layer_data import gather, groups_of
from kvtop.widgets.layer_flame import LayerFlamegraph
from kvtop.widgets.layers_screen import LayersScreen
from kvtop.widgets.sandwich_screen import SandwichScreen
from tests.widgets import golden
from tests.widgets.app import WidgetApp
from tests.widgets.made_up import KERNEL, PYTHON, START, fill, make_store, play
from tests.widgets.render import screen_text

RULES = parse_rules(BUILT_IN.read_text())
# The made-up store's own sources.
OWN = parse_rules("""
[[rule]]
layer = "consensus"
file = '^/srv/kv/raft/'
[[rule]]
layer = "state machine"
file = 'skiplist'
[[rule]]
layer = "log I/O"
file = 'persister'
""")
END = START + 40


def wait(store: Store, seconds: float, state: WaitState, *symbols: str, pid: int = 4102) -> None:
    """A wait of node1 that ended at the end of the made-up run."""
    frames = [store.table.frame_id(s, KERNEL if "_" in s else PYTHON) for s in symbols]
    sample = StackSample(
        END - 1,
        pid,
        pid,
        "python3",
        state.value,
        round(seconds * 1e9),
        store.table.stack_id(frames),
    )
    store.apply(WaitBatch((sample,)))


def record_waits(store: Store) -> None:
    """Ten seconds: blocked in epoll, fdatasync and the GIL, and ready to run."""
    wait(store, 6.0, WaitState.BLOCKED, "main", "ep_poll", "schedule")
    wait(store, 2.0, WaitState.BLOCKED, "main", "ext4_sync_file", "io_schedule", "schedule")
    wait(store, 1.5, WaitState.BLOCKED, "take_gil", "futex_wait", "schedule")
    wait(store, 0.5, WaitState.READY, "main", "ep_poll", "schedule")
    store.apply(WaitStats(END, END - 11, 900.0, 90.0, 10, 12, 0))


def made_up(waits: bool = True) -> Store:
    store = fill(make_store(), 40)
    if waits:
        record_waits(store)
    return store


class Bench:
    """The screen over the made-up store."""

    def __init__(self, store: Store, value_size: int | None = 256) -> None:
        self.store = store
        self.app = WidgetApp()
        self.saved = 0
        self.screen = LayersScreen(
            store,
            Layers(store.table, OWN + RULES),
            Scope(30.0),
            value_size=value_size,
            save=self._save,
        )

    def _save(self) -> None:
        self.saved += 1

    async def open(self, pilot: Pilot[object]) -> None:
        await self.app.push_screen(self.screen)
        await pilot.pause()
        await pilot.pause()

    def layers(self) -> dict[str, dict[str, str]]:
        """Cells per layer, as shown."""
        table = self.screen.layer_table
        return {
            row.layer: {key: cell.text for key, cell in table.row(row).items()}
            for row in table.shown
        }

    def functions(self) -> list[str]:
        return [item.frame.symbol for item in self.screen.frames.shown]


@pytest.mark.parametrize(
    ("weights", "width", "wanted"),
    [
        ([1, 1], 10, [5, 5]),
        ([1, 1, 1], 10, [4, 3, 3]),
        ([99, 1], 10, [10, 0]),
        ([0, 0], 10, [0, 0]),
        ([1], 0, [0]),
        ([5, 0, 5], 3, [2, 0, 1]),
    ],
)
def test_a_bar_fills_its_width(weights: list[float], width: int, wanted: list[int]) -> None:
    assert cells(weights, width) == wanted


def test_a_cluster_has_its_nodes_its_roles_and_each_target() -> None:
    names = [group.name for group in groups_of(made_up())]
    assert names == [
        *("nodes", "leader", "followers"),
        *("client0", "client1", "node0", "node1", "node2"),
    ]


def test_one_attached_process_is_all() -> None:
    store = make_store(has_cluster=False)
    assert [group.name for group in groups_of(store)] == ["all"]


def test_the_sum_over_the_layers_is_the_total_in_every_group() -> None:
    store = made_up()
    gathered = gather(store, Layers(store.table, OWN + RULES), Scope(30.0))
    last = store.ring.last_time
    assert last is not None
    for one in gathered.groups:
        whole = sum(store.ring.fold(one.group.filter(last - 30, last)).values())
        assert sum(one.cpu.layers.values()) == one.cpu.total == whole > 0
    nodes, leader, followers = gathered.groups[:3]
    assert nodes.cpu.total == leader.cpu.total + followers.cpu.total
    clients = store.ring.fold(Filter(start=last - 30, end=last, roles=frozenset((Role.CLIENT,))))
    window = store.ring.fold(Filter(start=last - 30, end=last))
    assert nodes.cpu.total == sum(window.values()) - sum(clients.values())


def test_figures_of_a_group() -> None:
    store = made_up()
    gathered = gather(store, Layers(store.table, OWN + RULES), Scope(30.0))
    node = gathered.of("node1")
    assert node is not None and node.cores is not None
    assert node.cores == pytest.approx(node.cpu.total / 99 / gathered.seconds)
    assert gathered.seconds == pytest.approx(30.0, abs=0.1)
    rates = [r for _, r in store.stress.rate.since(store.ring.last_time - 30) if r is not None]  # type: ignore[operator]
    assert gathered.operations == pytest.approx(sum(rates) / len(rates))
    assert node.waits.layers == {
        "network": 6_000_000_000,
        "log I/O": 2_000_000_000,
        "lock": 1_500_000_000,
        "scheduler": 500_000_000,
    }
    assert gathered.wait_seconds == pytest.approx(10.0)


async def test_the_table_shows_shares_times_and_waits() -> None:
    bench = Bench(made_up())
    async with bench.app.run_test(size=(140, 45)) as pilot:
        await bench.open(pilot)
        await pilot.press("t", "t", "t", "t", "t", "t")
        await pilot.pause()
        shown = bench.layers()
        one = bench.screen.group
        assert one is not None and one.group.name == "node1"
        assert one.cores is not None and bench.screen.gathered.operations is not None
        share = one.cpu.share("consensus")
        assert shown["consensus"]["cpu"] == f"{100 * share:.1f}"
        each = one.cores * share / bench.screen.gathered.operations * 1e6
        assert float(shown["consensus"]["each"]) == pytest.approx(each, rel=0.01)
        assert float(shown["consensus"]["rate"]) == pytest.approx(1e3 * one.cores * share, rel=0.01)
        assert (shown["network"]["waits"], shown["network"]["waited"]) == ("60.0", "600")
        assert shown["scheduler"]["waits"] == "5.0"
        assert "other" in shown, "always"


async def test_without_recorded_waits_it_says_which_key_records_them() -> None:
    bench = Bench(made_up(waits=False))
    async with bench.app.run_test(size=(120, 40)) as pilot:
        await bench.open(pilot)
        text = screen_text(bench.app)
        assert "no waits recorded: o records them" in text
        assert "wait%" not in text
        await pilot.press("w", "f")
        await pilot.pause()
        assert bench.app.screen is bench.screen
        assert "no waits recorded: o records them" in screen_text(bench.app)


async def test_the_functions_follow_the_cursor() -> None:
    bench = Bench(made_up())
    async with bench.app.run_test(size=(120, 40)) as pilot:
        await bench.open(pilot)
        assert bench.screen.chosen == "consensus"
        assert bench.functions() == ["Core.append_entries", "Log.term_at"]
        await pilot.press("down")
        await pilot.pause()
        assert bench.screen.chosen == "state machine"
        assert bench.functions() == ["SkipList._find", "PyLong_FromLong"]


async def test_enter_opens_the_flamegraph_of_only_that_layer() -> None:
    bench = Bench(made_up())
    async with bench.app.run_test(size=(120, 40)) as pilot:
        await bench.open(pilot)
        one, layer = bench.screen.group, bench.screen.chosen
        assert one is not None and layer is not None
        await pilot.press("enter")
        await pilot.pause()
        graph = bench.app.screen
        assert isinstance(graph, LayerFlamegraph)
        assert sum(graph.counts().values()) == one.cpu.layers[layer]
        judged = {bench.screen.judge.layer(stack) for stack in graph.counts()}
        assert judged == {layer}
        assert f"layer {layer} · nodes" in graph.flamegraph.caption
        await pilot.press("t")
        await pilot.pause()
        grouped = graph._groups(graph.grouping)
        assert sum(sum(c.values()) for c in grouped.values()) == one.cpu.layers[layer]
        assert len(grouped) == 3, "the nodes, without the clients"
        await pilot.press("s")
        assert bench.saved == 1
        await pilot.press("f")
        await pilot.pause()
        assert bench.app.screen is bench.screen


async def test_waiting_has_its_functions_and_its_flamegraph() -> None:
    bench = Bench(made_up())
    async with bench.app.run_test(size=(120, 40)) as pilot:
        await bench.open(pilot)
        await pilot.press("w")
        await pilot.press("home")
        await pilot.pause()
        assert bench.screen.chosen == "network", "sorted by waiting"
        assert bench.functions() == ["ep_poll"]
        shown = [column.key for column, _ in bench.screen.layer_table.fitted()]
        assert shown == ["colour", "layer", "cpu", "waits", "waited"]
        await pilot.press("f")
        await pilot.pause()
        graph = bench.app.screen
        assert isinstance(graph, LayerFlamegraph)
        assert sum(graph.counts().values()) == 6000 and graph.flamegraph.unit == "ms"
        assert "6,000 ms of" in graph.flamegraph.caption
        await pilot.press("f")
        bench.screen.layer_table.select("scheduler")
        bench.screen._show_frames()
        await pilot.press("f")
        await pilot.pause()
        graph = bench.app.screen
        assert isinstance(graph, LayerFlamegraph)
        assert sum(graph.counts().values()) == 500, "ready for a CPU, wherever that was"


async def test_waits_that_no_rule_knows_are_named_by_where_they_were() -> None:
    store = made_up()
    wait(store, 20.0, WaitState.BLOCKED, "[stack not sampled]")
    bench = Bench(store)
    async with bench.app.run_test(size=(120, 40)) as pilot:
        await bench.open(pilot)
        await pilot.press("w", "home")
        await pilot.pause()
        assert bench.screen.chosen == "other"
        assert bench.functions() == ["[stack not sampled]"]


async def test_enter_on_a_function_shows_its_callers_within_the_layer() -> None:
    bench = Bench(made_up())
    async with bench.app.run_test(size=(120, 40)) as pilot:
        await bench.open(pilot)
        one, layer = bench.screen.group, bench.screen.chosen
        assert one is not None and layer is not None
        await pilot.press("tab", "enter")
        await pilot.pause()
        screen = bench.app.screen
        assert isinstance(screen, SandwichScreen)
        assert screen.table.found is not None
        assert screen.table.found.weight == one.cpu.layers[layer]


async def test_z_gives_the_focused_pane_all_the_room() -> None:
    bench = Bench(made_up())
    async with bench.app.run_test(size=(100, 30)) as pilot:
        await bench.open(pilot)
        await pilot.press("tab", "tab", "z")
        await pilot.pause()
        assert bench.screen.advice.size.height > 20
        assert not bench.screen.bars.display or bench.screen.bars.size.height == 0
        await pilot.press("z")
        await pilot.pause()
        assert bench.screen.bars.size.height > 2 and bench.screen.layer_table.size.height > 2


async def test_advice_has_evidence_of_the_group_that_is_shown() -> None:
    bench = Bench(made_up())
    async with bench.app.run_test(size=(120, 60)) as pilot:
        await bench.open(pilot)
        found = {finding.name: finding for finding in bench.screen.advice.findings}
        assert "lock waits" in found
        assert (
            "150 ms a second behind locks: GIL 150 ms/s (10s until"
            in found["lock waits"].evidence[0]
        )
        assert found["lock waits"].frames[0].symbol == "take_gil"
        whole = bench.screen.group
        assert whole is not None
        assert f"of {whole.cpu.total:,} samples" in found["interpreter"].evidence[0]
        text = "\n".join(line for line, _ in bench.screen.advice.lines(100))
        assert "try: " in text and "Threads wait for locks" in text


def test_facts_are_of_the_group_and_its_window() -> None:
    store = made_up()
    judged = Layers(store.table, OWN + RULES)
    scope = Scope(30.0)
    gathered = gather(store, judged, scope)
    node = gathered.of("node1")
    assert node is not None
    facts = facts_of(store, judged, scope, gathered, node, 256)
    assert list(facts.cores) == ["node1"] and facts.roles == {"node1": Role.LEADER}
    assert facts.samples == node.cpu.total
    assert facts.writes == pytest.approx(0.5, abs=0.01)
    status = store.cluster.nodes["node1"]
    assert facts.fdatasync_p99 == status.fdatasync_p99
    series = store.counters.series("node1", "context-switches")
    assert series is not None and facts.switches == pytest.approx(2820, rel=0.2)
    assert facts.ready == 500_000_000
    assert 0 < facts.interpreted < facts.samples
    nodes = gathered.of("nodes")
    assert nodes is not None
    every = facts_of(store, judged, scope, gathered, nodes)
    assert set(every.cores) == {"node0", "node1", "node2"}, "clients are not of the store"
    assert every.value_size is None


async def test_few_samples_are_said_to_be_few() -> None:
    bench = Bench(fill(make_store(), 1))
    async with bench.app.run_test(size=(100, 40)) as pilot:
        await bench.open(pilot)
        assert "samples are too few to judge by" in screen_text(bench.app)


async def test_an_empty_store_and_hostile_names() -> None:
    bench = Bench(make_store())
    async with bench.app.run_test(size=(80, 24)) as pilot:
        await bench.open(pilot)
        await pilot.press("t", "w", "enter", "f", "down", "z", "z")
        await pilot.pause()
        table = bench.store.table
        stack = table.stack_id([table.frame_id("a\x1b[31m[b]", "/bin/x\x07")])
        pid = 4102
        bench.store.apply(TargetsChanged(1.0, (Target("n\x1b[0m", pid, Role.OTHER),)))
        samples = tuple(
            StackSample(n * 0.01, pid, pid, "x", "cpu-clock", 1, stack) for n in range(300)
        )
        bench.store.apply(SampleBatch(samples))
        bench.screen.refresh_data()
        await pilot.pause()
        assert "\x1b" not in screen_text(bench.app) and "\x07" not in screen_text(bench.app)


async def test_it_follows_the_samples_and_leaves_what_was_forgotten() -> None:
    store = made_up()
    bench = Bench(store)
    async with bench.app.run_test(size=(120, 40)) as pilot:
        await bench.open(pilot)
        before = bench.screen.gathered
        store.ring.clear()
        store.waits.ring.clear()
        for _ in range(3):
            store.table.compact()
        for event in play(store, END, END + 10):
            store.apply(event)
        bench.screen.refresh_data()
        await pilot.pause()
        assert bench.screen.gathered is not before
        await pilot.press("down", "w", "w", "t")
        await pilot.pause()


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)], ids=lambda s: f"{s[0]}x{s[1]}")
async def test_screen(size: tuple[int, int]) -> None:
    bench = Bench(made_up())
    async with bench.app.run_test(size=size) as pilot:
        await bench.open(pilot)
        golden.check(f"layers-{size[0]}x{size[1]}.txt", screen_text(bench.app))
