"""The flamegraph over the whole screen: window, grouping, search, freeze, saving."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from kvtop.profile.ring import GroupKey
from kvtop.profile.scope import Scope
from kvtop.profile.shape import Shown
from kvtop.profile.text import safe_text
from kvtop.profile.tree import CallTree
from kvtop.store import Store
from kvtop.widgets.base import Help
from kvtop.widgets.figures import clock
from kvtop.widgets.flame_state import Groups
from kvtop.widgets.flamegraph import Flamegraph
from kvtop.widgets.key_bar import KeyBar, KeyHint
from kvtop.widgets.prompt import Pattern, PromptScreen
from kvtop.widgets.samples import Samples, keep_matching
from kvtop.widgets.scope_text import length, remarks
from kvtop.widgets.scoped_screen import ScopedScreen
from kvtop.widgets.weights import in_unit, unit_of

Source = Callable[[float, GroupKey | None], Groups]
"""(seconds, grouping) -> folds of the last seconds; one group named '' where not grouped."""

_HINTS = (
    KeyHint("?", "help", "screen.help"),
    KeyHint("esc", "back", "screen.back"),
    KeyHint("/", "search", "screen.search"),
    KeyHint("enter", "zoom", "screen.flame('zoom')"),
    KeyHint("space", "freeze", "screen.freeze"),
    KeyHint("[ ]", "window", "screen.window(1)", 1),
    KeyHint("t", "group", "screen.group", 1),
    KeyHint("w", "callers", "screen.flame('ask(\"callers\")')", 2),
    KeyHint("a", "source", "screen.flame('ask(\"source\")')", 2),
    KeyHint("s", "save SVG", "screen.save"),
    KeyHint("i", "upside down", "screen.flame('invert')", 4),
    KeyHint("c", "callers first", "screen.flame('reverse')", 2),
    KeyHint("g", "glue", "screen.flame('glue')", 3),
    KeyHint("y", "copy name", "screen.flame('copy_name')", 4),
)


class FlamegraphScreen(ScopedScreen):
    """The past ``window`` seconds of the ring as a flamegraph; it follows new samples until frozen.

    ``scope`` stands in for the window: since a mark, or a range, which holds still.
    ``label`` limits it to one target. Not ``live``, it starts frozen at the time ``until``.
    ``save`` is called by the key ``s``. ``source`` stands in for the store's ring. A ``tree`` of
    nearly the same samples spares building one: the screen is there at once.
    """

    NAME = "Flamegraph"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "back"),
        Binding("f,q", "close", "close", show=False),
        Binding("slash", "search", "search", key_display="/"),
        Binding("space", "freeze", "freeze"),
        Binding("left_square_bracket", "window(-1)", "shorter window", key_display="["),
        Binding("right_square_bracket", "window(1)", "longer window", key_display="]"),
        Binding("t", "group", "group by"),
        Binding("s", "save", "save SVG"),
        Binding("F", "only", "only stacks that match"),
        Binding("X", "hide", "hide frames that match"),
        Binding("question_mark", "help", "help", key_display="?"),
        # Keys of the main screen that must not reach it from here.
        Binding("k", "flame('move_up')", "up", show=False),
        Binding("j", "flame('move_down')", "down", show=False),
        Binding("h", "flame('sibling(-1)')", "left", show=False),
        Binding("l", "flame('sibling(1)')", "right", show=False),
        Binding("p,r,z", "nothing", show=False),
        Binding("tab", "flame('sibling(1)')", "right", show=False),
        Binding("shift+tab", "flame('sibling(-1)')", "left", show=False),
    ]
    GROUPINGS: ClassVar[tuple[GroupKey | None, ...]] = (
        None,
        GroupKey.LABEL,
        GroupKey.ROLE,
        GroupKey.THREAD,
        GroupKey.PROCESS,
    )
    SAMPLES: ClassVar[str] = "samples"
    """What samples are called."""
    KEYS_HELP: ClassVar[list[Help]] = [
        *Flamegraph.KEYS_HELP,
        ("space", "freeze, or follow the newest samples again"),
        ("[ ]", "shorter or longer window; beyond the longest all since the mark"),
        ("m x", "mark this moment; leave the mark or the selected range"),
        ("T", "time map: select a range"),
        ("b d", "make this the baseline; compare with it"),
        ("t", "group by target, role, thread, process, or not at all"),
        ("F", "only stacks in which a frame matches a regex"),
        ("X", "hide frames that match a regex; their callees stay"),
        ("s", "save what is shown as interactive SVG"),
        ("S", "save perf.data, perf.unfold, perf.folded, perf.svg, without the filters"),
        ("esc", "end the search, the filters, zoom out, then back to the main screen"),
        ("f q", "back to the main screen at once"),
    ]
    DEFAULT_CSS = """
    FlamegraphScreen {
        & > Flamegraph { height: 1fr; overflow-y: scroll; }
    }
    """

    def __init__(
        self,
        store: Store,
        window: float = 30.0,
        *,
        label: str | None = None,
        save: Callable[[], object] | None = None,
        source: Source | None = None,
        live: bool = True,
        until: float | None = None,
        scope: Scope | None = None,
        tree: CallTree | None = None,
    ) -> None:
        super().__init__(store, scope or Scope(window), live=live, until=until)
        self.label = label
        self.grouping: GroupKey | None = None
        self.only: Pattern | None = None
        """Stacks without a frame that matches are left out."""
        self._save = save
        self._source = source or self._ring
        self._seen: object = None
        self.flamegraph = Flamegraph(store.table, id="flamegraph")
        if tree is not None and tree.options == self.flamegraph.state.options:
            self.flamegraph.state.tree = tree

    def compose(self) -> ComposeResult:
        yield self.flamegraph
        yield KeyBar(_HINTS)

    def on_mount(self) -> None:
        """Show the window as it is now."""
        self.flamegraph.focus()
        self._load()

    @property
    def parts(self) -> tuple[Flamegraph]:
        """The flamegraph."""
        return (self.flamegraph,)

    # Data

    @property
    def event(self) -> str:
        """What the weights are of, for a file's footer."""
        stats = self.store.pipeline
        if stats is None or self.ring.event is None:
            return f"{stats.event} @ {stats.rate_text}" if stats is not None else ""
        sampled = self.ring.event in stats.events
        return f"{self.ring.event} @ {stats.rate_text}" if sampled else self.ring.event

    def _ring(self, seconds: float, grouping: GroupKey | None) -> Groups:
        filter, weight = self.scope.filter(self.until, self.label), self.scope.weight
        unit = unit_of(self.ring, weight)
        self.flamegraph.unit = self.SAMPLES if unit == "samples" else unit
        if grouping is None:
            return {"": in_unit(self.ring, weight, self.ring.fold(filter, weight))}
        groups = self.ring.fold_by(filter, grouping, weight)
        return {name: in_unit(self.ring, weight, counts) for name, counts in groups.items()}

    def counts(self) -> dict[int, int]:
        """Stack id -> samples of what is shown, whatever it is grouped by."""
        return dict(self._groups(None)[""])

    def raw_counts(self) -> dict[int, int]:
        """As `counts`, with what the filters leave out."""
        return dict(self._source(self.window, None)[""])

    def shown(self) -> Shown:
        """What is shown, the way it is shown, to be saved."""
        options = self.flamegraph.state.options
        return Shown(self._groups(self.grouping), options, tuple(self._left_out()))

    def _groups(self, grouping: GroupKey | None) -> Groups:
        """The folds, without the stacks that are left out."""
        groups = self._source(self.window, grouping)
        if self.only is None:
            return groups
        return keep_matching(groups, self.store.table, self.only)

    def samples(self) -> Samples:
        """What is shown, for other views of it."""
        return Samples(
            self.counts,
            lambda: self.flamegraph.caption,
            lambda: self._seen,
            lambda: self.scope.bounds(self.until),
            self.label,
            self.live,
            self.flamegraph.unit,
        )

    def refresh_data(self) -> None:
        """Follow the newest samples, unless frozen; called on every tick."""
        if self.live and self.ring.revision != self._seen:
            self._load()

    def _load(self) -> None:
        self._seen = self.ring.revision
        groups = self._groups(self.grouping)
        weight = sum(sum(counts.values()) for counts in groups.values())
        self.flamegraph.set_groups(groups, self.store.table, self._caption(weight))
        if self.live:
            self.flamegraph.state.let_go()
        else:
            self.flamegraph.state.hold()

    def _caption(self, weight: int) -> str:
        parts = []
        if self.event:
            parts.append(self.event)
        parts.append(f"{weight:,} {self.flamegraph.unit} of {length(self.scope, self.until)}")
        parts += filter(None, remarks(self.scope, self.store.info.wall_offset))
        parts.append("all targets" if self.label is None else self.label)
        if self.grouping is not None:
            parts.append(f"by {self.grouping.value}")
        parts += self._left_out()
        if not self.live and self.scope.range is None:
            at = "" if self.until is None else f" at {clock(self.store.wall(self.until))}"
            parts.append(f"FROZEN{at}")
        return safe_text(" · ".join(parts))

    def _left_out(self) -> list[str]:
        """What the filters keep and hide, in words."""
        parts = []
        if self.only is not None:
            parts.append(f"only /{self.only.pattern}/")
        if (hidden := self.flamegraph.state.options.hidden) is not None:
            parts.append(f"without /{hidden.pattern}/")
        return parts

    # Keys

    def action_back(self) -> None:
        """End search or filters, zoom out, or close the screen: the first that is there."""
        graph = self.flamegraph
        if graph.state.pattern is not None:
            graph.search(None)
        elif self.only is not None or graph.state.options.hidden is not None:
            self._set_filters(None, None)
        else:
            graph.action_zoom_out()

    def on_flamegraph_zoomed_out(self, event: Flamegraph.ZoomedOut) -> None:
        """Nothing to zoom out of: back to where one came from."""
        self.action_close()

    def on_unmount(self) -> None:
        """Let go of what a frozen window held."""
        self.flamegraph.state.let_go()

    def action_group(self) -> None:
        """Group by the next thing."""
        at = (self.GROUPINGS.index(self.grouping) + 1) % len(self.GROUPINGS)
        self.grouping = self.GROUPINGS[at]
        self._load()

    def action_search(self) -> None:
        """Type a regex; matches are marked while one types."""
        graph = self.flamegraph
        first = graph.state.pattern.pattern if graph.state.pattern is not None else ""

        def changed(pattern: Pattern | None) -> None:
            graph.search(pattern)

        def done(text: str | None) -> None:
            if text:
                graph.action_match(1)

        self.app.push_screen(PromptScreen("Search", first, changed), done)

    def _set_filters(self, only: Pattern | None, hidden: Pattern | None) -> None:
        self.only = only
        self.flamegraph.hide(hidden)
        self._load()

    def action_only(self) -> None:
        """Type a regex: only stacks with a frame that matches stay."""
        first = self.only.pattern if self.only is not None else ""

        def changed(pattern: Pattern | None) -> None:
            self._set_filters(pattern, self.flamegraph.state.options.hidden)

        self.app.push_screen(PromptScreen("Only stacks with", first, changed))

    def action_hide(self) -> None:
        """Type a regex: frames that match are left out, their callees stay."""
        hidden = self.flamegraph.state.options.hidden

        def changed(pattern: Pattern | None) -> None:
            self._set_filters(self.only, pattern)

        first = hidden.pattern if hidden is not None else ""
        self.app.push_screen(PromptScreen("Hide frames", first, changed))

    def action_save(self) -> None:
        """Save through the application."""
        if self._save is not None:
            self._save()

    async def action_flame(self, action: str) -> None:
        """Run an action of the flamegraph."""
        await self.flamegraph.run_action(action)
