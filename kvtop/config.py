"""Options of a run: flag > environment > XDG TOML file > default, into one frozen Config."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kvtop.options import DEFAULT_LOG, OPTIONS, Option
from kvtop.remote.address import Address

_TARGETS = ("attach", "attach_name", "cgroup", "container", "unit", "all", "pick", "endpoints")
"""Options of which any one says what is to be profiled."""


class UsageError(Exception):
    """Bad input: one sentence with the remedy, for stderr and exit code 2."""


@dataclass(frozen=True, slots=True)
class Config:
    """Every option of a run; times in seconds, sizes in bytes, rates per second."""

    attach: tuple[int, ...] = ()
    attach_name: str = ""
    cgroup: str = ""
    container: str = ""
    unit: str = ""
    children: bool = False
    all: bool = False
    pick: bool = False
    command: tuple[str, ...] = ()
    """Program and arguments that came after ``--``."""
    command_log: Path | None = None
    endpoints: tuple[tuple[str, int], ...] = ()
    ssh: Address | None = None
    """The machine that the targets run on; None for this one."""
    ssh_command: tuple[str, ...] = ("ssh",)
    ssh_sudo: bool = False
    cluster: str = "raft"
    nodes: int = 3
    clients: int = 8
    mix: tuple[int, int] = (50, 50)
    value_size: int = 256
    keys: int = 10_000
    rate: int = 0
    dir: Path | None = None
    frequency: int = 99
    event: str | None = None
    period: int = 0
    """One sample every so many events (ns of a clock); 0 where the frequency decides."""
    delay: int = 0
    """Milliseconds before perf samples and counts."""
    call_graph: str = "auto"
    python_frames: str = "auto"
    duration: float | None = None
    no_stress: bool = False
    refresh: float = 0.5
    window: float = 30.0
    layers: Path | None = None
    output: Path = Path()
    theme: str = "auto"
    no_mouse: bool = False
    readonly: bool = False
    batch: bool = False
    json: bool = False
    once: bool = False
    count: int | None = None
    record: Path | None = None
    debug: Path | None = None

    @property
    def headless(self) -> bool:
        """Whether reports go to standard output instead of a screen."""
        return self.batch or self.json or self.once

    @property
    def attaches(self) -> bool:
        """Whether the targets are other programs than kvtop's own cluster."""
        return bool(
            (self.attach or self.attach_name or self.cgroup or self.container or self.unit)
            or (self.all or self.command)
        )


def add_options(parser: ArgumentParser, only: Collection[str] = ()) -> None:
    """Add every option to the parser, or some; values stay text until ``load`` checks them."""
    groups: dict[str, Any] = {}
    for option in OPTIONS:
        if only and option.name not in only:
            continue
        group = groups.get(option.group)
        if group is None:
            group = groups[option.group] = parser.add_argument_group(option.group)
        if option.bare is not None:
            group.add_argument(
                *option.flags,
                dest=option.name,
                metavar=option.metavar,
                nargs="?",
                const=option.bare,
                help=option.help,
            )
        elif option.metavar:
            group.add_argument(
                *option.flags, dest=option.name, metavar=option.metavar, help=option.help
            )
        else:
            group.add_argument(
                *option.flags,
                dest=option.name,
                action="store_const",
                const="true",
                help=option.help,
            )


def config_path(environ: Mapping[str, str]) -> Path:
    """Where the user's file is looked for (XDG base directory specification)."""
    base = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME", "/")) / ".config")
    return Path(base) / "kvtop" / "config.toml"


def log_path(environ: Mapping[str, str]) -> Path:
    """Where ``--debug`` without a file writes (XDG base directory specification)."""
    state = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME", "/")) / ".local/state")
    return Path(state) / "kvtop" / "debug.log"


def load(flags: Namespace, environ: Mapping[str, str] = os.environ) -> Config:
    """Merge the four sources; UsageError names the source of a bad value.

    Targets that the command line names replace those of the other sources.
    """
    command = tuple(getattr(flags, "command", None) or ())
    named = bool(command) or any(getattr(flags, name, None) is not None for name in _TARGETS)
    only_flags = _TARGETS if named else ()
    values = read_options(flags, [option.name for option in OPTIONS], environ, only_flags)
    if values.get("debug") == DEFAULT_LOG:
        values["debug"] = log_path(environ)
    config = Config(**values, command=command)
    _check_targets(config)
    _check_directory("--dir", config.dir)
    _check_directory("--output", config.output)
    return config


def read_options(
    flags: Namespace,
    names: Collection[str],
    environ: Mapping[str, str] = os.environ,
    only_flags: Collection[str] = (),
) -> dict[str, Any]:
    """The values of some options, as far as they are given; UsageError as `load`.

    Those in ``only_flags`` are looked for on the command line alone.
    """
    path = config_path(environ)
    from_file = _read_file(path)
    values: dict[str, Any] = {}
    for option in OPTIONS:
        if option.name not in names:
            continue
        flag = getattr(flags, option.name, None)
        variable = f"KVTOP_{option.name.upper()}"
        if flag is not None:
            values[option.name] = _parse(option, flag, option.flags[-1])
        elif option.name in only_flags:
            continue
        elif variable in environ:
            values[option.name] = _parse(option, environ[variable], variable)
        elif option.name in from_file:
            values[option.name] = _parse(option, from_file[option.name], f"{path}: {option.name}")
    return values


def _check_targets(config: Config) -> None:
    """UsageError where what is to be profiled contradicts itself."""
    alone = [
        name
        for name, given in (
            ("-- COMMAND", config.command),
            ("--all", config.all),
            ("--pick", config.pick),
        )
        if given
    ]
    others = [
        f"--{name.replace('_', '-')}"
        for name in _TARGETS
        if name not in ("all", "pick") and getattr(config, name)
    ]
    if alone and len(alone) + len(others) > 1:
        raise UsageError(f"{alone[0]} and {(*alone[1:], *others)[0]} exclude each other.")
    if config.endpoints and len(others) > 1:
        raise UsageError(f"--endpoints and {others[0]} exclude each other.")
    if config.children and not others:
        raise UsageError("--children needs processes to begin with, as in --attach PID --children.")
    if config.command_log is not None and not config.command:
        raise UsageError("--command-log needs a command: kvtop --command-log FILE -- COMMAND.")
    if config.ssh is not None:
        _check_remote(config)
    if config.pick and config.headless:
        raise UsageError("--pick needs the screen: name the processes with --attach PID.")


def _check_directory(flag: str, path: Path | None) -> None:
    """UsageError where this is no directory and none can be made there."""
    if path is None:
        return
    there = next((known for known in (path, *path.parents) if os.path.lexists(known)), Path())
    if not there.is_dir():
        raise UsageError(f"{flag} {path}: {there} is not a directory.")
    if there != path and not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"{flag} {path}: it cannot be made, because {there} cannot be written.")


def _check_remote(config: Config) -> None:
    there = config.ssh
    if config.command:
        raise UsageError(
            f"--ssh and -- COMMAND exclude each other: start it on {there}, then --attach-name it."
        )
    for name, given in (("--pick", config.pick), ("--endpoints", config.endpoints)):
        if given:
            raise UsageError(f"--ssh and {name} exclude each other.")
    if not config.attaches:
        raise UsageError(
            f"--ssh needs a target on {there}, for example --attach PID, --attach-name REGEX or "
            "-a: a cluster is started on this machine only."
        )


def _read_file(path: Path) -> dict[str, str]:
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}.") from error
    # Few have such a file, and the parser takes 10 ms to load.
    import tomllib

    try:
        data = tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}.") from error
    known = {option.name for option in OPTIONS}
    for key in data:
        if key not in known:
            raise UsageError(f"{path}: there is no option {key!r}; kvtop --help lists them.")
    return {key: _as_text(value) for key, value in data.items()}


def _as_text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value)


def _parse(option: Option, text: str, source: str) -> Any:
    try:
        return option.parse(text)
    except ValueError as error:
        detail = str(error)
        if "invalid literal" in detail or "could not convert" in detail:
            detail = "must be a number"
        raise UsageError(f"{source} {text!r}: {detail}.") from None
