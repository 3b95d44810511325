"""The flamegraph of waiting: where threads are while they are not on a CPU, in milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from kvtop.events import FlawKind, Health, WaitState
from kvtop.profile.ring import Filter, GroupKey, SampleRing
from kvtop.profile.scope import Scope
from kvtop.profile.text import safe_text
from kvtop.store import Store
from kvtop.widgets.base import Help
from kvtop.widgets.figures import clock, percent, span
from kvtop.widgets.flame_state import Groups
from kvtop.widgets.flamegraph_screen import FlamegraphScreen
from kvtop.widgets.weights import milliseconds

_SERIOUS = 1.0
"""From this percentage of the stacks on a flaw's cause and remedy take a line."""


class WaitsScreen(FlamegraphScreen):
    """Records while it is open; ``follow`` begins and ends that, ``follow_wakers`` a part of it."""

    NAME = "Off-CPU"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "close", "on-CPU", show=False),
        Binding("W", "wakers", "who wakes"),
    ]
    DEFAULT_CSS = """
    WaitsScreen > #waits-flaw { height: auto; padding: 0 1; color: $text-warning; }
    """
    GROUPINGS = (*FlamegraphScreen.GROUPINGS, GroupKey.EVENT)
    KEYS_HELP: ClassVar[list[Help]] = [
        ("o", "end the recording and go back"),
        ("t", "group by target, role, thread, process, blocked or ready, or not at all"),
        ("W", "record who ends the waits, as boxes on top of them; or no more"),
        ("s", "save as interactive SVG, in ms"),
        ("S", "save perf.folded and perf.svg, in ms"),
        ("", "blocked: waits for input, a lock, a timer; ready: waits for a CPU"),
        ("", "busy threads: one in N switches has its stack, its time stands for the others'"),
    ]

    def __init__(
        self,
        store: Store,
        follow: Callable[[bool], None],
        follow_wakers: Callable[[bool], None],
        *,
        scope: Scope,
        label: str | None = None,
        save: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(store, scope=scope.over(None), label=label, save=save)
        self._follow = follow
        self._follow_wakers = follow_wakers
        self.wakers = False
        """Whether who ends the waits is recorded as well."""
        self._said: object = None
        self.flamegraph.unit = "ms"
        self._flaw = Static("", id="waits-flaw", markup=False)

    def compose(self) -> ComposeResult:
        graph, *others = super().compose()
        yield from (graph, self._flaw, *others)

    def on_mount(self) -> None:
        """Begin to record; the class above shows what is there."""
        self._follow(True)

    def on_unmount(self) -> None:
        """Nobody looks any more."""
        self._follow(False)

    @property
    def ring(self) -> SampleRing:
        """The waits that were recorded."""
        return self.store.waits.ring

    @property
    def event(self) -> str:
        """What the weights are of, for a file's footer."""
        return f"off-CPU time, {self._sampled()}"

    def _sampled(self) -> str:
        stats = self.store.waits.stats
        if stats is None or stats.every == 1:
            return "every switch has its stack"
        return f"1 in {stats.every} switches has its stack"

    def _filter(self) -> Filter:
        return self.scope.filter(self.until, self.label)

    def _ring(self, seconds: float, grouping: GroupKey | None) -> Groups:
        if grouping is None:
            return {"": milliseconds(self.ring.fold(self._filter(), "period"))}
        groups = self.ring.fold_by(self._filter(), grouping, "period")
        return {name: milliseconds(counts) for name, counts in groups.items()}

    def refresh_data(self) -> None:
        """Follow the newest waits, and what the collector says of them."""
        said = self.store.health("off_cpu"), self.store.waits.stats, self.store.health("wakers")
        if said != self._said:
            self._said = said
            self._seen = None
        super().refresh_data()

    def _load(self) -> None:
        status = self.store.health("off_cpu")
        said = {
            Health.STARTING: "counting context switches, then recording …",
            Health.OK: "no thread has waited yet",
        }.get(status.health, safe_text(status.reason, 400))
        if said != self.flamegraph.empty:
            self.flamegraph.empty = said
            self.flamegraph.redraw()
        worst = " · ".join(filter(None, (self._no_wakers(), self._worst())))
        self._flaw.display = bool(worst)
        self._flaw.update(worst)
        super()._load()

    def _no_wakers(self) -> str:
        """Why nobody knows who wakes, where that was asked for."""
        status = self.store.health("wakers")
        if not self.wakers or status.health is not Health.UNAVAILABLE:
            return ""
        return safe_text(f"wakers are not recorded: {status.reason}", 400)

    def _broken(self) -> float | None:
        """Percent of the stacks that do not reach their thread's start."""
        stats = self.store.waits.stats
        if stats is None or not stats.told:
            return None
        broken = sum(flaw.samples for flaw in stats.flaws if flaw.kind is FlawKind.BROKEN)
        return 100 * broken / stats.told

    def _worst(self) -> str:
        """The most frequent flaw with its cause and remedy, '' where it is not worth a line."""
        stats = self.store.waits.stats
        if stats is None or not stats.flaws or not stats.told:
            return ""
        flaw = stats.flaws[0]
        share = 100 * flaw.samples / stats.told
        if share < _SERIOUS:
            return ""
        return safe_text(f"{percent(share)}% {flaw.kind}: {flaw.cause}; {flaw.remedy}", 400)

    def _caption(self, weight: int) -> str:
        parts = ["off-CPU"]
        stats, status = self.store.waits.stats, self.store.health("off_cpu")
        if status.health in (Health.UNAVAILABLE, Health.DEGRADED) and weight:
            parts.append(f"STOPPED: {status.reason.rstrip('.')}")
        recorded = self.window
        if stats is not None:
            recorded = min(recorded, max(0.0, (self.until or stats.time) - stats.since))
        parts.append(f"{weight:,} ms of {span(round(recorded))}")
        if (broken := self._broken()) is not None:
            parts.append(f"{percent(broken)}% broken")
        if not self.live:
            at = "" if self.until is None else f" at {clock(self.store.wall(self.until))}"
            parts.append(f"FROZEN{at}")
        if self.grouping is not None:
            parts.append(f"by {self.grouping.value}")
        parts += self._left_out()
        if self.wakers:
            parts.append("with wakers")
        if weight:
            parts.append(f"{percent(self._ready_share())}% waiting for a CPU")
        if stats is not None:
            parts.append(f"{stats.switches:,.0f} switches/s")
            if stats.every > 1:
                parts.append(f"1 in {stats.every} with its stack")
            if stats.lost:
                parts.append(f"LOST {stats.lost:,}")
            parts.append(f"{stats.threads:,} threads")
        parts.append("all targets" if self.label is None else self.label)
        return safe_text(" · ".join(parts))

    def action_wakers(self) -> None:
        """Begin to record who ends the waits, or end it; a tracepoint, in one frame on top."""
        self.wakers = not self.wakers
        self._follow_wakers(self.wakers)
        self._load()

    def _ready_share(self) -> float:
        by_state = self.ring.fold_by(self._filter(), GroupKey.EVENT, "period")
        sums = {state: sum(counts.values()) for state, counts in by_state.items()}
        return 100 * sums.get(WaitState.READY, 0) / max(1, sum(sums.values()))

    @classmethod
    def help_rows(cls) -> list[tuple[str, str, str]]:
        """Its own keys, and what the flamegraph's do here too."""
        rows = [row for row in FlamegraphScreen.help_rows() if row[1] not in ("t", "s", "S")]
        return [*super().help_rows(), *rows]
