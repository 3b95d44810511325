"""Which processes a name, a cgroup, a container or a systemd unit stands for.

All of it is read from /proc: neither docker nor systemd has to be there, and what belongs to a
container is found from outside of it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from kvtop.collectors.attach import AttachError, attachable
from kvtop.collectors.procfs import all_pids, ancestors, arguments, descendants, read_stat
from kvtop.profile.text import safe_text

MOST = 64
"""Processes that are attached to at once: perf holds a descriptor per thread and CPU."""
_CONTAINER_ID = re.compile(r"[0-9a-f]{12,64}")
_LIKE_AN_ID = re.compile(r"[0-9a-f]{4,64}")
_UNIT_KINDS = (".service", ".scope", ".slice")
_DOCKER = Path("/var/lib/docker/containers")
_PODMAN = (
    Path("/var/lib/containers/storage/overlay-containers/containers.json"),
    Path("~/.local/share/containers/storage/overlay-containers/containers.json"),
)


@dataclass(frozen=True, slots=True)
class Selection:
    """What was asked for on the command line; a process that any of it names is meant."""

    pids: tuple[int, ...] = ()
    name: str = ""
    """Regex, searched in thread-group name and command line."""
    cgroup: str = ""
    container: str = ""
    unit: str = ""
    children: bool = False
    """Descendants that run already are meant too."""

    @property
    def is_rule(self) -> bool:
        """Whether processes that start later may be meant as well."""
        return bool(self.name or self.cgroup or self.container or self.unit)


@dataclass(frozen=True, slots=True)
class Found:
    """The processes of a selection, and a sentence on those that were left out ('' for none)."""

    pids: tuple[int, ...]
    remark: str = ""


def find(selection: Selection) -> Found:
    """The processes that are meant now; AttachError where there is none, or none permitted.

    PIDs that were given as such are not judged here.
    """
    chosen = dict.fromkeys(selection.pids)
    remarks: list[str] = []
    for what, matches in _matches(selection):
        permitted = [pid for pid in matches if attachable(pid)]
        if not permitted:
            raise AttachError(
                f"the {len(matches):,} processes of {what} belong to other users: "
                "start kvtop with sudo"
                if len(matches) > 1
                else f"process {matches[0]} of {what} belongs to another user: "
                "start kvtop with sudo"
            )
        if len(permitted) < len(matches):
            left_out = len(matches) - len(permitted)
            remarks.append(f"{left_out:,} processes of {what} belong to other users.")
        chosen |= dict.fromkeys(permitted)
    if selection.children:
        for pid in list(chosen):
            chosen |= dict.fromkeys(p for p in descendants(pid) if attachable(p))
    pids = tuple(chosen)
    if len(pids) > MOST and len(pids) > len(selection.pids):
        room = max(MOST, len(selection.pids))
        remarks.append(f"{len(pids):,} processes match, of which {room} are profiled.")
        pids = pids[:room]
    return Found(pids, " ".join(remarks))


def _matches(selection: Selection) -> Iterator[tuple[str, list[int]]]:
    """(what was asked for, the processes of it) of every rule; AttachError where none is."""
    if selection.name:
        yield f"/{safe_text(selection.name, 60)}/", _by_name(selection.name)
    if selection.cgroup:
        yield f"cgroup {safe_text(selection.cgroup, 80)}", _by_cgroup(selection.cgroup)
    if selection.container:
        yield f"container {safe_text(selection.container, 80)}", _by_container(selection.container)
    if selection.unit:
        yield f"unit {safe_text(selection.unit, 80)}", _by_unit(selection.unit)


def _by_name(pattern: str) -> list[int]:
    regex = re.compile(pattern)
    # What started kvtop has the pattern in its own command line.
    own = {os.getpid(), *ancestors(os.getpid())}
    pids = []
    for pid in all_pids():
        stat = read_stat(pid)
        if stat is None or pid in own or not (command := arguments(pid)):
            continue
        if any(map(regex.search, (_whole_name(stat.comm, command), " ".join(command)))):
            pids.append(pid)
    if not pids:
        raise AttachError(
            f"no process has a name or command line that matches {safe_text(pattern, 60)!r}; "
            "see ps -ef for those that run"
        )
    return pids


def _whole_name(comm: str, command: Sequence[str]) -> str:
    """The kernel keeps 15 bytes of a name; the program's own has the rest where it begins so."""
    program = Path(command[0]).name
    return program if len(comm) >= 15 and program.startswith(comm) else comm


# cgroups


def cgroups_of(pid: int) -> list[str]:
    """Paths of a process in every hierarchy (cgroups(7)), without those at the root."""
    try:
        text = Path(f"/proc/{pid}/cgroup").read_text(errors="replace")
    except OSError:
        return []
    paths = (line.split(":", 2)[2] for line in text.splitlines() if line.count(":") >= 2)
    return [path for path in paths if path != "/"]


def _members(wanted: Callable[[str], bool]) -> dict[str, list[int]]:
    """cgroup path -> processes in it, of the paths that are wanted."""
    found: dict[str, list[int]] = {}
    for pid in all_pids():
        for path in dict.fromkeys(cgroups_of(pid)):
            if wanted(path):
                found.setdefault(path, []).append(pid)
    return found


def _by_cgroup(text: str) -> list[int]:
    mounts = _cgroup_mounts()
    path = os.path.normpath(text)
    mount = next((m for m in mounts if path == m or path.startswith(f"{m}/")), None)
    inner = "/" + (path[len(mount) :] if mount is not None else path).strip("/")
    if inner == "/":
        raise AttachError("the root cgroup holds every process: -a profiles the whole machine")
    if not any(Path(m + inner).is_dir() for m in ([mount] if mount is not None else mounts)):
        raise AttachError(f"there is no cgroup {safe_text(text, 120)}; see systemd-cgls")
    pids = _flat(_members(lambda p: p == inner or p.startswith(f"{inner}/")))
    if not pids:
        raise AttachError(f"no process runs in the cgroup {safe_text(text, 120)}")
    return pids


def _cgroup_mounts() -> list[str]:
    """Where hierarchies are mounted, the longest path first (proc_pid_mountinfo(5))."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
    except OSError:
        return []
    halves = (line.partition(" - ") for line in lines)
    mounts = [
        first.split()[4] for first, _, kind in halves if kind.startswith(("cgroup ", "cgroup2 "))
    ]
    return sorted(mounts, key=len, reverse=True)


def _by_unit(text: str) -> list[int]:
    unit = text if text.endswith(_UNIT_KINDS) else f"{text}.service"
    pids = _flat(_members(lambda path: unit in path.split("/")))
    if not pids:
        raise AttachError(
            f"no process runs in the systemd unit {safe_text(unit, 80)}; "
            f"see systemctl status {safe_text(unit, 80)}"
        )
    return pids


def _by_container(text: str) -> list[int]:
    groups: dict[str, list[int]] = {}
    if _LIKE_AN_ID.fullmatch(text):
        groups = _members(lambda path: any(i.startswith(text) for i in _CONTAINER_ID.findall(path)))
    for wanted in () if groups else _ids_of_name(text):
        groups |= _members(lambda path, wanted=wanted: wanted in path)  # type: ignore[misc]
    if not groups:
        named = re.compile(rf"(lxc\.payload\.|machine-|lxc/)?{re.escape(text)}(\.scope|\.service)?")
        groups = _members(lambda path: any(named.fullmatch(part) for part in _parts(path)))
    if not groups:
        raise AttachError(f"no process runs in a container {safe_text(text, 80)}")
    ids = {i for path in groups for i in _CONTAINER_ID.findall(path) if i.startswith(text)}
    if len(ids) > 1:
        raise AttachError(
            f"{len(ids)} containers have an ID that begins with {text}: give more of it"
        )
    return _flat(groups)


def _parts(path: str) -> list[str]:
    parts = path.strip("/").split("/")
    return [*parts, *(f"{a}/{b}" for a, b in pairwise(parts))]


def _ids_of_name(name: str) -> list[str]:
    """IDs of the containers that docker or podman keep under a name, as far as one may look."""
    ids: list[str] = []
    with suppress(OSError, ValueError):
        ids += [
            file.parent.name
            for file in _DOCKER.glob("*/config.v2.json")
            if json.loads(file.read_text()).get("Name") == f"/{name}"
        ]
    for listed in _PODMAN:
        with suppress(OSError, ValueError, RuntimeError):
            entries = json.loads(listed.expanduser().read_text())
            ids += [str(entry["id"]) for entry in entries if name in entry.get("names", ())]
    return ids


def _flat(groups: dict[str, list[int]]) -> list[int]:
    return sorted({pid for pids in groups.values() for pid in pids})
