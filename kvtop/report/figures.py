"""Throughput, latency, CPU, counters and the disk: figures of the whole run, and over time."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kvtop.report.blocks import Block, Chart, Line, Points, Table, Text
from kvtop.report.history import Load, middle
from kvtop.report.source import Recorded
from kvtop.report.structure import marks_of
from kvtop.report.words import NONE, latency, moment, number, percent, size, whole

_CHARTED = ("context-switches", "page-faults", "cpu-migrations", "cycles", "instructions")
_LINES = 8
_LOG_FROM = 12.0
"""Greatest by least latency from which on a linear axis would hide the small ones."""


def per_operation(recorded: Recorded) -> float | None:
    """CPU seconds of everything but the clients per operation, by /proc."""
    load, cores = recorded.history.load(), serving_cores(recorded)
    return cores / load.rate if load is not None and load.rate and cores is not None else None


def serving_cores(recorded: Recorded) -> float | None:
    """CPU seconds a second of everything but the clients."""
    history = recorded.history
    known = [c for label in history.serving if (c := history.cores(label)) is not None]
    return sum(known) if known else None


def figure_blocks(recorded: Recorded) -> tuple[Block, ...]:
    """Tables and charts."""
    load = recorded.history.load()
    found: list[Block] = []
    if load is not None:
        found.append(load_table(recorded, load))
    return (
        *found,
        *_stress_charts(recorded),
        *_cpu(recorded),
        *_disk(recorded),
        *_counters(recorded),
    )


def load_table(recorded: Recorded, load: Load) -> Table:
    """The clients' figures."""
    at = NONE if load.worst_at is None else moment(load.worst_at - recorded.start)
    of = load.operations + load.errors
    cost = per_operation(recorded)
    rows = [
        ("Operations", f"{load.operations:,}", f"{load.reads:,} reads, {load.writes:,} writes"),
        (
            "Throughput",
            f"{whole(load.rate)}/s",
            f"{whole(load.slowest)} to {whole(load.fastest)} in an interval",
        ),
        ("Errors", f"{load.errors:,}", f"{percent(load.errors / of, 2)} of all" if of else ""),
        ("p50", latency(load.p50), "median of the intervals"),
        ("p99", latency(load.p99), f"median; worst {latency(load.worst_p99)} at {at}"),
        ("p99.9", latency(load.p999), "median of the intervals"),
    ]
    if cost is not None:
        rows.append(("CPU per operation", latency(cost), "of all nodes together, by /proc"))
    return Table(("Clients", "Figure", ""), "lrl", tuple(rows))


def _chart(
    recorded: Recorded,
    title: str,
    quantity: str,
    show: Callable[[float], str],
    lines: Iterable[Line],
    log: bool = False,
    note: str = "",
) -> tuple[Block, ...]:
    known = [line for line in lines if any(value is not None for _, value in line.points)]
    if not known:
        return ()
    if len(known) > _LINES:
        note = f"{note} {len(known) - _LINES} more are not drawn.".strip()
    return (
        Chart(
            title,
            quantity,
            show,
            tuple(known[:_LINES]),
            0.0,
            max(recorded.seconds, 1e-3),
            marks_of(recorded),
            log,
            note,
        ),
    )


def _points(recorded: Recorded, points: Iterable[tuple[float, float | None]]) -> Points:
    return tuple((time - recorded.start, value) for time, value in points)


def _stress_charts(recorded: Recorded) -> tuple[Block, ...]:
    stress = recorded.history.stress
    rates = Line("throughput", _points(recorded, ((one.time, one.rate) for one in stress)))
    latencies = [
        Line("p50", _points(recorded, ((one.time, one.p50) for one in stress))),
        Line("p99", _points(recorded, ((one.time, one.p99) for one in stress))),
        Line("p99.9", _points(recorded, ((one.time, one.p999) for one in stress))),
    ]
    known = [v for line in latencies for _, v in line.points if v]
    log = bool(known) and max(known) > _LOG_FROM * min(known)
    scale = "latency, logarithmic" if log else "latency"
    return (
        *_chart(recorded, "Throughput", "operations/s", number, [rates]),
        *_chart(recorded, "Latency of the clients", scale, latency, latencies, log),
    )


def _cpu(recorded: Recorded) -> tuple[Block, ...]:
    history = recorded.history
    labels = sorted(history.usage, key=lambda label: (label not in history.serving, label))
    rows = []
    for label in labels:
        readings = history.usage[label]
        rows.append(
            (
                label,
                percent(history.cores(label)),
                percent(history.busiest(label)),
                size(max(one.rss for one in readings)),
                whole(max(one.threads for one in readings)),
            )
        )
    if not rows:
        return ()
    lines = [Line(label, _points(recorded, history.cpu_points(label))) for label in labels]
    head = ("Process", "CPU, mean", "CPU, most", "Memory, most", "Threads, most")
    return (
        *_chart(recorded, "CPU", "share of one core", percent, lines),
        Table(head, "lrrrr", tuple(rows), "CPU in percent of one core, resident memory"),
    )


def _disk(recorded: Recorded) -> tuple[Block, ...]:
    history = recorded.history
    lines = [
        Line(name, _points(recorded, ((s.time, s.fdatasync_p99) for s in told)))
        for name, told in sorted(history.statuses.items())
    ]
    rows = []
    for name, told in sorted(history.statuses.items()):
        p99 = middle(one.fdatasync_p99 for one in told)
        if p99 is not None:
            worst = max(one.fdatasync_p99 or 0.0 for one in told)
            rows.append((name, latency(p99), latency(worst)))
    if not rows:
        return ()
    return (
        *_chart(recorded, "fdatasync of the nodes", "p99", latency, lines),
        Table(("Node", "p99, median", "p99, worst"), "lrr", tuple(rows), "fdatasync"),
    )


def _counters(recorded: Recorded) -> tuple[Block, ...]:
    history = recorded.history
    lost = set(history.unsupported())
    events = [event for event in history.counter_events if event not in lost]
    labels = [
        label
        for label in sorted({label for label, _ in history.counters})
        if any(history.counted(label, event) is not None for event in events)
    ]
    labels = [label for label in labels if label in history.serving] or labels
    if not labels or not events:
        return ()
    load = history.load()
    head = ["Counter", *labels[:_LINES]]
    each = load is not None and load.rate > 0
    if each:
        head.append("per operation")
    rows = [_counter_row(recorded, event, labels, load if each else None) for event in events]
    if "cycles" in events and "instructions" in events:
        rows.append(_ipc_row(recorded, labels, each))
    charts: list[Block] = []
    for event in [event for event in _CHARTED if event in events][:3]:
        lines = [
            Line(
                label,
                _points(
                    recorded,
                    (
                        (one.time, None if one.value is None else one.value / one.interval)
                        for one in history.counters.get((label, event), ())
                        if one.interval > 0
                    ),
                ),
            )
            for label in labels
        ]
        charts += _chart(recorded, event, "a second", number, lines)
    note = "Means per second of the time that a process ran; of clocks, CPU seconds a second. "
    note += "Per operation: all that was counted in all columns, by all operations." if each else ""
    table = Table(tuple(head), "c" + "r" * (len(head) - 1), tuple(rows), "Counters of perf stat")
    return (*charts, table, Text(note.strip(), quiet=True))


def _counter_row(
    recorded: Recorded, event: str, labels: list[str], load: Load | None
) -> tuple[str, ...]:
    rates = [recorded.history.counted(label, event) for label in labels]
    # perf stat gives clocks in ms.
    clock = event.endswith("-clock")
    scaled = [None if rate is None else rate / 1e3 if clock else rate for rate in rates]
    row = [event, *map(number, scaled[:_LINES])]
    if load is not None:
        amounts = [recorded.history.amount(label, event) for label in labels]
        known = [amount for amount in amounts if amount is not None]
        each = sum(known) / load.operations if known else None
        row.append(latency(None if each is None else each / 1e3) if clock else number(each))
    return tuple(row)


def _ipc_row(recorded: Recorded, labels: list[str], each: bool) -> tuple[str, ...]:
    row = ["instructions per cycle"]
    for label in labels[:_LINES]:
        cycles = recorded.history.counted(label, "cycles")
        done = recorded.history.counted(label, "instructions")
        row.append(number(done / cycles) if cycles and done is not None else NONE)
    return (*row, NONE) if each else tuple(row)
