"""The one table of keys: bindings, footer, help, README and man page all come from it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """One key and the app action it runs.

    ``key`` is Textual's name of it ("plus", "ctrl+c"), ``shown`` what a person reads;
    ``footer`` is the word at the bottom of the main screen, if any, and goes first where its
    ``rank`` is the highest and room is short; ``cluster`` keys exist only where kvtop runs the
    cluster.
    """

    key: str
    action: str
    text: str
    group: str
    shown: str = ""
    footer: str = ""
    rank: int = 0
    cluster: bool = False

    @property
    def label(self) -> str:
        """The key as a person reads it."""
        return self.shown or self.key


KEYS: tuple[Key, ...] = (
    Key("q", "quit", "quit", "General", footer="quit"),
    Key("ctrl+c", "quit", "quit", "General", shown="^c"),
    Key("question_mark", "help", "help: every key", "General", shown="?", footer="help"),
    Key(
        "space", "toggle_pause", "pause the screen, never the collection", "General", footer="pause"
    ),
    Key("tab", "focus_next", "next pane", "General", footer="pane", rank=1),
    Key("shift+tab", "focus_previous", "previous pane", "General"),
    Key("z", "maximize_pane", "maximise the pane, and back", "General", footer="zoom", rank=2),
    Key("ctrl+p", "command_palette", "every action by name", "General", shown="^p"),
    Key("plus", "faster", "refresh more often", "General", shown="+"),
    Key("minus", "slower", "refresh less often", "General", shown="-"),
    Key("f", "flamegraph", "flamegraph of the last seconds", "Profile", footer="flame"),
    Key("P", "python_stacks", "Python stacks by py-spy, where perf has no names", "Profile"),
    Key("o", "off_cpu", "off-CPU: where threads wait, recorded while it is open", "Profile"),
    Key("L", "layers", "layers: what CPU and waiting are spent on; advice", "Profile"),
    Key("y", "tools", "system calls, locks, run queue, block I/O, memory", "Profile"),
    Key("s", "save_svg", "save the flamegraph as interactive SVG", "Profile", footer="save"),
    Key("S", "save_all", "save perf.data, perf.unfold, perf.folded, perf.svg", "Profile"),
    Key("R", "record", "record to a file, from what is still held on; or end it", "Profile"),
    Key(
        "slash", "filter", "filter the focused pane by regex", "Profile", shown="/", footer="filter"
    ),
    Key("i", "stream", "the sample stream: every flaw, its cause and remedy", "Profile"),
    Key("e", "event_picker", "choose the events that are sampled", "Profile"),
    Key("E", "next_event", "show the samples of the next event", "Profile"),
    Key("U", "weight", "weigh by samples, or by period: CPU ms, cycles, faults", "Profile"),
    Key("t", "next_target", "hot symbols: all, then each process", "Profile"),
    Key("left_square_bracket", "window_shorter", "shorter profile window", "Profile", shown="["),
    Key("right_square_bracket", "window_longer", "longer profile window", "Profile", shown="]"),
    Key("T", "time_map", "time: heatmap, curves; select a range", "Profile", footer="time", rank=1),
    Key("m", "mark", "mark this moment: the window begins here", "Profile"),
    Key("b", "baseline", "make what is shown the baseline of the diff", "Profile"),
    Key("d", "diff", "diff: baseline, followers and leader, two targets", "Profile"),
    Key("x", "clear_range", "leave the selected time range or the mark", "Profile"),
    Key(
        "k",
        "kill_leader",
        "kill -9 the leader (asks first)",
        "Cluster",
        footer="kill leader",
        cluster=True,
    ),
    Key("p", "pause_node", "pause or resume the selected node", "Cluster", cluster=True),
    Key(
        "r",
        "restart_node",
        "restart the selected node",
        "Cluster",
        footer="restart",
        rank=3,
        cluster=True,
    ),
)


def keys_for(has_cluster: bool) -> tuple[Key, ...]:
    """The keys that work in a run with, or without, kvtop's own cluster."""
    return tuple(key for key in KEYS if has_cluster or not key.cluster)


def footer_keys(has_cluster: bool, readonly: bool) -> tuple[Key, ...]:
    """The keys that the bottom line of the main screen offers."""
    offered = has_cluster and not readonly
    return tuple(key for key in keys_for(offered) if key.footer)


def markdown_table() -> str:
    """The table of keys as the README shows it."""
    lines = ["| key | what it does |", "|---|---|"]
    lines += [f"| `{key.label}` | {key.text} |" for key in KEYS]
    return "\n".join(lines)
