"""Micro benchmarks of the profile engine on made-up profiles (``profile_data``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from kvtop.bench.micro import Micro, Timer, repeat
from kvtop.bench.profile_data import make_fold, make_ring, make_text
from kvtop.collectors.perf_script import ScriptParser
from kvtop.export.folded import read_folded, write_folded
from kvtop.export.svg import SvgMeta, read_svg, write_svg
from kvtop.profile.hotspots import hotspots
from kvtop.profile.layout import layout
from kvtop.profile.ring import EVERYTHING, Filter, GroupKey, SampleRing
from kvtop.profile.stacks import StackTable
from kvtop.profile.tree import CallTree

STACKS = 20_000
MANY_STACKS = 100_000
SAMPLES = 100_000
TEXT_SAMPLES = 10_000
MERGED = 1000
PIECE = 1 << 16
"""Bytes of perf script's text at a time, as a pipe gives them."""
_META = SvgMeta("benchmark")
_HALF_MINUTE = Filter(start=570)
_NODE = Filter(labels=frozenset({"node1"}))
Profile = tuple[StackTable, dict[int, int]]
Data = TypeVar("Data")


def _profile(stacks: int = STACKS) -> Profile:
    table = StackTable()
    return table, make_fold(table, stacks)


def _build(table: StackTable, counts: dict[int, int]) -> CallTree:
    made = CallTree(table)
    made.update(counts)
    return made


def _on(data: Callable[[], Data], action: Callable[[Data], object]) -> Callable[[], Timer]:
    """``prepare`` of a benchmark that does something with data."""

    def prepare() -> Timer:
        made = data()
        return repeat(lambda: action(made))

    return prepare


def _ring() -> SampleRing:
    """10 minutes of five processes, some 33 samples a second each."""
    return make_ring(SAMPLES, STACKS)


def _parse(parser: ScriptParser, text: bytes) -> None:
    for at in range(0, len(text), PIECE):
        parser.feed(text[at : at + PIECE])


def _parse_new() -> Timer:
    text = make_text(TEXT_SAMPLES, TEXT_SAMPLES // 5)
    return repeat(lambda: _parse(ScriptParser(StackTable()), text))


def _parse_known() -> Timer:
    text = make_text(TEXT_SAMPLES, TEXT_SAMPLES // 5)
    parser = ScriptParser(StackTable(), cache_size=1 << 20)
    _parse(parser, text)
    return repeat(lambda: _parse(parser, text))


def _grow() -> Timer:
    """A tree as it grows in a live run: ``MERGED`` stacks that it has not seen, again and again."""
    table, counts = _profile()
    items = list(counts.items())
    folds = [dict(items[at : at + MERGED]) for at in range(0, STACKS, MERGED)]

    def grow() -> None:
        tree = CallTree(table)
        for fold in folds:
            tree.add(fold)

    return repeat(grow)


def _layout(stacks: int) -> Callable[[], Timer]:
    return _on(lambda: _build(*_profile(stacks)), lambda tree: layout(tree, 200, max_depth=49))


def _svg() -> str:
    table, counts = _profile()
    return write_svg(counts, table, _META)


def _folded() -> list[str]:
    table, counts = _profile()
    return write_folded(counts, table).splitlines()


PROFILE = (
    Micro("parse.new", "a sample of perf script's text, stacks new", _parse_new, TEXT_SAMPLES),
    Micro("parse.known", "the same, stacks seen before", _parse_known, TEXT_SAMPLES),
    Micro("fold.all", "fold 100,000 samples", _on(_ring, lambda r: r.fold())),
    Micro("fold.30s", "fold the last 30 s of them", _on(_ring, lambda r: r.fold(_HALF_MINUTE))),
    Micro("fold.node", "fold one node of them", _on(_ring, lambda r: r.fold(_NODE))),
    Micro(
        "fold.by_node",
        "fold the last 30 s by node",
        _on(_ring, lambda r: r.fold_by(_HALF_MINUTE, GroupKey.LABEL)),
    ),
    Micro(
        "fold.heatmap",
        "columns of the time map of 100,000 samples",
        _on(_ring, lambda r: r.histogram(0, 600, 200, EVERYTHING)),
    ),
    Micro("tree.build", "call tree of 20,000 stacks", _on(_profile, lambda p: _build(*p))),
    Micro("tree.grow", "1,000 new stacks into up to 20,000", _grow, STACKS // MERGED),
    Micro("layout.20k", "flamegraph of 20,000 stacks at 200x50", _layout(STACKS)),
    Micro("layout.100k", "flamegraph of 100,000 stacks at 200x50", _layout(MANY_STACKS)),
    Micro("hotspots.20k", "hot symbols of 20,000 stacks", _on(_profile, lambda p: hotspots(*p))),
    Micro(
        "svg.write",
        "SVG of 20,000 stacks",
        _on(_profile, lambda p: write_svg(p[1], p[0], _META)),
    ),
    Micro("svg.read", "open that SVG again", _on(_svg, lambda text: read_svg(text, StackTable()))),
    Micro(
        "folded.write",
        "folded text of 20,000 stacks",
        _on(_profile, lambda p: write_folded(p[1], p[0])),
    ),
    Micro(
        "folded.read",
        "read that text again",
        _on(_folded, lambda lines: read_folded(lines, StackTable())),
    ),
)
