"""What a node must not forget of its first start: whose it is, and who the first voters were.

The configuration before the first log entry comes from the command line. A later command line
that names more nodes must not change it: two halves of a cluster would count different majorities.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from kvtop.workload.wal import REPLACE_NODE, sync_directory

_NAME = "identity.json"


@dataclass(frozen=True, slots=True)
class Identity:
    """``cluster`` is the id that all nodes share; ``voters`` is empty for a node that joined."""

    node: int
    cluster: int
    voters: tuple[int, ...]


def read_identity(directory: Path) -> Identity | None:
    """What was remembered, None before the first start. ValueError if the file is damaged."""
    path = directory / _NAME
    try:
        fields = json.loads(path.read_text())
        return Identity(int(fields["node"]), int(fields["cluster"]), tuple(fields["voters"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {error}. {REPLACE_NODE}") from None


def remember(directory: Path, first: Identity) -> Identity:
    """What was remembered, or else ``first``, durable from now on.

    Raises OSError; ValueError if the directory is another node's.
    """
    known = read_identity(directory)
    if known is None:
        _save(directory, first)
        return first
    if known.node != first.node:
        raise ValueError(f"{directory} holds the data of node {known.node}, not {first.node}")
    return known


def _save(directory: Path, identity: Identity) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    temporary = directory / f"{_NAME}.tmp"
    fields = {"node": identity.node, "cluster": identity.cluster, "voters": identity.voters}
    with temporary.open("w") as file:
        file.write(json.dumps(fields) + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(directory / _NAME)
    sync_directory(directory)
