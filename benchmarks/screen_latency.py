"""How long kvtop takes to answer a key, in a real pseudo-terminal, while a cluster runs flat out.

``python benchmarks/screen_latency.py [--presses 30] [kvtop's options]`` turns the order of the
hot symbols round with ``I``, and opens and closes the flamegraph with ``f`` and ``q``, each at a
random moment. A press lasts until the bytes that only its answer contains have arrived. Prints
median and worst, and the CPU time of kvtop's own process meanwhile (user + system, percent of
one core; perf and cluster are not in it).
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import pty
import random
import select
import signal
import statistics
import struct
import sys
import termios
import time

import psutil

COLUMNS, ROWS = 120, 40
PATIENCE = 10.0


class Terminal:
    """kvtop in a pty; reads whatever it writes."""

    def __init__(self, argv: list[str]) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            os.execv(sys.executable, [sys.executable, "-m", "kvtop", *argv])
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))

    def drain(self, seconds: float) -> None:
        """Read for this long."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self.fd], [], [], left)[0]:
                os.read(self.fd, 1 << 16)

    def wait_for(self, text: str, patience: float = PATIENCE) -> float:
        """Seconds until the text has come; SystemExit where it does not."""
        start = time.monotonic()
        seen = b""
        while time.monotonic() - start < patience:
            if select.select([self.fd], [], [], 0.1)[0]:
                seen += os.read(self.fd, 1 << 16)
                if text.encode() in seen:
                    return time.monotonic() - start
        raise SystemExit(f"{text!r} did not come within {patience:g} s")

    def press(self, key: bytes, answer: str) -> float:
        """Press a key at a random moment of the refresh interval; seconds until the answer."""
        self.drain(random.uniform(0.2, 0.7))
        os.write(self.fd, key)
        return self.wait_for(answer)


def report(name: str, seconds: list[float]) -> None:
    """One line of figures in milliseconds."""
    ms = sorted(1000 * s for s in seconds)
    print(f"{name:<22}median {statistics.median(ms):6.1f} ms  worst {ms[-1]:6.1f} ms  n {len(ms)}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--presses", type=int, default=30)
    parser.add_argument("--settle", type=float, default=10.0, help="seconds before the first press")
    args, rest = parser.parse_known_args()
    terminal = Terminal(rest)
    try:
        terminal.wait_for("samples in", 60)
        terminal.drain(args.settle)
        own = psutil.Process(terminal.pid)
        before, since = own.cpu_times(), time.monotonic()
        marks = ["▼self" if number % 2 else "▲self" for number in range(args.presses)]
        turned = [terminal.press(b"I", mark) for mark in marks]
        opened, closed = [], []
        for _ in range(args.presses):
            opened.append(terminal.press(b"f", "glue folded · "))
            closed.append(terminal.press(b"q", "Hot symbols"))
        after, until = own.cpu_times(), time.monotonic()
        cpu = after.user + after.system - before.user - before.system
        report("turn the order round", turned)
        report("open the flamegraph", opened)
        report("close the flamegraph", closed)
        print(f"CPU of kvtop itself   {100 * cpu / (until - since):6.1f} % of one core")
        print(f"load average          {os.getloadavg()[0]:6.1f} on {os.cpu_count()} cores")
    finally:
        os.kill(terminal.pid, signal.SIGTERM)
        # The far end of the pty is gone once kvtop is.
        with contextlib.suppress(OSError):
            terminal.drain(20)
        os.waitpid(terminal.pid, 0)


if __name__ == "__main__":
    main()
