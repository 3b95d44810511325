"""Clients of the simulated cluster: one call at a time each, retried; their calls are a history."""

from __future__ import annotations

import math
import random
from dataclasses import replace

from kvtop.workload.linearizability import Operation, OpKind
from tests.sim.cluster import Cluster
from tests.sim.machine import Command, Result

_WRITES = (OpKind.PUT, OpKind.APPEND, OpKind.CAS, OpKind.DELETE)


class Client:
    """Asks a node, another if that one refuses or is silent, until it is answered or gives up."""

    def __init__(self, clients: Clients, rng: random.Random) -> None:
        self._clients = clients
        self._cluster = clients.cluster
        self._rng = rng
        self._id = clients.new_id()
        self._number = 0
        self._target = 0
        self._attempt = 0
        self._patience = 0
        self._command = b""
        self._operation: Operation | None = None
        self._think()

    @property
    def is_idle(self) -> bool:
        """Whether it waits for no answer."""
        return self._operation is None

    def _think(self) -> None:
        self._cluster.after(self._rng.randrange(self._cluster.parameters.think), self._begin)

    def _begin(self) -> None:
        if self._clients.stopped:
            return
        rng = self._rng
        kind = OpKind.GET if rng.random() < 0.4 else rng.choice(_WRITES)
        key = f"k{rng.randrange(self._cluster.parameters.keys)}"
        self.call(kind, key)

    def call(self, kind: OpKind, key: str) -> None:
        """Start an operation; the client must be idle."""
        self._number += 1
        value = f"{self._id}.{self._number};" if kind is not OpKind.GET else ""
        expected = self._clients.guess(self._rng, key) if kind is OpKind.CAS else None
        self._operation = Operation(
            self._id, key, kind, self._cluster.now, math.inf, value, expected
        )
        if kind is not OpKind.GET:
            command = Command(self._id, self._number, key, kind, value, expected)
            self._command = self._clients.encode(command)
        self._patience = self._rng.choice((2, 10, 10**9))
        self._try()

    def _try(self) -> None:
        """Send the call to the target; give up, or go on to another node, if nothing comes."""
        self._attempt += 1
        attempt = self._attempt
        cluster, rng = self._cluster, self._rng
        operation = self._operation
        assert operation is not None
        node = cluster.nodes[self._target]
        command = self._command

        def answer(done: bool, result: Result) -> None:
            cluster.after(rng.randrange(100, 2_000), lambda: self._answered(attempt, done, result))

        def arrive() -> None:
            if operation.kind is OpKind.GET:
                node.read(operation.key, answer)
            else:
                node.write(command, answer)

        if self._cluster.network.quality.drop < rng.random():
            cluster.after(rng.randrange(100, 2_000), arrive)
        cluster.after(cluster.parameters.patience, lambda: self._answered(attempt, False, None))

    def _answered(self, attempt: int, done: bool, result: Result) -> None:
        operation = self._operation
        if attempt != self._attempt or operation is None:
            return
        if done:
            if operation.kind not in (OpKind.GET, OpKind.CAS):
                result = None
            operation = replace(operation, returned=self._cluster.now, result=result)
            self._finish(operation)
            return
        self._patience -= 1
        if self._patience <= 0 and not self._clients.stopped:
            # It may still happen, so whoever calls next is another client.
            self._finish(operation)
            self._id = self._clients.new_id()
            self._number = 0
            return
        self._target = self._rng.randrange(len(self._cluster.nodes))
        self._attempt += 1
        again = self._attempt

        def retry() -> None:
            if again == self._attempt:
                self._try()

        self._cluster.after(self._rng.randrange(1_000, 10_000), retry)

    def _finish(self, operation: Operation) -> None:
        self._clients.record(operation)
        self._operation = None
        self._think()


class Clients:
    """All clients of a run, and the history they make."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.history: list[Operation] = []
        self.stopped = False
        self._ids = 0
        self._values: dict[str, str | None] = {}
        self._commands: dict[str, bytes] = {}
        self.clients = [
            Client(self, random.Random(f"client {number} of {cluster.seed}"))
            for number in range(cluster.parameters.clients)
        ]

    def new_id(self) -> int:
        """An id that no client had before."""
        self._ids += 1
        return self._ids

    def encode(self, command: Command) -> bytes:
        """The command as a log entry, remembered by its value, which no other command has."""
        self._commands[command.value] = command.encode()
        return self._commands[command.value]

    def record(self, operation: Operation) -> None:
        """An operation ended, or its client gave up."""
        self.history.append(operation)
        if operation.kind is OpKind.GET and isinstance(operation.result, str | None):
            self._values[operation.key] = operation.result

    def truth(self) -> list[Operation]:
        """The history, where the simulator's knowledge replaces answers that never came.

        A write whose client gave up happened by the time it was first applied, or never. Without
        this the check would try each of them at all later moments.
        """
        known = []
        for operation in self.history:
            if operation.is_pending:
                command = self._commands.get(operation.value)
                if command is None or command not in self.cluster.first_applied:
                    continue
                operation = replace(operation, returned=self.cluster.first_applied[command])
            known.append(operation)
        return known

    def guess(self, rng: random.Random, key: str) -> str | None:
        """A value that ``key`` may well hold."""
        return self._values.get(key) if rng.random() < 0.8 else "never"

    def stop(self) -> None:
        """Begin nothing more; what is under way goes on."""
        self.stopped = True

    def read_all(self) -> None:
        """One more read of every key; all clients must be idle."""
        for number in range(self.cluster.parameters.keys):
            self.clients[0].call(OpKind.GET, f"k{number}")
            self.cluster.run_until(lambda: self.clients[0].is_idle)

    @property
    def are_idle(self) -> bool:
        """Whether no client waits."""
        return all(client.is_idle for client in self.clients)
