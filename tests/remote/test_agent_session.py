"""What the agent writes: samples with what they refer to, and how many had to be left out."""

from __future__ import annotations

import json
from typing import Any

from kvtop.config import Config
from kvtop.events import PipelineStats, SampleBatch, StackSample
from kvtop.profile.ring import SampleRing
from kvtop.profile.stacks import StackTable
from kvtop.recording.samples import KINDS, SampleDecoder
from kvtop.remote.agent import FULL, AgentSession, pack_options
from kvtop.remote.messages import ANEW, Outbox
from kvtop.store import RunInfo, Store

INFO = RunInfo("", "", "", "", "off", 0.0, 0.0, False)
STATS = PipelineStats(1.0, 5, 2, 0, 0, None, "cycles", 99, "fp")


def agent() -> tuple[AgentSession, Outbox]:
    outbox = Outbox(-1)
    session = AgentSession(Config(attach=(1,)), outbox)
    session.store = Store(INFO, SampleRing(session._ring.table))
    return session, outbox


def written(outbox: Outbox) -> list[list[Any]]:
    lines = [json.loads(line) for line in outbox._lines]
    outbox._lines.clear()
    return lines


def batch(table: StackTable, first: int, size: int) -> SampleBatch:
    """Samples in functions that nobody was in before."""
    stacks = [table.stack_id([table.frame_id(f"f{n}", "o")]) for n in range(first, first + size)]
    return SampleBatch(tuple(StackSample(1.0, 1, 1, "c", "e", 1, stack) for stack in stacks))


def test_stacks_are_forgotten_on_both_sides_and_never_confused() -> None:
    session, outbox = agent()
    there, here = session._ring.table, StackTable()
    decoder, anew, seen = SampleDecoder(here), 0, []
    for at in range(15):
        session.emit(batch(there, 1000 * at, 1000))
        for line in written(outbox):
            if line[0] == ANEW:
                decoder, anew = SampleDecoder(here), anew + 1
            elif not decoder.define(line):
                assert line[0] in KINDS
                samples = decoder.batch(line).samples
                seen += [here.frame(here.frames(s.stack)[0]).symbol for s in samples]
    assert seen == [f"f{n}" for n in range(15_000)]
    assert anew > 1 and len(there) < 13_000


def test_samples_that_the_connection_has_no_room_for_are_counted_as_lost() -> None:
    session, outbox = agent()
    session.emit(STATS)
    assert written(outbox) == [["PipelineStats", *_fields(STATS)]]
    outbox.backlog = FULL + 1
    session.emit(batch(session._ring.table, 0, 7))
    assert not written(outbox)
    session.emit(STATS)
    (line,) = written(outbox)
    assert line[3] == 2 + 7
    (flaw,) = line[10]
    assert flaw[1:4] == ["lost", "ssh", 7]


def _fields(stats: PipelineStats) -> list[Any]:
    values = (getattr(stats, name) for name in PipelineStats.__dataclass_fields__)
    return [list(value) if isinstance(value, tuple) else value for value in values]


def test_the_options_that_concern_the_host_go_there() -> None:
    config = Config(attach=(3, 4), frequency=49, event="cycles", call_graph="fp", delay=5)
    packed = json.loads(json.dumps(pack_options(config)))
    assert (packed["attach"], packed["frequency"], packed["delay"]) == ([3, 4], 49, 5)
    assert "ssh" not in packed and "output" not in packed and "record" not in packed
