"""Each check of the doctor on what machines, users and containers may look like."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kvtop.collectors.checks import (
    Check,
    Rights,
    State,
    check_capabilities,
    check_cpu_quota,
    check_features,
    check_hardware,
    check_kernel_names,
    check_paranoid,
    check_tracepoints,
    check_version,
    container_kind,
    perf_checks,
    read_rights,
)
from kvtop.collectors.doctor import open_tracefs, tracepoints_unreadable
from kvtop.collectors.host_checks import (
    check_debug_information,
    check_python_frames,
    check_room,
    check_terminal,
    check_tools,
)

ROOT = Rights(frozenset({"PERFMON", "SYS_ADMIN", "SYS_PTRACE", "IPC_LOCK"}), 0, 0)
USER = Rights(frozenset(), 0, 1000)


def mendable(check: Check) -> bool:
    """Not ok, with what it costs and a command or advice."""
    return check.state is not State.OK and bool(check.cost) and bool(check.remedy)


def test_rights_of_root_of_a_user_and_in_a_container() -> None:
    root = read_rights("CapEff:\t000001ffffffffff\nSeccomp:\t0\n", 0)
    assert root.perfmon and "SYS_PTRACE" in root.capabilities
    user = read_rights("CapEff:\t0000000000000000\nSeccomp:\t2\n", 1000)
    assert not user.perfmon and user.seccomp == 2
    granted = read_rights("CapEff:\t0000004000000000\nSeccomp:\t0\n", 1000)
    assert granted.capabilities == {"PERFMON"} and granted.perfmon
    # What the kernel says of this very process.
    assert read_rights().uid == os.geteuid()


def test_perf_that_is_too_old_is_missing() -> None:
    assert check_version("6.1.187", "6.18.4").state is State.OK
    assert "older" in check_version("6.1.187", "6.18.4").found
    old = check_version("4.19.5", "6.18.4")
    assert old.state is State.MISSING and old.needed and mendable(old)


@pytest.mark.parametrize(
    ("paranoid", "rights", "state"),
    [
        (2, USER, State.DEGRADED),
        (4, USER, State.DEGRADED),
        (1, USER, State.OK),
        (-1, USER, State.OK),
        (4, ROOT, State.OK),
    ],
)
def test_perf_event_paranoid(paranoid: int, rights: Rights, state: State) -> None:
    check = check_paranoid(paranoid, rights)
    assert check.state is state
    assert mendable(check) == (state is not State.OK)


def test_capabilities() -> None:
    assert check_capabilities(ROOT).state is State.OK
    assert mendable(check_capabilities(USER))


def test_kernel_names() -> None:
    address = "ffffffff81000000 T start\n"
    hidden = "0000000000000000 T start\n"
    assert check_kernel_names(ROOT, "0", address).state is State.OK
    restricted = check_kernel_names(USER, "1", hidden)
    assert restricted.remedy == "sudo sysctl kernel.kptr_restrict=0"
    paranoid = check_kernel_names(USER, "0", hidden)
    assert "perf_event_paranoid" in paranoid.remedy


def test_hardware_events() -> None:
    lacking = check_hardware({"cycles:u": True, "cache-misses:u": False})
    assert lacking.state is State.DEGRADED and "cache-misses" in lacking.found
    assert "cycles" not in lacking.found


def test_tracepoints(tmp_path: Path) -> None:
    assert "mount -t tracefs" in check_tracepoints(ROOT, tmp_path / "no").remedy
    (tmp_path / "events" / "sched").mkdir(parents=True)
    assert check_tracepoints(ROOT, tmp_path).state is State.OK
    # Directories that can be listed are not enough: perf reads the files in them.
    (event := tmp_path / "events/sched/sched_switch").mkdir(parents=True, exist_ok=True)
    (event / "format").mkdir()
    unreadable = check_tracepoints(ROOT, tmp_path)
    assert unreadable.state is State.DEGRADED
    assert unreadable.remedy == open_tracefs(tmp_path) and "gid=$(id -g)" in unreadable.remedy
    assert f"run {open_tracefs()}" in tracepoints_unreadable(True)


def test_container_is_told_by_its_traces(tmp_path: Path) -> None:
    assert container_kind(tmp_path) == ""
    (tmp_path / "proc" / "1").mkdir(parents=True)
    (tmp_path / "proc" / "1" / "cgroup").write_text("0::/kubepods/pod1\n")
    assert container_kind(tmp_path) == "kubernetes"
    (tmp_path / ".dockerenv").touch()
    assert container_kind(tmp_path) == "docker"


def test_cpu_quota() -> None:
    assert check_cpu_quota("max 100000").state is State.OK
    assert check_cpu_quota("").state is State.OK
    assert "1.5 CPUs" in check_cpu_quota("150000 100000").found


def test_how_perf_was_built() -> None:
    """Lines of perf 6.1's ``perf version --build-options``."""
    built = "             libunwind: [ on  ]  # HAVE_LIBUNWIND_SUPPORT\n"
    none = "             libunwind: [ OFF ]  # HAVE_LIBUNWIND_SUPPORT\n"
    assert check_features(built)[0].state is State.OK
    assert check_features(none)[0].state is State.MISSING
    assert not check_features(none)[0].needed


def test_python_frames() -> None:
    assert check_python_frames((3, 13), True, False)[0].state is State.OK
    assert "3.13" in check_python_frames((3, 11), False, False)[0].remedy
    assert "built" in check_python_frames((3, 13), False, False)[0].found


def test_debug_symbols_are_found_by_build_id(tmp_path: Path) -> None:
    assert mendable(check_debug_information("/lib/libc.so.6", "abcdef", tmp_path))
    (tmp_path / "ab").mkdir()
    (tmp_path / "ab" / "cdef.debug").touch()
    assert check_debug_information("/lib/libc.so.6", "abcdef", tmp_path).state is State.OK


def test_tools_and_room(tmp_path: Path) -> None:
    tools = {c.name: c for c in check_tools({"objdump": False, "stdbuf": True})}
    assert "binutils" in tools["objdump"].remedy and tools["stdbuf"].state is State.OK
    assert mendable(check_room(tmp_path / "gone"))


def test_terminals() -> None:
    large = os.terminal_size((120, 40))
    good = check_terminal({"TERM": "xterm", "COLORTERM": "truecolor"}, True, "UTF-8", large)
    assert {check.state for check in good} == {State.OK}
    dumb = check_terminal({"TERM": "dumb"}, True, "ASCII", os.terminal_size((20, 5)))
    assert {check.state for check in dumb} == {State.DEGRADED}
    assert [check.name for check in dumb] == ["screen", "characters", "size"]
    assert "16" in check_terminal({"TERM": "linux"}, True, "UTF-8", large)[0].found


async def test_no_perf_is_the_only_thing_said_of_perf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    (check,) = await perf_checks(USER)
    assert check.needed and check.state is State.MISSING and "not installed" in check.found
