"""What ``--ssh`` takes, and above all what it does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.cli import build_parser
from kvtop.config import Config, UsageError, load
from kvtop.remote.address import Address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("db1", Address("db1")),
        ("root@db1", Address("db1", "root")),
        ("root@db1.example:2222", Address("db1.example", "root", 2222)),
        ("10.0.0.7:22", Address("10.0.0.7", None, 22)),
        ("::1", Address("::1")),
        ("me@[fe80::1%eth0]:2222", Address("fe80::1%eth0", "me", 2222)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert Address.parse(text) == address


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "@",
            "a@",
            "@b",
            "-oProxyCommand=x",
            "a@-oProxyCommand=x",
            "-l@b",
            "a b",
            "a;b",
            "a\n",
        ),
        *("$(id)", "a:b", "a:0", "a:65536", "[::1", "[-x]:1", "[]:1", "a@b@c", "[a/b]", "a:1:2x"),
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        Address.parse(text)


@given(st.text(max_size=20))
def test_nothing_becomes_an_option_of_ssh_or_a_word_of_a_shell(text: str) -> None:
    try:
        address = Address.parse(text)
    except ValueError:
        return
    assert not str(address).startswith("-") and not address.host.startswith("-")
    assert not set(str(address)) & set(" \t\n\0\"'`$;&|<>()\\*?~#!{}/")


def config(*argv: str, command: tuple[str, ...] = ()) -> Config:
    arguments = build_parser().parse_args(argv)
    arguments.command = command
    return load(arguments, {})


def test_the_options_of_ssh() -> None:
    told = config("--ssh", "root@h:7", "--attach", "1", "--ssh-command", "ssh -i 'a b'")
    assert told.ssh == Address("h", "root", 7) and told.ssh_command == ("ssh", "-i", "a b")
    assert config("--attach", "1").ssh is None and not told.ssh_sudo


@pytest.mark.parametrize(
    ("argv", "command", "sentence"),
    [
        ([], (), "needs a target on h"),
        (["--cluster", "etcd"], (), "needs a target on h"),
        (["--endpoints", "1.2.3.4:5"], (), "--endpoints"),
        (["--pick"], (), "--pick"),
        ([], ("true",), "-- COMMAND"),
        (["--attach", "1", "--ssh-command", "'"], (), "must be a command"),
        (["--attach", "1", "--ssh-command", " "], (), "must be a command"),
    ],
)
def test_what_makes_no_sense_over_ssh_is_refused(
    argv: list[str], command: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        config("--ssh", "h", *argv, command=command)
