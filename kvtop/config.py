"""Options of a run: flag > environment > XDG TOML file > default, into one frozen Config.

``OPTIONS`` is the one table: the command line, the environment names (``KVTOP_`` + name in
capitals) and the keys of the file come from it.
"""

from __future__ import annotations

import os
import re
import shlex
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kvtop.remote.address import Address

THEMES = {
    "auto": "",
    "dark": "textual-dark",
    "light": "textual-light",
    "ansi": "ansi-dark",
    "ansi-light": "ansi-light",
    "mono": "ansi-dark",
    "catppuccin": "catppuccin-mocha",
    "dracula": "dracula",
    "gruvbox": "gruvbox",
    "monokai": "monokai",
    "nord": "nord",
    "solarized": "solarized-dark",
    "solarized-light": "solarized-light",
    "tokyo-night": "tokyo-night",
}
"""Name of a theme -> Textual's name of it; "auto" leaves the choice to NO_COLOR."""
CALL_GRAPHS = ("auto", "fp", "dwarf", "lbr")
_DEFAULT_LOG = Path("auto")


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


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError(f"must be from {low:,} to {high:,}")
        return value

    return parse


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise ValueError(f"must be from {low:g} to {high:g}")
        return value

    return parse


def _odd_nodes(text: str) -> int:
    value = _integer(1, 9)(text)
    if value % 2 == 0:
        raise ValueError("must be odd (1, 3, 5, 7, 9): an even number adds no fault tolerance")
    return value


def _mix(text: str) -> tuple[int, int]:
    try:
        reads, writes = (int(part) for part in text.split(":"))
    except ValueError:
        raise ValueError("must be READ:WRITE, for example 80:20") from None
    if reads < 0 or writes < 0 or reads + writes == 0:
        raise ValueError("needs two shares of 0 or more that are not both 0")
    return reads, writes


def _pids(text: str) -> tuple[int, ...]:
    try:
        pids = tuple(dict.fromkeys(int(part) for part in text.split(",") if part.strip()))
    except ValueError:
        raise ValueError("must be process ids, for example 4211 or 4211,4212") from None
    if not pids or min(pids) < 1:
        raise ValueError("must be process ids of 1 or more, for example 4211 or 4211,4212")
    return pids


def _regex(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"must be a regular expression: {error}") from None
    return _name(text)


def _name(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def _endpoints(text: str) -> tuple[tuple[str, int], ...]:
    found: dict[tuple[str, int], None] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        address = part.removeprefix("http://").removesuffix("/")
        host, _, port = address.rpartition(":")
        if "/" in address or not host or not re.fullmatch(r"[0-9]{1,5}", port):
            raise ValueError("must be HOST:PORT,... without TLS, for example 10.0.0.1:2379")
        found[host.strip("[]"), int(port)] = None
    if not found or not all(1 <= port <= 65535 for _, port in found):
        raise ValueError("must be HOST:PORT,... with ports of 1 to 65535")
    return tuple(found)


def _words(text: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise ValueError(f"must be a command: {str(error).lower()}") from None
    if not words:
        raise ValueError("must be a command, for example 'ssh -i key'")
    return words


def _choice(*names: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in names:
            raise ValueError(f"must be one of {', '.join(names)}")
        return text

    return parse


def _call_graph(text: str) -> str:
    mode, _, size = text.partition(",")
    sized = mode == "dwarf" and size.isdecimal() and 8 <= int(size) <= 65528 and not int(size) % 8
    if text not in CALL_GRAPHS and not sized:
        raise ValueError(f"must be one of {', '.join(CALL_GRAPHS)}, or dwarf,BYTES (8 to 65528)")
    return text


def _switch(text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off", ""}:
        return False
    raise ValueError("must be true or false")


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the option table; ``bare`` is the value of a flag that came without one."""

    name: str
    parse: Callable[[str], Any]
    flags: tuple[str, ...]
    metavar: str
    help: str
    group: str
    choices: tuple[str, ...] = ()
    bare: str | None = None


OPTIONS: tuple[Option, ...] = (
    Option(
        "attach",
        _pids,
        ("--attach",),
        "PID[,PID]",
        "profile running processes instead of a cluster",
        "target",
    ),
    Option(
        "attach_name",
        _regex,
        ("--attach-name",),
        "REGEX",
        "profile processes whose name or command line matches",
        "target",
    ),
    Option(
        "cgroup", _name, ("--cgroup",), "PATH", "profile the processes of a control group", "target"
    ),
    Option(
        "container",
        _name,
        ("--container",),
        "ID",
        "profile the processes of a container, by ID or name",
        "target",
    ),
    Option("unit", _name, ("--unit",), "NAME", "profile the processes of a systemd unit", "target"),
    Option(
        "children",
        _switch,
        ("--children",),
        "",
        "also the descendants they have already; those to come are always followed",
        "target",
    ),
    Option(
        "all",
        _switch,
        ("-a", "--all"),
        "",
        "profile the whole machine, figures per process",
        "target",
    ),
    Option("pick", _switch, ("--pick",), "", "choose processes from a list first", "target"),
    Option(
        "command_log",
        Path,
        ("--command-log",),
        "FILE",
        "append the output of -- COMMAND to this file (the logs pane)",
        "target",
    ),
    Option(
        "endpoints",
        _endpoints,
        ("--endpoints",),
        "HOST:PORT,...",
        "watch a running cluster of etcd or kvtop; its members on this machine are profiled",
        "target",
    ),
    Option(
        "ssh",
        Address.parse,
        ("--ssh",),
        "[USER@]HOST[:PORT]",
        "the targets run there: it needs perf and Python 3.11, nothing else",
        "target",
    ),
    Option(
        "ssh_command",
        _words,
        ("--ssh-command",),
        "COMMAND",
        "ssh and options of your own, split as a shell would (ssh)",
        "target",
    ),
    Option(
        "ssh_sudo",
        _switch,
        ("--ssh-sudo",),
        "",
        "be root there by sudo, which must not ask for a password",
        "target",
    ),
    Option(
        "cluster",
        _choice("raft", "etcd"),
        ("--cluster",),
        "KIND",
        "store to start: raft (kvtop's own) or etcd, which must be installed (raft)",
        "cluster",
        choices=("raft", "etcd"),
    ),
    Option("nodes", _odd_nodes, ("--nodes",), "N", "nodes of the cluster (3)", "cluster"),
    Option(
        "dir",
        Path,
        ("--dir",),
        "DIR",
        "keep the nodes' data here (a temporary directory)",
        "cluster",
    ),
    Option("no_stress", _switch, ("--no-stress",), "", "start no stress clients", "cluster"),
    Option(
        "clients", _integer(1, 1024), ("--clients",), "N", "concurrent stress clients (8)", "stress"
    ),
    Option("mix", _mix, ("--mix",), "READ:WRITE", "shares of reads and writes (50:50)", "stress"),
    Option(
        "value_size",
        _integer(1, 1 << 20),
        ("--value-size",),
        "BYTES",
        "size of a value (256)",
        "stress",
    ),
    Option(
        "keys",
        _integer(1, 100_000_000),
        ("--keys",),
        "N",
        "number of different keys (10000)",
        "stress",
    ),
    Option(
        "rate",
        _integer(0, 10_000_000),
        ("--rate",),
        "OPS",
        "operations a second; 0 is flat out (0)",
        "stress",
    ),
    Option(
        "frequency",
        _integer(1, 10_000),
        ("-F", "--frequency"),
        "HZ",
        "samples a second and CPU (99)",
        "profile",
    ),
    Option(
        "event",
        str,
        ("-e", "--event"),
        "EVENT",
        "events to sample, as perf list names them: a, a,b or {a,b} (cycles, else cpu-clock)",
        "profile",
    ),
    Option(
        "period",
        _integer(1, 1 << 62),
        ("-c", "--period"),
        "N",
        "one sample every N events, or ns of a clock, instead of -F",
        "profile",
    ),
    Option(
        "delay",
        _integer(1, 3_600_000),
        ("-D", "--delay"),
        "MS",
        "sample and count from MS milliseconds after the start on",
        "profile",
    ),
    Option(
        "call_graph",
        _call_graph,
        ("--call-graph",),
        "MODE",
        "auto, fp, dwarf, dwarf,BYTES or lbr (auto)",
        "profile",
        choices=CALL_GRAPHS,
    ),
    Option(
        "python_frames",
        _choice("auto", "jit", "off"),
        ("--python-frames",),
        "MODE",
        "auto, jit or off: run the cluster under -X perf_jit (auto)",
        "profile",
        choices=("auto", "jit", "off"),
    ),
    Option(
        "window",
        _number(1, 600),
        ("--window",),
        "SECONDS",
        "length of the profile window (30)",
        "profile",
    ),
    Option(
        "layers",
        Path,
        ("--layers",),
        "FILE",
        "rules of the layers of your own code (~/.config/kvtop/layers.toml)",
        "profile",
    ),
    Option(
        "output",
        Path,
        ("--output",),
        "DIR",
        "where the keys s, S and R save (the current directory)",
        "profile",
    ),
    Option(
        "refresh",
        _number(0.1, 10),
        ("--refresh",),
        "SECONDS",
        "time between two refreshes (0.5)",
        "screen",
    ),
    Option(
        "theme",
        _choice(*THEMES),
        ("--theme",),
        "NAME",
        "colours: dark, light, ansi (the terminal's own 16), mono (none), nord, gruvbox ... (auto)",
        "screen",
        choices=tuple(THEMES),
    ),
    Option(
        "no_mouse",
        _switch,
        ("--no-mouse",),
        "",
        "leave the mouse to the terminal, to select text with",
        "screen",
    ),
    Option(
        "readonly",
        _switch,
        ("--readonly",),
        "",
        "disable the keys that kill, pause and restart",
        "screen",
    ),
    Option(
        "duration",
        _number(0.1, 1e7),
        ("--duration",),
        "SECONDS",
        "leave by itself after this time",
        "screen",
    ),
    Option(
        "batch", _switch, ("--batch",), "", "no screen: print tables to standard output", "output"
    ),
    Option("json", _switch, ("--json",), "", "no screen: print one JSON object a line", "output"),
    Option(
        "once",
        _switch,
        ("--once",),
        "",
        "no screen: measure for --duration seconds (5), print one report, exit",
        "output",
    ),
    Option(
        "count",
        _integer(1, 10_000_000),
        ("-n", "--count"),
        "N",
        "with --batch or --json: reports to print",
        "output",
    ),
    Option(
        "record",
        Path,
        ("--record",),
        "FILE",
        "keep the run in a file, for kvtop replay",
        "output",
    ),
    Option(
        "debug",
        Path,
        ("--debug",),
        "FILE",
        "log what kvtop and its collectors do, never the data (~/.local/state/kvtop/debug.log)",
        "output",
        bare=str(_DEFAULT_LOG),
    ),
)


_TARGETS = ("attach", "attach_name", "cgroup", "container", "unit", "all", "pick", "endpoints")
"""Options of which any one says what is to be profiled."""


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
    if values.get("debug") == _DEFAULT_LOG:
        values["debug"] = log_path(environ)
    config = Config(**values, command=command)
    _check_targets(config)
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
