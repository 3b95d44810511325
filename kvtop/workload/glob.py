"""Redis glob patterns: ``*``, ``?``, ``[a-z]``, ``[^x]`` and backslash, over bytes."""

from __future__ import annotations

MAX_PATTERN = 1024

_ANY, _STAR = -1, -2


def matches(pattern: bytes, text: bytes) -> bool:
    """Whether the whole text matches, in O(len(pattern) * len(text))."""
    tokens = _tokens(pattern[:MAX_PATTERN])
    at = position = 0
    star, resume = -1, 0
    while position < len(text):
        token = tokens[at] if at < len(tokens) else None
        if token == _STAR:
            star, resume = at, position
            at += 1
        elif token is not None and _accepts(token, text[position]):
            at += 1
            position += 1
        elif star >= 0:
            # Let the last star swallow one byte more; earlier stars need no second look.
            resume += 1
            at, position = star + 1, resume
        else:
            return False
    return all(token == _STAR for token in tokens[at:])


def _accepts(token: int | frozenset[int], byte: int) -> bool:
    if isinstance(token, frozenset):
        return byte in token
    return token in (_ANY, byte)


def _tokens(pattern: bytes) -> list[int | frozenset[int]]:
    result: list[int | frozenset[int]] = []
    at = 0
    while at < len(pattern):
        byte = pattern[at]
        at += 1
        if byte == ord("*"):
            if not result or result[-1] != _STAR:
                result.append(_STAR)
        elif byte == ord("?"):
            result.append(_ANY)
        elif byte == ord("["):
            allowed, at = _byte_set(pattern, at)
            result.append(allowed)
        elif byte == ord("\\") and at < len(pattern):
            result.append(pattern[at])
            at += 1
        else:
            result.append(byte)
    return result


def _byte_set(pattern: bytes, at: int) -> tuple[frozenset[int], int]:
    negated = pattern[at : at + 1] == b"^"
    at += negated
    chosen: set[int] = set()
    while at < len(pattern) and pattern[at] != ord("]"):
        if pattern[at] == ord("\\") and at + 1 < len(pattern):
            at += 1
        first = last = pattern[at]
        if pattern[at + 1 : at + 2] == b"-" and at + 2 < len(pattern):
            first, last = sorted((first, pattern[at + 2]))
            at += 2
        chosen.update(range(first, last + 1))
        at += 1
    return frozenset(range(256)) - chosen if negated else frozenset(chosen), at + 1
