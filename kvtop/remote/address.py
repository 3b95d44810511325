"""Where ``--ssh`` leads: user, host and port, checked before ssh sees them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.+%-]*")
"""A host or a user; one that begins with "-" would be an option of ssh."""
_IPV6 = re.compile(r"[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9_.-]+)?")


@dataclass(frozen=True, slots=True)
class Address:
    """``[user@]host[:port]``; what is None is left to ssh and its configuration."""

    host: str
    user: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        """As one would write it for ssh, without the port."""
        return self.host if self.user is None else f"{self.user}@{self.host}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """ValueError, in words that follow the option, for what is no such address.

        An IPv6 address with a port needs brackets: ``[::1]:2222``.
        """
        user, at, rest = text.rpartition("@")
        port = None
        if match := re.fullmatch(r"\[([^\[\]]*)\](?::([0-9]{1,5}))?", rest):
            host, number = match[1], match[2]
        elif rest.count(":") == 1:
            host, _, number = rest.partition(":")
        else:
            host, number = rest, None
        if number is not None:
            if not re.fullmatch(r"[0-9]{1,5}", number) or not 1 <= int(number) <= 65535:
                raise ValueError("must have a port of 1 to 65535 after the colon")
            port = int(number)
        known = _IPV6 if ":" in host else _NAME
        if not known.fullmatch(host) or (at and not _NAME.fullmatch(user)):
            raise ValueError("must be [user@]host[:port], for example root@db1 or db1:2222")
        return cls(host, user if at else None, port)
