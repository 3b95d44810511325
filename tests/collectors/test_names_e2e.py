"""Names that are hard to come by, live: stripped Go, a JIT's map, another mount namespace."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from kvtop.collectors.perf_record import PerfRecord
from kvtop.events import Event, PipelineStats, SampleBatch, StackSample
from tests.collectors.helpers import Heard, collect, compiled, processes, until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("perf") is None, reason="needs perf"),
]
NODE_SOURCE = """
function hotNumbers(n) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum = (sum + i * i) % 1000003;
    return sum;
}
for (;;) hotNumbers(300000);
"""


class Seen(Heard):
    """Samples and names of a collector that ran."""

    def __init__(self, pid: int, call_graph: str = "fp") -> None:
        super().__init__()
        self.record = PerfRecord(self.table, [pid], frequency=499, call_graph=call_graph)

    async def run(self, count: int) -> None:
        """Until so many samples and a reading of the stream were seen."""

        def enough(events: list[Event]) -> bool:
            self.events = events
            return len(self.samples) >= count and isinstance(events[-1], PipelineStats)

        await collect(self.record, enough)

    @property
    def samples(self) -> list[StackSample]:
        return [s for e in self.events if isinstance(e, SampleBatch) for s in e.samples]

    @property
    def stats(self) -> PipelineStats:
        return next(e for e in reversed(self.events) if isinstance(e, PipelineStats))

    def share(self, wanted: Callable[[list[str]], bool]) -> float:
        return sum(wanted(self.symbols(s)) for s in self.samples) / len(self.samples)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def put_forever(url: str) -> None:
    """Keep etcd busy."""
    number = 0
    while True:
        number += 1
        key = base64.b64encode(b"key%d" % (number % 100)).decode()
        body = json.dumps({"key": key, "value": "YmFy"}).encode()
        with suppress(OSError):
            await asyncio.to_thread(_post, f"{url}/v3/kv/put", body)


def _post(url: str, body: bytes) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=5) as answer:
        answer.read()


@pytest.mark.skipif(not Path("/usr/bin/etcd").exists(), reason="needs Debian's etcd-server")
async def test_functions_of_a_stripped_go_program(tmp_path: Path) -> None:
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    command = ["/usr/bin/etcd", "--data-dir", str(tmp_path / "data"), "--log-level", "panic"]
    command += ["--listen-client-urls", client, "--advertise-client-urls", client]
    command += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
    command += ["--initial-cluster", f"default={peer}"]
    with processes(command) as (etcd,):
        load = asyncio.create_task(put_forever(client))
        seen = Seen(etcd.pid)
        try:
            await seen.run(300)
        finally:
            load.cancel()
            await asyncio.gather(load, return_exceptions=True)
    assert seen.share(lambda names: any(name.startswith("runtime.") for name in names)) > 0.9
    assert seen.share(lambda names: names[0] == "runtime.goexit") > 0.3
    everything = {name for sample in seen.samples for name in seen.symbols(sample)}
    assert any(name.startswith("go.etcd.io/etcd/") for name in everything)
    assert seen.stats.unresolved <= 0.02 * seen.stats.samples


async def test_a_stripped_program_is_told_with_the_remedy(tmp_path: Path) -> None:
    with processes([str(compiled(tmp_path, "spin.c", "-s", name="stripped"))]) as (program,):
        seen = Seen(program.pid)
        await seen.run(100)
    worst = seen.stats.flaws[0]
    assert (worst.object, worst.cause) == ("stripped", "stripped has no symbols for this code")
    assert "debug symbols" in worst.remedy
    assert worst.samples > 0.9 * seen.stats.samples
    # A frame-pointer sample is its registers and some addresses.
    assert 50 < seen.stats.copied / seen.stats.samples < 2000


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
@pytest.mark.parametrize("named", [True, False])
async def test_functions_of_a_jit_by_its_map_and_the_remedy_without(
    named: bool, tmp_path: Path
) -> None:
    options = ["--perf-basic-prof"] if named else []
    # Where it runs it leaves a log of its own.
    with processes(["node", *options, "-e", NODE_SOURCE], cwd=tmp_path) as (node,):
        seen = Seen(node.pid)
        # V8 compiles what is hot within a second.
        await seen.run(600)
    remove_map(node.pid)
    hot = seen.share(lambda names: any("hotNumbers" in name for name in names))
    if named:
        assert hot > 0.5
    else:
        assert hot == 0
        assert any("--perf-basic-prof" in f.remedy for f in seen.stats.flaws)


def remove_map(pid: int) -> None:
    Path(f"/tmp/perf-{pid}.map").unlink(missing_ok=True)


def hide(program: Path, inside: Path) -> list[str]:
    """A command that runs a copy of the program where only its mount namespace has it."""
    inside.mkdir()
    copy = f"mount -t tmpfs none {inside} && cp {program} {inside}/ && exec {inside}/{program.name}"
    unshare = ["unshare", "--mount", "--propagation", "private"]
    if subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs the right to make a mount namespace")
    return [*unshare, "sh", "-c", copy]


def holds_anything(directory: Path) -> bool:
    return any(directory.iterdir())


def runs(pid: int, program: Path) -> bool:
    return Path(f"/proc/{pid}/exe").readlink().name == program.name


async def test_a_program_that_only_its_mount_namespace_holds(tmp_path: Path) -> None:
    program, inside = compiled(tmp_path, "spin.c", name="hidden"), tmp_path / "inside"
    with processes(hide(program, inside)) as (hidden,):
        await until(lambda: runs(hidden.pid, program))
        assert not holds_anything(inside)
        seen = Seen(hidden.pid)
        await seen.run(100)
    assert seen.share(lambda names: "by_three" in names or "by_one" in names) > 0.9
