"""Where the commands of a page run: a directory, a home, a terminal and programs to profile.

A command finds what its page takes for granted: recordings and profiles by any name, processes with
the numbers and names that the page uses, a configuration directory. Long runs are cut short. All
else is as the reader types it.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.docs.pages import ROOT

SECONDS = "2"
"""How long runs without an end of their own last."""
_BUSY = """import os, time
parent = os.getppid()
while os.getppid() == parent:
    sum(range(20000))
    time.sleep(0.002)
"""
_NAMED = ("my-server", "nginx", "redis-server")
_SHORTER = (
    (re.compile(r"--duration[ =]\d+"), "--duration 4"),
    (re.compile(r"--operations[ =]\d+"), "--operations 200"),
    (re.compile(r"--skip[ =]\d+"), "--skip 1"),
    (re.compile(r"-n 10\b"), "-n 2"),
    (re.compile(r"\bsleep \d+"), "sleep 1"),
)
_GATE = re.compile(
    r"^(kvtop [^#|\n]*--fail-on (?:'[^']*'|[^#|\s])+[^#|\n]*?)(?=\s*(?:#|$))", re.MULTILINE
)
"""Between runs of some seconds a condition may fail (1), or not be judged (2): answers as well."""
_OPENED, _CLOSED = b"\x1b[?1049h", b"\x1b[?1049l"


@dataclass
class Sandbox:
    """``run`` and ``start`` take the text of a block."""

    directory: Path
    environment: dict[str, str]
    pids: list[int]
    base: str
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def prepared(self, text: str) -> str:
        """The text with this machine's processes and ports, and short runs."""
        for pattern, short in _SHORTER:
            text = pattern.sub(short, text)
        text = _GATE.sub(r"\1 || test $? -le 2", text)
        text = re.sub(r"\b421([12])\b", lambda m: str(self.pids[int(m[1]) - 1]), text)
        return re.sub(r"\b700(\d)\b", rf"{self.base}\1", text)

    def start(self, text: str) -> None:
        """Start what runs on in the background; wait until it says something, as a reader would."""
        path = self.directory / f"background{len(self.children)}.log"
        with path.open("wb") as log:
            child = subprocess.Popen(
                ["bash", "-e", "-c", self.prepared(text)],
                cwd=self.directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.children.append(child)
        until = time.monotonic() + 60.0
        while not path.stat().st_size and child.poll() is None and time.monotonic() < until:
            time.sleep(0.2)
        time.sleep(2.0)  # the nodes greet each other

    def run(self, text: str, limit: float = 90.0) -> tuple[int, str]:
        """Run a block on a terminal; (exit code, all that it printed). Screens are left with q."""
        main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        child = subprocess.Popen(
            ["bash", "-e", "-o", "pipefail", "-c", self.prepared(text)],
            cwd=self.directory,
            env=self.environment,
            stdin=side,
            stdout=side,
            stderr=side,
            start_new_session=True,
            preexec_fn=_own_terminal,
        )
        os.close(side)
        self.children.append(child)
        printed = bytearray()
        until, asked = time.monotonic() + limit, 0.0
        try:
            while time.monotonic() < until:
                if select.select([main], [], [], 0.2)[0]:
                    try:
                        data = os.read(main, 1 << 16)
                    except OSError:  # nobody has the terminal open any more
                        data = b""
                    if not data:
                        break
                    printed += data
                opened = printed.rfind(_OPENED) > printed.rfind(_CLOSED)
                if opened and time.monotonic() > asked + 2.0:
                    if asked:
                        os.write(main, b"q")
                    asked = time.monotonic()
                elif not opened:
                    asked = 0.0
            with suppress(subprocess.TimeoutExpired):
                child.wait(max(1.0, until - time.monotonic()))
        finally:
            os.close(main)
        code = child.poll()
        return (124 if code is None else code), printed.decode(errors="replace")

    def close(self) -> None:
        """End all that still runs."""
        for number in (signal.SIGINT, signal.SIGKILL):
            for child in self.children:
                if child.poll() is None:
                    with suppress(ProcessLookupError):
                        os.killpg(child.pid, number)
                    with suppress(subprocess.TimeoutExpired):
                        child.wait(10.0)


def _own_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@contextmanager
def sandbox(directory: Path, text: str, recording: Path, perf_data: Path) -> Iterator[Sandbox]:
    """A sandbox for a page whose blocks are ``text``; files that it names are there."""
    home = directory / "home"
    work = directory / "work"
    programs = directory / "bin"
    for path in (
        *(home / ".config" / "kvtop", home / ".zfunc", home / ".config/fish/completions"),
        *(home / ".local/share/bash-completion/completions", home / ".local/share/man/man1"),
        *(work, programs),
    ):
        path.mkdir(parents=True)
    (work / "examples").symlink_to(ROOT / "examples")
    (work / "Makefile").write_text("all:\n\t@seq 300000 | sort -R > /dev/null\n")
    (work / "app.py").write_text("print(sum(i * i for i in range(3_000_000)))\n")
    for name in set(re.findall(r"[\w-]+\.kvtop\b", text)):
        shutil.copy(recording, work / name)
    for name in {"perf.data", *re.findall(r"[\w-]+\.data\b", text)}:
        shutil.copy(perf_data, work / name)
    for name in _NAMED:
        shutil.copy(sys.executable, programs / name)
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("KVTOP_", "XDG_", "PYTHON"))},
        "HOME": str(home),
        "TERM": "xterm-256color",
        "PATH": f"{Path(sys.executable).parent}:{programs}:{os.environ['PATH']}",
        "KVTOP_DURATION": SECONDS,
        "PYTHONUNBUFFERED": "1",
    }
    place = Sandbox(work, environment, [], _free_base())
    try:
        for name in _NAMED:
            if name == "my-server" or name in text or not place.pids:
                place.children.append(_busy(name, place))
        place.children.append(_busy("my-server", place))
        place.pids += [child.pid for child in place.children[:1] + place.children[-1:]]
        yield place
    finally:
        place.close()


def _busy(name: str, place: Sandbox) -> subprocess.Popen[bytes]:
    home = str(Path(sys.base_prefix))
    return subprocess.Popen(
        [name, "-c", _BUSY],
        executable=str(place.directory.parent / "bin" / name),
        env={**place.environment, "PYTHONHOME": home, "LD_LIBRARY_PATH": f"{home}/lib"},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _free_base() -> str:
    """Three digits such that they and one more are free ports."""
    for base in range(710, 990, 7):
        with suppress(OSError):
            for last in range(10):
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", base * 10 + last))
            return str(base)
    raise OSError("no ten free ports in a row")
