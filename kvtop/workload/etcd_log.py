"""Lines of etcd's own log (zap's JSON) as a level and a text."""

from __future__ import annotations

import json

_LEVELS = {
    "debug": "debug",
    "info": "info",
    "warn": "warning",
    "error": "error",
    "dpanic": "error",
    "panic": "error",
    "fatal": "error",
}
_DULL = ("level", "ts", "caller", "msg", "stacktrace")


def read_log_line(line: str) -> tuple[str, str] | None:
    """(level, message with its fields); None for a line that is no JSON of zap's."""
    try:
        data = json.loads(line)
        level, text = _LEVELS[data["level"]], str(data["msg"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    fields = (f"{name}={value}" for name, value in data.items() if name not in _DULL)
    return level, " ".join((text, *fields))
