"""A pane that a screen gives its data to, where others look into the store."""

from __future__ import annotations

from kvtop.store import Store
from kvtop.widgets.base import Pane


class GivenPane(Pane):
    """A subclass takes its data in a ``show`` of its own, which ends with ``_given``."""

    def __init__(self, store: Store, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(store, id=id, classes=classes)
        self._caption: tuple[str, ...] = ()
        self._revision = 0

    def data_revision(self) -> object:
        return self._revision

    def describe(self) -> None:
        self.set_state(*self._caption)

    def _given(self, caption: tuple[str, ...]) -> None:
        """There is new data to draw; ``caption`` goes into the border."""
        self._caption = caption
        self._revision += 1
        self.refresh_data()
