"""The process that owns a cluster and its load: ``python -m kvtop.workload.supervisor``.

It reads commands from standard input and writes events to standard output, one JSON object a
line; ``supervisor_protocol`` has them all. It starts nothing before the command ``start``, and
forks every child from its main thread, so that a ``perf record -p`` of it follows them all.

It ends everything, removes the temporary data and perf's files of its children, and exits 0 on
``stop``, on the end of its standard input (its user has died), SIGTERM, SIGINT and SIGHUP. If it
is killed itself, the kernel kills its children (PR_SET_PDEATHSIG). Start it in a session of its
own, so that the terminal's Ctrl-C does not reach it.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import sys
import tempfile
import time
from pathlib import Path

from kvtop.workload.children import Child, Leftovers, LineReader, remove_perf_files
from kvtop.workload.etcd_log import read_log_line
from kvtop.workload.etcd_plan import make_etcd_plan
from kvtop.workload.etcd_watch import EtcdWatch
from kvtop.workload.event_writer import EventWriter
from kvtop.workload.plan import make_plan
from kvtop.workload.stress_merge import StressMerger
from kvtop.workload.supervisor_protocol import (
    Command,
    Error,
    Event,
    Exited,
    Kill,
    Log,
    Pause,
    Paused,
    ProtocolError,
    RemoveOnExit,
    Restart,
    Resume,
    Resumed,
    RoleChanged,
    Serving,
    Start,
    Started,
    Stop,
    Stopped,
    command_from_json,
    event_to_json,
)

INTERVAL = 0.5
"""Seconds between two stress events."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_LEVELS = {"DEBUG": "debug", "INFO": "info", "WARNING": "warning", "ERROR": "error"}


class Supervisor:
    """One cluster. Everything happens in the main thread."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._writer = EventWriter(sys.stdout.fileno())
        self._leftovers = Leftovers()
        self._children: dict[str, Child] = {}
        self._commands: dict[str, list[str]] = {}
        self._ports: dict[str, tuple[int, int]] = {}
        self._terms: dict[str, tuple[str, int]] = {}
        self._merger = StressMerger(self._emit, INTERVAL)
        self._stress_ends = float("inf")
        self._duration: float | None = None
        self._clients_launched = False
        self._idle_clients: set[str] = set()
        self._stopping = False

    def run(self) -> int:
        """Serve commands until the end; the exit code."""
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        wake = LineReader(wake_read, lambda line: None)
        self._selector.register(wake_read, selectors.EVENT_READ, wake)
        commands = LineReader(sys.stdin.fileno(), self._on_command)
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ, commands)
        try:
            while not self._stopping:
                self._turn()
        finally:
            self._end_everything()
        return 0

    def _turn(self) -> None:
        now = time.monotonic()
        timeout = max(0.0, min(0.5, self._merger.due - now, self._stress_ends - now))
        for key, _ in self._selector.select(timeout):
            reader: LineReader = key.data
            if not reader.read():
                self._selector.unregister(key.fd)
                if key.fd == sys.stdin.fileno():
                    self._stopping = True
        self._reap()
        self._merger.flush(time.monotonic())
        self._writer.flush()
        if time.monotonic() >= self._stress_ends:
            self._stress_ends = float("inf")
            self._end_stress()

    def _on_signal(self, number: int, frame: object) -> None:
        self._stopping = True

    # --- commands ------------------------------------------------------------------------------

    def _on_command(self, line: bytes) -> None:
        if not line.strip() or self._stopping:
            return
        try:
            self._carry_out(command_from_json(line))
        except (ProtocolError, LookupError, OSError, ValueError) as error:
            text = error.args[0] if isinstance(error, LookupError) else str(error)
            self._emit(Error(time.monotonic(), str(text)))

    def _carry_out(self, command: Command) -> None:
        match command:
            case Start():
                try:
                    self._start_cluster(command)
                except OSError:
                    self._stopping = True  # nothing runs, so nobody need wait for a leader
                    raise
            case Kill(name):
                self._node(name).signal(signal.SIGKILL)
            case Pause(name):
                child = self._node(name)
                child.signal(signal.SIGSTOP)
                child.paused = True
                self._emit(Paused(time.monotonic(), child.name))
            case Resume(name):
                child = self._node(name)
                child.signal(signal.SIGCONT)
                child.paused = False
                self._emit(Resumed(time.monotonic(), child.name))
            case Restart(name):
                self._restart(name)
            case RemoveOnExit(paths):
                for path in paths:
                    self._leftovers.add_path(Path(path))
            case Stop():
                self._stopping = True

    def _node(self, name: str) -> Child:
        if name == "leader":
            name = self._leader()
        child = self._children.get(name)
        if child is None or child.kind != "node":
            known = ", ".join(sorted(n for n in self._commands if n.startswith("node")))
            raise LookupError(f"{name} does not run (nodes: {known or 'none'})")
        return child

    def _leader(self) -> str:
        leaders = [
            (term, name)
            for name, (role, term) in self._terms.items()
            if role == "leader" and name in self._children and not self._children[name].paused
        ]
        if not leaders:
            raise LookupError("there is no leader at the moment")
        return max(leaders)[1]

    def _restart(self, name: str) -> None:
        if not name.startswith("node") or name not in self._commands:
            raise LookupError(f"there is no node {name}")
        child = self._children.get(name)
        if child is not None:
            child.kill()
            self._reap()
        self._launch(name, "node")

    # --- starting ------------------------------------------------------------------------------

    def _start_cluster(self, options: Start) -> None:
        if self._commands:
            raise ValueError("the cluster was started already")
        if options.dir is None:
            directory = Path(tempfile.mkdtemp(prefix="kvtop-"))
            self._leftovers.add_path(directory)
        else:
            directory = Path(options.dir).absolute()
            directory.mkdir(parents=True, exist_ok=True)
        make = make_etcd_plan if options.cluster == "etcd" else make_plan
        plan = make(options, directory, INTERVAL)
        self._ports, self._commands = plan.ports, plan.commands
        for name in self._ports:
            self._launch(name, "node")
        self._duration = options.duration
        if options.cluster == "etcd":
            self._watch_etcd()

    def _watch_etcd(self) -> None:
        """Members of etcd do not tell their role by themselves, as our nodes do."""
        watch = EtcdWatch({name: port for name, (port, _) in self._ports.items()})
        reader = LineReader(watch.descriptor, self._on_watch)
        self._selector.register(watch.descriptor, selectors.EVENT_READ, reader)
        watch.start()

    def _launch_clients(self) -> None:
        """Once, when the first node listens: before that they would only take its CPU time."""
        names = [name for name in self._commands if name not in self._ports]
        if self._clients_launched or not names:
            return
        self._clients_launched = True
        for name in names:
            self._merger.expect(name)
            self._idle_clients.add(name)
            self._launch(name, "client")

    def _launch(self, name: str, kind: str) -> None:
        child = Child(name, kind, self._commands[name])
        self._children[name] = child
        self._terms.pop(name, None)
        assert child.process.stdout is not None
        assert child.process.stderr is not None
        pipes = (
            (child.process.stdout.fileno(), lambda line: self._on_output(child, line)),
            (child.process.stderr.fileno(), lambda line: self._on_log(child, line)),
        )
        for descriptor, on_line in pipes:
            reader = LineReader(descriptor, on_line)
            self._selector.register(descriptor, selectors.EVENT_READ, reader)
        ports = self._ports.get(name, (None, None))
        self._emit(Started(time.monotonic(), name, kind, child.pid, *ports))

    # --- what children say ---------------------------------------------------------------------

    def _on_output(self, child: Child, line: bytes) -> None:
        try:
            data = json.loads(line)
            event = data["event"]
            if event == "interval":
                self._merger.add(child.name, data)
                self._client_works(child.name)
            elif event == "listening":
                self._launch_clients()
            elif event == "role":
                role, term = str(data["role"]), int(data["term"])
                self._terms[child.name] = role, term
                leader = data["leader"]
                self._emit(RoleChanged(time.monotonic(), child.name, role, term, leader))
            elif event == "serving":
                self._emit(Serving(time.monotonic(), child.name, int(data["term"])))
            elif event == "failure":
                self._emit(Error(time.monotonic(), f"{child.name}: {data['text']}"))
        except (ValueError, KeyError, TypeError) as error:
            self._emit(Error(time.monotonic(), f"{child.name} wrote a bad line: {error}"))

    def _on_watch(self, line: bytes) -> None:
        child = self._children.get(json.loads(line)["name"])
        if child is not None:
            self._on_output(child, line)

    def _client_works(self, name: str) -> None:
        """The duration of the stress counts from the moment all of its processes work."""
        if self._duration is None:
            return
        self._idle_clients.discard(name)
        if not self._idle_clients:
            self._stress_ends = time.monotonic() + self._duration
            self._duration = None

    def _on_log(self, child: Child, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()
        level, colon, rest = text.partition(": ")
        logged = read_log_line(text) if text.startswith("{") else None
        if logged is not None:
            self._emit(Log(time.monotonic(), child.name, *logged))
        elif colon and level in _LEVELS:
            self._emit(Log(time.monotonic(), child.name, _LEVELS[level], rest))
        elif text:
            self._emit(Log(time.monotonic(), child.name, "error", text))

    # --- endings -------------------------------------------------------------------------------

    def _reap(self) -> None:
        for name, child in list(self._children.items()):
            code = child.process.poll()
            if code is None:
                continue
            self._close_pipes(child)
            del self._children[name]
            self._terms.pop(name, None)
            self._merger.forget(name)
            self._leftovers.add_dead(child.pid)
            self._emit(
                Exited(
                    time.monotonic(),
                    name,
                    child.kind,
                    child.pid,
                    code if code >= 0 else None,
                    -code if code < 0 else None,
                )
            )

    def _close_pipes(self, child: Child) -> None:
        """Read what is left, then close."""
        for pipe in (child.process.stdout, child.process.stderr):
            assert pipe is not None
            if pipe.fileno() in self._selector.get_map():
                reader: LineReader = self._selector.unregister(pipe.fileno()).data
                reader.drain()
            pipe.close()

    def _end_stress(self) -> None:
        for child in self._children.values():
            if child.kind == "client":
                child.signal(signal.SIGTERM)

    def _end_everything(self) -> None:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        for child in self._children.values():
            child.signal(signal.SIGKILL)
        for child in self._children.values():
            child.process.wait()
        pids = [child.pid for child in self._children.values()]
        self._reap()
        for pid in pids:
            remove_perf_files(pid)
        self._leftovers.remove_all()
        self._emit(Stopped(time.monotonic()))
        self._writer.finish(1.0)

    def _emit(self, event: Event) -> None:
        self._writer.write(event_to_json(event).encode() + b"\n")


def main() -> int:
    """Entry point."""
    return Supervisor().run()


if __name__ == "__main__":
    sys.exit(main())
