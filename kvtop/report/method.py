"""How the figures came about, how far they can be trusted, and what was not measured."""

from __future__ import annotations

from kvtop.events import FlawKind, PipelineStats
from kvtop.report.blocks import Block, Table, Text
from kvtop.report.history import Stream, middle
from kvtop.report.source import Material, Recorded
from kvtop.report.words import listing, moment, number, percent, plural, span, whole

_MOST_FLAWS = 8


def method_blocks(material: Material) -> tuple[Block, ...]:
    """The method, the flaws of the samples, and what is missing."""
    if material.recorded is None:
        return _profile(material)
    recorded = material.recorded
    last = recorded.history.pipelines[-1] if recorded.history.pipelines else None
    blocks: list[Block] = [Text(sentence) for sentence in _sampling(material, recorded, last)]
    blocks += _flaws(last)
    blocks += [Text(sentence) for sentence in _own_cost(recorded)]
    missing = _missing(recorded)
    if missing:
        blocks.append(Table(("Not measured", "Why"), "ll", tuple(missing), "What is missing"))
    return tuple(blocks)


def trust(material: Material, stream: Stream | None = None) -> str:
    """The flaws of the samples in one sentence; of lost ones where ``stream`` knows them."""
    counts, table = material.counts, material.table
    total = sum(counts.values())
    if not total:
        return ""
    broken = sum(n for stack, n in counts.items() if table.is_broken(stack))
    nameless = sum(n for stack, n in counts.items() if table.leaf_unresolved(stack))
    text = (
        f"{percent(broken / total)} of {total:,} {material.unit} do not reach their thread's "
        f"start, {percent(nameless / total)} end in a function without a name"
    )
    if stream is not None:
        share = stream.lost / (stream.samples + stream.lost or 1)
        text += (
            f"; perf lost {stream.lost:,} more ({percent(share, 2)})"
            if stream.lost
            else "; perf lost none"
        )
    return f"{text}."


def _sampling(material: Material, recorded: Recorded, last: PipelineStats | None) -> list[str]:
    if last is None:
        return ["perf took no samples: see what is missing below."]
    meta, history = recorded.meta, recorded.history
    stream = history.stream
    ring = recorded.store.ring
    held = sum(material.counts.values())
    processes = len({origin.pid for origin in ring.origins})
    found = [
        f"perf record sampled {last.event} at {last.rate_text} with call graphs by "
        f"{last.call_graph}: {held:,} samples of {plural(processes, 'process', 'processes')} over "
        f"{span(material.seconds)}; none was taken where no process ran on a CPU."
    ]
    if ring.event is not None:
        found.append(f"Several events were sampled: what follows is of {ring.event} alone.")
    python = meta.run.python_frames
    if python == "on":
        found.append("Python functions are frames of their own: the interpreter names its code.")
    elif python == "py-spy":
        found.append("Python stacks are py-spy's, sampled apart from perf's.")
    elif python and python != "off":
        found.append(f"Python frames: {python.rstrip('.')}.")
    found += [sentence for sentence in (trust(material, stream),) if sentence]
    if stream.streams > 1:
        found.append(f"The sampling was started {stream.streams} times.")
    if stream.throttled:
        found.append(f"The kernel throttled the sampling {plural(stream.throttled, 'time')}.")
    if history.counters:
        intervals = [one.interval for told in history.counters.values() for one in told]
        found.append(
            f"perf stat counted {len(history.counter_events)} events per target every "
            f"{number(middle(intervals))} s; CPU and memory are read from /proc."
        )
    if history.stress:
        clients = max(one.clients for one in history.stress)
        interval = middle(one.interval for one in history.stress)
        found.append(
            f"Throughput and latency are those of {plural(clients, 'client')}, in intervals of "
            f"{number(interval)} s. Percentiles of intervals cannot be merged: a p99 of the whole "
            "run is the median of its intervals' p99."
        )
    waits = recorded.store.waits
    if waits.stats is not None and len(waits.ring):
        every = waits.stats.every
        stacks = "every one" if every == 1 else f"one in {every}"
        found.append(
            f"Off-CPU time is from context switches, {stacks} with its stack; "
            f"{whole(waits.stats.lost)} records were lost."
        )
    return found


def _flaws(last: PipelineStats | None) -> list[Block]:
    if last is None or not last.flaws:
        return []
    made = last.samples + last.lost
    words = {
        FlawKind.BROKEN: "does not reach its thread's start",
        FlawKind.UNRESOLVED: "has no name",
        FlawKind.LOST: "lost",
    }
    rows = tuple(
        (percent(flaw.samples / made), words[flaw.kind], flaw.object, flaw.cause, flaw.remedy)
        for flaw in last.flaws[:_MOST_FLAWS]
    )
    head = ("Samples", "Flaw", "Object", "Cause", "Remedy")
    return [Table(head, "rlcll", rows, "Flaws of the samples")] if made else []


def _own_cost(recorded: Recorded) -> list[str]:
    own = recorded.history.own
    if not own:
        return []
    kvtop = middle(one.cpu_percent for one in own)
    perf = middle(one.perf_cpu_percent for one in own)
    return [
        f"Measuring took {number(kvtop)} % of one core, of which perf {number(perf)} % (medians)."
    ]


def _missing(recorded: Recorded) -> list[tuple[str, str]]:
    history = recorded.history
    found = []
    if unsupported := history.unsupported():
        found.append((listing(unsupported), "this machine has no such counters"))
    for trouble in history.troubles(recorded.end):
        since = moment(trouble.start - recorded.start)
        until = moment(trouble.end - recorded.start)
        when = "" if trouble.whole else f" ({since} to {until})"
        found.append((trouble.collector.replace("_", " "), f"{trouble.reason.rstrip('.')}{when}"))
    if not history.stress:
        found.append(("throughput and latency", "no clients of kvtop ran"))
    if not len(recorded.store.waits.ring):
        found.append(("off-CPU time", "waits were not recorded (key o)"))
    return found


def _profile(material: Material) -> tuple[Block, ...]:
    counts = material.counts
    total = sum(counts.values())
    assert material.profile is not None
    meta = material.profile.meta
    how = " at ".join(filter(None, (meta.event, meta.frequency)))
    sentences = [
        f"{total:,} {material.unit}"
        + (f" of {how}" if how else "")
        + (f" over {span(material.seconds)}" if material.seconds else "")
        + f", in {plural(len(counts), 'different stack')}."
    ]
    sentences.append(trust(material))
    return tuple(Text(sentence) for sentence in sentences)
