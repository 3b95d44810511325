"""Opens perf's other tools: system calls, locks, run queue, block I/O, memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtop.widgets.profile_screen import ProfileScreen
from kvtop.widgets.tools_screen import ToolsScreen

if TYPE_CHECKING:
    from kvtop.app import KvtopApp

HELP: tuple[type[ProfileScreen], ...] = (ToolsScreen,)


def show(app: KvtopApp) -> None:
    """Each tool records while its tab is open."""
    app.open_screen(ToolsScreen(app.session.store, app.session.follow_tool))
