"""Tables whose rows are functions: their name, their object, and what kind of code they are."""

from __future__ import annotations

import re
from collections.abc import Hashable
from functools import lru_cache
from typing import ClassVar, Protocol, TypeVar

from kvtop.profile.frames import Frame, Kind
from kvtop.widgets.table import Cell, LiveTable, Row

KINDS = {
    Kind.PYTHON: ("py", "kind-python"),
    Kind.NATIVE: ("C", "kind-native"),
    Kind.KERNEL: ("krn", "kind-kernel"),
    Kind.GLUE: ("vm", "kind-glue"),
    Kind.UNKNOWN: ("?", "kind-unknown"),
}
"""What marks a kind of frame where there is no colour, and the colour's name."""
_OBJECTS = {"[kernel.kallsyms]": "[kernel]", "[guest.kernel.kallsyms]": "[guest kernel]"}
_SONAME = re.compile(r"(\.(abi3|cpython-\w+)[\w-]*)?\.so(\.\d+)*$")


class _OfFrame(Protocol):
    @property
    def frame(self) -> Frame: ...


Item = TypeVar("Item", bound=_OfFrame)


@lru_cache(maxsize=1024)
def object_name(raw: str) -> str:
    """A shared object without what its file name says of versions and platforms.

    ``libpython3.13.so.1.0`` -> ``libpython3.13``, ``loop.cpython-313-x86_64-linux-gnu.so`` ->
    ``loop``; other names stay as they are.
    """
    return _OBJECTS.get(raw) or _SONAME.sub("", raw) or raw


class FrameTable(LiveTable[Item]):
    """A subclass adds its figures to ``frame_cells``, and sorts by them."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"pane--{colour}" for _, colour in KINDS.values()}
    DEFAULT_CSS = """
    FrameTable {
        & > .pane--kind-python { color: $text-warning; }
        & > .pane--kind-native { color: $text-primary; }
        & > .pane--kind-kernel { color: $text-error; }
        & > .pane--kind-glue { color: $text-success; }
        & > .pane--kind-unknown { color: $text-muted; }
    }
    """

    def identity(self, item: Item) -> Hashable:
        return item.frame.symbol, item.frame.object

    def filter_text(self, item: Item) -> str:
        return f"{item.frame.symbol} {item.frame.object}"

    def sort_value(self, item: Item, key: str) -> float | str | None:
        match key:
            case "kind":
                return float(item.frame.kind)
            case "object":
                return object_name(item.frame.object)
            case _:
                return item.frame.symbol

    def frame_cells(self, frame: Frame) -> Row:
        """The cells of the columns ``kind``, ``symbol`` and ``object``."""
        mark, style = KINDS.get(frame.kind, ("", ""))
        return {
            "kind": Cell(mark, style),
            "symbol": Cell(frame.symbol),
            "object": Cell(object_name(frame.object), "dim"),
        }
