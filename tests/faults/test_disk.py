"""No space in /tmp: in a mount namespace of their own, so that nobody else is without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.collectors.helpers import SPIN, processes
from tests.faults.helpers import needs_perf

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting a tmpfs takes root"),
]
PROJECT = Path(__file__).parents[2]
UNSHARE = ["unshare", "--mount", "--propagation", "private"]
# Where the project itself lies in /tmp it is put back to its place, past the empty file system.
FULL = """
set -e
aside=$1 project=$2; shift 2
mount --bind "$project" "$aside"
mount -t tmpfs -o size=64k none /tmp
test -d "$project" || { mkdir -p "$project"; mount --bind "$aside" "$project"; }
cat /dev/zero > /tmp/full 2> /dev/null || true
cd "$project"
exec "$@"
"""


def kvtop_without_space(*argv: str) -> subprocess.CompletedProcess[str]:
    """Run kvtop where nothing more can be written to /tmp."""
    if subprocess.run([*UNSHARE, "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs the right to make a mount namespace")
    with TemporaryDirectory(dir="/var/tmp") as aside:
        command = [*UNSHARE, "sh", "-c", FULL, "sh", aside, str(PROJECT)]
        command += [sys.executable, "-m", "kvtop", *argv]
        return subprocess.run(command, capture_output=True, text=True, timeout=100)


@needs_perf
def test_a_process_is_profiled_all_the_same() -> None:
    with processes(SPIN) as (program,):
        argv = ("--attach", str(program.pid), "--json", "-n", "4", "--refresh", "1")
        done = kvtop_without_space(*argv)
    assert done.returncode == 0, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["profile"]["samples"] > 0 and last["profile"]["hot_symbols"]


def test_a_cluster_keeps_its_data_elsewhere_and_leaves_nothing_there() -> None:
    before = elsewhere()
    done = kvtop_without_space("--json", "-n", "6", "--clients", "1")
    assert done.returncode == 0, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert {node["state"] for node in last["nodes"]} == {"up"}
    assert last["stress"]["total_operations"] > 0
    assert elsewhere() <= before


def elsewhere() -> set[Path]:
    """Data of clusters where Python's tempfile goes when it cannot write to /tmp."""
    places = Path("/var/tmp"), PROJECT
    return {path for place in places for path in place.glob("kvtop-*")}


def test_a_cluster_that_may_only_go_there_is_refused_with_a_sentence() -> None:
    done = kvtop_without_space("--json", "-n", "2", "--clients", "1", "--dir", "/tmp/data")
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
