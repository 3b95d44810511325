"""Which processes may be profiled, and what is said of those that may not."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kvtop.collectors.attach import AttachError, choose_call_graph, python_support, resolve
from kvtop.events import Role


def test_an_ordinary_process() -> None:
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        (target,) = resolve([sleeper.pid, sleeper.pid])
        assert target.label == f"sleep({sleeper.pid})"
        assert (target.role, target.python_frames) == (Role.OTHER, False)
        assert target.command == "sleep 60"
        assert choose_call_graph([sleeper.pid]) == "fp"
    finally:
        sleeper.kill()
        sleeper.wait()


def test_one_that_is_not_there() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    with pytest.raises(AttachError, match="there is no process"):
        resolve([gone.pid])


def test_a_zombie_a_thread_and_a_kernel_thread() -> None:
    zombie = subprocess.Popen(["true"])
    while b"Z" not in Path(f"/proc/{zombie.pid}/stat").read_bytes().rpartition(b")")[2]:
        pass
    with pytest.raises(AttachError, match="has exited"):
        resolve([zombie.pid])
    zombie.wait()
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    with pytest.raises(AttachError, match=f"attach to {os.getpid()}"):
        resolve([thread.native_id or 0])
    stop.set()
    thread.join()
    if Path("/proc/2/comm").read_text() == "kthreadd\n":
        with pytest.raises(AttachError, match="thread of the kernel"):
            resolve([2])


def test_a_process_of_another_user() -> None:
    if os.geteuid() != 0:
        with pytest.raises(AttachError, match="belongs to user root"):
            resolve([1])
        return
    script = (
        "import os\n"
        "from kvtop.collectors.attach import AttachError, resolve\n"
        "os.setgroups([])\n"
        "os.setuid(65534)\n"
        "try: resolve([1])\n"
        "except AttachError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "belongs to user root: start kvtop with sudo" in done.stdout


def test_python_is_known_by_what_it_mapped() -> None:
    support = python_support(os.getpid())
    assert support.is_python and not support.jit_dump
    assert choose_call_graph([os.getpid()]) == "dwarf"


def test_perf_jit_is_known_by_its_dump() -> None:
    if sys.version_info < (3, 13):
        pytest.skip("-X perf_jit came with 3.13")
    process = subprocess.Popen(
        [sys.executable, "-X", "perf_jit", "-c", "print(1, flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == b"1\n"
        assert resolve([process.pid])[0].python_frames
        assert choose_call_graph([process.pid]) == "dwarf"
    finally:
        process.kill()
        process.communicate()
        Path(f"/tmp/jit-{process.pid}.dump").unlink(missing_ok=True)
