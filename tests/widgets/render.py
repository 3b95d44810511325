"""What is on the screen, as text: the one place that reads Textual's private compositor."""

from __future__ import annotations

from typing import Any

from textual.app import App
from textual.widget import Widget


def screen_lines(app: App[Any]) -> list[str]:
    """The screen's lines as plain text, right-hand blanks stripped."""
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip).rstrip() for strip in strips]


def screen_text(app: App[Any]) -> str:
    """The whole screen as text."""
    return "\n".join(screen_lines(app))


def widget_text(widget: Widget) -> str:
    """The lines of one widget, its border included."""
    region = widget.region
    lines = screen_lines(widget.app)[region.y : region.bottom]
    return "\n".join(line[region.x : region.right].rstrip() for line in lines)
