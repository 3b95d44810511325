"""What stacks lack: counted by culprit, with cause and remedy, through the parser."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from kvtop.collectors import flaws
from kvtop.collectors.perf_script import ScriptParser
from kvtop.events import Flaw, FlawKind
from kvtop.profile.stacks import StackTable


def found(frames: list[str], call_graph: str = "fp", jit_dumps: bool = False) -> list[Flaw]:
    """The flaws of one stack, leaf first."""
    parser = ScriptParser(StackTable())
    lines = "".join(f"\t{frame}\n" for frame in frames)
    assert len(parser.feed(f"a 1/1 1.0:  5 cycles: \n{lines}\n".encode())) == 1
    return list(parser.flaws.explained(call_graph, jit_dumps))


def test_a_whole_stack_with_names_lacks_nothing() -> None:
    assert found(["1 f (/bin/x)", "2 _start (/bin/x)"]) == []


@pytest.mark.parametrize(
    ("leaf", "culprit", "cause", "remedy"),
    [
        ("71d9d [unknown] (/usr/bin/x)", "x", "x has no symbols", "debug symbols"),
        (
            "7f2a [unknown] (/tmp/perf-77.map)",
            "perf-77.map",
            "compiled by a JIT",
            "--perf-basic-prof",
        ),
        ("7f2a [unknown] (//anon)", "anon", "compiled by a JIT", "perf-map-agent"),
        ("7f2a [unknown] ([heap])", "[heap]", "compiled by a JIT", "python -X perf"),
        ("7f2a [unknown] (/bin/x (deleted))", "x (deleted)", "x was replaced", "restart"),
        ("7f2a [unknown] ([unknown])", "[unknown]", "outside of every mapped file", "dwarf"),
        ("ffffffff81000000 [unknown] ([unknown])", "[kernel]", "kernel", "sudo sysctl kernel."),
        (
            "ffffffff81000000 [unknown] ([kernel.kallsyms])",
            "[kernel.kallsyms]",
            "kernel",
            "sudo sysctl kernel.",
        ),
    ],
)
def test_why_a_name_is_missing(leaf: str, culprit: str, cause: str, remedy: str) -> None:
    (flaw,) = found([leaf, "2 _start (/bin/x)"])
    assert (flaw.kind, flaw.object, flaw.samples) == (FlawKind.UNRESOLVED, culprit, 1)
    assert cause in flaw.cause and remedy in flaw.remedy


def test_why_a_stack_is_cut_off() -> None:
    cut = ["1 write (/lib/libc.so.6)", "2 work (/bin/x)", "7fff [unknown] ([unknown])"]
    (flaw,) = found(cut)
    assert (flaw.kind, flaw.object) == (FlawKind.BROKEN, "x")
    assert flaw.cause == "x keeps no frame pointers" and "dwarf" in flaw.remedy
    (flaw,) = found(cut, "dwarf")
    assert "unwind tables" in flaw.cause and "--call-graph fp" in flaw.remedy
    (flaw,) = found(cut, "dwarf", True)
    assert "buffer" in flaw.cause and "fflush" in flaw.remedy


def test_no_stack_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    broken, unresolved = found([])
    assert broken.cause == unresolved.cause == "perf gave no stack"
    assert "sudo" in broken.remedy
    # Root needs no more rights.
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "sudo" not in found([])[0].remedy


@pytest.mark.parametrize(
    ("frames", "call_graph", "jit_dumps"),
    [
        (["1 write (/lib/libc.so.6)", "2 work (/bin/x)"], "dwarf", True),
        (["1 write (/lib/libc.so.6)", "2 [unknown] (/tmp/perf-77.map)"], "dwarf", False),
        (["7f2a [unknown] (/tmp/perf-77.map)", "2 _start (/bin/x)"], "fp", False),
    ],
)
def test_names_that_found_no_room(
    monkeypatch: pytest.MonkeyPatch, frames: list[str], call_graph: str, jit_dumps: bool
) -> None:
    (before,) = found(frames, call_graph, jit_dumps)
    assert "no room" not in before.cause
    usage = shutil.disk_usage("/")._replace(free=8192)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    (flaw,) = found(frames, call_graph, jit_dumps)
    assert flaw.cause == "/tmp has no room for the names of compiled functions"
    assert "restart the program" in flaw.remedy


def test_a_full_disk_is_not_blamed_for_code_that_is_in_a_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(flaws, "_TMP", Path("/nonexistent"))
    (flaw,) = found(["1 write (/lib/libc.so.6)", "2 work (/bin/x)"])
    assert flaw.cause == "x keeps no frame pointers"


def test_hidden_kernel_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    setting = tmp_path / "kptr_restrict"
    monkeypatch.setattr(flaws, "_KPTR_RESTRICT", setting)
    leaf = "ffffffff81000000 [unknown] ([unknown])"
    for value, remedy in (("2\n", "kernel.kptr_restrict=0"), ("0\n", "perf_event_paranoid=1")):
        setting.write_text(value)
        (flaw,) = found([leaf, "2 _start (/bin/x)"])
        assert remedy in flaw.remedy


def test_counts_add_up_and_are_bounded() -> None:
    parser = ScriptParser(StackTable())
    for number in range(300):
        for _ in range(2):
            text = f"a 1/1 1.0:  5 cycles: \n\t 1 [unknown] (/bin/x{number})\n\n"
            parser.feed(text.encode())
    shown = parser.flaws.explained("fp")
    assert parser.broken == parser.unresolved == 600
    assert sum(f.samples for f in shown) == 1200
    assert len(shown) < 100
