"""The etcd program on this machine: whether it is there, new enough, and how to get it."""

from __future__ import annotations

import re
import shutil
import subprocess

OLDEST = (3, 4)
"""The first whose gateway speaks /v3/ and whose log is JSON."""
MISSING = (
    "etcd is not installed: run sudo apt-get install etcd-server (Debian 12, Ubuntu 24.04 and "
    "newer; before that the package is etcd), sudo dnf install etcd, or put a release of "
    "https://github.com/etcd-io/etcd/releases on the PATH."
)


class ProgramError(Exception):
    """etcd cannot be started here: one sentence with the remedy."""


def find_version() -> str:
    """Of the etcd on the PATH, as in "3.4.23"; ProgramError where there is none that serves."""
    if shutil.which("etcd") is None:
        raise ProgramError(MISSING)
    try:
        told = subprocess.run(
            ["etcd", "--version"], capture_output=True, timeout=10, check=True, text=True
        ).stdout
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise ProgramError(f"etcd does not run: {error}.") from None
    match = re.search(r"^etcd Version: ((\d+)\.(\d+)\.[\w.+-]+)", told, re.MULTILINE)
    if match is None:
        raise ProgramError("etcd does not tell its version: kvtop needs etcd 3.4 or newer.")
    if (int(match[2]), int(match[3])) < OLDEST:
        raise ProgramError(f"etcd {match[1]} is too old: kvtop needs 3.4 or newer.")
    return match[1]
