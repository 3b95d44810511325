"""Of a stack that waits for a lock: what lock it is, and who asked for it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kvtop.profile.frames import Frame, Kind

# Flags of lock:contention_begin, include/trace/events/lock.h.
_SPIN, _READ, _WRITE, _RT, _PERCPU, _MUTEX = (1 << bit for bit in range(6))
_KERNEL_LOCKS = re.compile(
    r"(__)?traceiter_|trace_|perf_|_*(raw_)?(spin|read|write)_(un)?(try)?lock|_*mutex_"
    r"|(native_|__pv_|pv_)?queued_|ww_mutex|_*rwsem|_*down(_|$)|_*rt_(mutex|spin|read|write)"
    r"|rtlock|_*percpu_|_*lock_|osq_|do_raw_|__bpf|bpf_|futex_"
)
_USER_LOCKS = re.compile(
    r"_*(GI_)*_*(pthread_(mutex|rwlock|cond|spin|barrier|join|clockjoin)|lll_|futex|sem_|new_sem_)"
    r"|do_futex|syscall$|_*libc_(lock|futex)|___pthread|PyThread_(acquire|release)_|take_gil"
    r"|_PySemaphore|_?PyMutex|_PyParkingLot|_PyRawMutex|_PyEvent|uv_(mutex|cond|sem|rwlock)_"
    r"|std::(__\w+::)?(mutex|condition_variable|recursive_mutex|shared_mutex|__atomic_futex)"
    r"|(std::sys|parking_lot|std::sync)|runtime\.(futex|lock|note|sema|gopark|mPark|stopm)"
)
_GIL = "take_gil"


def kernel_kind(flags: int) -> str:
    """The kind of lock as perf lock contention names it."""
    side = ", read" if flags & _READ else ", write" if flags & _WRITE else ""
    if flags & _MUTEX:
        return "mutex"
    if flags & _PERCPU:
        return f"percpu-rwsem{side}"
    if flags & _RT:
        return f"rt rwlock{side}" if side else "rt mutex"
    if flags & _SPIN:
        return f"rwlock{side}" if side else "spinlock"
    return f"rwsem{side}" if side else "semaphore"


def kernel_caller(stack: Sequence[Frame]) -> Frame | None:
    """Who asked: of a stack from the thread's start, the last function that is no lock's own."""
    for frame in reversed(stack):
        if not _KERNEL_LOCKS.match(frame.symbol):
            return frame
    return stack[-1] if stack else None


def futex_caller(stack: Sequence[Frame]) -> tuple[str, Frame | None]:
    """The kind of lock, and who asked: a Python function if there is one in the stack."""
    own = [frame for frame in stack if frame.kind is not Kind.KERNEL]
    kind = "GIL (futex)" if any(frame.symbol == _GIL for frame in own) else "futex"
    asked = [frame for frame in own if not _USER_LOCKS.match(frame.symbol)]
    python = [frame for frame in asked if frame.kind is Kind.PYTHON]
    best = python or [frame for frame in asked if frame.kind is not Kind.UNKNOWN] or own or stack
    return kind, best[-1] if best else None
