"""Interning, forgetting, and the verdicts on a stack."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.profile.stacks import StackTable


def stack(table: StackTable, *symbols: str, dso: str = "/bin/x") -> int:
    """Intern a stack of native symbols, root first; ``k:name`` is a kernel frame."""
    return table.stack_id(
        [
            table.frame_id(s[2:], "[kernel.kallsyms]")
            if s.startswith("k:")
            else table.frame_id(s, dso)
            for s in symbols
        ]
    )


@given(st.lists(st.lists(st.integers(0, 5), max_size=4)))
def test_equal_stacks_have_one_id_and_read_back(stacks: list[list[int]]) -> None:
    table = StackTable()
    names = [table.frame_id(f"f{n}", "/bin/x") for n in range(6)]
    ids = [table.stack_id([names[n] for n in frames]) for frames in stacks]
    for frames, known in zip(stacks, ids, strict=True):
        assert [table.frame(f).symbol for f in table.frames(known)] == [f"f{n}" for n in frames]
    assert len(set(ids)) == len({tuple(f) for f in stacks}) == len(table)


def test_a_held_stack_outlives_compactions_and_others_go() -> None:
    table = StackTable()
    held, loose = stack(table, "_start", "main"), stack(table, "_start", "gone")
    table.retain(held)
    gone = table.frames(loose)[1]
    table.compact()
    assert table.frames(loose)  # a batch may still be on its way
    table.compact()
    assert [table.frame(f).symbol for f in table.frames(held)] == ["_start", "main"]
    with pytest.raises(KeyError):
        table.frames(loose)
    with pytest.raises(KeyError):
        table.frame(gone)
    with pytest.raises(KeyError):
        table.retain(loose)
    table.release(held)
    table.compact()
    assert len(table) == table.frame_count == 0


def test_an_id_is_never_used_twice() -> None:
    table = StackTable()
    first = stack(table, "a")
    table.compact()
    table.compact()
    assert stack(table, "b") != first
    assert stack(table, "a") != first


def test_interning_again_in_a_new_generation_keeps_the_id() -> None:
    table = StackTable()
    known = stack(table, "_start", "main")
    for _ in range(5):
        table.compact()
        assert stack(table, "_start", "main") == known


def test_generation_moves_with_every_compaction() -> None:
    table = StackTable()
    before = table.generation
    table.compact()
    assert table.generation == before + 1


def test_it_does_not_grow_with_the_run() -> None:
    table = StackTable()
    largest = 0
    for n in range(60_000):
        known = stack(table, "_start", f"jitted_{n}")
        table.retain(known)
        table.release(known)
        table.maybe_compact()
        largest = max(largest, len(table), table.frame_count)
    assert largest < 25_000


WHOLE = [
    ("_start", "__libc_start_main", "main"),
    ("__libc_start_call_main", "heavy"),
    ("__libc_start_main@@GLIBC_2.34", "main"),
    ("_dl_start_user", "dl_main"),
    ("clone3", "start_thread", "run"),
    ("__clone", "start_thread"),
    ("[unknown]", "start_thread", "run"),
    ("runtime.goexit.abi0", "main.main"),
    ("runtime.mstart.abi0", "runtime.schedule"),
    ("k:ret_from_fork_asm", "k:kthread", "k:worker_thread"),
    ("k:common_startup_64", "k:start_secondary", "k:default_idle"),
    ("k:entry_SYSCALL_64_after_hwframe", "k:do_syscall_64", "k:__x64_sys_exit_group", "k:do_exit"),
    ("k:entry_SYSCALL_64_after_hwframe", "k:do_syscall_64", "k:do_execve", "k:load_elf_binary"),
]
BROKEN = [
    (),
    ("main",),
    ("[unknown]", "[unknown]", "_start"),
    ("[unknown]", "_PyEval_EvalFrameDefault"),
    ("k:entry_SYSCALL_64_after_hwframe", "k:do_syscall_64", "k:ksys_read"),
    ("k:asm_exc_page_fault", "k:exc_page_fault"),
    ("start_threads_of_mine", "run"),
]


@pytest.mark.parametrize("symbols", WHOLE)
def test_whole_stacks(symbols: tuple[str, ...]) -> None:
    table = StackTable()
    assert not table.is_broken(stack(table, *symbols))


@pytest.mark.parametrize("symbols", BROKEN)
def test_broken_stacks(symbols: tuple[str, ...]) -> None:
    table = StackTable()
    assert table.is_broken(stack(table, *symbols))


def test_unresolved_leaf() -> None:
    table = StackTable()
    assert table.leaf_unresolved(stack(table, "_start", "[unknown]"))
    assert not table.leaf_unresolved(stack(table, "[unknown]", "main"))
