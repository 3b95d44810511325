"""Keeps the list of attached processes true: exits, children to come, and who fits a rule later.

perf's events are inherited, so children that start later are sampled from their first
instruction without anybody's doing; here they get a name and rows of their own. Their counters
are part of their parent's (perf stat inherits as well) as long as that one lives.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from kvtop.collectors.attach import AttachError, comm_of, target_of
from kvtop.collectors.processes import process_exists
from kvtop.collectors.targets import Selection, find
from kvtop.events import Emit, LogLine, Marker, MarkerKind, StackSample, Target, TargetsChanged
from kvtop.profile.text import safe_text

_LOOK_EVERY = 0.5
_RULE_EVERY = 4
"""Looks between two searches for more processes that fit the selection."""
MOST_LISTED = 256
"""Rows of processes that run at the same time; the samples of others still have their names."""
_FEW = 3
"""So many starts or ends at once are told one by one."""


class TargetWatch:
    """Emits TargetsChanged, a marker and a line where a target ends, a line for a new one.

    ``attach_more`` is called with all PIDs where a process appeared that perf does not follow
    by itself.
    """

    name = "targets"

    def __init__(
        self,
        targets: Iterable[Target],
        selection: Selection,
        attach_more: Callable[[tuple[int, ...]], None],
    ) -> None:
        self._alive = {target.pid: target for target in targets}
        self._selection = selection
        self._attach_more = attach_more
        self._others = set(_children(self._alive, set()))
        """Descendants that were there before perf was: it does not follow them, nor theirs."""
        self._sampled: set[int] = set()
        self._last_pid = ""
        self._full = False

    def saw(self, samples: Iterable[StackSample]) -> None:
        """Whose samples perf delivered: one that is not known is a child, or a child's child.

        That finds those whose parent has exited before anybody looked, as daemons' has.
        """
        self._sampled.update({sample.pid for sample in samples} - self._alive.keys())

    async def run(self, emit: Emit) -> None:
        """Look until cancelled, or until the last one has ended."""
        looks = 0
        while self._alive:
            await asyncio.sleep(_LOOK_EVERY)
            before = dict(self._alive)
            fresh = _newest_pid()
            if fresh != self._last_pid:
                self._adopt(_children(self._alive, self._others))
            self._adopt({pid: self._any_root() for pid in self._sampled})
            self._sampled.clear()
            looks += 1
            if self._selection.is_rule and looks % _RULE_EVERY == 0 and fresh != self._last_pid:
                self._search(emit)
            if looks % _RULE_EVERY == 0:
                self._last_pid = fresh
            self._bury()
            self._rename()
            if self._alive != before:
                self._tell(before, emit)

    def _any_root(self) -> int | None:
        return next((pid for pid, t in self._alive.items() if t.parent is None), None)

    def _adopt(self, found: dict[int, int | None]) -> None:
        for pid, parent in found.items():
            if pid in self._alive or len(self._alive) >= MOST_LISTED:
                self._full = self._full or pid not in self._alive
                continue
            try:
                target = target_of(pid)
            except AttachError:
                continue  # It has exited, or has become another user's.
            self._alive[pid] = replace(target, parent=parent)

    def _search(self, emit: Emit) -> None:
        """Processes that fit the rule now and did not before."""
        try:
            found = find(self._selection)
        except AttachError:
            return
        new = [pid for pid in found.pids if pid not in self._alive]
        for pid in new:
            self._adopt({pid: None})
        if any(pid in self._alive for pid in new):
            text = f"{len(new)} more fit what was asked for: sampling starts anew with them"
            emit(LogLine(time.monotonic(), self.name, "info", text))
            self._attach_more(tuple(self._alive))

    def _bury(self) -> None:
        for pid in [pid for pid in self._alive if not process_exists(pid)]:
            gone = self._alive.pop(pid)
            for child in [t for t in self._alive.values() if t.parent == pid]:
                # A parent that was itself counted with another passes its children on to that.
                self._alive[child.pid] = replace(child, parent=gone.parent)

    def _rename(self) -> None:
        """Children run another program than the one that forked them, often at once."""
        for pid, child in self._alive.items():
            if child.parent is None or child.label == f"{comm_of(pid)}({pid})":
                continue
            with suppress(AttachError):
                self._alive[pid] = replace(target_of(pid), parent=child.parent)

    def _tell(self, before: dict[int, Target], emit: Emit) -> None:
        now = time.monotonic()
        started = [t for pid, t in self._alive.items() if pid not in before]
        ended = [t for pid, t in before.items() if pid not in self._alive]
        for target in ended:
            if target.parent is None:
                emit(Marker(now, MarkerKind.EXIT, f"{target.label} exited", target.label))
                emit(LogLine(now, target.label, "warning", "the process has exited"))
        children = [t for t in ended if t.parent is not None]
        for some, verb in ((started, "started"), (children, "ended")):
            if len(some) > _FEW:
                emit(LogLine(now, self.name, "info", f"{len(some)} processes {verb}"))
                continue
            for target in some:
                command = safe_text(target.command, 100) if verb == "started" else ""
                emit(LogLine(now, target.label, "info", f"{verb} {command}".strip()))
        if self._full:
            self._full = False
            text = f"more than {MOST_LISTED} processes: the others have samples, but no rows"
            emit(LogLine(now, self.name, "warning", text))
        emit(TargetsChanged(now, tuple(self._alive.values())))


def _newest_pid() -> str:
    """What changes whenever a process or thread was created (proc_loadavg(5), last field)."""
    return Path("/proc/loadavg").read_text().rpartition(" ")[2]


def _children(known: Iterable[int], others: set[int]) -> dict[int, int | None]:
    """PID -> the one of ``known`` that it descends from, of processes that are not known.

    ``others`` and their descendants are none of them; those that ended are taken out of it.
    """
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                stat = (entry / "stat").read_bytes()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rpartition(b")")[2].split()[1])
    family = set(known)
    others &= parents.keys()
    found: dict[int, int | None] = {}
    for pid in parents.keys() - family:
        above = pid
        while above not in family and above not in others and above in parents:
            above = parents[above]
        if above in family:
            found[pid] = above
    return found
