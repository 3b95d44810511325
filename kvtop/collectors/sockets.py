"""What the sockets of a process are, by inode (proc_pid_net(5)): protocol and addresses."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

_INTERNET = {"tcp": "tcp", "tcp6": "tcp", "udp": "udp", "udp6": "udp"}


def socket_names(pid: int) -> dict[int, str]:
    """Inode -> "tcp 127.0.0.1:80→127.0.0.1:3456", of all in the process's network namespace.

    The path of a unix socket is raw. What cannot be read is left out.
    """
    names: dict[int, str] = {}
    for table, kind in _INTERNET.items():
        for fields in _rows(pid, table):
            if len(fields) > 9:
                ends = [end for field in fields[1:3] if (end := _address(field))]
                names[int(fields[9])] = f"{kind} {'→'.join(ends)}".strip()
    for fields in _rows(pid, "unix"):
        if len(fields) > 6:
            names[int(fields[6])] = f"unix {' '.join(fields[7:])}".strip()
    return names


def _rows(pid: int, table: str) -> Iterator[list[str]]:
    try:
        text = Path(f"/proc/{pid}/net/{table}").read_text(errors="replace")
    except OSError:
        return
    for line in text.splitlines()[1:]:
        yield line.split()


def _address(field: str) -> str:
    """``0100007F:0050`` is 127.0.0.1:80, in words of the machine's byte order; '' for no port."""
    packed, _, port = field.partition(":")
    if not int(port, 16):
        return ""
    words = [int(packed[at : at + 8], 16) for at in range(0, len(packed), 8)]
    raw = struct.pack(f"{'<' if sys.byteorder == 'little' else '>'}{len(words)}I", *words)
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    ip = socket.inet_ntop(family, raw)
    return f"[{ip}]:{int(port, 16)}" if ":" in ip else f"{ip}:{int(port, 16)}"
