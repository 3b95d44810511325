"""Labels shed what says least first."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kvtop.profile.labels import shorten, strip_arguments
from kvtop.profile.text import safe_text


@pytest.mark.parametrize(
    ("symbol", "bare"),
    [
        ("main", "main"),
        ("std::map<int, std::vector<X> >::find(int const&) const", "std::map::find"),
        ("(anonymous namespace)::run(int)", "run"),
        ("void a::f<int&>(int&, b::c*) const", "a::f"),
        (
            "decltype(auto) std::__invoke<void (*)(int), int>(void (*&&)(int), int&&)",
            "std::__invoke",
        ),
        ("std::function<void (int)>::operator()(int) const", "std::function::operator()"),
        ("std::_Map_base<int, long>::operator[](int const&)", "std::_Map_base::operator[]"),
        ("std::map<int>::operator->", "std::map::operator->"),
        ("a::operator<", "a::operator<"),
        ("std::operator<< <std::char_traits<char> >(int)", "std::operator<<"),
        ("operator new(unsigned long)", "operator new"),
        ("a::b(int)::{lambda(int)#1}::operator()(int) const", "a::b::{lambda#1}::operator()"),
        ("main.(*Server).handle", "main.(*Server).handle"),
        ("<module>", "<module>"),
        ("run.<locals>.<lambda>", "run.<locals>.<lambda>"),
        ("core::ptr::drop_in_place<T>::h0123456789abcdef", "core::ptr::drop_in_place"),
        ("<alloc::vec::Vec<T> as Drop>::drop", "<alloc::vec::Vec as Drop>::drop"),
        ("__x64_sys_read", "__x64_sys_read"),
        ("posix_do_stat.constprop.0", "posix_do_stat"),
        ("try_to_wake_up.part.0.isra.3", "try_to_wake_up"),
        ("_PyEval_EvalFrameDefault.cold", "_PyEval_EvalFrameDefault"),
        ("f(int) [clone .cold]", "f"),
        ("pthread_cond_signal@@GLIBC_2.3.2", "pthread_cond_signal"),
        ("runtime.goexit.abi0", "runtime.goexit.abi0"),
        ("LazyCompile:*serve /srv/x.js:12", "LazyCompile:*serve /srv/x.js:12"),
        ("broken(int", "broken(int"),
        ("a<b", "a<b"),
        ("(", "("),
    ],
)
def test_arguments_go(symbol: str, bare: str) -> None:
    assert strip_arguments(symbol) == bare


@pytest.mark.parametrize(
    ("symbol", "widths"),
    [
        (
            "kv::store::Table<std::string>::insert(std::string const&)",
            {
                57: "kv::store::Table<std::string>::insert(std::string const&)",
                40: "kv::store::Table<std::string>::insert",
                30: "kv::store::Table::insert",
                20: "store::Table::insert",
                13: "Table::insert",
                8: "insert",
                5: "inse…",
                2: "i…",
                1: "",
            },
        ),
        (
            "go.etcd.io/etcd/raft/v3.(*raft).stepLeader",
            {
                41: "etcd.io/etcd/raft/v3.(*raft).stepLeader",
                24: "v3.(*raft).stepLeader",
                19: "(*raft).stepLeader",
                10: "stepLeader",
            },
        ),
        (
            "Raft.append.<locals>.<lambda>",
            {28: "Raft.append.<lambda>", 19: "append.<lambda>", 10: "appen…bda>"},
        ),
        ("main.serve.func1", {14: "serve.func1", 8: "serv…nc1"}),
        ("a::run::{{closure}}", {18: "run::{{closure}}"}),
        ("core::ptr::drop_in_place::h0123456789abcdef", {13: "drop_in_place"}),
        ("longname.12345", {8: "long…345"}),
        ("do_syscall_64", {9: "do_s…l_64", 5: "do_s…"}),
        ("std::map<int>::operator[](int)", {11: "operator[]"}),
    ],
)
def test_the_order_of_shedding(symbol: str, widths: dict[int, str]) -> None:
    assert {width: shorten(symbol, width) for width in widths} == widths


PIECES = st.sampled_from(
    ["a", "std", "::", ".", "<", ">", "(", ")", "operator", " ", "{", "-", "_1"]
)


@example("operator::", 2)
@given(st.text(max_size=60).map(safe_text) | st.lists(PIECES).map("".join), st.integers(0, 70))
def test_it_always_fits(symbol: str, width: int) -> None:
    shown = shorten(symbol, width)
    assert len(shown) <= width
    assert shown.isprintable()
    if len(symbol) <= width:
        assert shown == symbol
    elif width >= 2:
        assert shown
