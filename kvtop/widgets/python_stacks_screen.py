"""The flamegraph of what py-spy saw: Python functions of programs that perf has no names for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from textual.binding import Binding, BindingType

from kvtop.events import Health
from kvtop.profile.ring import SampleRing
from kvtop.profile.scope import Scope
from kvtop.profile.text import safe_text
from kvtop.store import Store
from kvtop.widgets.base import Help
from kvtop.widgets.flamegraph_screen import FlamegraphScreen

_NONE = (
    "No target is a Python program without names: those that run under -X perf or -X perf_jit "
    "have their functions in the flamegraph (f)."
)


class PythonStacksScreen(FlamegraphScreen):
    """Samples of py-spy alone; perf's are on the flamegraph, and the two are never added."""

    NAME = "Python stacks"
    SAMPLES = "py-spy samples"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("P", "close", "close", show=False),
    ]
    KEYS_HELP: ClassVar[list[Help]] = [
        ("P", "back to the main screen"),
        ("", "samples of py-spy, 50 a second and thread that runs; not perf's"),
        *FlamegraphScreen.KEYS_HELP,
    ]

    def __init__(
        self,
        store: Store,
        *,
        scope: Scope,
        label: str | None = None,
        save: Callable[[], object] | None = None,
        live: bool = True,
        until: float | None = None,
    ) -> None:
        # py-spy tells no periods.
        scope = replace(scope, weight="samples")
        super().__init__(store, scope=scope, label=label, save=save, live=live, until=until)
        self.flamegraph.unit = self.SAMPLES

    @property
    def ring(self) -> SampleRing:
        """What py-spy saw."""
        return self.store.spied

    @property
    def event(self) -> str:
        """What the weights are of, for a file's footer."""
        return "Python stacks by py-spy, 50/s"

    def _load(self) -> None:
        status = self.store.health("py-spy")
        said = {
            Health.STARTING: "py-spy is recording …"
            if "py-spy" in self.store.collectors
            else _NONE,
            Health.OK: "no thread has run Python yet",
        }.get(status.health, safe_text(status.reason, 400))
        if said != self.flamegraph.empty:
            self.flamegraph.empty = said
            self.flamegraph.redraw()
        super()._load()

    def _caption(self, weight: int) -> str:
        status = self.store.health("py-spy")
        caption = super()._caption(weight)
        return f"{caption} · {safe_text(status.reason)}" if weight and status.reason else caption
