"""perf's other tools, each on a tab; one records only while its tab is open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import ContentSwitcher

from kvtop.keys import KEYS
from kvtop.store import Store
from kvtop.tool_events import Tool
from kvtop.widgets.base import Help
from kvtop.widgets.block_table import BlockTable
from kvtop.widgets.key_bar import KeyBar, KeyHint
from kvtop.widgets.latency_histogram import LatencyHistogram
from kvtop.widgets.lock_table import LockTable
from kvtop.widgets.memory_table import MemoryTable
from kvtop.widgets.profile_screen import ProfileScreen
from kvtop.widgets.prompt import Pattern, PromptScreen
from kvtop.widgets.queue_table import QueueTable
from kvtop.widgets.syscall_table import SyscallTable
from kvtop.widgets.tool_table import ToolTable
from kvtop.widgets.tool_tabs import ToolTabs

_TABS = (
    (Tool.SYSCALLS, "System calls"),
    (Tool.LOCKS, "Locks"),
    (Tool.RUN_QUEUE, "Run queue"),
    (Tool.BLOCK_IO, "Block I/O"),
    (Tool.MEMORY, "Memory"),
)
_HINTS = (
    KeyHint("?", "help", "screen.help"),
    KeyHint("esc", "back", "screen.close"),
    KeyHint("tab", "next tool", "screen.step(1)"),
    KeyHint("g", "merge otherwise", "screen.table('group')"),
    KeyHint("<>", "sort", "screen.table('sort_by(1)')", 1),
    KeyHint("/", "filter", "screen.filter", 1),
    KeyHint("space", "freeze", "screen.freeze", 2),
)
_OWN = ("q", "ctrl+c", "question_mark", "space", "tab", "shift+tab", "slash", "y")
_KEPT = ("plus", "minus", "ctrl+p")
"""Keys of the main screen that mean the same here."""


class ToolsScreen(ProfileScreen):
    """Shows what the tools tell; ``follow`` begins one and ends the one before, None ends it."""

    NAME = "Tools"
    CSS = """
    ToolsScreen {
        ContentSwitcher { height: 1fr; }
        #block_io { height: 1fr; }
        #block_io > BlockTable { height: 2fr; }
        #block_io > LatencyHistogram { height: 3fr; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,y,backspace", "close", "back"),
        Binding("tab", "step(1)", "next tool"),
        Binding("shift+tab", "step(-1)", "tool before"),
        *(
            Binding(str(number), f"tool({number - 1})", f"tool: {name}")
            for number, (_, name) in enumerate(_TABS, 1)
        ),
        Binding("slash", "filter", "filter by regex", key_display="/"),
        Binding("space", "freeze", "freeze what is shown, and go on"),
        Binding("question_mark", "help", "help", key_display="?"),
        # Keys of the main screen that must not act from here.
        Binding(
            ",".join(key.key for key in KEYS if key.key not in (*_OWN, *_KEPT)),
            "nothing",
            show=False,
        ),
    ]
    KEYS_HELP: ClassVar[list[Help]] = [
        ("1 … 5", "System calls, Locks, Run queue, Block I/O, Memory"),
        ("tab", "next tool; each records only while it is shown"),
        ("g", "merge the rows otherwise (by call, thread, file, caller, ...)"),
        ("/", "only rows that match a regex"),
        ("space", "freeze what is shown, and go on"),
        ("↑ ↓ < > R", "cursor, sort column, order"),
        ("esc y q", "end the recording and go back"),
    ]

    def __init__(self, store: Store, follow: Callable[[Tool | None], None]) -> None:
        super().__init__()
        self.store = store
        self._follow = follow
        self._at = 0
        self._frozen = False
        self.tabs = ToolTabs([name for _, name in _TABS], self.action_tool)
        self.histogram = LatencyHistogram(store)
        self.tables: tuple[ToolTable[Any], ...] = (
            SyscallTable(store, id="syscalls"),
            LockTable(store, id="locks"),
            QueueTable(store, id="run_queue"),
            BlockTable(store),
            MemoryTable(store, id="memory"),
        )

    def compose(self) -> ComposeResult:
        yield self.tabs
        with ContentSwitcher(initial=_TABS[0][0]):
            for (tool, _), table in zip(_TABS, self.tables, strict=True):
                if tool is Tool.BLOCK_IO:
                    yield Vertical(table, self.histogram, id=tool)
                else:
                    yield table
        yield KeyBar(_HINTS)

    def on_mount(self) -> None:
        """Begin with the first tool."""
        self.action_tool(0)

    def on_unmount(self) -> None:
        """Nobody looks any more."""
        self._follow(None)

    @property
    def table(self) -> ToolTable[Any]:
        """The one that is shown."""
        return self.tables[self._at]

    @property
    def parts(self) -> list[Widget]:
        return [self.table]

    def refresh_data(self) -> None:
        if not self._frozen:
            self.table.refresh_data()
            if _TABS[self._at][0] is Tool.BLOCK_IO:
                self.histogram.refresh_data()

    def action_tool(self, number: int) -> None:
        """Show a tool, which records from now on; the one before ends."""
        self._at = number
        self._frozen = False
        tool = _TABS[number][0]
        self._follow(tool)
        self.query_one(ContentSwitcher).current = tool
        self.table.focus()
        self.tabs.show(number)
        self.refresh_data()

    def action_step(self, step: int) -> None:
        """The next tool, or the one before."""
        self.action_tool((self._at + step) % len(_TABS))

    def action_freeze(self) -> None:
        """What is shown stays, the recording goes on; the same key shows the present again."""
        self._frozen = not self._frozen
        self.tabs.show(self._at, "FROZEN" if self._frozen else "")
        self.refresh_data()

    def action_filter(self) -> None:
        """Show only rows that match."""
        table = self.table

        def changed(pattern: Pattern | None) -> None:
            table.set_filter(pattern)

        first = table.pattern.pattern if table.pattern is not None else ""
        self.app.push_screen(PromptScreen(f"Filter {table.NAME}", first, changed))

    async def action_table(self, action: str) -> None:
        """Run an action of the table."""
        await self.table.run_action(action)

    def action_help(self) -> None:
        """Keys of this screen, and what the tool's figures are."""
        from kvtop.widgets.help import HelpScreen

        rows = [(self.table.NAME, key, text) for key, text in self.table.KEYS_HELP]
        self.app.push_screen(HelpScreen([*rows, *self.help_rows()], "Keys of the tools screen"))
