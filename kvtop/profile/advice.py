"""Findings on a profile: what stands out, the figures that say so, and what to try.

Each finding is one small function with its thresholds beside it. It gives None where its figures
are missing or nothing stands out: there is no finding without evidence. `findings` runs all of
them; whether the profile can be trusted at all comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kvtop.events import Role
from kvtop.profile.layers import OTHER, Split


@dataclass(frozen=True, slots=True)
class Hot:
    """A function and its part of all samples, 0..1: where it ran itself."""

    symbol: str
    share: float


def _no_frames(layer: str, name: str) -> tuple[Hot, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Facts:
    """The figures of one stretch of time. None is "not measured"; times in seconds.

    Samples are those on a CPU of the processes that are looked at, without their clients where
    kvtop runs the cluster. ``frames`` gives the functions that ran in a layer, or under one name
    of its rules, the hottest first.
    """

    samples: int
    when: str
    """The stretch of time in words."""
    split: Split = field(default_factory=Split)
    frames: Callable[[str, str], tuple[Hot, ...]] = _no_frames
    interpreted: int = 0
    """Samples in which the Python interpreter itself ran, not C code called by it."""
    python: tuple[Hot, ...] = ()
    """Hottest Python functions, the interpreter's work for them counted as theirs."""
    broken: int = 0
    unresolved: int = 0
    lost: int = 0
    """Since the stream started, as ``received``."""
    received: int = 0
    remedy: str = ""
    """What would mend the most frequent flaw of the stream."""
    cores: Mapping[str, float] = field(default_factory=dict)
    """CPU seconds a second per target."""
    roles: Mapping[str, Role] = field(default_factory=dict)
    operations: float | None = None
    """Acknowledged operations a second."""
    writes: float | None = None
    """Part of the operations that write, 0..1."""
    p99: float | None = None
    """Latency of the clients."""
    fdatasync_p99: float | None = None
    """Of the leader."""
    value_size: int | None = None
    switches: float | None = None
    """Context switches a second of the nodes."""
    waits: Split | None = None
    """Nanoseconds blocked, in layers; None where waits were not recorded."""
    ready: int = 0
    """Nanoseconds in which threads could run and had no CPU."""
    wait_seconds: float = 0.0
    wait_when: str = ""
    waits_frames: Callable[[str, str], tuple[Hot, ...]] = _no_frames

    @property
    def cpu(self) -> float:
        """CPU seconds a second of all targets that are looked at."""
        return sum(self.cores.values())


@dataclass(frozen=True, slots=True)
class Finding:
    """``share`` (0..1) orders findings; ``evidence`` are sentences, ``remedy`` is what to try."""

    name: str
    title: str
    evidence: tuple[str, ...]
    remedy: str
    share: float
    frames: tuple[Hot, ...] = ()


ENOUGH = 200
"""Samples below which shares are not judged: 30% of 200 is known to ±6 points (95%)."""


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _of_cpu(facts: Facts, weight: int) -> str:
    whole = facts.split.total
    text = f"{_percent(weight / whole)} of CPU ({weight:,} of {whole:,} samples, {facts.when})"
    if facts.operations and facts.cpu:
        each = facts.cpu * weight / whole / facts.operations * 1e6
        text += f": {each:,.0f} µs per operation"
    return f"{text}."


def _layer(facts: Facts, layer: str, least: float) -> int:
    """Weight of a layer that has at least this share, else 0."""
    if facts.split.total < ENOUGH or facts.split.share(layer) < least:
        return 0
    return facts.split.layers[layer]


# ---- can it be trusted? -----------------------------------------------------------------------

BROKEN = 0.10
"""Share of stacks that do not reach their thread's start, or whose leaf has no name."""


def broken_stacks(facts: Facts) -> Finding | None:
    """Stacks are cut off or nameless: layers and callers are partly guessed at."""
    whole = facts.split.total
    if whole < ENOUGH:
        return None
    worst = max(facts.broken, facts.unresolved) / whole
    if worst < BROKEN:
        return None
    return Finding(
        "broken stacks",
        "This profile is not to be trusted fully: stacks are incomplete",
        (
            f"{_percent(facts.broken / whole)} of {whole:,} stacks do not reach their thread's "
            f"start, {_percent(facts.unresolved / whole)} end in a function without a name "
            f"({facts.when}). Layers that are decided near the root may be too small.",
        ),
        f"{facts.remedy or 'key i names every cause'} (key i lists all flaws).",
        worst,
    )


LOST = 0.05
"""Share of samples that the kernel had no room for."""


def lost_samples(facts: Facts) -> Finding | None:
    """perf lost samples, mostly where most was going on."""
    made = facts.lost + facts.received
    if made < ENOUGH or facts.lost / made < LOST:
        return None
    return Finding(
        "lost samples",
        "This profile is not to be trusted fully: samples were lost",
        (f"{facts.lost:,} of {made:,} samples never came ({_percent(facts.lost / made)}).",),
        "sample less often (-F 49), or --call-graph fp, whose samples are smaller.",
        facts.lost / made,
    )


# ---- where CPU goes ----------------------------------------------------------------------------

INTERPRETED = 0.40
"""Share of samples in the interpreter itself; a C server has none."""


def interpreter(facts: Facts) -> Finding | None:
    """Much of CPU evaluates bytecode."""
    whole = facts.split.total
    if whole < ENOUGH or facts.interpreted / whole < INTERPRETED:
        return None
    return Finding(
        "interpreter",
        "The Python interpreter itself takes much of the CPU",
        (f"Bytecode and its objects, in all layers: {_of_cpu(facts, facts.interpreted)}",),
        "call fewer Python functions per operation: batch entries, move these functions to C "
        "(Cython, mypyc) or hold their results; compare with b and d.",
        facts.interpreted / whole,
        facts.python[:3],
    )


SERIALISATION = 0.15
"""Share from which encoding and decoding is worth a look."""


def serialisation(facts: Facts) -> Finding | None:
    """Much CPU encodes and decodes."""
    weight = _layer(facts, "serialisation", SERIALISATION)
    if not weight:
        return None
    return Finding(
        "serialisation",
        "Much CPU encodes and decodes messages",
        (f"Serialisation: {_of_cpu(facts, weight)}",),
        "encode an entry once and send the same bytes to every follower; put several entries "
        "into one message.",
        facts.split.share("serialisation"),
        facts.frames("serialisation", "")[:3],
    )


NETWORK = 0.30
SMALL = 1024
"""Bytes of a value below which the cost of a message hardly depends on its length."""


def small_messages(facts: Facts) -> Finding | None:
    """The network costs much although values are small: it is the number of messages."""
    weight = _layer(facts, "network", NETWORK)
    if not weight or facts.value_size is None or facts.value_size > SMALL:
        return None
    return Finding(
        "small messages",
        "The network takes much CPU although values are small",
        (
            f"Network: {_of_cpu(facts, weight)}",
            f"Values have {facts.value_size:,} bytes: what costs is the number of messages.",
        ),
        "pipeline and batch: several entries per AppendEntries, several replies per write.",
        facts.split.share("network"),
        facts.frames("network", "")[:3],
    )


COLLECTION = 0.05
"""Share of garbage collection that is worth a look."""


def garbage_collection(facts: Facts) -> Finding | None:
    """Garbage collection takes its share, and stops the work meanwhile."""
    whole, weight = facts.split.total, facts.split.named("memory", "garbage collection")
    if whole < ENOUGH or weight / whole < COLLECTION:
        return None
    return Finding(
        "garbage collection",
        "Garbage collection takes noticeable CPU",
        (f"Garbage collection: {_of_cpu(facts, weight)}",),
        "Python: gc.freeze() after start-up, higher gc.set_threshold(); Go: a higher GOGC, fewer "
        "short-lived objects.",
        weight / whole,
        facts.frames("memory", "garbage collection")[:3],
    )


ALLOCATION = 0.15
"""Share of malloc, free and page faults."""


def allocation(facts: Facts) -> Finding | None:
    """Memory is taken and given back all the time."""
    whole, weight = facts.split.total, facts.split.named("memory", "allocation", "page faults")
    if whole < ENOUGH or weight / whole < ALLOCATION:
        return None
    return Finding(
        "allocation",
        "Much CPU allocates and frees memory",
        (f"Allocation and page faults: {_of_cpu(facts, weight)}",),
        "make fewer objects per operation: reuse buffers, slots instead of dicts, slices "
        "(memoryview) instead of copies; try jemalloc by LD_PRELOAD.",
        weight / whole,
        facts.frames("memory", "allocation")[:3],
    )


SWITCHES = 10.0
"""Context switches per operation; a write on three nodes needs about six: one to wake for the
request or append and one for the reply or the disk, on each."""


def context_switches(facts: Facts) -> Finding | None:
    """Threads come and go more often than the work asks for."""
    if facts.switches is None or not facts.operations:
        return None
    each = facts.switches / facts.operations
    if each < SWITCHES:
        return None
    share = facts.split.share("scheduler")
    return Finding(
        "context switches",
        "Every operation costs many context switches",
        (
            f"{each:.1f} context switches per operation ({facts.switches:,.0f}/s of the nodes at "
            f"{facts.operations:,.0f} operations/s, perf stat, {facts.when}).",
            f"Scheduler: {_percent(share)} of CPU.",
        ),
        "let one wake-up do more: batch requests, hand work to threads in groups; a higher load "
        "alone lowers it where the nodes wait for each single request.",
        share,
        facts.frames("scheduler", "")[:3],
    )


UNKNOWN_CODE = 0.30
"""Share of ``other`` from which the layers say too little."""


def unknown_code(facts: Facts) -> Finding | None:
    """The rules do not know what runs."""
    weight = _layer(facts, OTHER, UNKNOWN_CODE)
    if not weight:
        return None
    return Finding(
        "unknown code",
        "The rules do not know much of this code",
        (f"Layer other: {_of_cpu(facts, weight)}",),
        "put rules for such functions into ~/.config/kvtop/layers.toml or --layers FILE.",
        facts.split.share(OTHER),
        facts.frames(OTHER, "")[:3],
    )


# ---- the disk -----------------------------------------------------------------------------------

DISK = 0.5
"""Part of the clients' p99 that one fdatasync of the leader takes."""
SLOW_DISK = 0.001
"""Seconds below which a disk is fast enough not to matter."""


def slow_disk(facts: Facts) -> Finding | None:
    """The disk makes the latency of writes."""
    sync, p99 = facts.fdatasync_p99, facts.p99
    if sync is None or not p99 or not facts.writes or sync < SLOW_DISK or sync / p99 < DISK:
        return None
    return Finding(
        "slow disk",
        "fdatasync makes most of the latency of writes",
        (
            f"fdatasync of the leader: p99 {sync * 1e3:.1f} ms; clients: p99 {p99 * 1e3:.1f} ms, "
            f"{_percent(facts.writes)} of the operations write ({facts.when}).",
        ),
        "a faster disk for --dir (NVMe with power-loss protection), nothing else on it, more "
        "writes per fdatasync (more clients let the log commit in groups).",
        min(1.0, sync / p99),
        facts.frames("log I/O", "disk")[:3],
    )


# ---- the cluster --------------------------------------------------------------------------------

SATURATED = 0.85
IDLE = 0.5
"""A leader of one busy thread with followers that use less than this part of its CPU."""


def busy_leader(facts: Facts) -> Finding | None:
    """The leader's one core is the limit while the followers have room."""
    leader = next((n for n, role in facts.roles.items() if role is Role.LEADER), None)
    others = [
        facts.cores[n]
        for n, role in facts.roles.items()
        if role is Role.FOLLOWER and n in facts.cores
    ]
    if facts.samples < ENOUGH or leader is None or not others:
        return None
    busy = facts.cores.get(leader, 0.0)
    most = max(others)
    if busy < SATURATED or most > IDLE * busy:
        return None
    return Finding(
        "busy leader",
        "The leader is saturated while its followers have room",
        (
            f"{leader} uses {busy:.2f} CPU seconds a second, the busiest follower {most:.2f} "
            f"({facts.when}).",
        ),
        "take work off the leader: serve reads at followers, batch and pipeline appends, split "
        "the keys over several Raft groups.",
        1 - most / busy,
    )


# ---- waiting ------------------------------------------------------------------------------------

LOCKED = 0.10
"""Seconds a second that threads wait for locks, those without work not counted."""


def lock_waits(facts: Facts) -> Finding | None:
    """Threads stand in each other's way."""
    if facts.waits is None or facts.wait_seconds <= 0:
        return None
    names = ("GIL", "mutex", "kernel lock")
    held = {name: facts.waits.named("lock", name) / 1e9 / facts.wait_seconds for name in names}
    every = sum(held.values())
    if every < LOCKED:
        return None
    parts = ", ".join(f"{name} {1e3 * rate:.0f} ms/s" for name, rate in held.items() if rate)
    worst = max(held, key=lambda name: held[name])
    return Finding(
        "lock waits",
        "Threads wait for locks",
        (f"{1e3 * every:.0f} ms a second behind locks: {parts} ({facts.wait_when}).",),
        "hold them shorter; GIL: fewer threads that run Python, C code that releases it, "
        "processes instead of threads.",
        min(1.0, every),
        facts.waits_frames("lock", worst)[:3],
    )


CROWDED = 0.5
"""Waiting for a CPU as a part of the CPU time that was had."""


def no_cpu(facts: Facts) -> Finding | None:
    """Threads could run and have no CPU: the machine is too small, or shared."""
    if facts.waits is None or facts.wait_seconds <= 0 or not facts.cpu:
        return None
    queued = facts.ready / 1e9 / facts.wait_seconds
    if queued / facts.cpu < CROWDED:
        return None
    return Finding(
        "no CPU",
        "Threads are ready to run and wait for a CPU",
        (
            f"{1e3 * queued:.0f} ms a second in the run queue ({facts.wait_when}) beside "
            f"{1e3 * facts.cpu:.0f} ms a second on a CPU ({facts.when}).",
        ),
        "fewer busy threads or clients on this machine, or more CPUs; see what else runs.",
        min(1.0, queued / facts.cpu),
    )


TRUST: tuple[Callable[[Facts], Finding | None], ...] = (broken_stacks, lost_samples)
JUDGES: tuple[Callable[[Facts], Finding | None], ...] = (
    interpreter,
    serialisation,
    small_messages,
    garbage_collection,
    allocation,
    context_switches,
    unknown_code,
    slow_disk,
    busy_leader,
    lock_waits,
    no_cpu,
)


def findings(facts: Facts) -> list[Finding]:
    """What stands out: first what the profile itself lacks, then the greatest share first."""
    trust = [found for judge in TRUST if (found := judge(facts)) is not None]
    rest = [found for judge in JUDGES if (found := judge(facts)) is not None]
    return trust + sorted(rest, key=lambda found: -found.share)
