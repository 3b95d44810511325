"""What is sent to the host: kvtop's own modules, to be imported from memory.

The first program reads a zip of them from standard input into an anonymous file
(memfd_create(2)), so nothing is left there, however it ends.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

PACKAGES = (".", "collectors", "profile", "recording", "remote")
"""Directories in kvtop; what the agent imports is in one of them, and needs no other package."""
OLDEST_PYTHON = (3, 11)
_BOOT = """\
import os, sys
data = sys.stdin.buffer.read({size})
file = os.memfd_create("kvtop", os.MFD_CLOEXEC)
os.write(file, data)
sys.path.insert(0, "/proc/self/fd/%d" % file)
from kvtop.remote.agent import main
main()
"""
# For any login shell: all that is special to one is between single quotes, and none of `!`, `\\`
# or a newline is. In python3's isolated mode nothing that is installed there is in the way.
_COMMAND = (
    "sh -c 'for p in python3 python3.14 python3.13 python3.12 python3.11; do "
    'if "$p" -ISc "import sys;sys.exit(sys.version_info<{oldest})" </dev/null 2>/dev/null; then '
    'exec "$p" -ISBc "import sys;exec(sys.stdin.buffer.read({size}))"; fi; done; '
    'echo "kvtop: no Python, $(python3 --version 2>&1)" >&2; exit {code}\''
)
NO_PYTHON = 126
"""Exit status where there is none, or none that is new enough."""


def make_bundle() -> tuple[str, bytes]:
    """The command line for the host's shell, and what its standard input begins with."""
    archive = io.BytesIO()
    root = Path(__file__).parent.parent
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as file:
        for package in PACKAGES:
            for path in sorted((root / package).glob("*.py")):
                file.write(path, f"kvtop/{path.relative_to(root)}")
    data = archive.getvalue()
    boot = _BOOT.format(size=len(data)).encode()
    return _COMMAND.format(oldest=OLDEST_PYTHON, size=len(boot), code=NO_PYTHON), boot + data
