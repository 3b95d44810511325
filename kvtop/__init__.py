"""kvtop: a live ``perf`` profile of a Raft key-value cluster, or of any Linux process."""

from __future__ import annotations

__version__ = "0.1.0"
