"""One frame of a call stack: its safe name, the object it lives in, and its kind."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from kvtop.profile.text import safe_text

UNKNOWN_SYMBOL = "[unknown]"


class Kind(IntEnum):
    """What sort of code a frame is; colours and folding go by it."""

    PYTHON = 0
    NATIVE = 1
    KERNEL = 2
    GLUE = 3
    """The interpreter's own calling machinery between two Python frames."""
    UNKNOWN = 4
    GROUP = 5
    """No code: the root, or a node, thread or role that stacks are grouped under."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A function as the screen names it; equal frames merge in every view.

    ``symbol``, ``object`` and ``file`` are safe display text. ``object`` is the short name that
    ``perf report`` shows (``libc.so.6``, ``[kernel.kallsyms]``), for Python the file's own.
    ``file`` is a source file, empty where unknown; ``line`` is 0 where unknown.
    """

    symbol: str
    object: str
    kind: Kind
    file: str = ""
    line: int = 0


_OFFSET = re.compile(r"\+0x[0-9a-f]+$")
_KERNEL_OBJECT = re.compile(
    r"\[(kernel|guest\.kernel|bpf|vmlinux)|\.ko(\.(gz|xz|zst))?$|^bpf_prog_"
)
_USER_BRACKETS = frozenset(
    ("[vdso]", "[vdso32]", "[vsyscall]", "[heap]", "[stack]", "[anon]", "[unknown]", "[uprobes]")
)
# Exported calling machinery of CPython 3.8 to 3.14, in whatever object it was linked into.
_GLUE = re.compile(
    r"_?PyEval_(Eval\w*|Vector|CallObject\w*|FrameClearAndPop)|_PyEvalFramePushAndInit\w*"
    r"|py_trampoline_evaluator|_Py_trampoline_func_start"
    r"|_?PyObject_(Vectorcall\w*|MakeTpCall|FastCall\w*|Call(?!oc|Finalizer)\w*)"
    r"|_?PyVectorcall_\w+|_PyFunction_Vectorcall"
    r"|_PyCFunction_\w*[Cc]all\w*|PyCFunction_Call|_PyMethodDef_RawFastCall\w*"
)
# Its static functions have names that other programs use as well.
_GLUE_IN_PYTHON = re.compile(
    r"(method|cfunction|partial)_vectorcall(_\w+)?|vectorcall_(method|maybe|unbound)"
    r"|object_vacall|cfunction_call|method_call|function_code_fastcall|_?call_function"
    r"|slot_tp_call|type_call|wrap_call|gen_send_ex2?|gen_iternext|partial_call|do_call_core"
)
_CLONE_SUFFIX = re.compile(r"(\.(lto_priv|constprop|isra|part|cold|llvm)(\.\d+)?)+$")


def make_frame(raw_symbol: str, raw_dso: str) -> Frame:
    """Build the frame for a symbol and object as ``perf script`` prints them.

    Drops a ``+0x1f`` offset, reads ``py::name:/path`` of ``-X perf``/``-X perf_jit``, and
    neutralises what is not printable.
    """
    symbol = _OFFSET.sub("", raw_symbol.strip())
    dso = raw_dso.strip()
    if symbol.startswith("py::"):
        return _python_frame(symbol[4:])
    shown = safe_text(_short(dso))
    if not symbol or symbol == UNKNOWN_SYMBOL:
        return Frame(UNKNOWN_SYMBOL, shown, Kind.UNKNOWN)
    return Frame(safe_text(symbol), shown, _kind(symbol, dso, shown))


def _python_frame(text: str) -> Frame:
    name, _, path = text.partition(":")
    # perf gives each jitted function an object of its own (/tmp/jitted-PID-N.so); the source
    # file is what makes the same function of two processes the same frame.
    file = safe_text(path)
    return Frame(safe_text(name), short_source(file), Kind.PYTHON, file)


def short_source(file: str) -> str:
    """A source file as a column shows it: its base name, with its package where that says more."""
    head, _, base = file.rpartition("/")
    if base in ("__init__.py", "__main__.py") and head:
        return f"{head.rpartition('/')[2]}/{base}"
    return base


def _short(dso: str) -> str:
    return dso if dso.startswith("[") else dso.rpartition("/")[2]


def _kind(symbol: str, dso: str, short: str) -> Kind:
    if _KERNEL_OBJECT.search(dso) or (
        dso.startswith("[") and dso.endswith("]") and dso not in _USER_BRACKETS
    ):
        return Kind.KERNEL
    base = _CLONE_SUFFIX.sub("", symbol)
    if _GLUE.fullmatch(base) or ("python" in short and _GLUE_IN_PYTHON.fullmatch(base)):
        return Kind.GLUE
    return Kind.NATIVE
