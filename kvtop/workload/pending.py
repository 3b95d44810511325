"""Writes and reads that a leader has taken and not answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kvtop.workload.raft.types import ReadState
from kvtop.workload.rpc.kv_pb2 import NOT_LEADER, UNKNOWN_OUTCOME, Command, Result

Respond = Callable[[bytes], None]
"""Takes a serialised ``Result``."""
Read = Callable[[], bytes]
"""Reads the state machine; a serialised ``Result``."""


def not_leader(leader: int | None) -> bytes:
    """The answer of a node that is not the leader."""
    return Result(status=NOT_LEADER, leader=leader).SerializeToString()


class PendingRead(NamedTuple):
    """A read and where its result goes."""

    read: Read
    respond: Respond


class PendingWrite(NamedTuple):
    """A proposal in ``term``; ``command`` is None for a membership change."""

    term: int
    command: Command | None
    respond: Respond


class PendingWrites:
    """Proposals by index; each is answered once."""

    def __init__(self) -> None:
        self._waiting: dict[int, PendingWrite] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, index: int, write: PendingWrite) -> None:
        """A proposal at ``index``."""
        self._waiting[index] = write

    def take(self, index: int, term: int) -> PendingWrite | None:
        """The proposal that became the committed entry at ``index``, None if it was not ours."""
        write = self._waiting.pop(index, None)
        if write is None or write.term == term:
            return write
        write.respond(_outcome_unknown("another leader's entry took its place"))
        return None

    def fail_other_terms(self, term: int | None, why: str) -> None:
        """Give up on all but those of ``term`` (None: on all): their outcome is not known."""
        lost = [index for index, write in self._waiting.items() if write.term != term]
        for index in lost:
            self._waiting.pop(index).respond(_outcome_unknown(why))


class PendingReads:
    """Reads gathered for the next round, and rounds that are not confirmed or applied yet."""

    def __init__(self) -> None:
        self._gathered: list[PendingRead] = []
        self._rounds: dict[int, list[PendingRead]] = {}
        self._confirmed: list[tuple[int, list[PendingRead]]] = []
        self._next_round = 1
        self.count = 0

    def gather(self, read: PendingRead) -> None:
        """A read for the next round."""
        self._gathered.append(read)
        self.count += 1

    def next_round(self) -> int | None:
        """The context of a round with all gathered reads; None if there are none."""
        if not self._gathered:
            return None
        context = self._next_round
        self._next_round += 1
        self._rounds[context] = self._gathered
        self._gathered = []
        return context

    def confirm(self, state: ReadState) -> None:
        """A round may be served once ``state.index`` is applied."""
        reads = self._rounds.pop(state.context, None)
        if reads is not None:
            self._confirmed.append((state.index, reads))

    def serve(self, applied: int) -> None:
        """Answer confirmed reads whose index is applied."""
        if not self._confirmed:
            return
        waiting = []
        for index, reads in self._confirmed:
            if index > applied:
                waiting.append((index, reads))
                continue
            self.count -= len(reads)
            for read, respond in reads:
                respond(read())
        self._confirmed = waiting

    def fail_unconfirmed(self, result: bytes) -> None:
        """Answer what no quorum has confirmed with ``result``; a confirmed read stays good."""
        lost = [read for reads in self._rounds.values() for read in reads] + self._gathered
        self._rounds.clear()
        self._gathered = []
        self.count -= len(lost)
        for _, respond in lost:
            respond(result)


def _outcome_unknown(why: str) -> bytes:
    return Result(status=UNKNOWN_OUTCOME, message=why).SerializeToString()
