"""Ports for nodes on loopback."""

from __future__ import annotations

import random
import socket


def free_ports(count: int, taken: list[int] | tuple[int, ...] = ()) -> list[int]:
    """Loopback ports that nobody listens on, below the range the kernel hands out by itself.

    OSError if there are none. Another process may take one before its node does; a node that
    finds its port taken says so and exits.
    """
    found: list[int] = []
    for port in random.sample(range(15_000, 32_000), 2000):
        if len(found) == count:
            break
        if port in taken:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
    if len(found) < count:
        raise OSError("there are no free loopback ports")
    return found
