"""The log of ``--debug``: what kvtop and its collectors did, one line an event, never the data.

Samples, counters, keys and values have no place in it: only children (command lines, exits),
collectors (health, failures with tracebacks), targets, markers and errors.
"""

from __future__ import annotations

import logging
import os
import platform
import shlex
import sys
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from kvtop import __version__
from kvtop.config import UsageError
from kvtop.events import CollectorStatus, Event, LogLine, Marker, TargetsChanged
from kvtop.profile.text import safe_text

MAX_BYTES = 8 << 20
"""Size at which the log begins anew; the one before is kept beside it, as FILE.1."""
_log = logging.getLogger("kvtop.session")
# Without --debug nothing may reach the terminal, which is where logging's last resort writes.
logging.getLogger("kvtop").addHandler(logging.NullHandler())


class _Clean(logging.Formatter):
    """Every line of a record in a form that no terminal acts upon."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(map(safe_text, super().format(record).splitlines()))


class _Private(RotatingFileHandler):
    """A log that its owner alone may read, the next one too."""

    def _open(self) -> TextIOWrapper:
        flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        log = os.open(self.baseFilename, flags, 0o600)
        return os.fdopen(log, "a", encoding=self.encoding, errors="backslashreplace")


def start(path: Path, argv: list[str]) -> None:
    """Log to ``path`` from now on, readable by its owner alone; UsageError where it cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _Private(path, maxBytes=MAX_BYTES, backupCount=1, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--debug cannot write {path}: {error.strerror}.") from error
    handler.setFormatter(
        _Clean("%(asctime)s.%(msecs)03d %(levelname)s %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S")
    )
    for name, level in (("kvtop", logging.DEBUG), ("asyncio", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.propagate = False
        logger.addHandler(handler)
    # A full disk must not write on the screen.
    logging.raiseExceptions = False
    logging.getLogger("kvtop").info(
        "kvtop %s, PID %d, Python %s, Linux %s: %s",
        __version__, os.getpid(), platform.python_version(), platform.release(), shlex.join(argv),
    )  # fmt: skip
    logging.getLogger("kvtop").debug("executable %s", sys.executable)


def note(event: Event) -> None:
    """Log an event that a collector emitted, if it is one of what was done."""
    if not _log.isEnabledFor(logging.INFO):
        return
    match event:
        case CollectorStatus():
            _log.info("%s: %s %s", event.collector, event.health, event.reason)
        case TargetsChanged():
            names = ", ".join(f"{target.label} (PID {target.pid})" for target in event.targets)
            _log.info("targets: %s", names or "none")
        case Marker():
            _log.info("%s: %s", event.kind, event.text)
        case LogLine() if event.level in ("warning", "error"):
            level = logging.ERROR if event.level == "error" else logging.WARNING
            _log.log(level, "%s: %s", event.source, event.text)
        case _:
            pass
