"""What every screen over the main one has: its keys in help and palette, and a way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import ClassVar

from textual.binding import Binding
from textual.screen import Screen
from textual.widget import Widget

from kvtop.profile.scope import Scope
from kvtop.widgets.base import Help
from kvtop.widgets.help import HelpScreen

Command = tuple[str, str, Callable[[], object]]
"""Title, key, and what it runs."""


class ProfileScreen(Screen[None]):
    """A screen with its own keys; the application refreshes it and tells it the scope.

    A subclass binds the keys of the main screen that must not act from it to ``nothing``.
    """

    NAME: ClassVar[str] = ""
    """What help and palette call it."""
    KEYS_HELP: ClassVar[list[Help]] = []
    """Every key of the screen, those of its widgets too."""
    DETAIL: ClassVar[bool] = False
    """A closer look at the samples of the screen below, which has to be kept fresh as well."""

    @property
    def parts(self) -> Sequence[Widget]:
        """Widgets whose keys the palette offers too."""
        return ()

    def refresh_data(self) -> None:
        """Show what is new; called on every tick while no other such screen hides this one."""

    def reload(self) -> None:
        """Show the same stretch of time again, of other samples."""

    def set_scope(self, scope: Scope) -> None:
        """Show another stretch of time; not called for a ``DETAIL``."""

    def commands(self) -> list[Command]:
        """Everything that a key of this screen does."""
        found: dict[str, Command] = {}
        for node in (self, *self.parts):
            for binding in _bindings(node):
                title = binding.description.capitalize()
                if title and binding.action != "nothing":
                    key = binding.key_display or binding.key.partition(",")[0]
                    found.setdefault(title, (title, key, partial(node.run_action, binding.action)))
        return list(found.values())

    @classmethod
    def help_rows(cls) -> list[tuple[str, str, str]]:
        """(group, key, text) of every key of this screen."""
        return [(f"{cls.NAME} screen", key, text) for key, text in cls.KEYS_HELP]

    def action_help(self) -> None:
        """Every key of this screen."""
        name = f"{self.NAME[:1].lower()}{self.NAME[1:]}"
        self.app.push_screen(HelpScreen(self.help_rows(), f"Keys of the {name} screen"))

    def action_close(self) -> None:
        """Back to where one came from."""
        self.dismiss()

    def action_nothing(self) -> None:
        """Keys that would act on the cluster or the main screen do not from here."""


def _bindings(node: Widget) -> Iterator[Binding]:
    """The bindings of its class, and those of the classes above whose keys are left to them."""
    taken: set[str] = set()
    for above in type(node).__mro__:
        if above.__module__.startswith("textual."):
            return
        mine = [b for b in vars(above).get("BINDINGS", ()) if isinstance(b, Binding)]
        yield from (binding for binding in mine if not taken.issuperset(binding.key.split(",")))
        taken.update(key for binding in mine for key in binding.key.split(","))
