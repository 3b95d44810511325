"""Switches to waits, in made-up streams: lengths, shares, pieces, loss, new threads."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from kvtop.collectors.perf_pipe import EXIT, FORK, HEADER_ATTR, LOST, SAMPLE, Record, read_attr
from kvtop.collectors.waits import SWITCH, Unseen, Waits, split_period

MS = 1_000_000
S = 1000 * MS
IP, TID, TIME, CALLCHAIN, PERIOD = 1, 2, 4, 32, 256
PID = 70


def attr(sample_type: int = IP | TID | TIME | CALLCHAIN) -> Record:
    flags = 1 << 18  # sample_id_all
    body = struct.pack("=IIQQQQQ", 1, 128, 3, 1, sample_type, 0, flags).ljust(128, b"\0")
    return Record(HEADER_ATTR, 0, struct.pack("=IHH", HEADER_ATTR, 0, 8 + len(body)) + body)


def record(kind: int, misc: int, body: bytes) -> Record:
    return Record(kind, misc, struct.pack("=IHH", kind, misc, 8 + len(body)) + body)


def out(time: int, tid: int, ready: bool = False) -> Record:
    return record(SWITCH, 1 << 13 | ready << 14, struct.pack("=IIQ", PID, tid, time))


def back(time: int, tid: int) -> Record:
    return record(SWITCH, 0, struct.pack("=IIQ", PID, tid, time))


def stack(time: int, tid: int, leaf: int = 1) -> Record:
    body = struct.pack("=QIIQQQ", leaf, PID, tid, time - 1000, 1, leaf)
    return record(SAMPLE, 2, body)


def born(time: int, tid: int) -> Record:
    return record(FORK, 0, struct.pack("=IIIIQ", PID, PID, tid, PID, time) + who(tid, time))


def gone(time: int, tid: int) -> Record:
    return record(EXIT, 0, struct.pack("=IIIIQ", PID, PID, tid, PID, time) + who(tid, time))


def lost(time: int) -> Record:
    return record(LOST, 0, struct.pack("=QQ", 1, 500) + who(0, time))


def who(tid: int, time: int) -> bytes:
    return struct.pack("=IIQ", PID, tid, time)


class Told:
    """What came out of a whole stream: (end, tid, leaf, ns, ready) of samples, and the unseen."""

    def __init__(self, records: Iterable[Record], step: int | None = None) -> None:
        self.waits = Waits()
        self.samples: list[tuple[int, int, int, int, bool]] = []
        self.unseen: list[Unseen] = []
        self.others: list[int] = []
        self.now = 0
        self.feed([attr(), *records], step)

    def feed(self, records: list[Record], step: int | None = None) -> None:
        step = step or len(records)
        for at in range(0, len(records), step):
            self._take(self.waits.feed(records[at : at + step], self.now))

    def until(self, now: int) -> Told:
        self.now = now
        self._take(self.waits.feed([], now))
        return self

    def _take(self, records: list[Record]) -> None:
        for kind, _, data in records:
            if kind == HEADER_ATTR:
                made = read_attr(data)
                assert made is not None and made.sample_type & PERIOD
            if kind != SAMPLE:
                self.others.append(kind)
                continue
            assert struct.unpack_from("=H", data, 6) == (len(data),)
            leaf, _, tid, time, period, count, ip = struct.unpack_from("=QIIQQQQ", data, 8)
            assert (count, ip) == (1, leaf), "the rest of the sample is whole"
            self.samples.append((time, tid, leaf, *split_period(period)))
        self.unseen += self.waits.take_unseen()


def test_a_wait_lasts_from_switch_out_to_switch_in_and_is_dated_to_its_end() -> None:
    told = Told(
        [
            *(stack(10 * MS, 1, 7), out(10 * MS, 1), back(25 * MS, 1)),
            *(stack(30 * MS, 1, 8), out(30 * MS, 1, ready=True), back(31 * MS, 1)),
        ]
    ).until(2 * S)
    assert told.samples == [(25 * MS, 1, 7, 15 * MS, False), (31 * MS, 1, 8, 1 * MS, True)]
    assert (told.waits.switches, told.waits.stacks) == (2, 2)
    assert SWITCH not in told.others and HEADER_ATTR in told.others


def test_records_of_two_cpus_are_put_in_order() -> None:
    told = Told([back(25 * MS, 1), stack(10 * MS, 1, 7), out(10 * MS, 1)]).until(2 * S)
    assert told.samples == [(25 * MS, 1, 7, 15 * MS, False)]
    assert not told.unseen


def test_nothing_is_told_while_it_may_still_be_contradicted() -> None:
    told = Told([stack(10 * MS, 1), out(10 * MS, 1), back(25 * MS, 1)]).until(300 * MS)
    assert told.samples == []


def test_sampled_short_waits_share_the_time_of_all() -> None:
    records = [back(0, 1)]
    for round in range(12):
        at = 10 * MS * round + MS
        # Every third has its stack, alternately a long one (leaf 1) and a short one (leaf 2).
        leaf, length = (1, 6 * MS) if round % 2 else (2, 2 * MS)
        if round % 3 == 0:
            records.append(stack(at, 1, leaf))
        records += [out(at, 1), back(at + length, 1)]
    told = Told(records).until(2 * S)
    by_leaf: dict[int, int] = {}
    for _, _, leaf, length, _ in told.samples:
        by_leaf[leaf] = by_leaf.get(leaf, 0) + length
    assert by_leaf == {1: 36 * MS, 2: 12 * MS}


def test_a_long_wait_without_a_stack_is_told_as_such() -> None:
    told = Told(
        [
            *(stack(1 * MS, 1, 7), out(1 * MS, 1), back(5 * MS, 1)),
            *(out(10 * MS, 1), back(510 * MS, 1)),
        ]
    ).until(2 * S)
    assert told.samples == [(5 * MS, 1, 7, 4 * MS, False)]
    assert told.unseen == [Unseen(510 * MS, PID, 1, 500 * MS, False, True)]


def test_a_wait_that_goes_on_is_told_in_pieces_and_its_end_too() -> None:
    told = Told([stack(1 * MS, 1, 7), out(1 * MS, 1)])
    for tick in range(1, 35):
        told.until(tick * 100 * MS)
    before = sum(length for *_, length, _ in told.samples)
    assert len(told.samples) >= 2 and 2 * S <= before <= 3 * S
    told.feed([back(3300 * MS, 1)])
    told.until(5 * S)
    assert sum(length for *_, length, _ in told.samples) == 3299 * MS
    assert {leaf for _, _, leaf, _, _ in told.samples} == {7}


def test_pieces_wait_for_what_is_still_to_be_read() -> None:
    told = Told([stack(1 * MS, 1, 7), out(1 * MS, 1)])
    told.now = 60 * S
    # A stall: perf's buffer is only now read on, and the thread had been back long ago.
    told.feed([back(4 * MS, 1)])
    assert sum(length for *_, length, _ in told.until(61 * S).samples) == 3 * MS


def test_what_was_told_too_much_is_taken_from_what_follows() -> None:
    told = Told([stack(1 * MS, 1, 7), out(1 * MS, 1)]).until(2 * S)
    assert sum(length for *_, length, _ in told.samples) == 1499 * MS
    told.feed([back(1490 * MS, 1), stack(1491 * MS, 1, 8), out(1491 * MS, 1), back(1521 * MS, 1)])
    assert sum(length for *_, length, _ in told.until(4 * S).samples) == (1489 + 30) * MS


def test_after_a_loss_nothing_is_guessed() -> None:
    told = Told(
        [
            *(stack(1 * MS, 1, 7), out(1 * MS, 1)),
            lost(2 * MS),
            *(back(900 * MS, 1), stack(901 * MS, 1, 8), out(901 * MS, 1), back(911 * MS, 1)),
        ]
    ).until(3 * S)
    assert told.samples == [(911 * MS, 1, 8, 10 * MS, False)]
    assert not told.unseen


def test_who_slept_since_before_the_recording_is_told_when_he_wakes() -> None:
    told = Told([out(5 * MS, 1), back(6 * MS, 1), back(105 * MS, 2)]).until(2 * S)
    assert told.unseen == [Unseen(105 * MS, PID, 2, 100 * MS, False, False)]


def test_a_new_thread_did_not_sleep_before() -> None:
    told = Told([out(5 * MS, 1), back(6 * MS, 1), born(50 * MS, 2), back(90 * MS, 2)]).until(2 * S)
    assert not told.unseen
    assert FORK in told.others


def test_a_thread_that_ended_does_not_wait() -> None:
    told = Told([stack(1 * MS, 1), out(1 * MS, 1), back(2 * MS, 1), gone(3 * MS, 1)]).until(2 * S)
    assert [length for *_, length, _ in told.until(60 * S).samples] == [MS]


def test_a_stack_belongs_to_the_switch_right_after_it() -> None:
    told = Told([stack(1 * MS, 1, 7), out(50 * MS, 1), back(60 * MS, 1)]).until(2 * S)
    assert told.samples == []


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from((1, 2, 3)),
            st.integers(2000, 400 * MS),
            st.integers(2000, 5 * MS),
            st.booleans(),
        ),
        max_size=60,
    ),
    st.integers(1, 20),
)
def test_every_nanosecond_between_out_and_in_is_told_once(
    waits: list[tuple[int, int, int, bool]], step: int
) -> None:
    clock = dict.fromkeys((1, 2, 3), 1 * MS)
    timed = [(1 * MS, back(1 * MS, tid)) for tid in clock]
    truth = dict.fromkeys(clock, 0)
    for tid, length, busy, ready in waits:
        at = clock[tid] = clock[tid] + busy
        timed += [(at, stack(at, tid, tid)), (at, out(at, tid, ready))]
        timed.append((at + length, back(at + length, tid)))
        clock[tid] += length
        truth[tid] += length
    timed.sort(key=lambda one: one[0])
    told = Told([record for _, record in timed], step).until(3600 * S)
    sums = dict.fromkeys(clock, 0)
    for _, tid, leaf, length, _ in told.samples:
        assert leaf == tid
        sums[tid] += length
    # Shares are rounded down to whole nanoseconds, one per wait at most.
    assert all(0 <= truth[tid] - sums[tid] <= len(waits) for tid in truth)
