"""A mistake to find: every applied write is summed up byte by byte, in Python.

Python imports a module of this name at its start, from a directory on ``PYTHONPATH``:

    PYTHONPATH=examples/planted kvtop --value-size 2048

Only the nodes of kvtop's cluster are touched. docs/guide.md looks for it.
"""

from __future__ import annotations

import sys
from typing import Any

if "kvtop.workload.node" in sys.orig_argv:
    from kvtop.workload import statemachine

    _apply = statemachine.StateMachine.apply_command

    def audit_checksum(value: bytes) -> int:
        """What nobody asked for."""
        total = 0
        for byte in value:
            total = (total * 31 + byte) & 0xFFFFFFFF
        return total

    def audited_apply(self: statemachine.StateMachine, command: Any) -> bytes:
        """Apply a command, and audit it."""
        audit_checksum(command.value)
        return _apply(self, command)

    statemachine.StateMachine.apply_command = audited_apply  # type: ignore[method-assign]
