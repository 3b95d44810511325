"""Majorities of a set of voters."""

from __future__ import annotations

from collections.abc import Callable, Collection


def majority(voters: Collection[int]) -> int:
    """How many voters are more than half; an empty set can never reach it."""
    return len(voters) // 2 + 1


def has_quorum(voters: Collection[int], agreeing: Collection[int]) -> bool:
    """Whether more than half of ``voters`` are in ``agreeing``."""
    return sum(1 for voter in voters if voter in agreeing) >= majority(voters)


def quorum_index(voters: Collection[int], match: Callable[[int], int]) -> int:
    """The highest index that more than half of ``voters`` have reached."""
    if not voters:
        return 0
    indexes = sorted((match(voter) for voter in voters), reverse=True)
    return indexes[majority(voters) - 1]
