"""Runs a program that must not outlive its parent: ``python -m ...with_parent PID COMMAND ...``.

For programs that are not ours. PR_SET_PDEATHSIG survives execve(2).
"""

from __future__ import annotations

import os
import sys

from kvtop.workload.process import die_with_parent


def main() -> int:
    """Entry point."""
    die_with_parent(int(sys.argv[1]))
    command = sys.argv[2:]
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"ERROR: {command[0]} cannot be run: {error.strerror}", file=sys.stderr)
        return 127


if __name__ == "__main__":
    sys.exit(main())
