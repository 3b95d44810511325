"""Standard input, output and error as the caller left them: closed, on a full disk, or unread."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class OutputError(Exception):
    """What was to be printed could not be: one sentence, empty where the reader has gone.

    No OSError, because argparse passes over those when it prints its help.
    """

    def __init__(self, error: OSError) -> None:
        gone = error.errno == errno.EPIPE
        super().__init__("" if gone else f"cannot write standard output: {error.strerror}.")


class _Output(io.FileIO):
    """The file below ``sys.stdout``: its errors are known from those of other files."""

    def write(self, data: ReadableBuffer) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise OutputError(error) from None


def prepare() -> None:
    """Open what is closed, lest the next file gets its number; let output tell its errors.

    Reading a closed input finds its end, writing a closed output fails, and what a closed
    standard error is told is lost.
    """
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # the lowest free number is this one
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", errors="backslashreplace", closefd=False)
    if sys.stdout is None or sys.stdout is sys.__stdout__:
        sys.stdout = _checked(sys.stdout)


def _checked(stdout: io.TextIOWrapper | None) -> io.TextIOWrapper:
    raw = _Output(1, "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stdout.encoding if stdout is not None else "utf-8",
        errors="backslashreplace",
        line_buffering=raw.isatty(),
    )


def flush() -> None:
    """Write what is held back. Raises OutputError."""
    sys.stdout.flush()


def discard() -> None:
    """Leave nothing that would fail once more at the end of the process."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.stdout.flush()
