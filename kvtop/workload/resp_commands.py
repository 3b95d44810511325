"""The Redis commands that the store understands, as calls of the replica."""

from __future__ import annotations

import binascii
from collections import OrderedDict
from collections.abc import Callable, Mapping

from kvtop.workload.glob import matches
from kvtop.workload.kvserver import KvServer
from kvtop.workload.peers import Address
from kvtop.workload.resp import (
    OK,
    CommandError,
    CommandSpec,
    Kind,
    Reply,
    array,
    bulk,
    error,
    integer,
)
from kvtop.workload.rpc import kv_pb2 as kv
from kvtop.workload.service import refusal
from kvtop.workload.status import NodeReport

MAX_CURSORS = 1024
MAX_KEYS = 100_000
"""Keys in the answer to KEYS."""
_SCAN_STEP = 10_000
"""Keys that one SCAN looks at, at most."""
_CONFIG = (b"save", b""), (b"appendonly", b"yes"), (b"appendfsync", b"always")
"""What CONFIG GET knows, in Redis's words: no timed snapshots, every write is synced."""
_DONE = kv.Result(status=kv.OK).SerializeToString()


def hash_slot(key: bytes) -> int:
    """The slot that Redis Cluster gives a key: CRC-16/XMODEM of it, or of its {tag}."""
    start = key.find(b"{")
    end = key.find(b"}", start + 1)
    if start >= 0 and end > start + 1:
        key = key[start + 1 : end]
    return binascii.crc_hqx(key, 0) % 16384


class RespCommands:
    """Translates. ``book`` says where the other nodes serve RESP, for MOVED answers."""

    def __init__(
        self, server: KvServer, book: Mapping[int, Address], report: Callable[[], NodeReport]
    ) -> None:
        self._server = server
        self._book = book
        self._report = report
        self._cursors: OrderedDict[int, bytes] = OrderedDict()
        self._next_cursor = 1

    def table(self) -> dict[bytes, CommandSpec]:
        """All commands by name."""
        local, read, write = Kind.LOCAL, Kind.READ, Kind.WRITE
        return {
            b"PING": CommandSpec(local, 0, 1, self._ping),
            b"ECHO": CommandSpec(local, 1, 1, lambda words, reply: reply(bulk(words[0]))),
            b"QUIT": CommandSpec(local, 0, None, self._ok),
            b"AUTH": CommandSpec(local, 1, 2, self._ok),
            b"HELLO": CommandSpec(local, 0, None, self._hello),
            b"SELECT": CommandSpec(local, 1, 1, self._select),
            b"CLIENT": CommandSpec(local, 1, None, self._client),
            b"CONFIG": CommandSpec(local, 1, None, self._config),
            b"COMMAND": CommandSpec(local, 0, None, self._command),
            b"INFO": CommandSpec(local, 0, None, self._info),
            b"CLUSTER": CommandSpec(local, 1, None, self._cluster),
            b"GET": CommandSpec(read, 1, 1, self._get),
            b"MGET": CommandSpec(read, 1, None, self._mget),
            b"STRLEN": CommandSpec(read, 1, 1, self._strlen),
            b"EXISTS": CommandSpec(read, 1, None, self._exists),
            b"TYPE": CommandSpec(read, 1, 1, self._type),
            b"DBSIZE": CommandSpec(read, 0, 0, self._dbsize),
            b"KEYS": CommandSpec(read, 1, 1, self._keys),
            b"SCAN": CommandSpec(read, 1, None, self._scan),
            b"SET": CommandSpec(write, 2, None, self._set),
            b"MSET": CommandSpec(write, 2, None, self._mset),
            b"DEL": CommandSpec(write, 1, None, self._delete),
            b"UNLINK": CommandSpec(write, 1, None, self._delete),
            b"APPEND": CommandSpec(write, 2, 2, self._append),
            b"INCR": CommandSpec(write, 1, 1, lambda w, r: self._increment(w[0], 1, r)),
            b"DECR": CommandSpec(write, 1, 1, lambda w, r: self._increment(w[0], -1, r)),
            b"INCRBY": CommandSpec(
                write, 2, 2, lambda w, r: self._increment(w[0], _integer(w[1]), r)
            ),
            b"DECRBY": CommandSpec(
                write, 2, 2, lambda w, r: self._increment(w[0], -_integer(w[1]), r)
            ),
        }

    # --- about the connection and the node -----------------------------------------------------

    def _ok(self, words: list[bytes], reply: Reply) -> None:
        reply(OK)

    def _ping(self, words: list[bytes], reply: Reply) -> None:
        reply(bulk(words[0]) if words else b"+PONG\r\n")

    def _hello(self, words: list[bytes], reply: Reply) -> None:
        if words and words[0] != b"2":
            raise CommandError("NOPROTO unsupported protocol version")
        pairs = [b"server", b"kvtop", b"version", b"7.0.0", b"proto"]
        role = b"master" if self._report().role == "leader" else b"replica"
        rest = [bulk(b"mode"), bulk(b"standalone"), bulk(b"role"), bulk(role)]
        reply(array([*map(bulk, pairs), integer(2), *rest, bulk(b"modules"), array([])]))

    def _select(self, words: list[bytes], reply: Reply) -> None:
        if words[0] != b"0":
            raise CommandError("ERR DB index is out of range")
        reply(OK)

    def _client(self, words: list[bytes], reply: Reply) -> None:
        if words[0].upper() not in (b"SETNAME", b"SETINFO"):
            raise CommandError("ERR only CLIENT SETNAME and CLIENT SETINFO are known")
        reply(OK)

    def _config(self, words: list[bytes], reply: Reply) -> None:
        if words[0].upper() != b"GET":
            raise CommandError("ERR only CONFIG GET is known")
        found = [pair for pair in _CONFIG if any(matches(w.lower(), pair[0]) for w in words[1:])]
        reply(array([bulk(word) for pair in found for word in pair]))

    def _command(self, words: list[bytes], reply: Reply) -> None:
        if words and words[0].upper() == b"COUNT":
            reply(integer(len(self.table())))
        else:
            reply(array([]))

    def _info(self, words: list[bytes], reply: Reply) -> None:
        report = self._report()
        leading = report.role == "leader"
        lines = [
            "# Server",
            "redis_version:7.0.0",
            "redis_mode:standalone",
            f"process_id:{report.pid}",
            f"uptime_in_seconds:{int(report.uptime)}",
            "# Clients",
            f"connected_clients:{report.client_connections}",
            "# Replication",
            f"role:{'master' if leading else 'slave'}",
            f"connected_slaves:{len(report.peers)}",
            "# Raft",
            f"raft_node:{report.name}",
            f"raft_role:{report.role}",
            f"raft_term:{report.term}",
            f"raft_leader:{report.leader or ''}",
            f"raft_commit:{report.commit}",
            f"raft_applied:{report.applied}",
            "# Keyspace",
            f"db0:keys={report.keys},expires=0,avg_ttl=0",
        ]
        reply(bulk("\r\n".join(lines).encode() + b"\r\n"))

    def _cluster(self, words: list[bytes], reply: Reply) -> None:
        if words[0].upper() != b"INFO":
            raise CommandError("ERR only CLUSTER INFO is known")
        report = self._report()
        state = "ok" if report.leader and not report.failure else "fail"
        lines = [
            f"cluster_state:{state}",
            "cluster_slots_assigned:16384",
            f"cluster_known_nodes:{len(report.voters) + len(report.learners)}",
            f"cluster_current_epoch:{report.term}",
        ]
        reply(bulk("\r\n".join(lines).encode() + b"\r\n"))

    # --- reads ---------------------------------------------------------------------------------

    def _read(self, key: bytes, read: Callable[[], bytes], reply: Reply) -> None:
        """``read`` encodes the reply; a failure is told in its place."""

        def serve() -> bytes:
            reply(read())
            return b""

        def respond(result: bytes) -> None:
            if result:
                reply(self._failure(kv.Result.FromString(result), key))

        self._server.read(serve, respond)

    def _get(self, words: list[bytes], reply: Reply) -> None:
        key = words[0]
        self._read(key, lambda: bulk(self._server.machine.map.get(key)), reply)

    def _mget(self, words: list[bytes], reply: Reply) -> None:
        def read() -> bytes:
            get = self._server.machine.map.get
            return array([bulk(get(key)) for key in words])

        self._read(words[0], read, reply)

    def _strlen(self, words: list[bytes], reply: Reply) -> None:
        key = words[0]
        self._read(key, lambda: integer(len(self._server.machine.map.get(key) or b"")), reply)

    def _exists(self, words: list[bytes], reply: Reply) -> None:
        def read() -> bytes:
            return integer(sum(key in self._server.machine.map for key in words))

        self._read(words[0], read, reply)

    def _type(self, words: list[bytes], reply: Reply) -> None:
        key = words[0]

        def read() -> bytes:
            return b"+string\r\n" if key in self._server.machine.map else b"+none\r\n"

        self._read(key, read, reply)

    def _dbsize(self, words: list[bytes], reply: Reply) -> None:
        self._read(b"", lambda: integer(len(self._server.machine.map)), reply)

    def _keys(self, words: list[bytes], reply: Reply) -> None:
        pattern = words[0]

        def read() -> bytes:
            if len(self._server.machine.map) > MAX_KEYS:
                return error(f"ERR more than {MAX_KEYS} keys: use SCAN")
            return array([bulk(k) for k in self._server.machine.map if matches(pattern, k)])

        self._read(b"", read, reply)

    def _scan(self, words: list[bytes], reply: Reply) -> None:
        cursor = _integer(words[0])
        pattern, count = _scan_options(words[1:])
        start = b""
        if cursor:
            if cursor not in self._cursors:
                raise CommandError("ERR invalid cursor: begin again with 0")
            start = self._cursors[cursor]

        def read() -> bytes:
            found: list[bytes] = []
            following = 0
            for seen, (key, _) in enumerate(self._server.machine.map.scan(start)):
                if seen == min(count, _SCAN_STEP):
                    following = self._remember_cursor(key)
                    break
                if pattern is None or matches(pattern, key):
                    found.append(bulk(key))
            return array([bulk(b"%d" % following), array(found)])

        self._read(start, read, reply)

    def _remember_cursor(self, key: bytes) -> int:
        cursor = self._next_cursor
        self._next_cursor += 1
        self._cursors[cursor] = key
        if len(self._cursors) > MAX_CURSORS:
            self._cursors.popitem(last=False)
        return cursor

    # --- writes --------------------------------------------------------------------------------

    def _write(
        self, command: kv.Command, key: bytes, encode: Callable[[kv.Result], bytes], reply: Reply
    ) -> None:
        data = command.SerializeToString()
        reason = refusal(command, len(data))
        if reason:
            raise CommandError(f"ERR {reason}")

        def respond(body: bytes) -> None:
            result = kv.Result.FromString(body)
            if result.status in (kv.OK, kv.NO_KEY):
                reply(encode(result))
            else:
                reply(self._failure(result, key))

        self._server.write(data, command, respond)

    def _set(self, words: list[bytes], reply: Reply) -> None:
        if len(words) > 2:
            raise CommandError("ERR SET takes a key and a value; NX, XX, EX are not supported")
        key, value = words
        command = kv.Command(operation=kv.PUT, key=key, value=value)
        data = command.SerializeToString()
        reason = refusal(command, len(data))
        if reason:
            raise CommandError(f"ERR {reason}")

        def respond(body: bytes) -> None:
            if body == _DONE:
                reply(OK)
            else:
                reply(self._failure(kv.Result.FromString(body), key))

        self._server.write(data, command, respond)

    def _mset(self, words: list[bytes], reply: Reply) -> None:
        if len(words) % 2:
            raise CommandError("ERR wrong number of arguments for 'mset' command")
        pairs = [
            kv.Pair(key=key, value=value)
            for key, value in zip(words[::2], words[1::2], strict=True)
        ]
        command = kv.Command(operation=kv.PUT_MANY, pairs=pairs)
        self._write(command, words[0], lambda result: OK, reply)

    def _delete(self, words: list[bytes], reply: Reply) -> None:
        command = kv.Command(operation=kv.DELETE_MANY, keys=words)
        self._write(command, words[0], lambda result: integer(result.number), reply)

    def _append(self, words: list[bytes], reply: Reply) -> None:
        command = kv.Command(operation=kv.APPEND, key=words[0], value=words[1])
        self._write(command, words[0], lambda result: integer(result.number), reply)

    def _increment(self, key: bytes, delta: int, reply: Reply) -> None:
        command = kv.Command(operation=kv.INCREMENT, key=key, delta=delta)
        self._write(command, key, lambda result: integer(result.number), reply)

    def _failure(self, result: kv.Result, key: bytes) -> bytes:
        status = result.status
        if status == kv.NOT_LEADER:
            if not result.HasField("leader"):
                return error("CLUSTERDOWN there is no leader at the moment; try again")
            leader = self._book.get(result.leader)
            if leader is None:
                text = f"node{result.leader} leads, and this node does not know its RESP port"
                return error(f"CLUSTERDOWN {text}")
            return error(f"MOVED {hash_slot(key)} {leader}")
        if status == kv.INVALID:
            return error(f"ERR {result.message}")
        if status == kv.OVERLOADED:
            return error("BUSY too many requests wait; this one was not carried out")
        if status == kv.UNKNOWN_OUTCOME:
            return error(f"UNKNOWN the write may have been carried out: {result.message}")
        return error(f"UNAVAILABLE {result.message}")


def _integer(word: bytes) -> int:
    try:
        value = int(word) if len(word) <= 20 else None
    except ValueError:
        value = None
    if value is None or not -(2**63) <= value < 2**63:
        raise CommandError("ERR value is not an integer or out of range")
    return value


def _scan_options(words: list[bytes]) -> tuple[bytes | None, int]:
    if len(words) % 2:
        raise CommandError("ERR syntax error")
    pattern, count = None, 10
    for name, value in zip(words[::2], words[1::2], strict=True):
        if name.upper() == b"MATCH":
            pattern = value
        elif name.upper() == b"COUNT":
            count = _integer(value)
            if count < 1:
                raise CommandError("ERR syntax error")
        elif name.upper() != b"TYPE" or value.lower() != b"string":
            raise CommandError("ERR syntax error")
    return pattern, count
