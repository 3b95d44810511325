"""Interned frames and stacks: the small ints that samples, folds and trees are made of.

Ids are never used twice, so an id that outlived its stack raises KeyError and never names another.

Nothing here grows with the length of the run. The ring retains the stack of each sample it holds;
`compact` forgets stacks without a holder. Whoever caches ids (the parser) follows one rule:
**when `generation` has moved, clear the cache** and intern again. An id that was interned, or
looked up with `frame_id`/`stack_id`, in the present generation or the one before survives, so a
batch on its way from parser to ring stays valid across one compaction.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from typing import Final

from kvtop.profile.frames import Frame, Kind, make_frame

# Where threads begin. A stack whose root is none of these was cut off on the way up.
_THREAD_START = re.compile(
    r"_start|_dl_start(_user)?|__libc_start_(main|call_main)\w*|(__)?clone3?|__clone_internal"
    r"|thread_start|start_thread"
    r"|ret_from_fork(_asm)?|ret_from_kernel_thread|kthread|(secondary|common)_startup\w*"
    r"|start_secondary|cpu_startup_entry|x86_64_start_kernel|start_kernel|__primary_switched"
    r"|runtime\.(goexit|goexit\.abi0|mstart|mstart0|mstart1|rt0_go|mcall|systemstack|morestack)(\.abi0)?"
    r"|_rt0_\w+"
)
# A process that is leaving, or is being replaced by exec, has no user stack any more.
_NO_USER_STACK = re.compile(
    r"do_exit|do_group_exit|(__)?(do_sys|__x64_sys|__arm64_sys|do)_?(exit|exit_group|execve\w*)"
    r"|begin_new_exec|load_elf_binary|bprm_execve|schedule_tail"
)
_SPARE = 4096
FRAME_CODE: Final = "I"
"""Type code of a packed frame id: 4 bytes."""


class StackTable:
    """Frames by id and stacks (tuples of frame ids, ROOT first) by id."""

    def __init__(self) -> None:
        self.generation = 0
        """Moves when ids may have been forgotten: cached ids must then be dropped."""
        self.glue: set[int] = set()
        """Ids of the frames of kind GLUE, which most views leave out."""
        self._next_frame = 0
        self._next_stack = 0
        self._memo: dict[tuple[str, str], int] = {}
        self._frames: dict[int, Frame] = {}
        self._frame_ids: dict[Frame, int] = {}
        self._frame_stamp: dict[int, int] = {}
        self._stacks: dict[int, bytes] = {}
        """Packed: half the memory of a tuple, and stacks are what fills the ring."""
        self._stack_ids: dict[bytes, int] = {}
        self._stack_stamp: dict[int, int] = {}
        self._holders: dict[int, int] = {}
        self._broken: set[int] = set()
        self._unresolved: set[int] = set()
        self._starts: dict[int, bool] = {}
        self._limit = _SPARE
        self._marks = 0, 0

    def __len__(self) -> int:
        """Number of stacks held."""
        return len(self._stacks)

    @property
    def frame_count(self) -> int:
        """Number of frames held."""
        return len(self._frames)

    def frame_id(self, raw_symbol: str, raw_dso: str) -> int:
        """The id of a frame as ``perf script`` prints it (memoised)."""
        key = raw_symbol, raw_dso
        known = self._memo.get(key)
        if known is None:
            known = self._memo[key] = self.intern(make_frame(raw_symbol, raw_dso))
        return known

    def intern(self, frame: Frame) -> int:
        """The id of a frame that is already made."""
        frame_id = self._frame_ids.get(frame)
        if frame_id is None:
            frame_id = self._next_frame
            self._next_frame += 1
            self._frames[frame_id] = frame
            self._frame_ids[frame] = frame_id
            if frame.kind is Kind.GLUE:
                self.glue.add(frame_id)
        self._frame_stamp[frame_id] = self.generation
        return frame_id

    def frame(self, frame_id: int) -> Frame:
        """The frame of an id; KeyError where it was forgotten."""
        return self._frames[frame_id]

    def stack_id(self, frames: Sequence[int]) -> int:
        """The id of a stack of frame ids, root first."""
        key = array(FRAME_CODE, frames).tobytes()
        stack = self._stack_ids.get(key)
        if stack is None:
            stack = self._next_stack
            self._next_stack += 1
            self._stacks[stack] = key
            self._stack_ids[key] = stack
            self._judge(stack, frames)
        self._stack_stamp[stack] = self.generation
        return stack

    def frames(self, stack_id: int) -> tuple[int, ...]:
        """Frame ids of a stack, root first; KeyError where it was forgotten."""
        return tuple(memoryview(self._stacks[stack_id]).cast(FRAME_CODE))

    def packed(self, stack_id: int) -> bytes:
        """As `frames`, in machine integers of type `FRAME_CODE`."""
        return self._stacks[stack_id]

    def is_broken(self, stack_id: int) -> bool:
        """Whether the stack does not reach the start of a thread.

        Its root must be ``_start``, glibc's or musl's thread entry (``clone3``, ``start_thread``),
        the kernel's (``ret_from_fork``), the idle loop's or Go's (``runtime.goexit``); one
        ``[unknown]`` frame above it is allowed, frame-pointer chains end in one. A stack of
        kernel frames alone is broken too, its user part is missing, except in ``exit`` and
        ``exec``, where there is none.
        """
        return stack_id in self._broken

    def leaf_unresolved(self, stack_id: int) -> bool:
        """Whether the frame that ran has no name."""
        return stack_id in self._unresolved

    def retain(self, stack_id: int) -> None:
        """Keep a stack until `release` was called as often; KeyError where it was forgotten."""
        if stack_id not in self._stacks:
            raise KeyError(stack_id)
        self._holders[stack_id] = self._holders.get(stack_id, 0) + 1

    def release(self, stack_id: int) -> None:
        """Give back one `retain`."""
        left = self._holders[stack_id] - 1
        if left:
            self._holders[stack_id] = left
        else:
            del self._holders[stack_id]

    def maybe_compact(self) -> bool:
        """Compact if half as much is new since the last compaction as was held; True if so."""
        stacks, frames = self._marks
        fresh = max(self._next_stack - stacks, self._next_frame - frames, len(self._memo))
        if fresh <= self._limit:
            return False
        self.compact()
        return True

    def compact(self) -> None:
        """Forget stacks that nobody holds and nobody interned since the last compaction."""
        present = self.generation
        holders, stamps = self._holders, self._stack_stamp
        for stack in [s for s in self._stacks if s not in holders and stamps[s] < present]:
            del self._stack_ids[self._stacks.pop(stack)]
            del stamps[stack]
            self._broken.discard(stack)
            self._unresolved.discard(stack)
        used: set[int] = set()
        for packed in self._stacks.values():
            used.update(memoryview(packed).cast(FRAME_CODE))
        for frame in [f for f in self._frames if f not in used and self._frame_stamp[f] < present]:
            del self._frame_ids[self._frames.pop(frame)]
            del self._frame_stamp[frame]
            self.glue.discard(frame)
        self._memo.clear()
        self._starts.clear()
        self._limit = max(len(holders), len(self._frames)) // 2 + _SPARE
        self._marks = self._next_stack, self._next_frame
        self.generation += 1

    def _judge(self, stack: int, frames: Sequence[int]) -> None:
        table = self._frames
        if not frames or table[frames[-1]].kind is Kind.UNKNOWN:
            self._unresolved.add(stack)
        if not frames:
            self._broken.add(stack)
            return
        root = frames[0]
        if table[root].kind is Kind.UNKNOWN and len(frames) > 1:
            root = frames[1]
        if self._is_start(root):
            return
        if table[root].kind is Kind.KERNEL and any(
            _NO_USER_STACK.fullmatch(table[f].symbol) for f in frames
        ):
            return
        self._broken.add(stack)

    def _is_start(self, frame: int) -> bool:
        """Whether threads begin there; asked of every stack's root, and few frames are one."""
        known = self._starts.get(frame)
        if known is None:
            symbol = self._frames[frame].symbol.partition("@")[0]
            known = self._starts[frame] = _THREAD_START.fullmatch(symbol) is not None
        return known
