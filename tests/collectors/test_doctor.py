"""Sentences about perf that does not work, and the probe of the real one."""

from __future__ import annotations

import platform
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.collectors.doctor import explain, not_permitted, perf_missing, probe


def test_the_package_of_each_distribution() -> None:
    assert "apt-get install linux-perf" in perf_missing("ID=debian\n")
    ubuntu = perf_missing('NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\n')
    assert f"linux-tools-{platform.release()}" in ubuntu
    assert "dnf install perf" in perf_missing("ID=fedora\n")
    assert "pacman -S perf" in perf_missing("ID=arch\n")
    assert "dnf install perf" in perf_missing('ID="rocky"\nID_LIKE="rhel centos fedora"\n')
    unknown = perf_missing("ID=plan9\n")
    assert all(name in unknown for name in ("Debian", "Ubuntu", "Fedora", "Arch"))


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        ("Couldn't create thread/CPU maps: No such process\n", "has exited"),
        ("event syntax error: 'nosuch'\n   \\___ parser error", "nosuch"),
        ("The sys_perf_event_open() syscall returned with 24 (Too many open files)", "ulimit"),
        ("Permission error mapping pages.\n perf_event_mlock_kb ... mlock", "perf_event_mlock_kb"),
        ("Error: unknown option `no-buffering'\n", "too old"),
        ("WARNING: perf not found for kernel 6.8.0-31", "linux-tools-"),
        ("The cycles event is not supported.", "perf list"),
        ("failed to write: No space left on device", "space"),
        ("surprise \x1b[31m", "surprise"),
    ],
)
def test_what_perf_says_in_one_sentence(stderr: str, words: str) -> None:
    sentence = explain(stderr)
    assert words in sentence
    assert "\n" not in sentence and sentence.isprintable() and sentence.endswith(".")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (255, "a thread ends while it attaches"),
        (-9, "from outside, by signal 9"),
        (None, "a word."),
    ],
)
def test_a_perf_that_said_nothing_is_told_by_its_exit_status(code: int | None, words: str) -> None:
    assert words in explain("", code)
    assert "surprise" in explain("surprise", code)


def test_refusal_names_the_command() -> None:
    assert "sysctl kernel.perf_event_paranoid=1" in not_permitted(2)
    assert "only root" in not_permitted(4)
    assert "sudo" in not_permitted(-1)


def test_what_perf_itself_says_to_an_ordinary_user() -> None:
    """perf's own words for a process of another user, whatever version is installed."""
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--clear-groups", "perf", "record", "-o", "-", "-p", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    if "setresuid" in done.stderr:
        pytest.skip("needs root to become somebody else")
    assert "ermitted" in explain(done.stderr) or "only root" in explain(done.stderr)


@given(st.text(max_size=200))
def test_any_text_gives_a_sentence(text: str) -> None:
    assert explain(text).isprintable()


@pytest.mark.e2e
async def test_probe_of_the_real_perf() -> None:
    facts = await probe()
    assert facts.works and facts.version[0].isdigit()
    assert facts.paranoid is not None


@pytest.mark.e2e
async def test_probe_without_perf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    facts = await probe()
    assert not facts.works and facts.problem == perf_missing()
