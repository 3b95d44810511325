"""Runs a module of the workload so that perf learns its functions from the first import on.

``python -X perf_jit -m kvtop.workload.traced kvtop.workload.node ARGS...``: CPython buffers what
it tells perf 64 KiB deep, so a thread flushes it from before the heavy imports to the end. Without
-X perf or -X perf_jit it only runs the module's ``main``.
"""

from __future__ import annotations

import ctypes
import importlib
import sys
import threading
import time
from contextlib import suppress

_OFTEN, _START = 0.05, 5.0
_SELDOM = 0.5
_DEEP = (
    *("traceback", "typing", "opcode", "logging", "pickle", "datetime", "asyncio"),
    *("google.protobuf.internal.decoder", "google.protobuf.descriptor_pool"),
    "google.protobuf.internal.builder",
)
"""Modules that import much, leaves first. An import within an import takes 4 KiB of stack, of which
perf copies 32: one after the other from here they are seen whole, nested in the program not."""


def writes_perf_map() -> bool:
    """Whether this interpreter tells perf about its Python functions."""
    return "perf" in sys._xoptions or "perf_jit" in sys._xoptions


def _keep_fresh() -> None:
    """Most functions are compiled in the first seconds; a few come later, on the first election."""
    flush = ctypes.CDLL(None).fflush
    started = time.monotonic()
    while True:
        flush(None)
        time.sleep(_OFTEN if time.monotonic() - started < _START else _SELDOM)


def main() -> int:
    """Entry point."""
    if writes_perf_map():
        threading.Thread(target=_keep_fresh, name="perf-map", daemon=True).start()
        for name in _DEEP:
            with suppress(ImportError):
                importlib.import_module(name)
    del sys.argv[0]
    code: int = importlib.import_module(sys.argv[0]).main()
    return code


if __name__ == "__main__":
    sys.exit(main())
