"""Callers and callees of one function, over the samples of the view that it was opened from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from kvtop.profile.callers import Sandwich, sandwich
from kvtop.profile.frames import Frame
from kvtop.profile.text import safe_text
from kvtop.profile.tree import TreeOptions
from kvtop.store import Store
from kvtop.widgets.base import Help
from kvtop.widgets.call_table import CENTRE, CallTable
from kvtop.widgets.figures import count, percent
from kvtop.widgets.key_bar import KeyBar, KeyHint
from kvtop.widgets.profile_screen import ProfileScreen
from kvtop.widgets.prompt import Pattern, PromptScreen
from kvtop.widgets.samples import Samples
from kvtop.widgets.table import LiveTable

_HINTS = (
    KeyHint("?", "help", "screen.help"),
    KeyHint("esc", "back", "screen.back"),
    KeyHint("enter", "walk there", "screen.walk"),
    KeyHint("→ ←", "unfold, fold", "screen.unfold", 2),
    KeyHint("a", "source", "screen.source"),
    KeyHint("/", "filter", "screen.filter", 1),
    KeyHint("g", "glue", "screen.glue", 3),
    KeyHint("y", "copy name", "screen.copy_name", 4),
)


ShowSource = Callable[[Frame, Samples], object]


class SandwichScreen(ProfileScreen):
    """One function between its callers and its callees; enter walks on to one of these.

    ``show_source`` opens the source of a function (key ``a``).
    """

    NAME = "Callers and callees"
    DETAIL = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace", "back", "back"),
        Binding("f,q,w", "close", "close", show=False),
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("a", "source", "source"),
        Binding("g", "glue", "glue"),
        Binding("y", "copy_name", "copy name"),
        Binding("question_mark", "help", "help", key_display="?"),
        # Keys of the main screen that must not reach it from here.
        Binding("k", "up", "up", show=False),
        Binding("j", "down", "down", show=False),
        Binding("p,r,z,t,s,S,space", "nothing", show=False),
        Binding("left_square_bracket,right_square_bracket", "nothing", show=False),
    ]
    KEYS_HELP: ClassVar[list[Help]] = [
        *CallTable.KEYS_HELP,
        ("enter, double click", "walk to the caller or callee"),
        ("esc, backspace", "back to the function before, then out"),
        ("a", "source and samples per line of the function under the cursor"),
        ("/", "show only callers and callees that match"),
        ("g", "show or fold the interpreter's own frames"),
        ("y", "copy the function's name"),
        ("f q w", "back at once"),
    ]

    def __init__(
        self,
        store: Store,
        frame: Frame,
        samples: Samples,
        show_source: ShowSource | None = None,
    ) -> None:
        super().__init__()
        self.store = store
        self.frame = frame
        self.samples = samples
        self.fold_glue = True
        self._before: list[Frame] = []
        self._show_source = show_source
        self._seen: object = None
        self._counts: Mapping[int, int] = {}
        self._held: list[int] = []
        self.table = CallTable(store, id="calls")

    def compose(self) -> ComposeResult:
        yield self.table
        yield KeyBar(_HINTS)

    def on_mount(self) -> None:
        """Show the samples as they are now."""
        self.table.unit = self.samples.unit
        self.table.focus()
        self._take()
        if not self.samples.live:
            for stack in self._counts:
                self.store.table.retain(stack)
                self._held.append(stack)
        self._show(fresh=True)

    def on_unmount(self) -> None:
        """Let go of what a frozen view held."""
        for stack in self._held:
            self.store.table.release(stack)
        self._held.clear()

    # Data

    def refresh_data(self) -> None:
        """Follow the newest samples, unless frozen; called on every tick."""
        if self.samples.live and self.samples.revision() != self._seen:
            self._take()
            self._show(fresh=False)

    def _take(self) -> None:
        self._seen = self.samples.revision()
        self._counts = self.samples.counts()

    def _show(self, fresh: bool) -> None:
        table = self.store.table
        options = TreeOptions(fold_glue=self.fold_glue)
        found = sandwich(table, self._counts, table.intern(self.frame), options)
        whole = found.weight or 1
        self.table.show(
            found,
            fresh,
            safe_text(self.frame.symbol, 60),
            f"self {count(found.self_weight)} ({percent(100 * found.self_weight / whole)}%)",
            f"total {count(found.total)} ({percent(100 * found.total / whole)}%)",
            *self.samples.caption().split(" · "),
        )

    # Keys

    @property
    def _pointed(self) -> Frame:
        """The function under the cursor."""
        call = self.table.chosen
        return self.frame if call is None else call.frame

    def on_live_table_chosen(self, event: LiveTable.Chosen) -> None:
        """Enter or a double click: walk there."""
        event.stop()
        self.action_walk()

    def action_walk(self) -> None:
        """Put the function under the cursor into the centre; there already, show its source."""
        call = self.table.chosen
        if call is None:
            return
        if call.side == CENTRE:
            self.action_source()
            return
        self._before.append(self.frame)
        self._go(call.frame)

    def _go(self, frame: Frame) -> None:
        self.frame = frame
        self.table.set_filter(None)
        self._show(fresh=True)

    def action_back(self) -> None:
        """End the filter, go to the function before, or close: the first of these that is there."""
        if self.table.pattern is not None:
            self.table.set_filter(None)
        elif self._before:
            self._go(self._before.pop())
        else:
            self.dismiss()

    def action_source(self) -> None:
        """The source of the function under the cursor."""
        if self._show_source is not None:
            self._show_source(self._pointed, self.samples)

    def action_filter(self) -> None:
        """Show only callers and callees that match."""
        pattern = self.table.pattern
        first = pattern.pattern if pattern is not None else ""

        def changed(pattern: Pattern | None) -> None:
            self.table.set_filter(pattern)

        self.app.push_screen(PromptScreen("Filter", first, changed))

    def action_glue(self) -> None:
        """Show or fold the interpreter's own frames."""
        self.fold_glue = not self.fold_glue
        self._show(fresh=True)

    def action_unfold(self) -> None:
        """Unfold the path under the cursor, or fold it again."""
        call = self.table.chosen
        self.table.action_unfold(call is not None and call.unfolded is False)

    def action_up(self) -> None:
        """As the arrow."""
        self.table.action_cursor(-1)

    def action_down(self) -> None:
        """As the arrow."""
        self.table.action_cursor(1)

    def action_copy_name(self) -> None:
        """Copy the name of the function under the cursor to the clipboard (OSC 52)."""
        self.app.copy_to_clipboard(self._pointed.symbol)
        self.notify("name copied", timeout=2)


def figures_of(found: Sandwich, caption: str, unit: str) -> str:
    """One line on how much of all samples a function has."""
    whole = found.weight or 1
    own, total = 100 * found.self_weight / whole, 100 * found.total / whole
    return (
        f"self {found.self_weight:,} ({percent(own)}%), total {found.total:,} ({percent(total)}%) "
        f"of {found.weight:,} {unit} · {caption}"
    )
