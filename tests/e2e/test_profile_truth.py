"""The live profile of the cluster: whole stacks, the Raft code by name, all sources."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kvtop.events import SampleBatch
from kvtop.profile.frames import Kind
from kvtop.recording.reader import Recording

pytestmark = pytest.mark.e2e


def reports(*argv: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "kvtop", "--json", "--refresh", "1", *argv],
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.skipif(sys.version_info < (3, 13), reason="-X perf_jit needs Python 3.13")
def test_python_c_and_kernel_frames_in_whole_stacks(tmp_path: Path) -> None:
    first, *_, last = reports("-n", "14", "--record", str(tmp_path / "run.kvtop"))
    before, after = first["profile"]["stream"], last["profile"]["stream"]
    samples = after["samples"] - before["samples"]
    assert samples > 200
    assert after["broken"] - before["broken"] <= 0.05 * samples

    spots = last["profile"]["hot_symbols"]
    assert {"python", "native", "kernel"} <= {spot["kind"] for spot in spots}
    assert sum(spot["samples"] for spot in spots) <= last["profile"]["samples"]
    # Reports hold the topmost functions only, the recording every stack.
    run = Recording.open(tmp_path / "run.kvtop")
    batches = [event for event in run.events() if isinstance(event, SampleBatch)]
    stacks = {sample.stack for batch in batches for sample in batch.samples}
    frames = [run.table.frame(frame) for stack in stacks for frame in run.table.frames(stack)]
    raft = {f.symbol for f in frames if f.kind is Kind.PYTHON and "/workload/raft/" in f.file}
    assert len(raft) > 3


def test_every_pane_has_a_real_source() -> None:
    every = reports("-n", "8", "--rate", "400")
    last = every[-1]
    assert last["leader"] in {"node0", "node1", "node2"}
    for node in last["nodes"]:
        assert node["state"] == "up"
        assert node["commit"] > 0
        assert node["fdatasync_p99"] > 0
    assert {usage["label"] for usage in last["usage"]} >= {"node0", "node1", "node2", "client0"}
    stress = last["stress"]
    assert stress["total_operations"] > 100
    # A busy machine may leave an interval without operations, whose latencies are null.
    served = [r["stress"] for r in every if r["stress"] and r["stress"]["operations"]]
    assert served
    assert all(one["p50"] <= one["p99"] <= one["p999"] for one in served)
    clock = {c["label"]: c for c in last["counters"] if c["event"] == "task-clock"}
    assert all(clock[node]["value"] > 0 for node in ("node0", "node1", "node2"))
    assert last["own"]["cpu_percent"] > 0


def test_without_python_frames_the_rest_works() -> None:
    *_, last = reports("-n", "5", "--python-frames", "off", "--rate", "400")
    kinds = {spot["kind"] for spot in last["profile"]["hot_symbols"]}
    assert "python" not in kinds
    assert {"native", "kernel"} <= kinds
