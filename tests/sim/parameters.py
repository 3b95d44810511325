"""What one seed decides before a run starts. Times are microseconds of virtual time."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

TICK = 10_000


@dataclass(slots=True)
class NetworkQuality:
    """How messages between nodes fare; changes during a run."""

    drop: float = 0.0
    duplicate: float = 0.0
    delay: tuple[int, int] = (100, 1_000)
    straggle: float = 0.0
    """Share of messages that take up to twenty times as long: reordering."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """A cluster and its load. The default is a quiet one of three nodes."""

    voters: int = 3
    spares: int = 0
    election_ticks: int = 10
    heartbeat_ticks: int = 2
    pre_vote: bool = True
    check_quorum: bool = True
    max_message_entries: int = 64
    max_message_bytes: int = 1 << 20
    max_inflight_messages: int = 16
    snapshot_chunk_bytes: int = 64
    snapshot_every: int = 1_000_000
    keep_entries: int = 10
    disk: tuple[int, int] = (200, 2_000)
    apply_delay: int = 0
    clients: int = 0
    keys: int = 2
    think: int = 30_000
    patience: int = 150_000
    """How long a client waits for an answer before it asks another node."""
    network: NetworkQuality = field(default_factory=NetworkQuality)
    fault_gap: tuple[int, int] = (40_000, 400_000)
    faults: tuple[str, ...] = ()
    """Names of the nemesis's faults, equally often; empty: a random mix of all."""
    duration: int = 2_500_000

    @classmethod
    def from_seed(cls, seed: int) -> Parameters:
        """A cluster in trouble."""
        rng = random.Random(f"parameters {seed}")
        return cls(
            voters=rng.choice((2, 3, 3, 3, 3, 4, 5, 5)),
            spares=rng.choice((0, 0, 1, 2)),
            election_ticks=rng.choice((4, 6, 10)),
            heartbeat_ticks=rng.choice((1, 2)),
            pre_vote=rng.random() < 0.8,
            check_quorum=rng.random() < 0.9,
            max_message_entries=rng.choice((1, 2, 8, 64)),
            max_message_bytes=rng.choice((40, 200, 1 << 20)),
            max_inflight_messages=rng.choice((1, 2, 16)),
            snapshot_chunk_bytes=rng.choice((16, 64, 4096)),
            snapshot_every=rng.choice((5, 20, 60, 1_000_000)),
            keep_entries=rng.choice((0, 3, 20)),
            disk=rng.choice(((100, 500), (200, 5_000), (1_000, 40_000))),
            apply_delay=rng.choice((0, 0, 0, 20_000)),
            clients=rng.choice((1, 2, 4, 6)),
            keys=rng.choice((1, 2, 4)),
            think=rng.choice((5_000, 20_000, 60_000)),
            patience=rng.choice((20_000, 60_000, 150_000)),
            network=random_quality(rng),
            fault_gap=rng.choice(((5_000, 80_000), (20_000, 200_000), (50_000, 500_000))),
        )


def random_quality(rng: random.Random) -> NetworkQuality:
    """Anything from a good network to one that loses a third."""
    return NetworkQuality(
        drop=rng.choice((0.0, 0.0, 0.01, 0.1, 0.3)),
        duplicate=rng.choice((0.0, 0.0, 0.05, 0.2)),
        delay=rng.choice(((100, 500), (100, 5_000), (1_000, 30_000))),
        straggle=rng.choice((0.0, 0.0, 0.02, 0.15)),
    )
