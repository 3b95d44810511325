"""``kvtop completion``: scripts that let a shell complete commands, options and their values."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator

from kvtop.interface import Argument, Level, whole

_DESCRIPTION = """\
Print a completion script for a shell.

  bash   kvtop completion bash > ~/.local/share/bash-completion/completions/kvtop
  zsh    kvtop completion zsh > ~/.zfunc/_kvtop     (a directory in $fpath, before compinit)
  fish   kvtop completion fish > ~/.config/fish/completions/kvtop.fish
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.description = _DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("shell", choices=tuple(SHELLS), help="whose script")


def run(arguments: argparse.Namespace) -> int:
    """Print the script; the exit code."""
    print(SHELLS[arguments.shell](whole()), end="")
    return 0


def bash(top: Level) -> str:
    """A script for bash 4 and newer."""
    levels = top.walk()
    steps = [
        f"      {path}) path={path};;"
        for level in levels[1:]
        for path in (shlex.quote(" ".join(level.path)),)
    ]
    values, words = [], []
    for level in levels:
        path = " ".join(level.path)
        for option in level.options:
            if not option.metavar:
                continue
            patterns = "|".join(shlex.quote(f"{path} {flag}") for flag in option.flags)
            if option.choices:
                values.append(f"    {patterns}) {_bash_words(option.choices)}; return;;")
            elif option.is_path:
                values.append(f"    {patterns}) _kvtop_files; return;;")
            elif not option.optional:
                values.append(f"    {patterns}) return;;")
        words.append(f"    {shlex.quote(path)}) {_bash_words(_words(level))}{_bash_rest(level)};;")
    return _BASH.format(steps="\n".join(steps), values="\n".join(values), words="\n".join(words))


_BASH = """\
# bash completion of kvtop, made by: kvtop completion bash
_kvtop_files() {{
  compopt -o filenames 2>/dev/null
  local IFS=$'\\n'
  COMPREPLY+=($(compgen -f -- "$cur"))
}}
_kvtop() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} path=kvtop word at
  for ((at = 1; at < COMP_CWORD; at++)); do
    word=${{COMP_WORDS[at]}}
    case "$path $word" in
{steps}
    esac
  done
  COMPREPLY=()
  case "$path ${{COMP_WORDS[COMP_CWORD-1]}}" in
{values}
  esac
  case "$path" in
{words}
  esac
}}
complete -F _kvtop kvtop
"""


def _bash_words(words: tuple[str, ...]) -> str:
    return f'COMPREPLY=($(compgen -W {shlex.quote(" ".join(words))} -- "$cur"))'


def _bash_rest(level: Level) -> str:
    files = any(argument.is_path for argument in level.positionals)
    return "; [[ $cur == -* ]] || _kvtop_files" if files else ""


def _words(level: Level) -> tuple[str, ...]:
    """What may come next that is known by name."""
    return (
        *(child.name for child in level.children),
        *(choice for argument in level.positionals for choice in argument.choices),
        *(flag for option in level.options for flag in option.flags),
    )


def zsh(top: Level) -> str:
    """A function for zsh's completion system."""
    functions = "\n".join(line for level in top.walk() for line in _zsh_function(level))
    head = "#compdef kvtop\n# zsh completion of kvtop, made by: kvtop completion zsh\n"
    return f'{head}{functions}\n_kvtop "$@"\n'


def _zsh_function(level: Level) -> Iterator[str]:
    yield f"{_zsh_name(level)}() {{"
    specs = [spec for option in level.options for spec in _zsh_option(option)]
    if level.children:
        listed = " ".join(shlex.quote(f"{child.name}:{child.summary}") for child in level.children)
        yield "  local curcontext=$curcontext state line ret=1"
        yield f"  local -a verbs=({listed})"
        specs += ["1: :->verb", "*:: :->rest"]
    else:
        specs += [spec for argument in level.positionals for spec in _zsh_positional(argument)]
    yield f"  _arguments -C -S {' '.join(shlex.quote(spec) for spec in specs)} && ret=0"
    if level.children:
        yield "  case $state in"
        yield "    verb) _describe command verbs && ret=0;;"
        yield "    rest) case $words[1] in"
        for child in level.children:
            yield f"      {child.name}) {_zsh_name(child)} && ret=0;;"
        yield "    esac;;"
        yield "  esac"
        yield "  return ret"
    yield "}"


def _zsh_name(level: Level) -> str:
    return "_" + "_".join(level.path).replace("-", "_")


def _zsh_option(option: Argument) -> Iterator[str]:
    text = _zsh_escaped(option.help)
    value = ""
    if option.metavar:
        colons = "::" if option.optional else ":"
        value = f"{colons}{_zsh_escaped(option.metavar)}:{_zsh_action(option)}"
    others = " ".join(option.flags) if len(option.flags) > 1 else ""
    for flag in option.flags:
        yield f"{f'({others})' if others else ''}{flag}[{text}]{value}"


def _zsh_positional(argument: Argument) -> Iterator[str]:
    yield f"{'::' if argument.optional else ':'}{_zsh_escaped(argument.metavar)}:" + _zsh_action(
        argument
    )


def _zsh_action(argument: Argument) -> str:
    if argument.choices:
        return f"({' '.join(argument.choices)})"
    return "_files" if argument.is_path else " "


def _zsh_escaped(text: str) -> str:
    for special in "\\[]:":
        text = text.replace(special, f"\\{special}")
    return text


def fish(top: Level) -> str:
    """Lines for fish 3 and newer."""
    lines = ["# fish completion of kvtop, made by: kvtop completion fish", "complete -c kvtop -f"]
    for level in top.walk():
        lines += _fish_level(level)
    return "\n".join(lines) + "\n"


def _fish_level(level: Level) -> Iterator[str]:
    seen = [f"__fish_seen_subcommand_from {word}" for word in level.path[1:]]
    if level.children:
        names = " ".join(child.name for child in level.children)
        seen.append(f"not __fish_seen_subcommand_from {names}")
    start = f"complete -c kvtop -n {shlex.quote('; and '.join(seen))}"
    for child in level.children:
        yield f"{start} -a {child.name} -d {_fish_quoted(child.summary)}"
    for option in level.options:
        flags = " ".join(
            f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags
        )
        yield f"{start} {flags}{_fish_value(option)} -d {_fish_quoted(option.help)}"
    for argument in level.positionals:
        if argument.choices:
            yield f"{start} -a {_fish_quoted(' '.join(argument.choices))}"
        elif argument.is_path:
            yield f"{start} -F"


def _fish_value(option: Argument) -> str:
    if not option.metavar:
        return ""
    needed = "" if option.optional else " -r"
    if option.choices:
        return f"{needed} -a {_fish_quoted(' '.join(option.choices))}"
    return f"{needed} -F" if option.is_path else needed


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}
