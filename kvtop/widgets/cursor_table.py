"""A live table that tells when its cursor moves to another item: other panes show its details."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from textual.message import Message

from kvtop.widgets.table import Item, LiveTable


class CursorTable(LiveTable[Item]):
    """Posts ``CursorMoved`` after a key or a click; new data alone does not."""

    class CursorMoved(Message):
        """The cursor stands on this item now."""

        def __init__(self, table: CursorTable[Any], identity: Hashable | None) -> None:
            super().__init__()
            self.table = table
            self.identity = identity

    def _move_to(self, index: int) -> None:
        before = self.selected
        super()._move_to(index)
        if self.selected != before:
            self.post_message(self.CursorMoved(self, self.selected))
