"""A host to log in to: an sshd of our own on the loopback interface, with keys for this once."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
_CONFIG = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {directory}/host
AuthorizedKeysFile {directory}/authorized
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
"""
_SSH_CONFIG = """\
IdentityFile {directory}/user
IdentitiesOnly yes
IdentityAgent none
UserKnownHostsFile {directory}/known
GlobalKnownHostsFile /dev/null
StrictHostKeyChecking yes
"""


@dataclass(frozen=True)
class Host:
    """``options`` are what kvtop needs to get there."""

    directory: Path
    port: int
    pid: int

    @property
    def user(self) -> str:
        return getpass.getuser()

    @property
    def address(self) -> str:
        return f"{self.user}@127.0.0.1:{self.port}"

    @property
    def ssh(self) -> tuple[str, ...]:
        return "ssh", "-F", str(self.directory / "config")

    @property
    def options(self) -> list[str]:
        return ["--ssh", self.address, "--ssh-command", shlex.join(self.ssh)]


@contextmanager
def sshd(directory: Path) -> Iterator[Host]:
    """Start one; skips the test, with the reason, where that cannot be done."""
    if not Path(SSHD).exists() or shutil.which("ssh") is None:
        pytest.skip("openssh-server or openssh-client is not installed")
    for name in ("host", "user"):
        args = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)]
        subprocess.run(args, check=True, stdin=subprocess.DEVNULL)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    shutil.copy(directory / "user.pub", directory / "authorized")
    key = (directory / "host.pub").read_text()
    (directory / "known").write_text(f"[127.0.0.1]:{port} {key}")
    (directory / "config").write_text(_SSH_CONFIG.format(directory=directory))
    (directory / "sshd").write_text(_CONFIG.format(directory=directory, port=port))
    if os.geteuid() == 0:
        # Where it separates its privileges; packages leave that to the start of the service.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    log = directory / "log"
    process = subprocess.Popen(
        [SSHD, "-D", "-E", str(log), "-f", str(directory / "sshd")], stdin=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    said = log.read_text() if log.exists() else ""
                    pytest.skip(f"sshd does not start here: {said.strip()[-200:]}")
                time.sleep(0.05)
        yield Host(directory, port, process.pid)
    finally:
        process.kill()
        process.wait()
