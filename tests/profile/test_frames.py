"""Symbols and objects as perf prints them become safe frames of the right kind."""

from __future__ import annotations

import pytest
from hypothesis import given

from kvtop.profile.frames import Frame, Kind, make_frame
from tests.profile.test_text import ANY_TEXT

PYTHON_SO = "/root/lib/libpython3.13.so.1.0"


@pytest.mark.parametrize(
    ("symbol", "dso", "kind"),
    [
        ("schedule", "[kernel.kallsyms]", Kind.KERNEL),
        ("entry_SYSCALL_64_after_hwframe", "[guest.kernel.kallsyms]", Kind.KERNEL),
        ("ext4_sync_file", "[ext4]", Kind.KERNEL),
        ("nf_hook", "/lib/modules/6.1/kernel/net/nf.ko", Kind.KERNEL),
        ("nf_hook", "/lib/modules/6.1/kernel/net/nf.ko.xz", Kind.KERNEL),
        ("bpf_prog_1234_x", "bpf_prog_1234_x", Kind.KERNEL),
        ("__vdso_clock_gettime", "[vdso]", Kind.NATIVE),
        ("main", "/usr/bin/thing", Kind.NATIVE),
        ("_start", "/usr/bin/python3.13", Kind.NATIVE),
        ("clone3", "/usr/lib/libc.so.6", Kind.NATIVE),
        ("_PyEval_EvalFrameDefault", PYTHON_SO, Kind.GLUE),
        ("_PyEval_EvalFrameDefault.cold", PYTHON_SO, Kind.GLUE),
        ("py_trampoline_evaluator", PYTHON_SO, Kind.GLUE),
        ("PyObject_Vectorcall", "/opt/app/embeds-python", Kind.GLUE),
        ("cfunction_vectorcall_FASTCALL_KEYWORDS", PYTHON_SO, Kind.GLUE),
        ("method_vectorcall", PYTHON_SO, Kind.GLUE),
        ("slot_tp_call", PYTHON_SO, Kind.GLUE),
        ("type_call", "/usr/bin/postgres", Kind.NATIVE),
        ("range_vectorcall", PYTHON_SO, Kind.NATIVE),
        ("_PyObject_Calloc", PYTHON_SO, Kind.NATIVE),
        ("_PyObject_Malloc", PYTHON_SO, Kind.NATIVE),
        ("PyDict_SetItem", PYTHON_SO, Kind.NATIVE),
        ("[unknown]", "/usr/lib/libcrypto.so.3", Kind.UNKNOWN),
        ("", "", Kind.UNKNOWN),
    ],
)
def test_kinds(symbol: str, dso: str, kind: Kind) -> None:
    assert make_frame(symbol, dso).kind is kind


def test_a_python_frame_carries_its_file_and_not_its_jitted_object() -> None:
    one = make_frame("py::Raft.append:/srv/kv/core.py", "/tmp/jitted-11-5.so")
    two = make_frame("py::Raft.append:/srv/kv/core.py+0x1b", "/tmp/jitted-12-9.so")
    assert one == two == Frame("Raft.append", "core.py", Kind.PYTHON, "/srv/kv/core.py")
    assert make_frame("py::<module>:/x/json/__init__.py", "").object == "json/__init__.py"
    frozen = make_frame("py::_find:<frozen importlib._bootstrap>", "")
    assert frozen.file == frozen.object == "<frozen importlib._bootstrap>"


def test_offsets_go_and_operators_stay() -> None:
    assert make_frame("main+0x1f", "/bin/x").symbol == "main"
    assert make_frame("operator+", "/bin/x").symbol == "operator+"


def test_object_is_the_short_name_that_perf_report_shows() -> None:
    assert make_frame("puts", "/usr/lib/x86_64-linux-gnu/libc.so.6").object == "libc.so.6"
    assert make_frame("f", "[kernel.kallsyms]").object == "[kernel.kallsyms]"
    assert make_frame("[unknown]", "/usr/lib/libz.so").symbol == "[unknown]"


@given(ANY_TEXT, ANY_TEXT)
def test_every_text_of_a_frame_is_printable(symbol: str, dso: str) -> None:
    for text in (symbol, "py::" + symbol):
        frame = make_frame(text, dso)
        assert frame.symbol.isprintable() and frame.object.isprintable()
        assert frame.file.isprintable() and len(frame.symbol) <= 1024
