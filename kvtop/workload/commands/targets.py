"""Which cluster a command talks to: --config FILE, --target HOST:PORT, or KVTOP_TARGET."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

from kvtop.workload.clerk import ClerkError, discover
from kvtop.workload.cluster_config import ConfigError, load_config
from kvtop.workload.node import parse_address
from kvtop.workload.peers import Address, addresses

VARIABLE = "KVTOP_TARGET"


class TargetError(Exception):
    """No cluster to talk to; the text says what to do, ``code`` is the exit code."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


def integer(low: int, high: int) -> Callable[[str], int]:
    """argparse type of a number from ``low`` to ``high``."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} must be from {low:,} to {high:,}")
        return value

    return parse


def address_argument(text: str) -> Address:
    """argparse type of HOST:PORT."""
    try:
        return parse_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_target_arguments(parser: argparse.ArgumentParser) -> None:
    """--config and --target."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--config", type=Path, metavar="FILE", help="file that names the nodes")
    group.add_argument(
        "--target",
        type=address_argument,
        metavar="HOST:PORT",
        help=f"any node of the cluster (${VARIABLE})",
    )


def find_cluster(arguments: argparse.Namespace) -> dict[int, Address] | None:
    """Addresses of the nodes, None if no cluster is named. Raises TargetError."""
    if arguments.config is not None and arguments.target is not None:
        raise TargetError("--config and --target name a cluster each; give one of them.", 2)
    try:
        if arguments.config is not None:
            return load_config(arguments.config).addresses
        target = arguments.target
        if target is None and os.environ.get(VARIABLE):
            target = _from_environment()
        if target is None:
            return None
        return addresses(asyncio.run(discover(target)))
    except ConfigError as error:
        raise TargetError(str(error), 2) from None
    except ClerkError as error:
        raise TargetError(f"{error}: is it running?", 1) from None


def _from_environment() -> Address:
    try:
        return parse_address(os.environ[VARIABLE])
    except ValueError as error:
        raise TargetError(f"${VARIABLE}: {error}", 2) from None


def fail(text: str, code: int) -> int:
    """Say what went wrong on standard error; the exit code."""
    print(f"kvtop: {text}", file=sys.stderr)
    return code
