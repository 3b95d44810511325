"""Labels shed what says least first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.profile.labels import shorten, strip_arguments


@pytest.mark.parametrize(
    ("symbol", "bare"),
    [
        ("std::map<int, std::vector<X> >::find(int const&) const", "std::map::find"),
        ("(anonymous namespace)::run(int)", "run"),
        ("main.(*Server).handle", "main.(*Server).handle"),
        ("<module>", "<module>"),
        ("run.<locals>.<lambda>", "run.<locals>.<lambda>"),
        ("core::ptr::drop_in_place::h0123456789abcdef", "core::ptr::drop_in_place"),
        ("<alloc::vec::Vec<T> as Drop>::drop", "<alloc::vec::Vec as Drop>::drop"),
        ("Foo::operator()(int)", "Foo::operator()(int)"),
        ("__x64_sys_read", "__x64_sys_read"),
        ("posix_do_stat.constprop.0", "posix_do_stat"),
        ("try_to_wake_up.part.0.isra.3", "try_to_wake_up"),
        ("_PyEval_EvalFrameDefault.cold", "_PyEval_EvalFrameDefault"),
        ("pthread_cond_signal@@GLIBC_2.3.2", "pthread_cond_signal"),
        ("runtime.goexit.abi0", "runtime.goexit.abi0"),
    ],
)
def test_arguments_go(symbol: str, bare: str) -> None:
    assert strip_arguments(symbol) == bare


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (40, "std::map<int, X>::find(int)"),
        (14, "std::map::find"),
        (10, "map::find"),
        (5, "find"),
        (3, "fi…"),
        (2, "f…"),
        (1, ""),
    ],
)
def test_the_order_of_shedding(width: int, shown: str) -> None:
    assert shorten("std::map<int, X>::find(int)", width) == shown


@given(st.text(max_size=60), st.integers(0, 70))
def test_it_always_fits(symbol: str, width: int) -> None:
    shown = shorten(symbol, width)
    assert len(shown) <= width
    if len(symbol) > width >= 2:
        assert shown or not strip_arguments(symbol)


def test_the_middle_of_a_long_name_goes() -> None:
    assert shorten("do_syscall_64", 9) == "do_s…l_64"
    assert shorten("do_syscall_64", 5) == "do_s…"
