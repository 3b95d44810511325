"""The replicated state machine of the simulator: a small map with client sessions."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass

from kvtop.workload.linearizability import Operation as _Operation
from kvtop.workload.linearizability import OpKind, step
from kvtop.workload.raft.types import Entry, EntryKind

Result = str | bool | None


@dataclass(frozen=True, slots=True)
class Command:
    """One write, numbered within its client's session."""

    client: int
    number: int
    key: str
    kind: OpKind
    value: str
    expected: str | None

    def encode(self) -> bytes:
        """The bytes of a log entry."""
        parts = (self.client, self.number, self.key, self.kind.value, self.value, self.expected)
        return json.dumps(parts).encode()

    @classmethod
    def decode(cls, data: bytes) -> Command:
        """The inverse of ``encode``."""
        client, number, key, kind, value, expected = json.loads(data)
        return cls(client, number, key, OpKind(kind), value, expected)


class Machine:
    """Applies entries in order; a command that comes twice happens once."""

    def __init__(self) -> None:
        self.applied = 0
        self.values: dict[str, str] = {}
        self.sessions: dict[int, tuple[int, Result]] = {}
        self.digest = 0
        """Depends on every entry applied so far, and on their order."""

    def apply(self, entry: Entry) -> Result:
        """Apply the next entry; the result of its command."""
        assert entry.index == self.applied + 1, f"entry {entry.index} after {self.applied}"
        self.applied = entry.index
        self.digest = zlib.crc32(b"%d %d" % (entry.index, entry.term) + entry.data, self.digest)
        if entry.kind is not EntryKind.NORMAL or not entry.data.startswith(b"["):
            return None
        command = Command.decode(entry.data)
        number, result = self.sessions.get(command.client, (0, None))
        if command.number > number:
            result = self._do(command)
            self.sessions[command.client] = (command.number, result)
        return result

    def _do(self, command: Command) -> Result:
        before = self.values.get(command.key)
        result = before == command.expected if command.kind is OpKind.CAS else None
        operation = _Operation(
            command.client, command.key, command.kind, 0, 0, command.value, command.expected, result
        )
        after = step(before, operation)[1]
        if after is None:
            self.values.pop(command.key, None)
        else:
            self.values[command.key] = after
        return result

    def dump(self) -> bytes:
        """Everything, for a snapshot."""
        sessions = [[client, *session] for client, session in self.sessions.items()]
        return json.dumps([self.applied, self.values, sessions, self.digest]).encode()

    def load(self, data: bytes) -> None:
        """The inverse of ``dump``; no bytes are the empty machine."""
        self.__init__()  # type: ignore[misc]
        if data:
            self.applied, self.values, sessions, self.digest = json.loads(data)
            self.sessions = {client: (number, result) for client, number, result in sessions}
