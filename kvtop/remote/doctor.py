"""``kvtop doctor --ssh``: the checks of the machine that the targets run on."""

from __future__ import annotations

import dataclasses
from typing import Any

from kvtop.collectors.checks import Check
from kvtop.config import Config
from kvtop.recording.codec import Decoder
from kvtop.remote.connection import CallFailed, Connection, ConnectionFailed
from kvtop.session import StartError

_SCHEMA = {"Check": [field.name for field in dataclasses.fields(Check)]}


async def checks_there(config: Config) -> list[Check]:
    """The checks over there, without those of the screen; StartError where one cannot get there."""
    assert config.ssh is not None
    connection = Connection(config.ssh, config.ssh_command, config.ssh_sudo, _ignore)
    try:
        await connection.open()
        raw = await connection.call("doctor")
        checks: tuple[Check, ...] = Decoder(_SCHEMA).value(tuple[Check, ...], raw)
    except (ConnectionFailed, CallFailed, ValueError) as error:
        raise StartError(str(error)) from None
    finally:
        await connection.close()
    return list(checks)


def _ignore(message: list[Any]) -> None:
    """Nothing is collected there."""
