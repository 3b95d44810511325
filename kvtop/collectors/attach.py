"""The processes of ``--attach``: there, permitted, and of what kind."""

from __future__ import annotations

import pwd
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kvtop.collectors.processes import process_exists
from kvtop.collectors.procfs import arguments
from kvtop.events import Role, Target
from kvtop.profile.text import safe_text

_KERNEL_THREAD = 0x00200000
_CAP_PERFMON = 38
_CAP_SYS_ADMIN = 21
_PYTHON = re.compile(r"(?:^|/)(?:python|pypy)[\d.]*[a-z]*$")
_JIT_DUMP = re.compile(r"/jit-\d+\.dump$", re.MULTILINE)
_LIBPYTHON = re.compile(r"/(?:libpython[\d.]+[a-z]*\.so[\d.]*|python[\d.]*[a-z]*)$", re.MULTILINE)


class AttachError(Exception):
    """A PID that cannot be profiled: one sentence with the remedy, for exit code 2."""


@dataclass(frozen=True, slots=True)
class PythonSupport:
    """How a process runs Python, if it does."""

    is_python: bool
    jit_dump: bool
    """Started with -X perf_jit (3.13 or newer): its functions come by name, stacks whole."""
    perf_map: bool
    """Started with -X perf (3.12 or newer): functions come by name given frame pointers."""


def resolve(pids: Sequence[int]) -> tuple[Target, ...]:
    """The targets for these PIDs; AttachError for one that cannot be profiled."""
    return tuple(target_of(pid) for pid in dict.fromkeys(pids))


def attachable(pid: int) -> bool:
    """Whether a process has a program and may be profiled by this user."""
    try:
        target_of(pid)
    except AttachError:
        return False
    return True


def choose_call_graph(pids: Sequence[int]) -> str:
    """What ``--call-graph auto`` means for these processes: dwarf or fp.

    dwarf for Python, whose usual builds keep no frame pointers, unless it runs under -X perf,
    whose trampolines have no unwind tables; fp, which costs a tenth, for all others.
    """
    supports = [python_support(pid) for pid in pids]
    wants_dwarf = [s.is_python and (s.jit_dump or not s.perf_map) for s in supports]
    return "dwarf" if any(wants_dwarf) else "fp"


def python_support(pid: int) -> PythonSupport:
    """How a process runs Python; all False where that cannot be seen."""
    try:
        maps = Path(f"/proc/{pid}/maps").read_text(errors="replace")
    except OSError:
        maps = ""
    jit = _JIT_DUMP.search(maps) is not None
    command = arguments(pid)
    is_python = _LIBPYTHON.search(maps) is not None
    is_python = is_python or bool(command and _PYTHON.search(command[0]))
    perf_map = is_python and not jit and Path(f"/tmp/perf-{pid}.map").exists()
    return PythonSupport(is_python, is_python and jit, perf_map)


def target_of(pid: int) -> Target:
    """A process as a target; AttachError for one that cannot be profiled."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        status = Path(f"/proc/{pid}/status").read_text(errors="replace")
        owner = Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        raise AttachError(f"there is no process {pid}; see ps -e for those that run") from None
    fields = dict(re.findall(r"^(\w+):\s*([^\n]*)$", status, re.MULTILINE))
    comm = safe_text(stat.partition("(")[2].rpartition(")")[0], 40)
    leader = int(fields.get("Tgid", pid))
    if leader != pid:
        raise AttachError(f"{pid} is a thread of process {leader}: attach to {leader}")
    if not process_exists(pid):
        raise AttachError(f"process {pid} ({comm}) has exited")
    if int(stat.rpartition(")")[2].split()[6]) & _KERNEL_THREAD:
        raise AttachError(f"{pid} ({comm}) is a thread of the kernel, which has no program to show")
    if not _permitted(pid):
        raise AttachError(
            f"process {pid} ({comm}) belongs to {_user_name(owner)}: "
            "start kvtop with sudo, or attach to a process of your own"
        )
    support = python_support(pid)
    command = safe_text(" ".join(arguments(pid)), 200)
    return Target(f"{comm}({pid})", pid, Role.OTHER, command, support.jit_dump or support.perf_map)


def _permitted(pid: int) -> bool:
    """What perf_event_open(2) asks for: PTRACE_MODE_READ, as /proc/PID/maps does, or PERFMON."""
    try:
        with Path(f"/proc/{pid}/maps").open("rb") as file:
            file.read(1)
        return True
    except PermissionError:
        return may_see_all()
    except OSError:
        # It exited just now; the next look at it says so.
        return True


def comm_of(pid: int) -> str:
    """What labels call a process; '' where it is gone."""
    try:
        return safe_text(Path(f"/proc/{pid}/comm").read_text(errors="replace")[:-1], 40)
    except OSError:
        return ""


def may_see_all() -> bool:
    """Whether kvtop has CAP_PERFMON or CAP_SYS_ADMIN, as root has (capabilities(7))."""
    own = Path("/proc/self/status").read_text()
    match = re.search(r"^CapEff:\s*([0-9a-f]+)", own, re.MULTILINE)
    held = int(match[1], 16) if match else 0
    return bool((held >> _CAP_PERFMON | held >> _CAP_SYS_ADMIN) & 1)


def _user_name(uid: int) -> str:
    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user {uid}"
