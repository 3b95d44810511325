"""Settings of one node's core. Times are in ticks, whose length the caller decides."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Config:
    """Sizes are bytes of entry data. ``election_ticks`` is T: timeouts are drawn from [T, 2T)."""

    id: int
    election_ticks: int = 10
    heartbeat_ticks: int = 2
    pre_vote: bool = True
    check_quorum: bool = True
    max_message_entries: int = 1024
    max_message_bytes: int = 1 << 20
    max_inflight_messages: int = 32
    max_inflight_bytes: int = 8 << 20
    snapshot_chunk_bytes: int = 256 << 10
    max_committed_per_ready: int = 4096
    keep_entries: int = 1024
    """Entries that stay in memory behind a snapshot, for peers that are a little late."""

    def __post_init__(self) -> None:
        if not 0 < self.heartbeat_ticks < self.election_ticks:
            raise ValueError("heartbeat_ticks must be positive and less than election_ticks")
