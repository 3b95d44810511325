"""Every format opened as what it is, and every other file refused in one sentence."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from kvtop.export.outputs import Content, Output, render
from kvtop.export.svg import SvgMeta
from kvtop.opening.files import open_profile
from kvtop.opening.model import Profile, ProfileError, Split, Wanted
from kvtop.profile.stacks import StackTable
from tests.export.test_perf_text import FRAMES, HEADER, HEADS

FOLDED = "_start;main;work 3\n_start;main;rest 1\n"


def symbols(profile: Profile, split: Split = Split.NONE) -> dict[str, dict[tuple[str, ...], int]]:
    """Weight per (group, root-first symbols)."""
    table = profile.table
    return {
        group: {tuple(table.frame(f).symbol for f in table.frames(s)): n for s, n in fold.items()}
        for group, fold in profile.groups(split).items()
    }


def written(tmp_path: Path, name: str, data: bytes | str) -> str:
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return str(path)


@pytest.mark.parametrize("form", [Output.SVG, Output.FOLDED, Output.SPEEDSCOPE, Output.PPROF])
def test_what_kvtop_writes_it_opens(form: Output, tmp_path: Path) -> None:
    first = open_profile(written(tmp_path, "a", FOLDED))
    meta = SvgMeta("title", event="cpu-clock", unit="ms")
    content = Content(first.groups(Split.NONE), first.table, meta)
    again = open_profile(written(tmp_path, "misleading.txt", render(form, content)))
    assert symbols(again) == symbols(first)
    if form is not Output.FOLDED:
        assert again.meta.unit == "ms"
    if form is Output.SVG:
        assert (again.meta.title, again.meta.event) == ("title", "cpu-clock")


def test_gzipped_text_is_unpacked(tmp_path: Path) -> None:
    first = open_profile(written(tmp_path, "a", FOLDED))
    data = gzip.compress(FOLDED.encode())
    assert symbols(open_profile(written(tmp_path, "b", data))) == symbols(first)
    with pytest.raises(ProfileError, match=r"damaged|not a profile"):
        open_profile(written(tmp_path, "c", data[:-9]))


def test_py_spys_raw_stacks_are_python_frames(tmp_path: Path) -> None:
    name = written(tmp_path, "raw", "<module> (app.py:12);work (lib/core.py:7) 5\n")
    profile = open_profile(name)
    (stack,) = profile.groups(Split.NONE)[""]
    frames = [profile.table.frame(f) for f in profile.table.frames(stack)]
    assert [(f.symbol, f.file, f.line) for f in frames] == [
        ("<module>", "app.py", 12),
        ("work", "lib/core.py", 7),
    ]


def text(*names: str) -> bytes:
    return b"".join(b"%b 12/13 1.5: 250 cycles: \n" % name.encode() + FRAMES for name in names)


def test_perf_text_is_split_by_command_process_or_thread(tmp_path: Path) -> None:
    profile = open_profile(written(tmp_path, "x", text("a", "b", "a")))
    path = ("main", "leaf")
    assert symbols(profile) == {"": {path: 3}}
    assert symbols(profile, Split.COMMAND) == {"a": {path: 2}, "b": {path: 1}}
    assert symbols(profile, Split.PROCESS) == {"a (12)": {path: 2}, "b (12)": {path: 1}}
    assert symbols(profile, Split.THREAD) == {"a (13)": {path: 2}, "b (13)": {path: 1}}
    assert profile.splits == [Split.NONE, Split.COMMAND, Split.PROCESS, Split.THREAD]
    assert open_profile(written(tmp_path, "y", text("a"))).splits == [Split.NONE]


def test_the_first_event_is_shown_and_the_others_are_named(tmp_path: Path) -> None:
    name = written(tmp_path, "x", text("a", "a") + text("a").replace(b"cycles", b"faults"))
    profile = open_profile(name)
    assert sum(symbols(profile)[""].values()) == 2
    assert any("--event" in note and "faults" in note for note in profile.notes)
    other = open_profile(name, Wanted(event="faults"))
    assert (sum(symbols(other)[""].values()), other.meta.event) == (1, "faults")
    with pytest.raises(ProfileError, match="it has cycles, faults"):
        open_profile(name, Wanted(event="misses"))


def test_periods_can_be_what_is_counted(tmp_path: Path) -> None:
    name = written(tmp_path, "x", text("a", "a"))
    profile = open_profile(name, Wanted(weight_by_period=True))
    assert symbols(profile) == {"": {("main", "leaf"): 500}}
    assert profile.meta.unit == "cycles"
    bare = written(tmp_path, "y", HEADS["no period"] + FRAMES)
    with pytest.raises(ProfileError, match="period"):
        open_profile(bare, Wanted(weight_by_period=True))


def test_a_part_of_perfs_samples_counts_from_the_first(tmp_path: Path) -> None:
    heads = (b"p 7/8 %d.5: 1 cycles: \n" % second for second in (100, 101, 103))
    name = written(tmp_path, "x", b"".join(head + FRAMES for head in heads))
    profile = open_profile(name, Wanted(start=0.5, end=2))
    assert (sum(symbols(profile)[""].values()), profile.duration) == (1, 0)
    assert sum(symbols(open_profile(name, Wanted(start=1)))[""].values()) == 2


def test_perfs_header_goes_into_the_footer(tmp_path: Path) -> None:
    profile = open_profile(written(tmp_path, "x", HEADER + HEADS["default"] + FRAMES))
    meta = profile.meta
    assert (meta.host, meta.kernel, meta.frequency) == ("box", "6.1.0", "999 Hz")
    assert "perf record" in meta.command
    # FRAMES begin at main, which no thread does.
    assert any("100 %" in note and "--call-graph" in note for note in profile.notes)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"a;b 0\n", "holds no samples"),
        (b"hello\nworld\n", "not a profile"),
        (b"a;b 3\nnonsense\n", "line 2"),
        (b"# ========\n# hostname : h\n# ========\n#\n", "holds no samples"),
        (b"PERFILE2 and then nothing of use", "perf"),
        (b'{"shared": {"frames": []}, "profiles": [3]}', "speedscope"),
        (b'<svg class="kvtop"></svg>', "holds no profile"),
        (b"\x1f\x8b\x08 broken", "pprof"),
        (b"\x0a\x04\x08\x01\x10\x02\0", "pprof"),
    ],
)
def test_bad_files_are_one_sentence(data: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=words) as caught:
        open_profile(written(tmp_path, "bad\x1b[31m", data))
    assert str(caught.value).isprintable()
    assert str(caught.value).endswith(".")


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="No such file"):
        open_profile(str(tmp_path / "none"))
    with pytest.raises(ProfileError, match="directory"):
        open_profile(str(tmp_path))


def test_a_group_per_profile_of_speedscope(tmp_path: Path) -> None:
    table = StackTable()
    stack = table.stack_id([table.frame_id("main", "")])
    content = Content({"node0": {stack: 2}, "node1": {stack: 1}}, table, SvgMeta("t"))
    profile = open_profile(written(tmp_path, "x", render(Output.SPEEDSCOPE, content)))
    assert symbols(profile, Split.COMMAND) == {"node0": {("main",): 2}, "node1": {("main",): 1}}
