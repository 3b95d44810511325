"""The targets of a run that are not kvtop's own cluster: found, started, watched and ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

from kvtop.collectors.attach import python_support, resolve
from kvtop.collectors.targets import Selection, find
from kvtop.collectors.targets_watch import TargetWatch
from kvtop.config import Config
from kvtop.events import Emit, LogLine, StackSample, Target
from kvtop.profile.text import safe_text


class Attached:
    """Processes that were picked, a command that kvtop starts, or the whole machine.

    ``open`` it, let perf attach to ``pids``, ``go``; ``run`` is a collector; always ``stop``.
    """

    name = "targets"

    def __init__(self, config: Config, attach_more: Callable[[tuple[int, ...]], None]) -> None:
        self.title = ""
        self.targets: tuple[Target, ...] = ()
        self.counted: tuple[Target, ...] = ()
        """What perf stat counts: each process but those that are counted with their parents."""
        self.pids: tuple[int, ...] = ()
        """What perf attaches to; 0 alone stands for the whole machine."""
        self.call_graph = config.call_graph
        self.epilogue = ""
        """One sentence on how the command ended, once it has."""
        self._config = config
        self._attach_more = attach_more
        self._remark = ""
        self._watch: TargetWatch | None = None
        # Loaded where they are wanted: --attach has data the sooner for it.
        if config.command:
            from kvtop.collectors.targets_command import Command

            self._command: Command | None = Command(config.command, config.command_log)
        else:
            self._command = None

    async def open(self) -> None:
        """Find out who they are; AttachError (one sentence) for what cannot be profiled."""
        config = self._config
        if self._command is not None:
            await self._command.fork()
            self.title = safe_text(" ".join(config.command), 60)
            if self.call_graph == "auto":
                self.call_graph = self._command.call_graph
            self._take((self._command.target,), Selection())
        elif config.all:
            from kvtop.collectors.targets_machine import WHOLE, check

            check()
            self.title, self.pids, self.counted = "the whole machine", (WHOLE.pid,), (WHOLE,)
        else:
            selection = Selection(
                *(config.attach, config.attach_name, config.cgroup, config.container),
                *(config.unit, config.children),
            )
            found = find(selection)
            self._remark = found.remark
            targets = resolve(found.pids)
            self.title = ", ".join(target.label for target in targets[:3])
            if len(targets) > 3:
                self.title += f" and {len(targets) - 3} more"
            self._take(targets, selection)

    def _take(self, targets: tuple[Target, ...], selection: Selection) -> None:
        self.targets = self.counted = targets
        self.pids = tuple(target.pid for target in targets)
        self._watch = TargetWatch(targets, selection, self._attach_more)

    @property
    def python_frames(self) -> str:
        """Where names of Python functions come from, as the header says it."""
        if self._config.python_frames == "off":
            return "off"
        if any(target.python_frames for target in self.targets):
            return "on"
        if self._command is not None:
            spied = self._command.call_graph == "dwarf"
        else:
            spied = any(python_support(pid).is_python for pid in self.pids)
        return "py-spy" if spied else "off"

    async def go(self) -> None:
        """Let the command run, now that perf sees it; AttachError where it cannot be run."""
        if self._command is not None:
            await self._command.go()

    def saw(self, samples: Iterable[StackSample]) -> None:
        """Samples came in: their processes are, or become, targets."""
        if self._watch is not None:
            self._watch.saw(samples)

    def changed(self, targets: tuple[Target, ...]) -> None:
        """The targets are others now."""
        if self._watch is not None:
            self.targets = targets
            self.counted = tuple(target for target in targets if target.parent is None)

    async def run(self, emit: Emit) -> None:
        """Keep the list of targets true, until cancelled."""
        if self._remark:
            emit(LogLine(time.monotonic(), self.name, "warning", self._remark))
        if self._watch is None:
            from kvtop.collectors.targets_machine import MachineWatch

            await MachineWatch().run(emit)
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch.run(emit))
            if self._command is not None:
                group.create_task(self._command.follow(emit))
                group.create_task(self._tell_end(emit))

    async def _tell_end(self, emit: Emit) -> None:
        assert self._command is not None
        await self._command.ended.wait()
        self.epilogue = self._command.how_it_ended()
        level = "warning" if self._command.returncode else "info"
        emit(LogLine(time.monotonic(), self._command.label, level, self.epilogue))

    async def stop(self) -> None:
        """End the command, if there is one."""
        if self._command is not None:
            await self._command.stop()
            self.epilogue = self._command.how_it_ended()
