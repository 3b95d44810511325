"""Where the rules of the layers come from: the user's file, then those of kvtop itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kvtop.config import UsageError, config_path

if TYPE_CHECKING:
    from kvtop.profile.layers import Rule

BUILT_IN = Path(__file__).parent / "layers.toml"
_MOST = 1 << 20
"""Bytes of a rules file; more is a mistake."""


def layers_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the user's rules are looked for, beside the file of options."""
    return config_path(environ).with_name("layers.toml")


def user_rules(chosen: Path | None, environ: Mapping[str, str] = os.environ) -> tuple[Rule, ...]:
    """The rules of ``--layers``, else of the user's file, else none.

    UsageError where a file cannot be read or holds no rules: it names file, rule and line.
    """
    path = layers_path(environ) if chosen is None else chosen
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        if chosen is None:
            return ()
        raise UsageError(f"--layers: cannot read {path}: {error.strerror}.") from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}.") from error
    # Few have such a file, and every start would load what reads it.
    from kvtop.profile.layers import RuleError, parse_rules

    if len(raw) > _MOST:
        raise UsageError(f"{path} is longer than a file of rules can be ({_MOST >> 20} MiB).")
    try:
        return parse_rules(raw.decode())
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8: {error.reason}.") from error
    except RuleError as error:
        raise UsageError(f"{path}: {error}.") from error


def load_rules(chosen: Path | None, environ: Mapping[str, str] = os.environ) -> tuple[Rule, ...]:
    """The user's rules before the built-in ones."""
    from kvtop.profile.layers import parse_rules

    return user_rules(chosen, environ) + parse_rules(BUILT_IN.read_text(encoding="utf-8"))
