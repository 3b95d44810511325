"""What differs between the clusters that kvtop starts: its own Raft store, or etcd."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, replace

from kvtop.collectors.cluster import ClusterCollector
from kvtop.config import Config, UsageError

_NEED_313 = "Python frames of the cluster need Python 3.13 or newer"


@dataclass(frozen=True, slots=True)
class ClusterKind:
    """``frames`` is what the header says of Python frames; ``jit`` whether they are asked for."""

    title: str
    config: Config
    collector: ClusterCollector
    frames: str
    jit: bool


async def choose_kind(config: Config) -> ClusterKind:
    """The cluster that the options ask for; UsageError where it cannot be had here."""
    able = sys.version_info >= (3, 13)
    if config.python_frames == "jit" and not able:
        raise UsageError(f"--python-frames jit: {_NEED_313}.")
    if config.cluster == "etcd":
        return await _etcd(config)
    want = config.python_frames != "off"
    frames = "on" if want and able else "off" if not want else f"{_NEED_313}."
    title = f"{config.nodes}-node Raft cluster"
    return ClusterKind(title, config, ClusterCollector(), frames, want and able)


async def _etcd(config: Config) -> ClusterKind:
    from kvtop.collectors.etcd import EtcdCollector
    from kvtop.etcd.program import ProgramError, find_version

    try:
        version = await asyncio.to_thread(find_version)
    except ProgramError as error:
        raise UsageError(str(error)) from None
    # Only the clients are Python. Go keeps frame pointers and brings no unwind tables, so that
    # dwarf, which their Python frames need, would cut etcd's own stacks.
    jit = config.python_frames == "jit"
    if config.call_graph == "auto" and not jit:
        config = replace(config, call_graph="fp")
    title = f"{config.nodes}-node etcd {version}"
    return ClusterKind(title, config, EtcdCollector(), "on" if jit else "off", jit)


def stress_text(config: Config) -> str:
    """Who loads the cluster, and how fast where that was asked for."""
    if config.no_stress:
        return "no stress"
    clients = f"{config.clients} client{'' if config.clients == 1 else 's'}"
    return f"{clients} at {config.rate} ops/s" if config.rate else clients
