"""ssh's command line and its failures."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from kvtop.collectors import attach, doctor, pyspy_record, targets, targets_machine
from kvtop.remote.address import Address
from kvtop.remote.bundle import make_bundle
from kvtop.remote.ssh import explain_ssh, ssh_command, wording

THERE = Address("db1", "me", 2222)


def test_the_host_is_never_an_option_and_the_command_is_one_word() -> None:
    command = ssh_command(("ssh", "-i", "key"), THERE, "sh -c 'x'", False)
    assert command[:3] == ["ssh", "-i", "key"] and "BatchMode=yes" in command
    assert command[-5:] == ["-p", "2222", "--", "me@db1", "sh -c 'x'"]
    assert ssh_command(("ssh",), THERE, "sh -c 'x'", True)[-1] == "sudo -n sh -c 'x'"


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "fish", "tcsh"])
def test_every_login_shell_understands_the_command(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    command, _ = make_bundle()
    program = b"import sys; sys.stdout.write('I run'); sys.exit(7)"
    size = command.partition("read(")[2].partition(")")[0]
    done = subprocess.run(
        [shell, "-c", command], input=program.ljust(int(size)), capture_output=True, check=False
    )
    assert (done.stdout, done.returncode) == (b"I run", 7), done.stderr


@pytest.mark.parametrize(
    ("code", "said", "sentence"),
    [
        (255, "me@db1: Permission denied (publickey).", "does not let you in (publickey)"),
        (255, "Host key verification failed.", "connect once by hand with ssh -p 2222 me@db1"),
        (255, "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key v", "-R db1"),
        (255, "ssh: Could not resolve hostname db1: Name or", "There is no host db1"),
        (255, "ssh: connect to host db1 port 22: Connection refused", "reached by ssh: connection"),
        (126, "kvtop: no Python, Python 3.6.8", "needs Python 3.11 or newer on me@db1, where pyth"),
        (126, "kvtop: no Python, sh: 1: python3: not found", "there is no python3"),
        (1, "sudo: a password is required", "sudo on me@db1 does not run kvtop"),
        (1, "AttributeError: module 'os' has no attribute 'memfd_create'", "not a Linux machine"),
        (1, "ModuleNotFoundError: No module named '_ctypes'", "lacks its module _ctypes"),
        (1, "bad \x1b[31m things", r"ssh to me@db1 ended: bad \x1b[31m things."),
    ],
)
def test_failures_become_sentences(code: int, said: str, sentence: str) -> None:
    told = explain_ssh(("ssh",), THERE, code, said)
    assert sentence in told and told.isprintable() and told.endswith(".")


def test_no_remedy_asks_to_start_kvtop_on_the_host() -> None:
    sentences = [doctor.not_permitted(n) for n in (None, 1, 2, 3)]
    sentences += [pyspy_record.explain("Permission denied"), doctor.tracepoints_unreadable(True)]
    for sentence in sentences:
        assert "add --ssh-sudo" in wording(sentence, THERE, False)
        assert "kvtop with" not in wording(sentence, THERE, True)
    for module in (attach, targets, targets_machine, doctor, pyspy_record):
        text = " ".join(Path(str(module.__file__)).read_text().replace('"\n', "").split())
        others = text.replace("start kvtop with sudo", "").replace("run kvtop with sudo", "")
        assert "kvtop with sudo" not in others
