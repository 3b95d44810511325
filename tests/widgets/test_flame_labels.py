"""Names get shorter in the order of what they say least."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.profile.text import safe_text
from kvtop.widgets.flame_labels import (
    LEAST,
    last_parts,
    shorten,
    without_arguments,
    without_templates,
)
from kvtop.widgets.line import width_of


@pytest.mark.parametrize(
    ("symbol", "bare"),
    [
        ("main", "main"),
        ("a::b(int, char const*) const", "a::b"),
        ("std::function<void (int)>::operator()(int) const", "std::function<void >::operator()"),
        ("(anonymous namespace)::f(int)", "(anonymous)::f"),
        ("broken(int", "broken(int"),
    ],
)
def test_arguments(symbol: str, bare: str) -> None:
    assert without_arguments(symbol) == bare


@pytest.mark.parametrize(
    ("symbol", "plain"),
    [
        ("std::vector<int, std::allocator<int> >::push_back", "std::vector::push_back"),
        ("a::operator<", "a::operator<"),
        ("std::map<int>::operator->", "std::map::operator->"),
        ("<alloc::vec::Vec<T> as core::Drop>::drop", "drop"),
        ("a<b", "a<b"),
    ],
)
def test_templates(symbol: str, plain: str) -> None:
    assert without_templates(symbol) == plain


def test_versions_and_clones() -> None:
    assert shorten("__libc_start_main@@GLIBC_2.34", 18) == "__libc_start_main"
    assert shorten("tcp_sendmsg_locked.constprop.0", 18) == "tcp_sendmsg_locked"
    assert shorten("_PyEval_Eval.cold", 12) == "_PyEval_Eval"
    assert shorten("longname.12345", 8) == "long…345"


def test_namespaces_leave_from_the_left() -> None:
    assert last_parts("a::b::c") == ["b::c", "c"]
    assert last_parts("net/http.serve") == ["http.serve"]
    assert last_parts("Core.append") == ["append"]


def test_each_step_comes_when_there_is_no_more_room() -> None:
    symbol = "kv::store::Table<std::string>::insert(std::string const&)"
    widths = {
        57: symbol,
        40: "kv::store::Table<std::string>::insert",
        30: "kv::store::Table::insert",
    }
    widths |= {20: "store::Table::insert", 13: "Table::insert", 8: "insert", 5: "in…rt", 2: ""}
    assert {width: shorten(symbol, width) for width in widths} == widths


@given(st.text(max_size=60).map(safe_text), st.integers(0, 70))
def test_a_label_always_fits(symbol: str, width: int) -> None:
    label = shorten(symbol, width)
    assert width_of(label) <= width
    if width_of(symbol) <= width:
        assert label == symbol
    elif width < LEAST:
        assert label == ""
