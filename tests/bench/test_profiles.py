"""Profiles beside the figures: written, read again, compared."""

from __future__ import annotations

from pathlib import Path

import pytest

import kvtop
from kvtop.bench.profiles import directory_of, read, save, save_diff
from kvtop.bench.sampling import Sampled
from kvtop.profile.stacks import StackTable

HOME = Path(kvtop.__file__).resolve().parent.parent


def sampled(self_weights: dict[str, int], operations: int = 1000, home: object = HOME) -> Sampled:
    """A loop that calls these functions of the store."""
    table = StackTable()
    loop = table.frame_id(f"py::main:{home}/kvtop/bench/spin.py", "/tmp/jitted-1-1.so")
    counts = {
        table.stack_id(
            [loop, table.frame_id(f"py::{name}:{home}/kvtop/workload/skiplist.py", "jitted")]
        ): weight
        for name, weight in self_weights.items()
    }
    return Sampled(table, {"": counts}, 2.0, operations, "cpu-clock")


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    path = save(tmp_path, "skiplist.get", sampled({"get": 70, "find": 30}))
    table = StackTable()
    kept = read(path, table)
    assert kept is not None
    assert (kept.name, kept.operations, kept.seconds) == ("skiplist.get", 1000, 2.0)
    assert sorted(kept.counts.values()) == [30, 70]
    assert "kvtop bench skiplist.get" in (tmp_path / "skiplist.get.svg").read_text()


def test_groups_are_boxes_at_the_root(tmp_path: Path) -> None:
    one = sampled({"get": 5})
    grouped = Sampled(one.table, {"leader": one.groups[""]}, 2.0, 10, "cpu-clock")
    assert "\nleader;py::main" in save(tmp_path, "cluster.write.8", grouped).read_text()


def test_a_function_that_takes_more_is_named_wherever_kvtop_lies(tmp_path: Path) -> None:
    save(tmp_path / "a", "skiplist.get", sampled({"get": 500, "find": 500}))
    # Half as many operations in the same time, all because of one function.
    after = sampled({"get": 250, "find": 750}, operations=500)
    save(tmp_path / "b", "skiplist.get", after)
    guilty = save_diff(tmp_path / "a", tmp_path / "b", "skiplist.get")
    assert guilty is not None
    assert len(guilty) == 1
    assert guilty[0].startswith("find (skiplist.py): 1 ms -> 3.01 ms")
    assert "baseline" in (tmp_path / "b/skiplist.get.diff.svg").read_text()


def test_the_same_work_has_nobody_to_name(tmp_path: Path) -> None:
    save(tmp_path / "a", "skiplist.get", sampled({"get": 500, "find": 500}))
    save(tmp_path / "b", "skiplist.get", sampled({"get": 510, "find": 495}, operations=1005))
    assert save_diff(tmp_path / "a", tmp_path / "b", "skiplist.get") == []


def test_files_have_no_path_of_this_machine(tmp_path: Path) -> None:
    text = save(tmp_path, "skiplist.get", sampled({"get": 5})).read_text()
    assert "py::get:kvtop/workload/skiplist.py" in text
    assert str(HOME) not in text
    elsewhere = sampled({"get": 5}, home="/usr/lib/python3.13/site-packages")
    text = save(tmp_path, "skiplist.get", elsewhere).read_text()
    assert "py::get:site-packages/kvtop/workload/skiplist.py" in text


def test_without_a_profile_of_the_baseline(tmp_path: Path) -> None:
    save(tmp_path, "skiplist.get", sampled({"get": 5}))
    assert save_diff(tmp_path / "none", tmp_path, "skiplist.get") is None


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "skiplist.get.folded").write_text("a;b 3\n")
    with pytest.raises(ValueError, match="no profile of kvtop bench"):
        read(tmp_path / "skiplist.get.folded", StackTable())


@pytest.mark.parametrize("name", ["now.json", "now.json.gz", "now"])
def test_beside_the_figures(name: str) -> None:
    assert directory_of(Path("/there") / name) == Path("/there/now.profiles")
