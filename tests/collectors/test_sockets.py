"""Sockets of /proc/PID/net against the sockets themselves."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from kvtop.collectors.sockets import socket_names


def inode(sock: socket.socket) -> int:
    return os.fstat(sock.fileno()).st_ino


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_both_ends_of_a_connection(host: str, shown: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        server = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip(f"this machine has no {host}")
    with server, socket.create_connection(server.getsockname()[:2]) as client:
        names = socket_names(os.getpid())
        here, there = client.getsockname()[1], server.getsockname()[1]
        assert names[inode(client)] == f"tcp {shown}:{here}→{shown}:{there}"
        assert names[inode(server)] == f"tcp {shown}:{there}"


def test_udp_and_unix(tmp_path: Path) -> None:
    path = tmp_path / "with space"
    with socket.socket(type=socket.SOCK_DGRAM) as udp, socket.socket(socket.AF_UNIX) as unix:
        udp.bind(("127.0.0.1", 0))
        unix.bind(str(path))
        names = socket_names(os.getpid())
        assert names[inode(udp)] == f"udp 127.0.0.1:{udp.getsockname()[1]}"
        assert names[inode(unix)] == f"unix {path}"
    assert socket_names(2**22 + 1) == {}
