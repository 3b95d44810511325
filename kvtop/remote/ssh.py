"""ssh's command line, and its failures as sentences with the remedy."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from kvtop.profile.text import safe_text
from kvtop.remote.address import Address
from kvtop.remote.bundle import NO_PYTHON, OLDEST_PYTHON

CONNECT_WITHIN = 10
OPTIONS = (
    *("-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_WITHIN}"),
    *("-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"),
    *("-o", "ClearAllForwardings=yes"),
)
"""No terminal and no questions: they would be asked under the screen. A connection that has died
is noticed within 15 seconds."""


def ssh_command(program: Sequence[str], address: Address, remote: str, sudo: bool) -> list[str]:
    """The arguments that run ``remote`` by the login shell of the host."""
    port = [] if address.port is None else ["-p", str(address.port)]
    wanted = f"sudo -n {remote}" if sudo else remote
    return [*program, *OPTIONS, *port, "--", str(address), wanted]


def by_hand(program: Sequence[str], address: Address) -> str:
    """What one types to get there without kvtop."""
    port = [] if address.port is None else ["-p", str(address.port)]
    return shlex.join([*program, *port, str(address)])


def explain_ssh(program: Sequence[str], address: Address, code: int | None, said: str) -> str:
    """One sentence on why ssh ended; ``said`` is its standard error."""
    there, hand = str(address), by_hand(program, address)
    if code == NO_PYTHON and (match := re.search(r"kvtop: no Python, (.*)", said)):
        found = re.search(r"Python [0-9.]+", match[1])
        oldest = ".".join(map(str, OLDEST_PYTHON))
        which = f"python3 is {found[0]}" if found else "there is no python3"
        return f"kvtop needs Python {oldest} or newer on {there}, where {which}: install one there."
    if match := re.search(r"sudo: (.*)", said):
        return (
            f"sudo on {there} does not run kvtop ({safe_text(match[1], 80).rstrip('.')}): allow it "
            "there without a password (NOPASSWD), or log in as root."
        )
    if "memfd_create" in said:
        return f"{there} is not a Linux machine, and kvtop's figures come from Linux perf."
    if match := re.search(r"ModuleNotFoundError: No module named '([\w.]+)'", said):
        return (
            f"Python on {there} lacks its module {match[1]}: install the whole python3 there, "
            "not only a minimal one."
        )
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in said:
        return (
            f"The host key of {there} is not the one that is known here: find out why, then "
            f"correct known_hosts with ssh-keygen -R {address.host}."
        )
    if "Host key verification failed" in said:
        return f"The host key of {there} is not known here: connect once by hand with {hand}."
    if match := re.search(r"Permission denied \(([^)\n]*)\)|Too many authentication", said):
        how = f" ({safe_text(match[1], 60)})" if match[1] else ""
        return (
            f"{there} does not let you in{how}, and kvtop asks for no password: install a key with "
            f"ssh-copy-id, unlock yours with ssh-add, and try {hand}."
        )
    if "Could not resolve hostname" in said:
        return f"There is no host {safe_text(address.host, 80)}: its name cannot be resolved."
    if match := re.search(
        r"(Connection refused|Connection timed out|No route to host|Network is unreachable)", said
    ):
        return f"{there} cannot be reached by ssh: {match[1].lower()}."
    lines = [line for line in said.strip().splitlines() if line.strip()]
    last = safe_text(lines[-1].strip(), 120).rstrip(".") if lines else f"exit status {code}"
    return f"ssh to {there} ended: {last}."


def wording(sentence: str, address: Address, sudo: bool) -> str:
    """A sentence of a collector over there, for somebody who reads it here."""
    remedy = "log in as root" if sudo else "add --ssh-sudo, or log in as root"
    text = sentence.replace("start kvtop with sudo", remedy)
    text = text.replace("run kvtop with sudo", remedy)
    return f"On {address}: {text}"
