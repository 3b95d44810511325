"""A session without processes: a made-up store, faults that are written down."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from kvtop.cli import build_parser
from kvtop.config import Config, load
from kvtop.profile.ring import Filter
from kvtop.recorder import Recorder
from kvtop.session import FaultError, Session
from kvtop.store import Store
from kvtop.tool_events import Tool
from tests.widgets.made_up import fill, make_store


def config(*argv: str, output: Path = Path()) -> Config:
    """The configuration of a command line."""
    return replace(load(build_parser().parse_args(argv)), output=output)


class FakeSession(Session):
    """Reads like a running session; ``faults`` holds what it was asked to do to nodes."""

    def __init__(self, config: Config, store: Store | None = None) -> None:
        super().__init__(config)
        has_cluster = not config.attach
        self.store = store or fill(make_store(has_cluster, readonly=config.readonly))
        self._ring = self.store.ring
        self.recorder = Recorder(self.store, config)
        self.faults: list[str] = []
        self.refuse = ""
        self.followed: list[bool] = []
        self.wakers: list[bool] = []
        self.tools: list[Tool | None] = []
        self.raw: float | None = None

    def fold(self, window: float) -> dict[int, int]:
        """The window up to the newest sample: the made-up run lies in the past."""
        return self._ring.fold(Filter(start=(self._ring.last_time or 0.0) - window))

    @property
    def raw_since(self) -> float | None:
        """What a test says."""
        return self.raw

    async def save_perf_data(self, directory: Path, window: float) -> int:
        """Write files that say how far back they were asked to go."""
        (directory / "perf.data").write_text(f"{window:.0f}")
        (directory / "perf.unfold").write_text(str(time.time()))
        return 1

    def follow_waits(self, on: bool) -> None:
        """Write it down; the made-up waits stay."""
        self.followed.append(on)

    def follow_wakers(self, on: bool) -> None:
        """Write it down."""
        self.wakers.append(on)

    def follow_tool(self, tool: Tool | None) -> None:
        """Write it down; the made-up readings stay."""
        self.tools.append(tool)

    async def kill(self, name: str) -> None:
        """Write it down."""
        self._fault(f"kill {name}")

    async def pause(self, name: str) -> None:
        """Write it down."""
        self._fault(f"pause {name}")

    async def resume(self, name: str) -> None:
        """Write it down."""
        self._fault(f"resume {name}")

    async def restart(self, name: str) -> None:
        """Write it down."""
        self._fault(f"restart {name}")

    def _fault(self, what: str) -> None:
        if self.refuse:
            raise FaultError(self.refuse)
        self.faults.append(what)
