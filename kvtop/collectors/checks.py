"""What kvtop needs of this machine, looked at one by one: the checks of ``kvtop doctor``.

This module has the checks of perf and of what the kernel allows; ``host_checks`` those of Python,
files and terminal. Sentences about a perf that does not work come from ``collectors.doctor``.
"""

from __future__ import annotations

import asyncio
import os
import platform
import re
import resource
import shutil
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path

from kvtop.collectors.children import output_of
from kvtop.collectors.doctor import (
    OLDEST_PERF,
    explain,
    open_tracefs,
    perf_missing,
    read_paranoid,
)
from kvtop.collectors.perf_buffer import WANTED, buffer_size
from kvtop.profile.text import safe_text

_KERNEL = Path("/proc/sys/kernel")
_TRACING = Path("/sys/kernel/tracing")
_CAPABILITIES = {"PERFMON": 38, "SYS_ADMIN": 21, "SYS_PTRACE": 19, "IPC_LOCK": 14}
_ROOT = "sudo kvtop"
_PARANOID_1 = "sudo sysctl kernel.perf_event_paranoid=1"


class State(StrEnum):
    """How a check came out."""

    OK = "ok"
    DEGRADED = "degraded"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    ``found`` says what is there; where it is not ok, ``cost`` says what kvtop cannot do and
    ``remedy`` is the exact command (empty where none is known). Without a ``needed`` one kvtop
    is of no use.
    """

    area: str
    name: str
    state: State
    found: str
    cost: str = ""
    remedy: str = ""
    needed: bool = False


@dataclass(frozen=True, slots=True)
class Rights:
    """What this process may do, from /proc/self/status."""

    capabilities: frozenset[str]
    """Of those that matter to perf, without their CAP_."""
    seccomp: int
    """0 none, 1 strict, 2 filter."""
    uid: int

    @property
    def perfmon(self) -> bool:
        """Whether perf_event_paranoid does not apply (perf-security, kernel documentation)."""
        return bool(self.capabilities & {"PERFMON", "SYS_ADMIN"})


def read_rights(status: str | None = None, uid: int | None = None) -> Rights:
    """The rights that a text of /proc/PID/status tells; this process's own where None."""
    text = Path("/proc/self/status").read_text() if status is None else status
    held = re.search(r"^CapEff:\s*([0-9a-f]+)", text, re.MULTILINE)
    mask = int(held[1], 16) if held else 0
    mode = re.search(r"^Seccomp:\s*(\d)", text, re.MULTILINE)
    names = frozenset(name for name, bit in _CAPABILITIES.items() if mask >> bit & 1)
    return Rights(names, int(mode[1]) if mode else 0, os.geteuid() if uid is None else uid)


async def perf_checks(rights: Rights) -> list[Check]:
    """perf itself, permissions, limits and events; asks perf about ten things at once."""
    if shutil.which("perf") is None:
        return [_missing_perf(perf_missing())]
    try:
        code, text, error = await output_of(["perf", "--version"])
    except (OSError, TimeoutError) as problem:
        return [_missing_perf(f"perf does not run: {safe_text(str(problem), 120)}.")]
    version = re.search(r"\d+\.[\w.-]+", text)
    if code or version is None:
        return [_missing_perf(explain(error))]
    found = [check_version(version[0], platform.release())]
    found += await _permission(rights)
    found += [check_capabilities(rights), check_seccomp(rights), *_limits(rights)]
    found += [check_kernel_names(rights), *await _events(rights)]
    found += check_features(await _text_of("perf", "version", "--build-options"))
    return found


def _missing_perf(sentence: str) -> Check:
    """kvtop is of no use."""
    remedy = re.search(r"sudo [^.;]*(?:\.[^\s.;]+)*", sentence)
    return Check(
        *("perf", "perf", State.MISSING, sentence),
        cost="no samples, no counters: only the cluster's own figures",
        remedy=remedy[0].rstrip(".") if remedy else "",
        needed=True,
    )


def check_version(version: str, kernel: str) -> Check:
    """Whether perf is new enough, and how it compares with the running kernel."""
    mine, running = _numbers(version), _numbers(kernel)
    if mine < OLDEST_PERF:
        return Check(
            *("perf", "perf", State.MISSING, f"version {version} is older than 5.10"),
            cost="it lacks options that kvtop needs",
            remedy="update perf with the system's package manager",
            needed=True,
        )
    beside = f"version {version} on Linux {kernel}"
    if mine < running:
        beside += "; the older perf reads the newer kernel's events"
    return Check("perf", "perf", State.OK, beside, needed=True)


def _numbers(text: str) -> tuple[int, int]:
    match = re.match(r"(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)


async def _permission(rights: Rights) -> list[Check]:
    """perf_event_paranoid and whether one's own processes can really be profiled."""
    paranoid = read_paranoid()
    own = await _stat("task-clock:u")
    if own.problem:
        sentence = own.problem
        if paranoid is None:
            sentence = "this kernel has no perf events, or the container hides them"
        elif rights.seccomp and "ermitted" in sentence:
            sentence = "perf_event_open is refused, probably by the container's seccomp profile"
        remedy = _PARANOID_1
        if paranoid is None or rights.seccomp:
            remedy = "docker run --cap-add PERFMON --security-opt seccomp=unconfined ..."
        return [
            Check(
                *("rights", "own processes", State.MISSING, sentence),
                cost="no samples, no counters: only the cluster's own figures",
                remedy=remedy,
                needed=True,
            )
        ]
    profile = Check("rights", "own processes", State.OK, "may be profiled", needed=True)
    return [profile, check_paranoid(paranoid, rights)]


def check_paranoid(paranoid: int | None, rights: Rights) -> Check:
    """kernel.perf_event_paranoid, and what it means for this user."""
    said = f"kernel.perf_event_paranoid is {paranoid}"
    if rights.perfmon:
        return Check("rights", "kernel", State.OK, f"{said}, which does not bind you")
    if paranoid is not None and paranoid > 1:
        return Check(
            *("rights", "kernel", State.DEGRADED, f"{said}: programs only, no kernel"),
            cost="no kernel frames, no context-switches counter, no off-CPU view",
            remedy=_PARANOID_1,
        )
    if paranoid is not None and paranoid > 0:
        return Check("rights", "kernel", State.OK, f"{said}: kernel frames of your own processes")
    return Check("rights", "kernel", State.OK, said)


def check_capabilities(rights: Rights) -> Check:
    """Whether processes of others, and whole CPUs, can be looked at."""
    name = "others' processes"
    if rights.perfmon and "SYS_PTRACE" in rights.capabilities:
        return Check("rights", name, State.OK, "may be profiled (CAP_PERFMON, CAP_SYS_PTRACE)")
    held = ", ".join(f"CAP_{c}" for c in sorted(rights.capabilities)) or "no capability"
    return Check(
        *("rights", name, State.DEGRADED, f"may not be profiled ({held})"),
        cost="--attach takes processes of your own only; no counters per core",
        remedy=_ROOT,
    )


def check_seccomp(rights: Rights) -> Check:
    """Whether a filter of system calls is in force, as in containers."""
    kind = container_kind()
    where = f"in a {kind} container" if kind else "no container"
    if rights.seccomp != 2:
        return Check("rights", "container", State.OK, f"{where}, system calls are not filtered")
    return Check(
        "rights",
        "container",
        State.OK,
        f"{where}, a seccomp filter is in force; perf passes it",
    )


def container_kind(root: Path = Path("/")) -> str:
    """docker, podman, lxc, kubernetes; '' where there is no sign of a container."""
    if (root / ".dockerenv").exists():
        return "docker"
    if (root / "run/.containerenv").exists():
        return "podman"
    try:
        groups = (root / "proc/1/cgroup").read_text(errors="replace")
    except OSError:
        return ""
    for word, name in (("kubepods", "kubernetes"), ("docker", "docker"), ("lxc", "lxc")):
        if word in groups:
            return name
    return ""


def _limits(rights: Rights) -> list[Check]:
    """Memory that perf may lock, open files, the cgroup's share of CPU."""
    size = buffer_size()
    memory = Check("limits", "perf's buffers", State.OK, f"{size >> 10:,} KiB per CPU")
    if size < WANTED:
        memory = Check(
            *("limits", "perf's buffers", State.DEGRADED),
            found=f"{size >> 10:,} KiB per CPU may be locked, {WANTED >> 10:,} are wanted",
            cost="samples with DWARF stacks can be lost under load",
            remedy=f"sudo sysctl kernel.perf_event_mlock_kb={(WANTED >> 10) + 4}",
        )
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = Check("limits", "open files", State.OK, _limit(soft))
    if soft != resource.RLIM_INFINITY and soft < 4096:
        files = Check(
            *("limits", "open files", State.DEGRADED, _limit(soft)),
            cost="each thread takes a file per counter: large targets are refused",
            remedy=f"ulimit -n {min(65536, hard) if hard > 0 else 65536}",
        )
    return [memory, files, check_cpu_quota(_cpu_max())]


def _limit(value: int) -> str:
    return "no limit" if value == resource.RLIM_INFINITY else f"{value:,}"


def _cpu_max() -> str:
    """The cgroup's cpu.max ("QUOTA PERIOD"), '' where there is none (cgroup v2)."""
    try:
        line = Path("/proc/self/cgroup").read_text().split("0::", 1)[1].splitlines()[0]
        return (Path("/sys/fs/cgroup") / line.strip("/") / "cpu.max").read_text().strip()
    except (OSError, IndexError):
        return ""


def check_cpu_quota(cpu_max: str) -> Check:
    """Whether the cgroup is throttled: then less CPU than the machine has."""
    quota, _, period = cpu_max.partition(" ")
    if quota.isdecimal() and period.isdecimal() and int(period):
        cores = int(quota) / int(period)
        return Check(
            *("limits", "CPU quota", State.DEGRADED, f"the cgroup may use {cores:g} CPUs"),
            cost="what runs into the quota waits without a CPU, which looks like slow code",
            remedy="start kvtop outside of the limited cgroup",
        )
    return Check("limits", "CPU quota", State.OK, f"none on {os.cpu_count()} CPUs")


def check_kernel_names(rights: Rights, kptr: str | None = None, first: str | None = None) -> Check:
    """Whether kernel functions have names: kptr_restrict and what kallsyms shows."""
    kptr = _read(_KERNEL / "kptr_restrict") if kptr is None else kptr
    if first is None:
        try:
            with Path("/proc/kallsyms").open() as file:
                first = file.readline()
        except OSError:
            first = ""
    hidden = not first or int(first.split()[0], 16) == 0
    if not hidden:
        return Check("symbols", "kernel", State.OK, "functions of the kernel have names")
    if kptr == "0":
        return Check(
            *("symbols", "kernel", State.DEGRADED, "/proc/kallsyms hides the kernel's addresses"),
            cost="kernel frames have no names",
            remedy=_PARANOID_1,
        )
    return Check(
        *("symbols", "kernel", State.DEGRADED, f"kernel.kptr_restrict is {kptr or 'unknown'}"),
        cost="kernel frames have no names",
        remedy="sudo sysctl kernel.kptr_restrict=0",
    )


@dataclass(frozen=True, slots=True)
class _Counted:
    """What perf stat said of an event."""

    supported: bool
    problem: str


async def _stat(event: str) -> _Counted:
    try:
        code, text, error = await output_of(
            ["perf", "stat", "-x", ";", "--log-fd", "1", "-e", event, "--", "true"]
        )
    except (OSError, TimeoutError) as problem:
        return _Counted(False, safe_text(str(problem), 120))
    if code:
        return _Counted(False, explain(error + text))
    return _Counted("<not supported>" not in text, "")


async def _events(rights: Rights) -> list[Check]:
    """Which kinds of events can be had."""
    names = ("cpu-clock", "context-switches:k", "cycles:u", "cache-misses:u", "branch-misses:u")
    clock, kernel, *hardware = await asyncio.gather(*map(_stat, names))
    works = State.OK if clock.supported else State.MISSING
    found = [
        Check(
            *("events", "software", works),
            "cpu-clock, page-faults ..." if clock.supported else clock.problem,
            cost="" if clock.supported else "no samples",
            needed=True,
        )
    ]
    if not kernel.supported:
        found.append(
            Check(
                *("events", "kernel side", State.DEGRADED, "context-switches count nothing"),
                cost="no context switches per operation, no off-CPU view",
                remedy=_PARANOID_1,
            )
        )
    found.append(check_hardware({n: c.supported for n, c in zip(names[2:], hardware, strict=True)}))
    found.append(check_tracepoints(rights))
    return found


def check_hardware(supported: dict[str, bool]) -> Check:
    """The processor's counters."""
    names = [name.removesuffix(":u") for name, yes in supported.items() if yes]
    if len(names) == len(supported):
        watchdog = _read(_KERNEL / "nmi_watchdog") == "1"
        if watchdog:
            return Check(
                *("events", "hardware", State.DEGRADED, "the NMI watchdog keeps one counter"),
                cost="more counters take turns, which makes their figures estimates (~)",
                remedy="sudo sysctl kernel.nmi_watchdog=0",
            )
        return Check("events", "hardware", State.OK, ", ".join(names))
    lacking = [name.removesuffix(":u") for name, yes in supported.items() if not yes]
    return Check(
        *("events", "hardware", State.DEGRADED),
        found=f"not supported by this machine: {', '.join(lacking)}",
        cost="no IPC, no miss rates, no top-down; samples come from the cpu-clock timer",
        remedy="run on the bare machine, or let the virtual machine have a PMU (qemu -cpu host)",
    )


def check_tracepoints(rights: Rights, directory: Path = _TRACING) -> Check:
    """Whether tracepoints can be read (tracefs) and opened (perf_event_paranoid)."""
    name = "tracepoints"
    try:
        number = sum(1 for _ in (directory / "events").iterdir())
        # The directories may be anybody's to list and the files root's to read.
        for file in islice((directory / "events").glob("*/*/format"), 1):
            file.read_bytes()
    except FileNotFoundError:
        return Check(
            *("events", name, State.DEGRADED, f"{directory} is not mounted"),
            cost="no tracepoints in -e, no perf trace, no perf lock, no block I/O",
            remedy=f"sudo mount -t tracefs tracefs {directory}",
        )
    except OSError:
        return Check(
            *("events", name, State.DEGRADED, f"{directory} is not readable"),
            cost="no tracepoints in -e, no perf trace, no perf lock, no block I/O",
            remedy=open_tracefs(directory),
        )
    return Check("events", name, State.OK, f"{number:,} subsystems in {directory}")


def check_features(options: str) -> list[Check]:
    """What this build of perf brings, from ``perf version --build-options``."""
    on = {m[1] for m in re.finditer(r"^\s*([\w-]+): \[ on\s*\]", options, re.MULTILINE)}
    unwinders = [n for n in ("libunwind", "libdw-dwarf-unwind", "libdw") if n in on]
    found = []
    if not options:
        found.append(Check("stacks", "DWARF unwinding", State.OK, "perf does not tell its build"))
    elif unwinders:
        found.append(Check("stacks", "DWARF unwinding", State.OK, " and ".join(unwinders)))
    else:
        found.append(
            Check(
                *("stacks", "DWARF unwinding", State.MISSING, "perf was built without libunwind"),
                cost="stacks of programs without frame pointers end after one frame",
                remedy="install a perf that was built with libunwind or libdw",
            )
        )
    if "bpf_skeletons" not in on:
        found.append(
            Check(
                *("perf", "BPF", State.DEGRADED, "this perf has no BPF skeletons built in"),
                cost="lock contention and off-CPU come from tracepoints and switches instead",
            )
        )
    return found


async def _text_of(*command: str) -> str:
    try:
        _, text, _ = await output_of(command)
    except (OSError, TimeoutError):
        return ""
    return text


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
