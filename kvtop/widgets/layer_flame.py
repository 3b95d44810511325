"""The flamegraph of one layer of one group: on the CPU in samples, or waiting in milliseconds."""

from __future__ import annotations

from collections.abc import Callable

from kvtop.events import WaitState
from kvtop.profile.layers import SCHEDULER, Layers
from kvtop.profile.ring import GroupKey, SampleRing, Weight
from kvtop.profile.scope import Scope
from kvtop.profile.text import safe_text
from kvtop.store import Store
from kvtop.widgets.flame_state import Groups
from kvtop.widgets.flamegraph_screen import FlamegraphScreen
from kvtop.widgets.layer_data import Group
from kvtop.widgets.scope_text import length, remarks
from kvtop.widgets.weights import milliseconds


class LayerFlamegraph(FlamegraphScreen):
    """Only stacks of the layer; follows the samples as any flamegraph does."""

    def __init__(
        self,
        store: Store,
        layers: Layers,
        layer: str,
        group: Group,
        *,
        scope: Scope,
        waiting: bool = False,
        save: Callable[[], object] | None = None,
        live: bool = True,
    ) -> None:
        label = next(iter(group.labels)) if group.labels and len(group.labels) == 1 else None
        super().__init__(store, scope=scope, label=label, save=save, live=live)
        self.shown_layer = layer
        self.waiting = waiting
        self._layers = layers
        self._group = group
        if waiting:
            self.flamegraph.unit = "ms"
            self.flamegraph.empty = "no waits of this layer were recorded: o records them"

    @property
    def ring(self) -> SampleRing:
        """The samples, or the waits that were recorded."""
        return self.store.waits.ring if self.waiting else self.store.ring

    @property
    def event(self) -> str:
        """What the weights are of, for a file's footer."""
        return "off-CPU time" if self.waiting else super().event

    def _ring(self, seconds: float, grouping: GroupKey | None) -> Groups:
        if not self.waiting:
            return self._folds(grouping)
        # A wait for a CPU is the scheduler's, wherever the thread was when it lost its own.
        state = WaitState.READY if self.shown_layer == SCHEDULER else WaitState.BLOCKED
        groups = self._folds(grouping, state)
        return {name: milliseconds(dict(counts)) for name, counts in groups.items()}

    def _folds(self, grouping: GroupKey | None, *states: WaitState) -> Groups:
        start, end = self.scope.bounds(self.until)
        filter = self._group.filter(start, end, *states)
        weight: Weight = "period" if states else "samples"
        if grouping is None:
            groups = {"": self.ring.fold(filter, weight)}
        else:
            groups = self.ring.fold_by(filter, grouping, weight)
        if WaitState.READY in states:
            return groups
        only = self._layers.only
        kept = {
            name: only(counts, self.shown_layer, self.waiting) for name, counts in groups.items()
        }
        return {name: counts for name, counts in kept.items() if counts or not name}

    def _caption(self, weight: int) -> str:
        """As of any flamegraph, with layer and group in the place of the target."""
        unit = "ms" if self.waiting else "samples"
        parts = [self.event] if self.event else []
        parts.append(f"{weight:,} {unit} of {length(self.scope, self.until)}")
        parts += filter(None, remarks(self.scope, self.store.info.wall_offset))
        parts += [f"layer {self.shown_layer}", self._group.name]
        if self.grouping is not None:
            parts.append(f"by {self.grouping.value}")
        parts += self._left_out()
        if not self.live and self.scope.range is None:
            parts.append("FROZEN")
        return safe_text(" · ".join(parts))
