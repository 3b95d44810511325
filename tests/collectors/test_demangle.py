"""Mangled names against those that binutils' c++filt prints, less crate hashes and const types."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.collectors.demangle import MANGLED, _runtime, demangle
from kvtop.collectors.perf_script import ScriptParser
from kvtop.profile.stacks import StackTable

NAMES = {
    "_ZN3std2rt10lang_start28_$u7b$$u7b$closure$u7d$$u7d$17ha86af84d9cc65291E": (
        "std::rt::lang_start::{{closure}}"
    ),
    "_ZN42_$LT$r..Foo$LT$T$GT$$u20$as$u20$r..Bar$GT$4spin17h7d7df3f43c9ec22cE": (
        "<r::Foo<T> as r::Bar>::spin"
    ),
    "_RIC1aKc41_E": "a::<'A'>",
    "_RIC1aKb1_Kin5_E": "a::<true, -5>",
    "_RIC1aRShQSePlAhj4_TtEE": "a::<&[u8], &mut [str], *const i32, [u8; 4], (u16,)>",
    "_RNCNvC1a1b0": "a::b::{closure#0}",
    "_RNSC1as_3vtb": "a::{shim:vtb#1}",
    "_RNvC1au8gdel_5qa": "a::gödel",
    "_RNvYNvNtNtNtCsjrHSEGnQ3l9_3std3sys2fs4unix4statINtNtNtCsgEmfK2I1SDS_4core3ops8function"
    "2FnTRNtNtNtBQ_3ffi5c_str4CStrEE4callBa_": (
        "<std::sys::fs::unix::stat as core::ops::function::Fn<(&core::ffi::c_str::CStr,)>>::call"
    ),
    "_RINvMNtCsgEmfK2I1SDS_4core5sliceSh11copy_withinINtNtNtB5_3ops5range14RangeInclusivej"
    "EECsfEOYDRpO4Ta_11miniz_oxide.llvm.1234": (
        "<[u8]>::copy_within::<core::ops::range::RangeInclusive<usize>>"
    ),
}
needs_runtime = pytest.mark.skipif(_runtime() is None, reason="needs a C++ runtime library")


@pytest.mark.parametrize("mangled", NAMES)
def test_rust(mangled: str) -> None:
    assert demangle(mangled) == NAMES[mangled]


@needs_runtime
def test_cxx() -> None:
    assert demangle("_ZN2ns1WIiE4spinERKi") == "ns::W<int>::spin(int const&)"
    assert demangle("_ZN2ns1WIiE4spinERKi.part.0") == "ns::W<int>::spin(int const&).part.0"


@pytest.mark.skipif(shutil.which("c++filt") is None, reason="needs binutils")
@pytest.mark.parametrize("mangled", [n for n in NAMES if n.startswith("_R") and "u8g" not in n])
def test_as_binutils_does(mangled: str) -> None:
    command = ["c++filt", mangled.partition(".")[0]]
    theirs = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    plain = re.sub(
        r"\[[0-9a-f]+\](?=::)|(?<=[\w']): (char|bool|[iu](8|16|32|64|size))\b", "", theirs
    )
    assert demangle(mangled) == plain


@given(st.text(alphabet="_ZRNCMXYIBEKLstvDFGS0123456789abcxyz.$", max_size=80))
def test_no_text_is_an_error(text: str) -> None:
    for begin in MANGLED:
        assert demangle(begin + text)


def test_back_references_cannot_blow_up() -> None:
    # Each pair refers to the one before it: 2^n names.
    text = "_RIC1aTuuE" + "".join(f"TB{n}_B{n}_E" for n in "56789abcdefghijk") + "E"
    assert len(demangle(text)) < 1 << 20


def test_other_names_stay_as_they_are() -> None:
    for name in ("main", "_Zebra", "_Run", "_R", "_Z", "_ZN", "operator()<void>", "_Z" * 5000):
        assert demangle(name) == name


def test_the_parser_uses_it() -> None:
    table = StackTable()
    text = b"a 1/1 1.0:  5 cycles: \n\t" + b"1".rjust(16) + b" _RNCNvC1a1b0 (/x)\n\n"
    (sample,) = ScriptParser(table).feed(text)
    assert [table.frame(f).symbol for f in table.frames(sample.stack)] == ["a::b::{closure#0}"]
