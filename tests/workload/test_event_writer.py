"""Lines to readers that are slow, stopped or dead."""

from __future__ import annotations

import os
import threading

from kvtop.workload.event_writer import MAX_WAITING, EventWriter

LINE = b"x" * 999 + b"\n"


def test_a_reader_that_does_not_read_is_not_waited_for() -> None:
    source, sink = os.pipe()
    writer = EventWriter(sink)
    for _ in range(2 * MAX_WAITING // len(LINE)):
        writer.write(LINE)
    assert writer.dropped > 0
    received = bytearray()

    def read() -> None:
        while data := os.read(source, 1 << 16):
            received.extend(data)

    reader = threading.Thread(target=read)
    reader.start()
    writer.finish(10)
    os.close(sink)
    reader.join()
    os.close(source)
    assert len(received) > MAX_WAITING - 2 * len(LINE)
    assert set(bytes(received).split(b"\n")[:-1]) == {LINE[:-1]}


def test_a_dead_reader_is_no_error() -> None:
    source, sink = os.pipe()
    writer = EventWriter(sink)
    os.close(source)
    writer.write(LINE)
    assert writer.flush()
    writer.finish(0)
    os.close(sink)
