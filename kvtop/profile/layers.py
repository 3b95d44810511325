"""What a stack works for: network, log I/O, consensus ... by rules on its frames.

A stack is walked from the frame that ran towards the root; **the first frame with a rule
decides**. Of the rules that match a frame the first in the file counts; one with ``under`` only
where a frame nearer the root matches that. A rule of the layer ``transparent`` lets the walk go on,
as does a frame without a rule. Where no frame decides the stack is ``other``, so that every sample
is in exactly one layer.

Waiting is judged by the same walk, except that the rules of the layer ``scheduler`` are passed
over: every wait ends in the kernel's scheduler, and what is asked is why it was called.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from kvtop.profile.frames import Frame, Kind
from kvtop.profile.stacks import StackTable
from kvtop.profile.text import safe_text

OTHER = "other"
SCHEDULER = "scheduler"
TRANSPARENT = "transparent"
BUILT_IN = (
    "network",
    "log I/O",
    "consensus",
    "state machine",
    "serialisation",
    "interpreter",
    "memory",
    SCHEDULER,
    "lock",
    "idle",
)
"""The layers that the built-in rules know, in the order in which they are shown."""
_KINDS = {
    kind.name.lower(): kind
    for kind in (Kind.PYTHON, Kind.NATIVE, Kind.KERNEL, Kind.GLUE, Kind.UNKNOWN)
}
_RULE_LINE = re.compile(r"^\s*\[\[\s*rule\s*\]\]")


class RuleError(ValueError):
    """A rules file that cannot be: one sentence with the rule and its line."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Which frames belong to a layer; every condition that is given must hold.

    The patterns are searched in the frame's parts as the screen shows them; ``kinds`` None is
    any. ``name`` says what sort of work within the layer it is.
    """

    layer: str
    name: str = ""
    symbol: re.Pattern[str] | None = None
    object: re.Pattern[str] | None = None
    file: re.Pattern[str] | None = None
    kinds: frozenset[Kind] | None = None
    under: re.Pattern[str] | None = None

    def matches(self, frame: Frame) -> bool:
        """Whether the frame is one of these; ``under`` is of no account."""
        return (
            (self.kinds is None or frame.kind in self.kinds)
            and (self.symbol is None or self.symbol.search(frame.symbol) is not None)
            and (self.object is None or self.object.search(frame.object) is not None)
            and (self.file is None or self.file.search(frame.file) is not None)
        )


_NOWHERE = -1
_MOST_FRAMES = 100_000
_OTHER_RULE = Rule(OTHER)
_INTERPRETER = re.compile(r"^(libpython|python[\d.]*$)")


def parse_rules(text: str) -> tuple[Rule, ...]:
    """The rules of a TOML text, in its order; RuleError names the rule and its line."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RuleError(f"is not valid TOML: {error}") from None
    for key in data:
        if key != "rule":
            raise RuleError(f"has {safe_text(key, 40)!r}; there is nothing but [[rule]]")
    tables = data.get("rule", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise RuleError("has a rule that is no [[rule]]")
    lines = [n for n, line in enumerate(text.splitlines(), 1) if _RULE_LINE.match(line)]
    rules = []
    for number, table in enumerate(tables, 1):
        where = f"rule {number}"
        if len(lines) == len(tables):
            where += f" (line {lines[number - 1]})"
        try:
            rules.append(_rule(table))
        except ValueError as error:
            raise RuleError(f"{where}: {error}") from None
    return tuple(rules)


def _rule(table: Mapping[str, Any]) -> Rule:
    known = {"kind" if f.name == "kinds" else f.name for f in fields(Rule)}
    for key in table:
        if key not in known:
            names = ", ".join(sorted(known))
            raise ValueError(f"there is no {safe_text(key, 40)!r}; there are {names}")
    layer = _text(table, "layer")
    if not layer or layer == OTHER:
        raise ValueError(f"needs a layer, which cannot be {OTHER!r}")
    if not set(table) & {"symbol", "object", "file", "kind"}:
        raise ValueError("needs a symbol, an object, a file or a kind")
    return Rule(
        safe_text(layer, 24),
        safe_text(_text(table, "name"), 60),
        symbol=_pattern(table, "symbol"),
        object=_pattern(table, "object"),
        file=_pattern(table, "file"),
        kinds=_kinds(table),
        under=_pattern(table, "under"),
    )


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise ValueError(f"{key} must be text in quotes")
    return value


def _pattern(table: Mapping[str, Any], key: str) -> re.Pattern[str] | None:
    if key not in table:
        return None
    text = _text(table, key)
    try:
        return re.compile(text)
    except re.error as error:
        raise ValueError(f"{key} {safe_text(text, 60)!r} is no regex: {error}") from None


def _kinds(table: Mapping[str, Any]) -> frozenset[Kind] | None:
    if "kind" not in table:
        return None
    value = table["kind"]
    names = value if isinstance(value, list) else [value]
    if not names or not all(name in _KINDS for name in names if isinstance(name, str)):
        raise ValueError(f"kind must be one or a list of {', '.join(_KINDS)}")
    if not all(isinstance(name, str) for name in names):
        raise ValueError("kind must be text in quotes")
    return frozenset(_KINDS[name] for name in names)


def layer_names(rules: Iterable[Rule]) -> tuple[str, ...]:
    """Every layer that can be, in the order in which they are shown; ``other`` is the last."""
    found = dict.fromkeys(rule.layer for rule in rules if rule.layer != TRANSPARENT)
    own = [name for name in found if name not in BUILT_IN]
    return (*(name for name in BUILT_IN if name in found), *own, OTHER)


@dataclass(slots=True)
class Split:
    """A fold in layers; weights in the unit of the fold. ``total`` is the sum of ``layers``."""

    layers: dict[str, int] = field(default_factory=dict)
    names: dict[tuple[str, str], int] = field(default_factory=dict)
    """By layer and name of the rule that decided."""
    total: int = 0

    def share(self, layer: str) -> float:
        """Part of the whole, 0..1; 0 of nothing."""
        return self.layers.get(layer, 0) / self.total if self.total else 0.0

    def named(self, layer: str, *names: str) -> int:
        """Weight that rules of these names decided."""
        return sum(self.names.get((layer, name), 0) for name in names)


class Layers:
    """Judges the stacks of a table; each frame and each stack once."""

    def __init__(self, table: StackTable, rules: Sequence[Rule]) -> None:
        self.table = table
        self.rules = tuple(rules)
        self.names = layer_names(rules)
        self._by_kind = {
            kind: [r for r in self.rules if r.kinds is None or kind in r.kinds] for kind in Kind
        }
        self._generation = table.generation
        self._candidates: dict[int, tuple[Rule, ...]] = {}
        self._by_frame: dict[Frame, tuple[Rule, ...]] = {}
        """Survives the table's compactions, after which every frame would be judged anew."""
        self._stacks: dict[tuple[int, bool], tuple[Rule, int]] = {}
        self._under: dict[tuple[re.Pattern[str], int], bool] = {}
        self._interpreter: dict[int, bool] = {}

    def rule(self, stack: int, waiting: bool = False) -> Rule:
        """The rule that decides, one of the layer ``other`` where none does.

        ``waiting``: the stack of a wait. KeyError where the stack was forgotten.
        """
        return self._verdict(stack, waiting)[0]

    def decider(self, stack: int, waiting: bool = False) -> int | None:
        """The id of the frame that decides, of a rule with ``under`` that one; None of other."""
        frame = self._verdict(stack, waiting)[1]
        return None if frame == _NOWHERE else frame

    def _verdict(self, stack: int, waiting: bool) -> tuple[Rule, int]:
        if self._generation != self.table.generation:
            self._forget()
        key = stack, waiting
        known = self._stacks.get(key)
        if known is None:
            known = self._stacks[key] = self._judge(self.table.frames(stack), waiting)
        return known

    def layer(self, stack: int, waiting: bool = False) -> str:
        """The layer of a stack."""
        return self.rule(stack, waiting).layer

    def interpreted(self, counts: Mapping[int, int]) -> int:
        """Weight of the stacks whose leaf is the Python interpreter: its code, or what it runs."""
        weight = 0
        for stack, count in counts.items():
            frames = self.table.frames(stack)
            if frames and self._is_interpreter(frames[-1]):
                weight += count
        return weight

    def split(self, counts: Mapping[int, int], waiting: bool = False) -> Split:
        """A fold (stack id -> weight) in layers."""
        found = Split()
        for stack, weight in counts.items():
            rule = self.rule(stack, waiting)
            found.layers[rule.layer] = found.layers.get(rule.layer, 0) + weight
            key = rule.layer, rule.name
            found.names[key] = found.names.get(key, 0) + weight
            found.total += weight
        return found

    def only(self, counts: Mapping[int, int], layer: str, waiting: bool = False) -> dict[int, int]:
        """The part of a fold that is in this layer."""
        return {s: n for s, n in counts.items() if self.rule(s, waiting).layer == layer}

    def only_named(
        self, counts: Mapping[int, int], layer: str, name: str, waiting: bool = False
    ) -> dict[int, int]:
        """The part of a fold that rules of this name in this layer decided."""
        found = {}
        for stack, count in counts.items():
            rule = self.rule(stack, waiting)
            if rule.layer == layer and rule.name == name:
                found[stack] = count
        return found

    def _forget(self) -> None:
        """Ids are never used twice: what is kept of forgotten ones takes room and nothing else."""
        self._generation = self.table.generation
        self._stacks.clear()
        self._candidates.clear()
        self._under.clear()
        self._interpreter.clear()

    def _is_interpreter(self, frame_id: int) -> bool:
        known = self._interpreter.get(frame_id)
        if known is None:
            frame = self.table.frame(frame_id)
            known = frame.kind in (Kind.PYTHON, Kind.GLUE) or bool(
                _INTERPRETER.search(frame.object)
            )
            self._interpreter[frame_id] = known
        return known

    def _judge(self, frames: Sequence[int], waiting: bool) -> tuple[Rule, int]:
        known = self._candidates
        for at in range(len(frames) - 1, -1, -1):
            candidates = known.get(frames[at])
            if candidates is None:
                candidates = known[frames[at]] = self._of_frame(frames[at])
            for rule in candidates:
                if waiting and rule.layer == SCHEDULER:
                    continue
                told = frames[at]
                if rule.under is not None:
                    told = self._under_frame(rule.under, frames, at)
                    if told == _NOWHERE:
                        continue
                if rule.layer == TRANSPARENT:
                    break
                return rule, told
        return _OTHER_RULE, _NOWHERE

    def _of_frame(self, frame_id: int) -> tuple[Rule, ...]:
        """The rules that match, up to the first that does so always."""
        frame = self.table.frame(frame_id)
        known = self._by_frame.get(frame)
        if known is not None:
            return known
        found = []
        for rule in self._by_kind[frame.kind]:
            if rule.matches(frame):
                found.append(rule)
                if rule.under is None and rule.layer != SCHEDULER:
                    break
        if len(self._by_frame) >= _MOST_FRAMES:
            self._by_frame.clear()
        self._by_frame[frame] = tuple(found)
        return self._by_frame[frame]

    def _under_frame(self, pattern: re.Pattern[str], frames: Sequence[int], at: int) -> int:
        """The frame nearer the root that matches, the nearest of them."""
        known = self._under
        for frame in reversed(frames[:at]):
            verdict = known.get((pattern, frame))
            if verdict is None:
                verdict = pattern.search(self.table.frame(frame).symbol) is not None
                known[pattern, frame] = verdict
            if verdict:
                return frame
        return _NOWHERE
