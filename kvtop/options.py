"""The one table of options: the command line, the environment's names (``KVTOP_`` + name in
capitals) and the keys of the user's file come from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kvtop import option_values as value
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
DEFAULT_LOG = Path("auto")


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
        value.pids,
        ("--attach",),
        "PID[,PID]",
        "profile running processes instead of a cluster",
        "target",
    ),
    Option(
        "attach_name",
        value.regex,
        ("--attach-name",),
        "REGEX",
        "profile processes whose name or command line matches",
        "target",
    ),
    Option(
        "cgroup",
        value.name,
        ("--cgroup",),
        "PATH",
        "profile the processes of a control group",
        "target",
    ),
    Option(
        "container",
        value.name,
        ("--container",),
        "ID",
        "profile the processes of a container, by ID or name",
        "target",
    ),
    Option(
        "unit", value.name, ("--unit",), "NAME", "profile the processes of a systemd unit", "target"
    ),
    Option(
        "children",
        value.switch,
        ("--children",),
        "",
        "also the descendants they have already; those to come are always followed",
        "target",
    ),
    Option(
        "all",
        value.switch,
        ("-a", "--all"),
        "",
        "profile the whole machine, figures per process",
        "target",
    ),
    Option("pick", value.switch, ("--pick",), "", "choose processes from a list first", "target"),
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
        value.endpoints,
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
        value.words,
        ("--ssh-command",),
        "COMMAND",
        "ssh and options of your own, split as a shell would (ssh)",
        "target",
    ),
    Option(
        "ssh_sudo",
        value.switch,
        ("--ssh-sudo",),
        "",
        "be root there by sudo, which must not ask for a password",
        "target",
    ),
    Option(
        "cluster",
        value.choice("raft", "etcd"),
        ("--cluster",),
        "KIND",
        "store to start: raft (kvtop's own) or etcd, which must be installed (raft)",
        "cluster",
        choices=("raft", "etcd"),
    ),
    Option("nodes", value.odd_nodes, ("--nodes",), "N", "nodes of the cluster (3)", "cluster"),
    Option(
        "dir",
        Path,
        ("--dir",),
        "DIR",
        "keep the nodes' data here (a temporary directory)",
        "cluster",
    ),
    Option("no_stress", value.switch, ("--no-stress",), "", "start no stress clients", "cluster"),
    Option(
        "clients",
        value.integer(1, 1024),
        ("--clients",),
        "N",
        "concurrent stress clients (8)",
        "stress",
    ),
    Option(
        "mix", value.mix, ("--mix",), "READ:WRITE", "shares of reads and writes (50:50)", "stress"
    ),
    Option(
        "value_size",
        value.integer(1, 1 << 20),
        ("--value-size",),
        "BYTES",
        "size of a value (256)",
        "stress",
    ),
    Option(
        "keys",
        value.integer(1, 100_000_000),
        ("--keys",),
        "N",
        "number of different keys (10000)",
        "stress",
    ),
    Option(
        "rate",
        value.integer(0, 10_000_000),
        ("--rate",),
        "OPS",
        "operations a second; 0 is flat out (0)",
        "stress",
    ),
    Option(
        "frequency",
        value.integer(1, 10_000),
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
        value.integer(1, 1 << 62),
        ("-c", "--period"),
        "N",
        "one sample every N events, or ns of a clock, instead of -F",
        "profile",
    ),
    Option(
        "delay",
        value.integer(1, 3_600_000),
        ("-D", "--delay"),
        "MS",
        "sample and count from MS milliseconds after the start on",
        "profile",
    ),
    Option(
        "call_graph",
        value.call_graph,
        ("--call-graph",),
        "MODE",
        "auto, fp, dwarf, dwarf,BYTES or lbr (auto)",
        "profile",
        choices=value.CALL_GRAPHS,
    ),
    Option(
        "python_frames",
        value.choice("auto", "jit", "off"),
        ("--python-frames",),
        "MODE",
        "auto, jit or off: run the cluster under -X perf_jit (auto)",
        "profile",
        choices=("auto", "jit", "off"),
    ),
    Option(
        "window",
        value.number(1, 600),
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
        value.number(0.1, 10),
        ("--refresh",),
        "SECONDS",
        "time between two refreshes (0.5)",
        "screen",
    ),
    Option(
        "theme",
        value.choice(*THEMES),
        ("--theme",),
        "NAME",
        "colours: dark, light, ansi (the terminal's own 16), mono (none), nord, gruvbox ... (auto)",
        "screen",
        choices=tuple(THEMES),
    ),
    Option(
        "no_mouse",
        value.switch,
        ("--no-mouse",),
        "",
        "leave the mouse to the terminal, to select text with",
        "screen",
    ),
    Option(
        "readonly",
        value.switch,
        ("--readonly",),
        "",
        "disable the keys that kill, pause and restart",
        "screen",
    ),
    Option(
        "duration",
        value.number(0.1, 1e7),
        ("--duration",),
        "SECONDS",
        "leave by itself after this time",
        "screen",
    ),
    Option(
        "batch",
        value.switch,
        ("--batch",),
        "",
        "no screen: print tables to standard output",
        "output",
    ),
    Option(
        "json", value.switch, ("--json",), "", "no screen: print one JSON object a line", "output"
    ),
    Option(
        "once",
        value.switch,
        ("--once",),
        "",
        "no screen: measure for --duration seconds (5), print one report, exit",
        "output",
    ),
    Option(
        "count",
        value.integer(1, 10_000_000),
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
        bare=str(DEFAULT_LOG),
    ),
)
