"""A cluster that lives as long as a ``with`` block, for commands and benchmarks that need one."""

from __future__ import annotations

import subprocess
import sys

from kvtop.workload.peers import Address
from kvtop.workload.supervisor_protocol import (
    Command,
    Error,
    Event,
    Exited,
    Serving,
    Start,
    Started,
    command_to_json,
    event_from_json,
)


class ClusterError(Exception):
    """The cluster did not start; the text says why."""


class TemporaryCluster:
    """A supervisor with nodes and no stress clients, in a session of its own."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self._process: subprocess.Popen[bytes] | None = None
        self.addresses: dict[int, Address] = {}
        self.started: dict[str, Started] = {}
        self.leader = ""

    def __enter__(self) -> TemporaryCluster:
        """Start it and wait until it serves. Raises ClusterError."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kvtop.workload.supervisor"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self.send(self._start)
        try:
            self.wait_for(Serving)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def send(self, command: Command) -> None:
        """Give the supervisor a command."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(command_to_json(command).encode() + b"\n")
        self._process.stdin.flush()

    def wait_for(self, kind: type[Event]) -> Event:
        """Read events up to the next of a kind. Raises ClusterError if that cannot come."""
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = event_from_json(line)
            if isinstance(event, Started):
                self._note(event)
            elif isinstance(event, Serving):
                self.leader = event.leader
            if isinstance(event, kind):
                return event
            if isinstance(event, Error):
                raise ClusterError(event.message)
            if isinstance(event, Exited) and not self.leader:
                raise ClusterError(f"{event.name} ended before the cluster served")
        raise ClusterError("the supervisor ended")

    def close(self) -> None:
        """End everything."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            pass
        self._process.stdout.read()
        self._process.wait()
        self._process.stdout.close()
        self._process = None

    def _note(self, event: Started) -> None:
        self.started[event.name] = event
        if event.kind == "node" and event.port is not None:
            self.addresses[int(event.name.removeprefix("node"))] = Address("127.0.0.1", event.port)
