"""The whole command line as plain data, read from its parsers: for completion and man page."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from kvtop.cli import COMMANDS, build_parser, command_parser
from kvtop.options import OPTIONS

_CHOICES = {flag: option.choices for option in OPTIONS for flag in option.flags}


@dataclass(frozen=True, slots=True)
class Argument:
    """An option, or a positional argument where ``flags`` is empty.

    ``metavar`` is empty where an option takes no value; ``optional`` says that a value may be
    left out.
    """

    flags: tuple[str, ...]
    metavar: str
    help: str
    choices: tuple[str, ...]
    optional: bool

    @property
    def is_path(self) -> bool:
        """Whether its value names a file or a directory."""
        return self.metavar in ("FILE", "DIR")


@dataclass(frozen=True, slots=True)
class Level:
    """A command with its arguments in groups of the parser's titles, and its own commands."""

    path: tuple[str, ...]
    summary: str
    description: str
    groups: tuple[tuple[str, tuple[Argument, ...]], ...]
    children: tuple[Level, ...]

    @property
    def name(self) -> str:
        """What a person types after the level above."""
        return self.path[-1]

    @property
    def arguments(self) -> tuple[Argument, ...]:
        """Of all groups."""
        return tuple(argument for _, arguments in self.groups for argument in arguments)

    @property
    def options(self) -> tuple[Argument, ...]:
        """Those that begin with a dash."""
        return tuple(argument for argument in self.arguments if argument.flags)

    @property
    def positionals(self) -> tuple[Argument, ...]:
        """Those that do not."""
        return tuple(argument for argument in self.arguments if not argument.flags)

    def walk(self) -> list[Level]:
        """This level and all below it."""
        return [self, *(below for child in self.children for below in child.walk())]


def whole() -> Level:
    """``kvtop`` and every command."""
    children = tuple(
        _level(command_parser(name), ("kvtop", name), text) for name, (_, text) in COMMANDS.items()
    )
    top = _level(build_parser(), ("kvtop",), "")
    return Level(top.path, top.summary, top.description, top.groups, children)


def _level(parser: argparse.ArgumentParser, path: tuple[str, ...], summary: str) -> Level:
    groups = []
    children: list[Level] = []
    # argparse has no public way to read a parser; these names have not moved since Python 2.7.
    for group in parser._action_groups:
        arguments = []
        for action in group._group_actions:
            if isinstance(action, argparse._SubParsersAction):
                texts = {choice.dest: choice.help or "" for choice in action._choices_actions}
                children += [
                    _level(below, (*path, name), texts.get(name, ""))
                    for name, below in action.choices.items()
                ]
            elif action.help is not argparse.SUPPRESS:
                arguments.append(_argument(action))
        if arguments:
            groups.append((group.title or "", tuple(arguments)))
    return Level(path, summary, parser.description or "", tuple(groups), tuple(children))


def _argument(action: argparse.Action) -> Argument:
    flags = tuple(action.option_strings)
    choices = tuple(map(str, action.choices or ()))
    choices = choices or next((_CHOICES[flag] for flag in flags if _CHOICES.get(flag)), ())
    metavar = ""
    if action.nargs != 0:
        named = action.metavar if isinstance(action.metavar, str) else None
        metavar = named or (f"{{{','.join(choices)}}}" if choices else action.dest.upper())
    return Argument(flags, metavar, action.help or "", choices, action.nargs == "?")
