"""Which frames are plumbing: what starts programs and threads and turns the event loop."""

from __future__ import annotations

import re
from functools import lru_cache

from kvtop.profile.frames import Frame, Kind

_PYTHON_FILES = re.compile(
    r"(^|/)(asyncio/\w+\.py|selectors\.py|threading\.py|concurrent/futures/\w+\.py"
    r"|(uvloop|trio|anyio|gevent|eventlet)/.*\.py|runpy\.py)$|^<frozen (runpy|importlib)"
)
_NATIVE = re.compile(
    # How programs and threads start, C's and Python's way.
    r"_start|__libc_start_\w+|(__)?clone3?|start_thread|thread_start|thread_run|pythread_wrapper"
    r"|Py_BytesMain|Py_Main|Py_RunMain|pymain_\w+|_PyRun_\w+|pyrun_\w+|run_mod|run_eval_code_obj"
    r"|PyEval_EvalCode|builtin_exec(_impl)?|main"
    # libuv and uvloop, the C part of asyncio.
    r"|uv_run|uv__(run|io_poll|stream_io|read|work|poll_io|run_\w+)|_*pyx_\w*uvloop\w*"
    r"|task_step(_impl|_handle_result_impl)?|task_wakeup(_impl)?|TaskStepMethWrapper_call"
    r"|TaskWakeupMethWrapper_call|FutureIter_\w+|context_run|_asyncio_\w+"
)
_SUFFIX = re.compile(r"(@.*|\.(lto_priv|constprop|isra|part|cold)(\.\d+)?)+$")


@lru_cache(maxsize=8192)
def is_plumbing(frame: Frame) -> bool:
    """Whether the frame is of that sort; a program's own ``main`` in C is not."""
    if frame.kind is Kind.PYTHON:
        return _PYTHON_FILES.search(frame.file) is not None
    if frame.kind is Kind.GLUE:
        return True
    if frame.kind is not Kind.NATIVE:
        return False
    symbol = _SUFFIX.sub("", frame.symbol)
    if symbol == "main":
        return "python" in frame.object
    return _NATIVE.fullmatch(symbol) is not None
