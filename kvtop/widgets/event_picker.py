"""The list of perf's events, from which one or several are chosen to be sampled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, NamedTuple

from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from kvtop.profile.text import safe_text
from kvtop.store import Store
from kvtop.widgets.base import Help
from kvtop.widgets.process_picker import SearchLine
from kvtop.widgets.table import Cell, Column, LiveTable, Row

_HINT = "type to search · space marks several · enter samples them · esc leaves"


class Choice(NamedTuple):
    """An event to choose; ``problem`` says why it cannot be had, '' where it can."""

    name: str
    kind: str
    text: str
    problem: str


class EventTable(LiveTable[Choice]):
    """Events with the marked ones; what cannot be had stays in sight, dim, and says why."""

    NAME = "Events"
    SORTABLE = False
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("mark", "", 1, 0, right=False),
        Column("name", "event", 28, 0, right=False, grow=2, middle=True),
        Column("kind", "kind", 10, 1, right=False),
        Column("text", "what it counts", 20, 2, right=False, grow=3),
    )
    KEYS_HELP: ClassVar[list[Help]] = [("space", "mark"), ("enter", "sample")]

    def __init__(self, store: Store, marked: Sequence[str]) -> None:
        super().__init__(store)
        self.marked = dict.fromkeys(marked)
        self._choices: list[Choice] = []
        self._search = ""
        self._asking = True

    def set_choices(self, choices: Sequence[Choice]) -> None:
        """Show these, the marked ones first; none where there is no list to be had."""
        self._asking = False
        self._choices = sorted(choices, key=lambda c: (bool(c.problem), c.name not in self.marked))
        self.set_search("")

    def set_search(self, text: str) -> None:
        """Only what has the text in its name, kind or description, whatever its case."""
        self._search = text
        wanted = text.lower()
        found = [
            choice
            for choice in self._choices
            if wanted in f"{choice.name} {choice.kind} {choice.text}".lower()
        ]
        self.update_items(found)
        self.select(self.identity(found[0]) if found else None)
        self.set_state(f"{len(found):,} of {len(self._choices):,}", self._marked_text())
        self.redraw()

    def _marked_text(self) -> str:
        return f"marked: {', '.join(self.marked)}" if self.marked else ""

    def data_revision(self) -> object:
        return None

    def describe(self) -> None:
        self.set_state(f"{len(self.shown):,} of {len(self._choices):,}", self._marked_text())

    def identity(self, item: Choice) -> str:
        return item.name

    def filter_text(self, item: Choice) -> str:
        return item.name

    def row(self, item: Choice) -> Row:
        style = "dim" if item.problem else ""
        return {
            "mark": Cell("●" if item.name in self.marked else "", "accent"),
            "name": Cell(item.name, style),
            "kind": Cell(item.kind, "dim"),
            "text": Cell(item.problem or item.text, "dim"),
        }

    def empty_text(self, width: int) -> list[str]:
        if self._search:
            return ["nothing of perf list matches; enter lets perf judge what was typed"]
        return ["asking perf list …" if self._asking else "there is no list of events here"]

    @property
    def under_cursor(self) -> Choice | None:
        """The row that the cursor stands on."""
        return next((choice for choice in self.shown if choice.name == self.selected), None)

    def toggle(self) -> None:
        """Mark the row under the cursor, or unmark it."""
        choice = self.under_cursor
        if choice is None or choice.problem:
            return
        if choice.name in self.marked:
            del self.marked[choice.name]
        else:
            self.marked[choice.name] = None
        self.describe()
        self.redraw()


class EventPicker(ModalScreen[None]):
    """Lists events and has one, or the marked ones, sampled.

    ``listing`` gives the events or a sentence on why there are none; ``sample`` gives '' or the
    sentence that is shown here instead, and then nothing has changed.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "clear the search, leave", show=False),
    ]
    DEFAULT_CSS = """
    EventPicker {
        align: center middle;
        & > Vertical {
            width: 90%;
            max-width: 120;
            height: 85%;
            & > EventTable { height: 1fr; }
            & > Static { height: auto; background: $panel; padding: 0 1; color: $text-muted; }
        }
    }
    """

    def __init__(
        self,
        store: Store,
        now: Sequence[str],
        listing: Callable[[], Awaitable[Sequence[Choice] | str]],
        sample: Callable[[str], Awaitable[str]],
    ) -> None:
        super().__init__()
        self.table = EventTable(store, now)
        self._listing = listing
        self._sample = sample
        self._search = SearchLine()
        self._note = Static(_HINT)
        self._first = tuple(now)

    def compose(self) -> ComposeResult:
        with Vertical():
            yield self.table
            yield self._search
            yield self._note

    def on_mount(self) -> None:
        """Ask perf."""
        self.table.focus()
        self._load()

    @work
    async def _load(self) -> None:
        found = await self._listing()
        if isinstance(found, str):
            self.table.set_choices(())
            self._say(found)
        else:
            self.table.set_choices(found)

    def _say(self, text: str) -> None:
        self._note.update(Content(safe_text(text)))

    def on_key(self, event: events.Key) -> None:
        """What one types is searched for; enter and space choose."""
        text = self._search.text
        if event.key == "enter":
            self._choose()
        elif event.key == "space":
            self.table.toggle()
        elif event.key == "backspace":
            self._search_for(text[:-1])
        elif event.character and event.character.isprintable():
            self._search_for(text + event.character)
        else:
            return
        event.stop()
        event.prevent_default()

    def _search_for(self, text: str) -> None:
        self._search.set_text(text)
        self.table.set_search(text)
        self._say(_HINT)

    def on_live_table_chosen(self, event: LiveTable.Chosen) -> None:
        """Enter or a double click."""
        event.stop()
        self._choose()

    @work(exclusive=True)
    async def _choose(self) -> None:
        choice, marked = self.table.under_cursor, tuple(self.table.marked)
        if choice is not None and choice.problem:
            self._say(f"{choice.name} is {choice.problem}.")
            return
        wanted = [choice.name] if choice is not None else [self._search.text.strip()]
        if marked and marked != self._first:
            wanted = list(marked)
        if not wanted[0]:
            return
        self._say("asking perf …")
        problem = await self._sample(",".join(wanted))
        if problem:
            self._say(problem)
        else:
            self.dismiss()

    def action_leave(self) -> None:
        """Clear the search; without one, leave."""
        if self._search.text:
            self._search_for("")
        else:
            self.dismiss()
