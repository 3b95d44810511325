"""The replicated state: the ordered map and the client sessions. Same commands, same state.

A session remembers its last command's result, so that a retry is answered and not repeated
(dissertation, 6.3). Sessions beyond a limit expire, the longest unused first, at the same
command on every node.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Iterable, Iterator

from google.protobuf.message import DecodeError

from kvtop.workload.rpc.kv_pb2 import (
    APPEND,
    CLOSE_SESSION,
    COMPARE_AND_SET,
    DELETE,
    DELETE_MANY,
    INCREMENT,
    INVALID,
    MISMATCH,
    NO_KEY,
    OK,
    OPEN_SESSION,
    PUT,
    PUT_MANY,
    SESSION_EXPIRED,
    Command,
    Result,
)
from kvtop.workload.skiplist import SkipList, dump_chunks

MAX_SESSIONS = 10_000
MAX_KEY = 64 << 10
MAX_VALUE = 8 << 20

_COUNT = struct.Struct("<I")
_SESSION = struct.Struct("<QQI")
_DONE = Result(status=OK).SerializeToString()


class StateMachine:
    """Applies commands in log order. Results are serialised ``Result`` messages."""

    def __init__(self) -> None:
        self.map = SkipList()
        self._sessions: OrderedDict[int, tuple[int, bytes]] = OrderedDict()

    @property
    def sessions(self) -> int:
        """Open client sessions."""
        return len(self._sessions)

    def apply_data(self, data: bytes) -> bytes:
        """Carry out the command of an entry, unless its session has done so; the result."""
        try:
            command = Command.FromString(data)
        except DecodeError:
            return _refused("not a command")
        return self.apply_command(command)

    def apply_command(self, command: Command) -> bytes:
        """As ``apply_data``, where the command is parsed already."""
        client = command.client
        if not client:
            return self._execute(command)
        if command.operation == OPEN_SESSION:
            return self._open_session(client)
        session = self._sessions.get(client)
        if session is None:
            return Result(status=SESSION_EXPIRED).SerializeToString()
        sequence, result = session
        if command.sequence == sequence:
            return result
        if command.sequence < sequence:
            return _refused(f"command {command.sequence} came after {sequence}")
        if command.operation == CLOSE_SESSION:
            del self._sessions[client]
            return _DONE
        result = self._execute(command)
        sessions = self._sessions
        sessions[client] = (command.sequence, result)
        sessions.move_to_end(client)
        return result

    def snapshot_pieces(self) -> Iterator[bytes]:
        """The state as bytes, piece by piece. It is copied now: later commands do not show."""
        return _pieces(list(self._sessions.items()), self.map.copy_items())

    @classmethod
    def from_snapshot(cls, data: bytes) -> StateMachine:
        """The inverse of ``snapshot_pieces``; ValueError if the bytes are none."""
        result = cls()
        view = memoryview(data)
        try:
            (count,) = _COUNT.unpack_from(view)
            position = _COUNT.size
            for _ in range(count):
                client, sequence, length = _SESSION.unpack_from(view, position)
                position += _SESSION.size
                result._sessions[client] = (sequence, bytes(view[position : position + length]))
                position += length
        except struct.error:
            raise ValueError("the sessions of a snapshot are cut off") from None
        result.map = SkipList.load(view[position:])
        return result

    def _open_session(self, client: int) -> bytes:
        if client not in self._sessions:
            self._sessions[client] = (0, _DONE)
            if len(self._sessions) > MAX_SESSIONS:
                self._sessions.popitem(last=False)
        return _DONE

    def _execute(self, command: Command) -> bytes:
        operation = command.operation
        if operation == PUT:
            self.map.set(command.key, command.value)
            return _DONE
        if operation == APPEND:
            return self._append(command)
        if operation == DELETE:
            return self._delete((command.key,))
        if operation == COMPARE_AND_SET:
            return self._compare_and_set(command)
        if operation == INCREMENT:
            return self._increment(command)
        if operation == PUT_MANY:
            for pair in command.pairs:
                self.map.set(pair.key, pair.value)
            return _DONE
        if operation == DELETE_MANY:
            return self._delete(command.keys)
        return _refused("an operation that needs a session")

    def _append(self, command: Command) -> bytes:
        value = (self.map.get(command.key) or b"") + command.value
        if len(value) > MAX_VALUE:
            return _refused(f"the value would have {len(value)} bytes; {MAX_VALUE} are allowed")
        self.map.set(command.key, value)
        return Result(status=OK, number=len(value)).SerializeToString()

    def _delete(self, keys: Iterable[bytes]) -> bytes:
        removed = sum(self.map.delete(key) for key in keys)
        return Result(status=OK if removed else NO_KEY, number=removed).SerializeToString()

    def _compare_and_set(self, command: Command) -> bytes:
        present = self.map.get(command.key)
        expected = command.expected if command.HasField("expected") else None
        if present != expected:
            return Result(
                status=MISMATCH, value=present or b"", present=present is not None
            ).SerializeToString()
        self.map.set(command.key, command.value)
        return _DONE

    def _increment(self, command: Command) -> bytes:
        present = self.map.get(command.key)
        try:
            number = _parse_integer(present) + command.delta
        except ValueError:
            return _refused("value is not an integer or out of range")
        if not -(2**63) <= number < 2**63:
            return _refused("increment or decrement would overflow")
        self.map.set(command.key, b"%d" % number)
        return Result(status=OK, number=number).SerializeToString()


def _parse_integer(value: bytes | None) -> int:
    if value is None:
        return 0
    if len(value) > 20:
        raise ValueError
    number = int(value)
    # int() takes more spellings than a counter has; only the canonical one counts.
    if b"%d" % number != value:
        raise ValueError
    return number


def _refused(message: str) -> bytes:
    return Result(status=INVALID, message=message).SerializeToString()


def _pieces(
    sessions: list[tuple[int, tuple[int, bytes]]], pairs: dict[bytes, bytes]
) -> Iterator[bytes]:
    yield _COUNT.pack(len(sessions))
    for client, (sequence, result) in sessions:
        yield _SESSION.pack(client, sequence, len(result))
        yield result
    yield from dump_chunks(pairs)
