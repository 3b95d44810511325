"""Every screen that a key opens over the main one; each is loaded when it is first opened.

To add a screen:

1. Write it in ``kvtop/widgets`` as a `ProfileScreen`: its name, its keys, ``refresh_data``.
2. Give it a module here, named as the action of its key (``kvtop/screens/time_map.py`` for the
   action ``time_map``), with ``show(app)``, which pushes it, and ``HELP``, the classes whose keys
   the help of all keys lists (empty for a dialog).
3. Put the action's name into ``SCREENS`` below, and its `Key` into ``kvtop/keys.py`` (a text of
   at most 55 letters, which the help shows in one line). ``tests/test_app.py`` wants a check of
   it, ``_time_map``.

The application itself, the footer, the palette and the help need no change.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from kvtop.keys import Key

if TYPE_CHECKING:
    from kvtop.app import KvtopApp

SCREENS = (
    *("flamegraph", "time_map", "diff", "off_cpu", "python_stacks", "tools", "layers"),
    "event_picker",
)
"""Actions that open a screen, in the order in which help lists their keys."""
_OPENED_BY_OTHERS = ("function",)
"""Modules of screens that no key of the main screen opens."""


def _module(name: str) -> ModuleType:
    return import_module(f"{__name__}.{name}")


def action_of(key: Key) -> str:
    """The action that Textual runs for a key."""
    return f"open('{key.action}')" if key.action in SCREENS else key.action


def show(app: KvtopApp, name: str) -> None:
    """Open a screen of ``SCREENS``."""
    _module(name).show(app)


def help_rows() -> list[tuple[str, str, str]]:
    """(group, key, text) of every key of every screen."""
    modules = (_module(name) for name in (*SCREENS, *_OPENED_BY_OTHERS))
    return [row for module in modules for screen in module.HELP for row in screen.help_rows()]
