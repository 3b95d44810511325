"""The methods that a node offers to clerks and to other nodes."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection

from kvtop.workload.kvserver import KvServer
from kvtop.workload.peers import ANNOUNCE, RAFT_METHOD
from kvtop.workload.pending import not_leader
from kvtop.workload.raft.core import Raft
from kvtop.workload.raft.types import ChangeKind, ChangeRefused, ConfigChange, NotLeader, Role
from kvtop.workload.rpc.kv_pb2 import (
    CLOSE_SESSION,
    INVALID,
    NO_KEY,
    OK,
    OPEN_SESSION,
    Change,
    Command,
    Get,
    GetMany,
    Members,
    Pair,
    Result,
    Scan,
)
from kvtop.workload.rpc.provider import BadRequest, Call, Provider, parse
from kvtop.workload.statemachine import MAX_KEY, MAX_VALUE
from kvtop.workload.status import NodeReport

WRITE, GET, GET_MANY, SCAN, CHANGE = "write", "get", "get_many", "scan", "change"
MEMBERS, STATUS = "members", "status"
MAX_SCAN = 10_000
"""Pairs in the answer to one scan."""
MAX_SCAN_BYTES = 8 << 20
MAX_BEHIND = 1000
"""Entries that a learner may lack when it becomes a voter: commits will wait for it."""

_NO_KEY = Result(status=NO_KEY).SerializeToString()
_CHANGES = {
    Change.ADD_VOTER: ChangeKind.ADD_VOTER,
    Change.ADD_LEARNER: ChangeKind.ADD_LEARNER,
    Change.REMOVE: ChangeKind.REMOVE,
}


class KvService:
    """Translates requests into calls of the replica."""

    def __init__(self, server: KvServer, report: Callable[[], NodeReport]) -> None:
        self._server = server
        self._report = report

    def register(self, provider: Provider) -> None:
        """Offer all methods."""
        provider.register(RAFT_METHOD, self._raft_message)
        provider.register(ANNOUNCE, self._announce)
        provider.register(WRITE, self._write)
        provider.register(GET, self._get)
        provider.register(GET_MANY, self._get_many)
        provider.register(SCAN, self._scan)
        provider.register(CHANGE, self._change)
        provider.register(MEMBERS, self._members)
        provider.register(STATUS, self._status)

    def _raft_message(self, call: Call) -> None:
        try:
            message = self._server.messages.decode(call.body)
        except ValueError as error:
            raise BadRequest(str(error)) from None
        self._server.step(message)

    def _announce(self, call: Call) -> None:
        try:
            self._server.peers.learn(parse(Members, call.body))
        except ValueError as error:
            raise BadRequest(str(error)) from None

    def _write(self, call: Call) -> None:
        command = parse(Command, call.body)
        reason = refusal(command, len(call.body))
        if reason:
            call.reply(Result(status=INVALID, message=reason).SerializeToString())
        else:
            self._server.write(call.body, command, call.reply)

    def _get(self, call: Call) -> None:
        key = parse(Get, call.body).key
        self._server.read(lambda: self.read_key(key), call.reply)

    def _get_many(self, call: Call) -> None:
        keys = list(parse(GetMany, call.body).keys)
        self._server.read(lambda: self.read_keys(keys), call.reply)

    def _scan(self, call: Call) -> None:
        request = parse(Scan, call.body)
        self._server.read(lambda: self.scan(request), call.reply)

    def _change(self, call: Call) -> None:
        request = parse(Change, call.body)
        ok = Result(status=OK).SerializeToString()
        try:
            if request.kind == Change.SNAPSHOT:
                self._server.take_snapshot()
                call.reply(ok)
            elif request.kind == Change.TRANSFER:
                self._server.transfer_leadership(request.node)
                call.reply(ok)
            else:
                change = ConfigChange(_CHANGES[request.kind], request.node)
                check_change(change, self._server.raft, self._server.peers.book)
                self._server.change_membership(change, call.reply)
        except NotLeader as error:
            call.reply(not_leader(error.leader))
        except (ChangeRefused, KeyError) as error:
            call.reply(Result(status=INVALID, message=str(error)).SerializeToString())

    def _members(self, call: Call) -> None:
        call.reply(self._server.peers.members().SerializeToString())

    def _status(self, call: Call) -> None:
        call.reply(json.dumps(self._report().to_json()).encode())

    def read_key(self, key: bytes) -> bytes:
        """The present value of a key, as a serialised Result."""
        value = self._server.machine.map.get(key)
        if value is None:
            return _NO_KEY
        return Result(status=OK, value=value, present=True).SerializeToString()

    def read_keys(self, keys: list[bytes]) -> bytes:
        """The pairs that exist among ``keys``, as a serialised Result."""
        get = self._server.machine.map.get
        pairs = [Pair(key=key, value=value) for key in keys if (value := get(key)) is not None]
        return Result(status=OK, pairs=pairs).SerializeToString()

    def scan(self, request: Scan) -> bytes:
        """The pairs of a range up to the limits, as a serialised Result."""
        end = request.end if request.HasField("end") else None
        limit = min(request.limit or MAX_SCAN, MAX_SCAN)
        result = Result(status=OK)
        size = 0
        for key, value in self._server.machine.map.scan(request.start, end):
            if len(result.pairs) >= limit or size >= MAX_SCAN_BYTES:
                result.more = True
                break
            result.pairs.add(key=key, value=b"" if request.keys_only else value)
            size += len(key) + len(value)
        return result.SerializeToString()


def check_change(change: ConfigChange, raft: Raft, known: Collection[int]) -> None:
    """ChangeRefused for what Raft allows and an operator does not want; only a leader knows."""
    if raft.role is not Role.LEADER or change.kind is ChangeKind.REMOVE:
        return
    if change.node not in known:
        raise ChangeRefused(f"node {change.node} is not known here; start it with --join first")
    progress = raft.peers.get(change.node)
    if change.kind is ChangeKind.ADD_VOTER and progress is not None:
        lacks = raft.commit_index - progress.match
        if lacks > MAX_BEHIND:
            raise ChangeRefused(f"node {change.node} has yet to catch up: it lacks {lacks} entries")


def refusal(command: Command, size: int) -> str:
    """Why a command of ``size`` bytes must not enter the log, or ""."""
    if not command.client and command.operation in _NEED_SESSION:
        return "this operation needs a session"
    if size <= MAX_KEY:
        return ""
    if len(command.key) > MAX_KEY or any(len(key) > MAX_KEY for key in command.keys):
        return f"a key may have {MAX_KEY} bytes"
    if any(len(pair.key) > MAX_KEY for pair in command.pairs):
        return f"a key may have {MAX_KEY} bytes"
    if size > MAX_VALUE + MAX_KEY + 1024:
        return f"a value may have {MAX_VALUE} bytes"
    return ""


_NEED_SESSION = frozenset({OPEN_SESSION, CLOSE_SESSION})
