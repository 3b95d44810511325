"""Every command line of every page is read by kvtop's own parsers."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from kvtop import interface
from kvtop.cli import COMMANDS, _split, build_parser, command_parser
from kvtop.config import load
from kvtop.options import OPTIONS
from tests.docs.pages import ROOT, Block, blocks, inline_commands, pages, simple_commands

BLOCKS = [block for page in pages() for block in blocks(page)]
SCRIPTS = {
    "raft_server": "server",
    "kv_stress_test": "stress",
    "simple_stress_test": "simple-stress",
}


def check(words: list[str]) -> None:
    """Raise what kvtop would say of this command line, if it is one of kvtop's."""
    program = Path(words[0]).name
    if program in SCRIPTS:
        words = ["kvtop", SCRIPTS[program], *words[1:]]
    elif program != "kvtop":
        return
    rest = words[1:]
    if rest and not rest[0].startswith("-"):
        assert rest[0] in COMMANDS, f"there is no command {rest[0]}"
        own = rest[1:]
        if rest[0] in ("run", "serve") and "--" in own:
            own = own[: own.index("--")]
        try:
            command_parser(rest[0]).parse_args(own)
        except SystemExit as done:
            assert not done.code  # --help
        return
    options, command = _split(rest)
    if {"--help", "--version"} & set(options):
        return
    arguments = build_parser().parse_args(options)
    arguments.command = command
    load(arguments, environ={})


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.is_shell], ids=lambda b: b.where)
def test_parsers_take_every_command(block: Block) -> None:
    for words in simple_commands(block):
        check(words)


def test_commands_are_found() -> None:
    block = Block(
        ROOT / "README.md",
        1,
        "sh",
        "A=1 kvtop --json 2> /dev/null | head -3 && sudo kvtop \\\n  --once > out  # why\n"
        "kvtop --attach $(pidof redis-server)\n",
    )
    assert list(simple_commands(block)) == [
        ["kvtop", "--json"],
        ["head", "-3"],
        ["kvtop", "--once"],
        ["kvtop", "--attach", "4211"],
    ]


@pytest.mark.parametrize("words", ["kvtop --no-such", "kvtop fly", "kvtop --nodes 2"])
def test_wrong_commands_are_noticed(words: str) -> None:
    with pytest.raises(Exception, match=r"no-such|fly|odd"):
        check(words.split())


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_options_in_running_text_exist(page: Path) -> None:
    levels = {level.path: level for level in interface.whole().walk()}
    known = {flag for level in levels.values() for a in level.arguments for flag in a.flags}
    for command in inline_commands(page):
        words = shlex.split(command.replace("…", ""), comments=True)
        words = words[: words.index("--")] if "--" in words else words
        if len(words) > 1 and re.fullmatch("[a-z][a-z-]*", words[1]):
            assert words[1] in COMMANDS, command
        for word in words[1:]:
            if word.startswith("-") and len(word) > 1:
                assert word.split("=")[0] in known | {"--help", "--version"}, command


@pytest.mark.parametrize(
    "block", [b for b in BLOCKS if b.language == "toml"], ids=lambda b: b.where
)
def test_toml_is_what_kvtop_reads(block: Block, tmp_path: Path) -> None:
    table = tomllib.loads(block.text)
    if "config.toml" in block.text:
        home = tmp_path / "kvtop"
        home.mkdir()
        (home / "config.toml").write_text(block.text)
        arguments = build_parser().parse_args([])
        arguments.command = ()
        load(arguments, environ={"XDG_CONFIG_HOME": str(tmp_path)})
        assert set(table) <= {option.name for option in OPTIONS}


def test_nothing_is_left_out_without_a_reason() -> None:
    for block in BLOCKS:
        if block.is_shell and block.tag:
            assert block.tag == "background" or block.reason, block.where
