"""A short torture of real processes, and the relay that makes its partitions."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from kvtop.workload.link_proxy import LinkProxy
from kvtop.workload.peers import Address

pytestmark = pytest.mark.e2e


async def _torture(directory: Path, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "kvtop.workload.torture", "--clients", "6", *arguments),
        *("--history", str(directory / "history.jsonl")),
        stdout=asyncio.subprocess.PIPE,
    )
    output = (await process.communicate())[0].decode()
    assert process.returncode is not None
    return process.returncode, output


@pytest.mark.parametrize(
    "faults", ["kill leader,partition", "pause leader,torn log", "full disk,member change"]
)
async def test_a_short_torture_is_linearizable(tmp_path: Path, faults: str) -> None:
    code, output = await _torture(tmp_path, "--seconds", "8", "--seed", "11", "--faults", faults)
    assert code == 0, output
    assert "verdict: linearizable" in output
    assert "faults: 0" not in output


@pytest.mark.slow
async def test_a_long_torture_is_linearizable(tmp_path: Path) -> None:
    code, output = await _torture(tmp_path, "--seconds", "60")
    assert code == 0, output


async def test_a_cut_link_holds_back_and_a_healed_one_delivers() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    link = LinkProxy(Address(*server.sockets[0].getsockname()))
    await link.start()
    reader, writer = await asyncio.open_connection(link.address.host, link.address.port)
    writer.write(b"one")
    assert await reader.readexactly(3) == b"one"
    link.cut()
    writer.write(b"two")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.readexactly(3), 0.1)
    link.heal()
    assert await reader.readexactly(3) == b"two"
    writer.close()
    await link.stop()
    server.close()
