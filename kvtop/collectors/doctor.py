"""What stands between kvtop and perf, each as one plain sentence with its remedy.

All words about perf that does not work are here, so that screen, batch and doctor say the same.
"""

from __future__ import annotations

import asyncio
import platform
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from kvtop.collectors.children import output_of
from kvtop.profile.text import safe_text

OLDEST_PERF = (5, 10)
_PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")
_OS_RELEASE = Path("/etc/os-release")
_ANYONES = (
    "linux-perf (Debian), linux-tools-generic (Ubuntu) or perf (Fedora, Arch, openSUSE, Alpine)"
)


@dataclass(frozen=True, slots=True)
class PerfFacts:
    """What perf can do here. ``problem`` is empty, or one sentence with the remedy."""

    version: str
    """As in "6.1.187"; empty where perf is missing."""
    paranoid: int | None
    """kernel.perf_event_paranoid; None where the kernel has no perf events."""
    hardware: bool
    """Whether the processor's own counters (cycles, ...) can be read."""
    problem: str = ""

    @property
    def works(self) -> bool:
        """Whether this user can profile processes of their own."""
        return not self.problem


def perf_missing(os_release: str | None = None) -> str:
    """One sentence: which package brings perf on this distribution, or on all known ones."""
    if os_release is None:
        try:
            os_release = _OS_RELEASE.read_text(errors="replace")
        except OSError:
            os_release = ""
    values = dict(re.findall(r'^(ID|ID_LIKE)="?([^"\n]*)"?$', os_release, re.MULTILINE))
    for name in [values.get("ID", ""), *values.get("ID_LIKE", "").split()]:
        command = _install_commands().get(name)
        if command is not None:
            return f"perf is not installed: {command}."
    return f"perf is not installed: install the package {_ANYONES}."


def _install_commands() -> dict[str, str]:
    ubuntu = f"sudo apt-get install linux-tools-generic linux-tools-{platform.release()}"
    return {
        "debian": "sudo apt-get install linux-perf",
        "ubuntu": ubuntu,
        "fedora": "sudo dnf install perf",
        "rhel": "sudo dnf install perf",
        "arch": "sudo pacman -S perf",
        "suse": "sudo zypper install perf",
        "alpine": "sudo apk add perf",
    }


def not_permitted(paranoid: int | None) -> str:
    """One sentence for a user whom the kernel refuses, with the exact command."""
    if paranoid is not None and paranoid > 2:
        return (
            f"The kernel lets only root use perf (kernel.perf_event_paranoid is {paranoid}): "
            "run sudo sysctl kernel.perf_event_paranoid=1, or start kvtop with sudo."
        )
    if paranoid is not None and paranoid > 1:
        return (
            f"Not permitted (kernel.perf_event_paranoid is {paranoid}): profile a process of your "
            "own, run sudo sysctl kernel.perf_event_paranoid=1, or start kvtop with sudo."
        )
    return (
        "Not permitted: the process belongs to another user or runs with more rights; "
        "start kvtop with sudo."
    )


def perf_too_old(version: str = "") -> str:
    """One sentence for a perf that lacks what kvtop asks of it."""
    which = f"perf {version}" if version else "perf"
    oldest = ".".join(map(str, OLDEST_PERF))
    return (
        f"{which} is too old for kvtop, which needs {oldest} or newer: update it with the system."
    )


def kernel_closed(paranoid: int | None) -> str:
    """One sentence for what only the kernel tells, of a user who sees programs alone."""
    return (
        f"Only the kernel tells that, and it is closed to you (kernel.perf_event_paranoid is "
        f"{paranoid}): run sudo sysctl kernel.perf_event_paranoid=1, or start kvtop with sudo."
    )


def open_tracefs(directory: Path = Path("/sys/kernel/tracing")) -> str:
    """The command that lets an ordinary user read and open tracepoints.

    The mode of a mount is its top directory's alone (kernel documentation, ftrace); files in it
    are their group's to read.
    """
    return (
        f"sudo mount -o remount,mode=750,gid=$(id -g) {directory} && "
        "sudo sysctl kernel.perf_event_paranoid=-1"
    )


def tracepoints_unreadable(mounted: bool) -> str:
    """One sentence for tracepoints whose descriptions in tracefs cannot be read."""
    if mounted:
        return (
            f"Tracepoints can be read by root only: run {open_tracefs()}, or start kvtop with sudo."
        )
    return (
        "Tracepoints need tracefs, which is not mounted (or the container hides it): run "
        "sudo mount -t tracefs tracefs /sys/kernel/tracing."
    )


def explain(stderr: str, code: int | None = None) -> str:
    """perf's own error text as one plain sentence with its remedy.

    ``code`` is its exit status, negative for a signal: all there is where it said nothing.
    """
    text = stderr.strip()
    if re.search(r"perf not found for kernel", text):
        return (
            "perf does not match the running kernel: sudo apt-get install "
            f"linux-tools-{platform.release()}."
        )
    if re.search(
        r"perf_event_paranoid|Permission denied|Operation not permitted"
        r"|(not|don't) have permission|Access to performance monitoring",
        text,
    ):
        return not_permitted(read_paranoid())
    if re.search(r"No such process|Couldn't create thread/CPU maps", text):
        return "The process has exited."
    if match := re.search(r"event syntax error: '([^'\n]*)'", text):
        return (
            f"perf does not know the event {safe_text(match[1], 60)}: see perf list for those "
            "of this machine."
        )
    if re.search(r"not supported|ENOENT|No supported events", text):
        return "This machine does not have the event: see perf list for those that it has."
    if re.search(r"Too many open files|EMFILE", text):
        return "Too many threads for the limit on open files: raise it with ulimit -n 65536."
    if re.search(r"mlock|Cannot allocate memory|ENOMEM", text):
        return (
            "perf may not lock enough memory: run sudo sysctl kernel.perf_event_mlock_kb=4096, "
            "or start kvtop with sudo."
        )
    if re.search(r"unknown (option|field)|Usage: perf|[Ii]nvalid -F", text):
        return perf_too_old()
    if re.search(r"No space left", text):
        return "No space left on the disk: free some and start again."
    last = text.splitlines()[-1] if text else ""
    return f"perf failed: {safe_text(last, 120)}." if last else _ended_silently(code)


def _ended_silently(code: int | None) -> str:
    if code is None or code == 0:
        return "perf ended without a word."
    if code < 0:
        return f"perf was ended from outside, by signal {-code}."
    # perf lists the threads, then attaches to each: one that has ended meanwhile ends perf too.
    return (
        f"perf ended without a word (exit status {code}), as perf record does where a thread ends "
        "while it attaches."
    )


def read_paranoid() -> int | None:
    """kernel.perf_event_paranoid; None where the kernel has no perf events."""
    try:
        return int(_PARANOID.read_text())
    except (OSError, ValueError):
        return None


async def probe() -> PerfFacts:
    """Look once, within about 0.2 s, at what perf can do for this user."""
    paranoid = read_paranoid()
    if shutil.which("perf") is None:
        return PerfFacts("", paranoid, False, perf_missing())
    if paranoid is None:
        return PerfFacts(
            "", None, False, "This kernel has no perf events (or the container hides them)."
        )
    try:
        (_, version_text, version_error), (code, _, counted) = await asyncio.gather(
            output_of(["perf", "--version"]),
            output_of(["perf", "stat", "-x,", "-e", "task-clock:u,cycles:u", "true"]),
        )
    except (OSError, TimeoutError) as error:
        return PerfFacts("", paranoid, False, f"perf does not run: {safe_text(str(error), 120)}.")
    match = re.search(r"((\d+)\.(\d+)[\w.-]*)", version_text)
    version = match[1] if match else ""
    if not version or code:
        return PerfFacts(version, paranoid, False, explain(version_error + counted))
    if match is not None and (int(match[2]), int(match[3])) < OLDEST_PERF:
        return PerfFacts(version, paranoid, False, perf_too_old(version))
    hardware = bool(re.search(r"^\d+,[^\n]*cycles", counted, re.MULTILINE))
    return PerfFacts(version, paranoid, hardware)
