"""etcd's v3 API through its JSON gateway (3.4 or newer): status, members, get and put.

https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/: 64-bit integers are text, bytes are base64,
and what is zero is left out.
"""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

from kvtop.etcd.http import HttpConnection, HttpError, NoAnswer, Response

_OUR_FAULT = (400, 401, 403, 404, 405)
"""What the gateway makes of gRPC's InvalidArgument, Unauthenticated and their like."""


class EtcdError(Exception):
    """A member that refused or gave no answer; the text says why."""


class EtcdSilent(EtcdError):
    """Nothing answers there."""


class EtcdRefused(EtcdError):
    """The request itself is at fault: no other member would answer otherwise."""


@dataclass(frozen=True, slots=True)
class MemberStatus:
    """What a member says of itself; sizes are bytes, ``leader`` is 0 where it knows none."""

    member: int
    leader: int
    term: int
    commit: int
    """``raftIndex``, which is the committed one (etcdserver, Maintenance.Status)."""
    applied: int | None
    db_size: int | None
    db_in_use: int | None
    version: str
    learner: bool
    errors: tuple[str, ...]

    @classmethod
    def from_json(cls, data: object) -> MemberStatus:
        """The answer of ``/v3/maintenance/status``; ValueError for anything else."""
        try:
            assert isinstance(data, dict)
            header = data["header"]
            return cls(
                member=int(header["member_id"]),
                leader=int(data.get("leader", 0)),
                term=int(data.get("raftTerm", header.get("raft_term", 0))),
                commit=int(data.get("raftIndex", 0)),
                applied=_optional(data, "raftAppliedIndex"),
                db_size=_optional(data, "dbSize"),
                db_in_use=_optional(data, "dbSizeInUse"),
                version=str(data["version"]),
                learner=bool(data.get("isLearner", False)),
                errors=tuple(str(error) for error in data.get("errors", ())),
            )
        except (AssertionError, KeyError, TypeError, ValueError, AttributeError):
            raise ValueError("the answer is no status of an etcd member") from None


def _optional(data: dict[str, Any], name: str) -> int | None:
    return int(data[name]) if name in data else None


async def fetch_status(connection: HttpConnection, patience: float) -> MemberStatus:
    """A member's status, which it tells without asking the others. EtcdError."""
    response = await _post(connection, "/v3/maintenance/status", b"{}", patience)
    try:
        return MemberStatus.from_json(json.loads(response.body))
    except (ValueError, RecursionError):
        raise EtcdError(f"{connection}: the answer is no status of an etcd member") from None


async def fetch_metrics(connection: HttpConnection, patience: float) -> str:
    """The text of ``/metrics``. EtcdError."""
    try:
        response = await connection.get("/metrics", patience)
    except NoAnswer as error:
        raise EtcdSilent(str(error)) from None
    except HttpError as error:
        raise EtcdError(str(error)) from None
    if response.status != 200:
        raise EtcdError(f"{connection}: /metrics answers {response.status}")
    return response.body.decode("utf-8", "replace")


async def get(connection: HttpConnection, key: bytes, patience: float) -> None:
    """A linearizable read of one key, whose value nobody looks at. EtcdError."""
    await _post(connection, "/v3/kv/range", b'{"key":"%s"}' % b64encode(key), patience)


async def put(connection: HttpConnection, key: bytes, value: bytes, patience: float) -> None:
    """A write of one key. EtcdError."""
    body = b'{"key":"%s","value":"%s"}' % (b64encode(key), b64encode(value))
    await _post(connection, "/v3/kv/put", body, patience)


async def _post(connection: HttpConnection, path: str, body: bytes, patience: float) -> Response:
    try:
        response = await connection.post(path, body, patience)
    except NoAnswer as error:
        raise EtcdSilent(str(error)) from None
    except HttpError as error:
        raise EtcdError(str(error)) from None
    if response.status != 200:
        kind = EtcdRefused if response.status in _OUR_FAULT else EtcdError
        raise kind(f"{connection}: {_complaint(response)}")
    return response


def _complaint(response: Response) -> str:
    """The gateway's own words: {"error": ..., "code": ...}, else the HTTP status."""
    try:
        return str(json.loads(response.body)["error"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return f"HTTP status {response.status}"


async def fetch_raft_state(connection: HttpConnection, patience: float) -> str:
    """Raft's own word, as in "StateCandidate", of ``/debug/vars``; "" where it is not told."""
    try:
        response = await connection.get("/debug/vars", patience)
        return str(json.loads(response.body)["raft.status"]["raftState"])
    except (HttpError, ValueError, KeyError, TypeError, RecursionError):
        return ""
