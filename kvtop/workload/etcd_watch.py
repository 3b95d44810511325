"""Tells the supervisor what etcd's members do not tell by themselves: who listens, who leads.

Lines as our own nodes print them (``listening``, ``role``, ``serving``), with the member's
``name``. In a thread of its own, so that a member that hangs holds up nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Mapping

from kvtop.etcd.api import EtcdError, MemberStatus, fetch_status, get
from kvtop.etcd.http import HttpConnection

EVERY = 0.25
_PATIENCE = 1.0


class EtcdWatch:
    """Asks every member ``EVERY`` seconds; lines come out of ``descriptor``."""

    def __init__(self, ports: Mapping[str, int]) -> None:
        self.descriptor, self._writing = os.pipe()
        self._members = {n: HttpConnection("127.0.0.1", port) for n, port in ports.items()}
        self._told: dict[str, tuple[str, int, str | None]] = {}
        self._listening: set[str] = set()
        self._served = 0

    def start(self) -> None:
        """Begin; it ends with the process."""
        threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True).start()

    async def _run(self) -> None:
        while True:
            asked = await asyncio.gather(*map(self._ask, self._members.values()))
            known = {n: s for n, s in zip(self._members, asked, strict=True) if s is not None}
            self.tell(known)
            for name, status in known.items():
                if role_of(status) == "leader" and status.term > self._served:
                    await self._prove(name, status.term)
            await asyncio.sleep(EVERY)

    async def _prove(self, name: str, term: int) -> None:
        """A linearizable read needs a majority and an entry committed in the term."""
        try:
            await get(self._members[name], b"\0", _PATIENCE)
        except EtcdError:
            return
        self._served = term
        self._write({"event": "serving", "name": name, "term": term})

    @staticmethod
    async def _ask(connection: HttpConnection) -> MemberStatus | None:
        try:
            return await fetch_status(connection, _PATIENCE)
        except EtcdError:
            return None

    def tell(self, statuses: Mapping[str, MemberStatus]) -> None:
        """Write what is new in the statuses of those that answered, by name."""
        names = {status.member: name for name, status in statuses.items()}
        for name in self._told.keys() - statuses.keys():
            del self._told[name]
        for name, status in statuses.items():
            if name not in self._listening:
                self._listening.add(name)
                self._write({"event": "listening", "name": name})
            role = role_of(status)
            leader = names.get(status.leader)
            if self._told.get(name) != (role, status.term, leader):
                self._told[name] = role, status.term, leader
                line = {"role": role, "term": status.term, "leader": leader}
                self._write({"event": "role", "name": name, **line})

    def _write(self, data: dict[str, object]) -> None:
        os.write(self._writing, json.dumps(data).encode() + b"\n")


def role_of(status: MemberStatus) -> str:
    """leader, learner or follower; a member without a leader may be a candidate: "unknown"."""
    if status.leader == 0:
        return "unknown"
    if status.leader == status.member:
        return "leader"
    return "learner" if status.learner else "follower"
