"""What ran, on what, and what became of it: the environment, nodes, processes, events."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime

from kvtop.events import Marker, MarkerKind, Role
from kvtop.report.blocks import Block, Mark, Table, Text
from kvtop.report.history import AROUND
from kvtop.report.source import Material, Recorded
from kvtop.report.words import NONE, latency, moment, percent, plural, span, whole

MOST_EVENTS = 60
_MOST_PROCESSES = 40
LETTERS = {
    MarkerKind.ELECTION: "E",
    MarkerKind.KILL: "K",
    MarkerKind.PAUSE: "P",
    MarkerKind.RESUME: "C",
    MarkerKind.RESTART: "R",
    MarkerKind.EXIT: "X",
    MarkerKind.GAP: "G",
    MarkerKind.NOTE: "N",
}
_COSTLY = (MarkerKind.ELECTION, MarkerKind.KILL, MarkerKind.PAUSE, MarkerKind.RESTART)


def environment_blocks(material: Material) -> tuple[Block, ...]:
    """What was measured where, a row each; what is not known is left out."""
    rows = _recorded_rows(material.recorded) if material.recorded else _profile_rows(material)
    rows = [(name, text) for name, text in rows if text]
    return (Table(("What", "Measured here"), "ll", (*rows, ("File", material.name))),)


def _recorded_rows(recorded: Recorded) -> list[tuple[str, str]]:
    meta = recorded.meta
    cpus = f"{plural(meta.cpus, 'CPU')}"
    return [
        ("Target", meta.run.title),
        ("Recorded", f"{date(meta.wall)}, {span(recorded.seconds)}"),
        ("Command", shlex.join(meta.command)),
        ("Host", meta.host),
        ("Kernel", f"Linux {meta.kernel}" if meta.kernel else ""),
        ("CPU", f"{meta.cpu}, {cpus}" if meta.cpu else cpus),
        ("perf", meta.perf),
        ("kvtop", meta.kvtop),
    ]


def _profile_rows(material: Material) -> list[tuple[str, str]]:
    assert material.profile is not None
    meta = material.profile.meta
    start = material.profile.start
    return [
        ("Profile", meta.title),
        ("Recorded", date(start) if start else ""),
        ("Time covered", span(material.seconds) if material.seconds else meta.window),
        ("Command", meta.command),
        ("Host", meta.host),
        ("Kernel", f"Linux {meta.kernel}" if meta.kernel else ""),
        ("Event", " ".join(filter(None, (meta.event, meta.frequency)))),
    ]


def date(wall: float) -> str:
    """A Unix time, in UTC."""
    return f"{datetime.fromtimestamp(wall, UTC):%Y-%m-%d %H:%M:%S} UTC"


# ---- the target ---------------------------------------------------------------------------------


def structure_blocks(recorded: Recorded) -> tuple[Block, ...]:
    """Nodes, processes, and what happened to them."""
    return (*_nodes(recorded), *_processes(recorded), *_events(recorded))


def _nodes(recorded: Recorded) -> tuple[Block, ...]:
    history = recorded.history
    rows = []
    for name in history.nodes:
        last = history.statuses[name][-1]
        shares = history.role_shares(name)
        pids = history.pids(name)
        rows.append(
            (
                name,
                f"{last.role}, {last.state}",
                percent(shares.get(Role.LEADER, 0.0)) if shares else NONE,
                span(history.down(name)) if history.down(name) else NONE,
                ", ".join(map(str, pids)) or NONE,
                whole(last.term),
                whole(last.commit),
                whole(last.keys),
            )
        )
    if not rows:
        return ()
    head = ("Node", "At the end", "Led for", "Down", "PIDs", "Term", "Commit", "Keys")
    return (Table(head, "llrrlrrr", tuple(rows), "Nodes of the cluster"),)


def _processes(recorded: Recorded) -> tuple[Block, ...]:
    found = sorted(
        recorded.history.targets.values(), key=lambda t: (t.role is Role.CLIENT, t.label, t.pid)
    )
    shown = found[:_MOST_PROCESSES]
    rows: list[tuple[str, ...]]
    rows = [(t.label, str(t.pid), "perf map" if t.python_frames else NONE) for t in shown]
    head: tuple[str, ...] = ("Process", "PID", "Python frames")
    align = "lrl"
    # kvtop's own cluster needs no command lines to be known.
    if any(target.command for target in shown):
        commands = [target.command or NONE for target in shown]
        rows = [(*row, command) for row, command in zip(rows, commands, strict=True)]
        head, align = (*head, "Command"), "lrlc"
    if not rows:
        return ()
    blocks: list[Block] = [Table(head, align, tuple(rows), "Processes")]
    if len(found) > len(rows):
        blocks.append(Text(f"{len(found) - len(rows)} more are left out.", quiet=True))
    return tuple(blocks)


def _events(recorded: Recorded) -> tuple[Block, ...]:
    markers = markers_of(recorded)
    if not markers:
        return (Text("No election, kill, pause, restart or exit while it was recorded."),)
    history = recorded.history
    loaded = bool(history.stress)
    rows = []
    for marker in markers[:MOST_EVENTS]:
        row = [
            moment(marker.time - recorded.start, 1),
            f"{LETTERS[marker.kind]} {marker.kind.value}",
            marker.text,
        ]
        if loaded:
            row += _cost(recorded, marker) if marker.kind in _COSTLY else [NONE] * 3
        rows.append(tuple(row))
    costs = ("ops/s before", "slowest after", "worst p99 after") if loaded else ()
    head = ("Time", "Event", "What", *costs)
    table = Table(
        head,
        "lll" + "r" * (len(head) - 3),
        tuple(rows),
        f"What happened; before and after are {AROUND:.0f} s" if loaded else "What happened",
    )
    if len(markers) > MOST_EVENTS:
        return table, Text(f"{len(markers) - MOST_EVENTS} later events are left out.", quiet=True)
    return (table,)


def _cost(recorded: Recorded, marker: Marker) -> list[str]:
    """What the clients saw around a moment."""
    history, at = recorded.history, marker.time
    before = history.load(at - AROUND, at)
    after = history.load(at, at + AROUND)
    return [
        whole(before.rate) if before is not None else NONE,
        whole(after.slowest) if after is not None else NONE,
        latency(after.worst_p99) if after is not None else NONE,
    ]


def markers_of(recorded: Recorded) -> list[Marker]:
    """What happened while it was recorded, in the order of time."""
    return sorted(recorded.store.markers.items, key=lambda marker: marker.time)


def marks_of(recorded: Recorded) -> tuple[Mark, ...]:
    """The same for the charts."""
    return tuple(
        Mark(marker.time - recorded.start, LETTERS[marker.kind], marker.text)
        for marker in markers_of(recorded)
    )


def count_of(recorded: Recorded, kind: MarkerKind) -> int:
    """How often it happened."""
    return sum(marker.kind is kind for marker in recorded.store.markers.items)
