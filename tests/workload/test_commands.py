"""The commands as a user runs them, against real nodes."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import signal
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from kvtop.workload.commands import kv, server, simple_stress, stress
from kvtop.workload.commands.kv import printable
from kvtop.workload.commands.targets import TargetError, find_cluster
from kvtop.workload.node import Node
from kvtop.workload.peers import Address
from kvtop.workload.ports import free_ports
from tests.workload.harness import PATIENCE, wait_all_gone

RUNNER = (
    "import argparse, importlib, sys; "
    "module = importlib.import_module('kvtop.workload.commands.' + sys.argv[1]); "
    "parser = argparse.ArgumentParser(); module.add_arguments(parser); "
    "sys.exit(module.run(parser.parse_args(sys.argv[2:])))"
)


async def _run(*words: str, wait: bool = True) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", RUNNER, *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("name", ["kvtop", "raft_server", "kv_stress_test", "simple_stress_test"])
def test_the_installed_names_reach_their_commands(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    module, _, function = project["scripts"][name].partition(":")
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as ended:
        getattr(importlib.import_module(module), function)()
    assert ended.value.code == 0
    verbs = {"raft_server": "server", "kv_stress_test": "stress"}
    verbs |= {"simple_stress_test": "simple-stress", "kvtop": "[-h]"}
    assert capsys.readouterr().out.startswith(f"usage: kvtop {verbs[name]}")


async def test_kv_reads_and_writes(node: Node) -> None:
    target = ("kv", "--target", f"127.0.0.1:{node.provider.port}")
    assert await _run(*target, "put", "a", "hello") == (0, "", "")
    assert await _run(*target, "append", "a", " world") == (0, "11\n", "")
    assert await _run(*target, "get", "a") == (0, "hello world", "")
    await _run(*target, "put", "b", "x\x1b[31m")
    assert (await _run(*target, "scan"))[1] == "a\thello world\nb\tx\\x1b[31m\n"
    assert (await _run(*target, "scan", "b", "c", "--limit", "1"))[1].startswith("b\t")
    assert (await _run(*target, "delete", "a"))[0] == 0
    code, out, err = await _run(*target, "get", "a")
    assert (code, out) == (1, "")
    assert "no key 'a'" in err


@pytest.mark.parametrize(
    "words",
    [
        "--target H:1 --deadline 3 get a",
        "get --target H:1 --deadline 3 a",
        "get a --deadline 3 --target H:1",
        "--target H:1 get a --deadline 3",
    ],
)
def test_kv_takes_its_options_on_both_sides_of_the_verb(words: str) -> None:
    parser = argparse.ArgumentParser()
    kv.add_arguments(parser)
    arguments = parser.parse_args(words.split())
    assert arguments.target == Address("H", 1)
    assert arguments.deadline == 3
    assert arguments.key == "a"
    assert arguments.config is None


def test_kv_refuses_two_clusters(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    kv.add_arguments(parser)
    assert kv.run(parser.parse_args(["--target", "H:1", "get", "a", "--config", "f"])) == 2
    assert "give one of them" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (kv, "get a --deadline nan"),
        (kv, "get a --deadline -1"),
        (kv, "scan --limit -1"),
        (kv, "member add -1"),
        (stress, "--threads 0"),
        (stress, "--threads 99999999999"),
        (stress, "--value-size 99999999999"),
        (stress, "--keys nan"),
        (stress, "--mix 1e3:1"),
        (stress, f"--mix {'9' * 5000}:1"),
        (simple_stress, "--threads 0"),
        (simple_stress, "--operations -4"),
        (server, "--config test.conf --resp-port 99999"),
    ],
)
def test_numbers_that_cannot_be_are_refused(
    module: ModuleType, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(words.split())
    assert ended.value.code == 2
    assert "must be" in capsys.readouterr().err


def test_a_bad_target_is_bad_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.conf").write_text("node0ip=127.0.0.1\nnode0port=x\n")
    parser = argparse.ArgumentParser()
    kv.add_arguments(parser)
    with pytest.raises(TargetError, match=r"bad.conf:2: 'x' is not a port") as bad:
        find_cluster(parser.parse_args(["get", "a", "--config", str(tmp_path / "bad.conf")]))
    assert bad.value.code == 2
    monkeypatch.setenv("KVTOP_TARGET", "nowhere")
    with pytest.raises(TargetError, match=r"\$KVTOP_TARGET: 'nowhere'") as bad:
        find_cluster(parser.parse_args(["get", "a"]))
    assert bad.value.code == 2


async def test_kv_status(node: Node) -> None:
    target = ("kv", "--target", f"127.0.0.1:{node.provider.port}")
    code, out, _ = await _run(*target, "status", "--json")
    assert code == 0
    assert json.loads(out)["name"] == "node0"


@pytest.mark.e2e
async def test_kv_without_a_cluster_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KVTOP_TARGET", raising=False)
    code, _, err = await _run("kv", "get", "a")
    assert code == 2
    assert "--target" in err
    (port,) = free_ports(1)
    code, _, err = await _run("kv", "--target", f"127.0.0.1:{port}", "get", "a")
    assert code == 1
    assert "does not accept connections" in err
    assert "Traceback" not in err


@pytest.mark.e2e
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
async def test_server_runs_a_classic_file(tmp_path: Path, ending: signal.Signals) -> None:
    path = tmp_path / "test.conf"
    ports = free_ports(3)
    path.write_text("".join(f"node{n}ip=127.0.0.1\nnode{n}port={p}\n" for n, p in enumerate(ports)))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", RUNNER, "server", "--config", str(path)),
        stderr=asyncio.subprocess.DEVNULL,
        process_group=0,
    )
    assert (await _run("kv", "--deadline", "30", "--config", str(path), "put", "a", "1"))[0] == 0
    children = _children(process.pid)
    assert len(children) == 3
    async with asyncio.timeout(PATIENCE):  # the third may begin later than two serve
        while True:
            code, out, _ = await _run("kv", "--config", str(path), "status")
            assert code == 0
            if out.count("follower") == 2 and out.count("leader") == 1:
                break
    process.send_signal(ending)
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 128 + ending
    await wait_all_gone(children)
    assert (tmp_path / "kvtop-data" / "node2" / "log").is_dir()


@pytest.mark.e2e
async def test_a_node_joins_by_the_commands(tmp_path: Path) -> None:
    ports = free_ports(2)
    lines = [f"node{n}ip=127.0.0.1\nnode{n}port={port}\n" for n, port in enumerate(ports)]
    old, new = tmp_path / "old.conf", tmp_path / "new.conf"
    old.write_text(lines[0])
    new.write_text("".join(lines))

    async def serve(*words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", RUNNER, "server", "--config", *words),
            stderr=asyncio.subprocess.DEVNULL,
            process_group=0,
        )

    async def member(*words: str) -> tuple[int, str, str]:
        return await _run("kv", "member", *words, "--target", f"127.0.0.1:{ports[0]}")

    first = await serve(str(old))
    assert (await _run("kv", "put", "a", "1", "--config", str(old)))[0] == 0
    assert "is not known here" in (await member("add", "1"))[2]
    second = await serve(str(new), "--node", "1", "--join")
    async with asyncio.timeout(PATIENCE):
        while (await member("add", "1"))[0]:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert "node1      learner  127.0.0.1" in (await member("list"))[1]
    assert (await member("promote", "1"))[0] == 0
    assert (await member("list"))[1].count("voter") == 2
    assert (await member("remove", "1"))[0] == 0
    assert "node1" not in (await member("list"))[1]
    assert (await member("remove"))[0] == 2
    for process in (first, second):
        process.send_signal(signal.SIGTERM)
        await process.wait()


def test_server_joins_one_node_at_a_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "test.conf"
    (port,) = free_ports(1)
    path.write_text(f"node0ip=127.0.0.1\nnode0port={port}\n")
    parser = argparse.ArgumentParser()
    server.add_arguments(parser)
    assert server.run(parser.parse_args(["--config", str(path), "--join"])) == 2
    assert "--node" in capsys.readouterr().err
    alone = parser.parse_args(["--config", str(path), "--join", "--node", "0"])
    assert server.run(alone) == 1
    assert "nothing to join" in capsys.readouterr().err


def _children(pid: int) -> list[int]:
    return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_server_refuses_a_bad_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.conf"
    path.write_text("node0ip=127.0.0.1\nnode0port=x\n")
    parser = argparse.ArgumentParser()
    server.add_arguments(parser)
    assert server.run(parser.parse_args(["--config", str(path)])) == 2
    assert f"{path}:2:" in capsys.readouterr().err


async def test_stress_counts_every_operation(node: Node) -> None:
    addresses = {0: Address("127.0.0.1", node.provider.port)}
    parser = argparse.ArgumentParser()
    stress.add_arguments(parser)
    words = "--threads 3 --operations 40 --pipeline 2 --mix 1:3 --keys 10 --distribution zipf"
    arguments = parser.parse_args(words.split())
    result = await asyncio.to_thread(stress.run_load, arguments, addresses)
    assert result["operations"] == 120
    assert result["reads"] + result["writes"] == 120
    assert result["writes"] > result["reads"] > 0
    assert result["errors"] == 0
    assert result["operations_per_second"] == pytest.approx(120 / result["seconds"])
    latencies = list(result["latency_seconds"].values())
    assert latencies == sorted(latencies)
    assert node.report().keys <= 10


@pytest.mark.e2e
async def test_stress_without_a_target_brings_its_own_cluster() -> None:
    code, out, _ = await _run("stress", "--threads", "2", "--operations", "50", "--json")
    assert code == 0
    assert json.loads(out)["operations"] == 100


def test_simple_stress_waits_for_all_workers(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    simple_stress.add_arguments(parser)
    words = ["--threads", "2", "--operations", "20", "--json"]
    assert simple_stress.run(parser.parse_args(words)) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["operations"] == 40
    assert result["seconds"] >= result["slowest_worker_seconds"] * 0.9


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain", "plain"),
        (b"\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        (b"\xff\n\t\\", "\\xff\\n\\t\\\\"),
        ("\u202e".encode(), "\\u202e"),
    ],
)
def test_output_cannot_command_a_terminal(data: bytes, text: str) -> None:
    assert printable(data) == text


def test_kv_has_all_verbs() -> None:
    parser = argparse.ArgumentParser()
    kv.add_arguments(parser)
    for words in (
        "get a",
        "put a b",
        "append a b",
        "delete a",
        "scan",
        "status --json",
        "member list",
    ):
        parser.parse_args(words.split())
