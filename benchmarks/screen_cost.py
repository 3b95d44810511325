"""What the whole of kvtop costs, in a real terminal: CPU, memory, time to first data.

``python benchmarks/screen_cost.py [--seconds 60] [-- KVTOP OPTIONS]`` runs kvtop
on a pseudo-terminal of 120x40 and reads /proc: CPU of kvtop itself and of its perf processes as
per cent of one core, and RSS. The cluster and its clients are not counted.
"""

from __future__ import annotations

import argparse
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from fcntl import ioctl

import psutil
import pyte

COLUMNS, ROWS = 120, 40
_CONTROL = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*|.)|[\x00-\x1f]")


class Run:
    """kvtop on a pseudo-terminal of its own."""

    def __init__(self, options: list[str]) -> None:
        self._drawn = bytearray()
        """All that came. A terminal emulator in Python would take the CPU that kvtop needs."""
        self.started = time.monotonic()
        self.pid, self.fd = pty.fork()
        if not self.pid:
            for name in ("COLUMNS", "LINES"):
                os.environ.pop(name, None)
            os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            os.execv(sys.executable, [sys.executable, "-m", "kvtop", *options])
        ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))

    def read(self, seconds: float) -> None:
        """Take what kvtop draws for so long."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if select.select([self.fd], [], [], left)[0]:
                self._drawn += os.read(self.fd, 1 << 16)

    def wait_for(self, pattern: str, seconds: float = 20.0) -> float:
        """Seconds from the start until it has been drawn."""
        while time.monotonic() - self.started < seconds:
            if re.search(pattern.encode(), _CONTROL.sub(b"", self._drawn)):
                return time.monotonic() - self.started
            self.read(0.01)
        raise SystemExit(f"{pattern!r} did not appear:\n" + "\n".join(self.screen()))

    def screen(self) -> list[str]:
        """The lines of the screen as they are now."""
        screen = pyte.Screen(COLUMNS, ROWS)
        pyte.ByteStream(screen).feed(bytes(self._drawn))
        return list(screen.display)

    def mine(self) -> tuple[psutil.Process, list[psutil.Process]]:
        """kvtop's own process, and those of perf."""
        process = psutil.Process(self.pid)
        children = process.children()
        return process, [c for c in children if c.name() in ("perf", "stdbuf")]

    def stop(self) -> None:
        """Leave by the key."""
        os.write(self.fd, b"q")
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                self.read(0.1)
            except OSError:
                break
        pid, _ = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            os.kill(self.pid, signal.SIGTERM)
            os.waitpid(self.pid, 0)


def seconds_of(processes: list[psutil.Process]) -> float:
    """CPU seconds used so far."""
    return sum(sum(p.cpu_times()[:2]) for p in processes)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("options", nargs="*", help="options of kvtop, after --")
    arguments = parser.parse_args()
    run = Run(arguments.options)
    attached = "--attach" in arguments.options
    print(f"screen drawn after     {run.wait_for('q quit'):6.2f} s")
    if not attached:
        print(f"ops/s shown after      {run.wait_for('ops/s +[1-9]'):6.2f} s")
    print(f"hot symbols after      {run.wait_for('[0-9] +(py|C|krn) +[a-zA-Z_]'):6.2f} s")
    run.read(10)
    own, perf = run.mine()
    print("   at    kvtop CPU   perf CPU    total   kvtop RSS   perf RSS")
    rounds = max(1, round(arguments.seconds / 60))
    for _ in range(rounds):
        before = time.monotonic(), seconds_of([own]), seconds_of(perf)
        run.read(arguments.seconds / rounds)
        span = time.monotonic() - before[0]
        mine = 100 * (seconds_of([own]) - before[1]) / span
        theirs = 100 * (seconds_of(perf) - before[2]) / span
        rss = sum(p.memory_info().rss for p in perf)
        print(
            f"{time.monotonic() - run.started:5.0f} s  {mine:8.1f} %  {theirs:7.1f} %  "
            f"{mine + theirs:6.1f} %  {own.memory_info().rss / 2**20:6.0f} MiB  "
            f"{rss / 2**20:5.0f} MiB"
        )
    print(run.screen()[0].strip())
    run.stop()


if __name__ == "__main__":
    main()
