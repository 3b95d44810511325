"""The colours of the screen: what ``--theme`` and NO_COLOR mean to Textual."""

from __future__ import annotations

import os
from dataclasses import dataclass

from kvtop.options import THEMES


@dataclass(frozen=True, slots=True)
class Look:
    """``App.theme``, or None to keep Textual's, and the ``ansi_color`` argument of ``App``."""

    theme: str | None
    ansi_color: bool | None


def choose(name: str) -> Look:
    """The look of a theme; call it before the ``App`` is made, which takes NO_COLOR away.

    NO_COLOR counts where no theme was asked for (no-color.org: a user's choice overrides it).
    """
    mono = name == "mono" or (name == "auto" and "NO_COLOR" in os.environ)
    if mono:
        # Textual chooses its filter from this argument; a theme alone would be black on black.
        os.environ["NO_COLOR"] = "1"
        return Look(THEMES["mono"], ansi_color=True)
    if name != "auto":
        os.environ.pop("NO_COLOR", None)
    return Look(THEMES[name] or None, ansi_color=None)
