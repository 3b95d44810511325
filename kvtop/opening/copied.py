"""A pipe as a file, for readers that seek."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

PIECE = 1 << 20
"""Bytes that are read at once."""


@contextmanager
def copied(head: bytes, file: IO[bytes], suffix: str) -> Iterator[str]:
    """The path of a temporary copy of ``head`` and the rest of ``file``."""
    with tempfile.NamedTemporaryFile(prefix="kvtop-", suffix=suffix) as copy:
        copy.write(head)
        shutil.copyfileobj(file, copy, PIECE)
        copy.flush()
        yield copy.name
