"""--cluster etcd and --endpoints on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from kvtop.cli import main
from kvtop.config import UsageError
from kvtop.session import Session
from tests.fake_session import config


def test_endpoints_are_addresses() -> None:
    parsed = config("--endpoints", "10.0.0.1:2379, http://h:1/,[::1]:2,h:1").endpoints
    assert parsed == (("10.0.0.1", 2379), ("h", 1), ("::1", 2))


@pytest.mark.parametrize("text", ["", "host", "host:0", "host:65536", "https://h:1", "h:1/x", ":1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="HOST:PORT"):
        config("--endpoints", text)


def test_endpoints_and_processes_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="exclude each other"):
        config("--endpoints", "h:1", "--attach", "1")


def test_without_etcd_one_sentence_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["--cluster", "etcd", "--once"]) == 2
    assert "apt-get install etcd-server" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("version", "sentence"),
    [("etcd Version: 3.3.25", "too old"), ("nothing", "does not tell its version")],
)
async def test_an_etcd_that_is_too_old_is_refused(
    version: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "etcd"
    program.write_text(f"#!/bin/sh\necho '{version}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    session = Session(config("--cluster", "etcd"))
    with pytest.raises(UsageError, match=sentence):
        await session.start()
    await session.stop()


def test_where_faults_are_not_ours_their_keys_are_not_offered() -> None:
    from kvtop.store import RunInfo

    info = RunInfo("3 endpoints", "h", "6.1", "6.1", "off", 0.0, 0.0, has_cluster=True)
    assert info.has_faults
    watched = RunInfo("x", "h", "6.1", "6.1", "off", 0.0, 0.0, has_cluster=True, watched=True)
    assert not watched.has_faults
