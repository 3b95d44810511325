"""How a thousand requests become a few disk writes: coroutines, one turn of the loop, one thread.

    python examples/scheduling.py

Each request is a coroutine that waits for its record to be durable. Records that arrive in one
turn of the loop, or while the disk is busy, share one write and one fdatasync (group commit), as
in ``kvtop/workload/persister.py``; the loop goes on meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor


class GroupCommit:
    """Appends records to a file; ``append`` returns when its record is durable."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._thread = ThreadPoolExecutor(1)
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        self.syncs = 0

    async def append(self, record: bytes) -> None:
        """Write one record."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((record, done))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_groups())
        await done

    async def _write_groups(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            group, self._waiting = self._waiting, []
            await loop.run_in_executor(self._thread, self._write, [r for r, _ in group])
            for _, done in group:
                done.set_result(None)
        self._writer = None

    def _write(self, records: list[bytes]) -> None:
        os.write(self._descriptor, b"".join(records))
        os.fdatasync(self._descriptor)
        self.syncs += 1


async def main(clients: int = 50, requests: int = 20) -> tuple[int, int]:
    """(records written, calls of fdatasync)."""
    with tempfile.TemporaryFile() as file:
        log = GroupCommit(file.fileno())

        async def client(number: int) -> None:
            for request in range(requests):
                await log.append(b"%d.%d\n" % (number, request))

        await asyncio.gather(*(client(number) for number in range(clients)))
        file.seek(0)
        return len(file.read().splitlines()), log.syncs


if __name__ == "__main__":
    written, syncs = asyncio.run(main())
    print(f"{written} records became durable with {syncs} calls of fdatasync")
