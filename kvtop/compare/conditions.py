"""The conditions of ``--fail-on``, as text.

    condition  = figure ( ">" | "<" ) number ( "%" | "pp" )
    figure     = NAME | "self:" REGEX | "total:" REGEX

``%`` is the change relative to before; ``pp`` is percentage points of share, of functions alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_CONDITION = re.compile(
    r"(?P<figure>.+?)\s*(?P<sign>[<>])\s*(?P<number>[-+]?[0-9.]+)\s*(?P<unit>.*)"
)
_EXAMPLES = "write it as 'cpu/op>5%', 'ops/s<-5%' or 'self:REGEX>2pp'"


class ConditionError(ValueError):
    """Text that is no condition: one sentence that says why, and how to write it."""


class Of(StrEnum):
    """What a condition looks at."""

    METRIC = "metric"
    SELF = "self"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Condition:
    """``limit`` is a share (0.05 for 5%) or, with ``points``, a difference of shares.

    ``name`` is the metric's; ``regex`` chooses functions where ``of`` is not METRIC.
    """

    text: str
    of: Of
    name: str
    regex: re.Pattern[str] | None
    above: bool
    limit: float
    points: bool

    def beyond(self, change: float) -> bool:
        """Whether a change, in the unit of the limit, is past it."""
        return change > self.limit if self.above else change < self.limit


def parse_condition(text: str) -> Condition:
    """Read one; ConditionError."""
    match = _CONDITION.fullmatch(text.strip())
    if match is None:
        raise ConditionError(f"{text!r} is no condition: {_EXAMPLES}")
    unit = match["unit"].strip()
    if unit not in ("%", "pp"):
        raise ConditionError(f"{text!r} must end in % or pp: {_EXAMPLES}")
    try:
        limit = float(match["number"]) / 100
    except ValueError:
        raise ConditionError(f"{match['number']!r} in {text!r} is no number") from None
    above = match["sign"] == ">"
    if limit < 0 if above else limit > 0:
        raise ConditionError(
            f"{text!r} holds where nothing changed: after > comes 0 or more, after < 0 or less"
        )
    of, name, regex = _figure(match["figure"].strip(), text)
    if unit == "pp" and of is Of.METRIC:
        raise ConditionError(f"pp in {text!r} is of shares, so of self: and total:; use %")
    return Condition(text.strip(), of, name, regex, above, limit, unit == "pp")


def _figure(figure: str, text: str) -> tuple[Of, str, re.Pattern[str] | None]:
    kind, colon, pattern = figure.partition(":")
    if not colon or kind not in (Of.SELF, Of.TOTAL):
        return Of.METRIC, figure, None
    if not pattern:
        raise ConditionError(f"{text!r} has no REGEX after {kind}: {_EXAMPLES}")
    try:
        # Capitals make it heed them, as everywhere in kvtop.
        flags = 0 if any(c.isupper() for c in pattern) else re.IGNORECASE
        return Of(kind), figure, re.compile(pattern, flags)
    except re.error as error:
        raise ConditionError(f"{pattern!r} is no regular expression: {error}") from None
