"""The run header: what runs where, how the sample stream fares, and what kvtop itself costs."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import ClassVar

from textual.strip import Strip

from kvtop.events import Health, PipelineStats
from kvtop.profile.text import safe_text
from kvtop.store import Store
from kvtop.widgets.base import Pane
from kvtop.widgets.figures import count, percent
from kvtop.widgets.line import Piece, width_of

_RECENT = 30.0
"""Seconds over which the shares of broken and unresolved stacks are taken."""


@dataclass(frozen=True, slots=True)
class Item:
    """A piece of the header: ``rank`` 0 stays longest."""

    rank: int
    label: str
    text: str
    style: str = ""

    @property
    def width(self) -> int:
        """Cells that label and text take."""
        return width_of(self.label) + width_of(self.text) + (1 if self.label else 0)


def shed(items: list[Item], width: int, gap: int = 3) -> list[Item]:
    """The items that fit beside each other, least important first to go."""
    kept = list(items)
    while len(kept) > 1 and sum(i.width for i in kept) + gap * (len(kept) - 1) > width:
        kept.remove(max(reversed(kept), key=lambda i: i.rank))
    return kept


def clip_words(text: str, width: int) -> str:
    """Whole words of the text that fit, an ellipsis where some are missing."""
    if width_of(text) <= width:
        return text
    kept = ""
    for word in text.split():
        if width_of(kept) + width_of(word) + 2 > width:
            break
        kept += f"{word} "
    return f"{kept.rstrip()}…"[:width]


class RunHeader(Pane, can_focus=False):
    """One or two lines without a border; narrow screens lose items, least important first."""

    NAME = ""
    COMPONENT_CLASSES: ClassVar[set[str]] = {"header--title"}
    DEFAULT_CSS = """
    RunHeader {
        border: none;
        height: 2;
        padding: 0 1;
        background: $panel;
        & > .header--title { color: $text-primary; text-style: bold; }
        &:ansi { border: none; background: ansi_default; }
    }
    """

    def __init__(self, store: Store, *, id: str | None = None) -> None:
        super().__init__(store, id=id)
        self.paused = False
        self.interval: float | None = None
        self._recent: deque[PipelineStats] = deque(maxlen=256)

    def set_paused(self, paused: bool) -> None:
        """Say loudly that the screen stands still; the collection goes on."""
        self.paused = paused
        self.redraw()

    def set_interval_shown(self, seconds: float) -> None:
        """Say how often the screen is refreshed."""
        self.interval = seconds
        self.redraw()

    def data_revision(self) -> object:
        return self.store.revision

    def update_data(self) -> None:
        stats = self.store.pipeline
        if stats is None or (self._recent and self._recent[-1] is stats):
            return
        if self._recent and stats.samples < self._recent[-1].samples:
            self._recent.clear()
        self._recent.append(stats)
        while stats.time - self._recent[0].time > _RECENT:
            self._recent.popleft()

    def _share(self, field: str) -> float | None:
        """Percentage of the last 30 seconds' samples, None without samples."""
        if not self._recent:
            return None
        first, last = self._recent[0], self._recent[-1]
        before = (first.samples, getattr(first, field)) if first is not last else (0, 0)
        samples = last.samples - before[0]
        return 100 * (getattr(last, field) - before[1]) / samples if samples > 0 else None

    def _stream(self) -> list[Item]:
        """Items about the sample stream; a sentence in place of figures that do not exist."""
        stats = self.store.pipeline
        status = self.store.health("perf_record")
        if stats is None:
            text = {
                Health.UNAVAILABLE: "no samples: perf does not work here",
                Health.DEGRADED: "no samples yet",
                Health.OK: "waiting for samples",
                Health.STARTING: "perf is starting",
            }[status.health]
            return [Item(0, "", text, "warn")]
        broken, unresolved = self._share("broken"), self._share("unresolved")
        return [
            Item(1, "samples/s", count(self.store.sample_rate.last)),
            Item(0, "LOST" if stats.lost else "lost", count(stats.lost), "bad" * bool(stats.lost)),
            Item(2, "broken", f"{percent(broken)}%", "warn" if (broken or 0) > 5 else ""),
            Item(4, "unresolved", f"{percent(unresolved)}%", "warn" * ((unresolved or 0) > 5)),
        ]

    def _own(self) -> Item:
        own = self.store.own
        if own is None:
            return Item(2, "kvtop CPU", "–")
        return Item(2, "kvtop CPU", f"{own.cpu_percent:.1f}% (perf {own.perf_cpu_percent:.1f}%)")

    def _first_line(self) -> list[Item]:
        items = [Item(1, "", f"kvtop · {safe_text(self.store.info.title)}", "title")]
        if self.paused:
            items.append(Item(0, "", " PAUSED · space goes on ", "loud"))
        items += self._stream()
        items.append(self._own())
        if self.store.info.readonly:
            items.append(Item(1, "", "READ-ONLY", "warn"))
        return items

    def _second_line(self, width: int) -> list[Item]:
        info = self.store.info
        frames = safe_text(info.python_frames)
        if frames in ("on", "off"):
            python = Item(1, "Python frames", frames, "good" if frames == "on" else "warn")
        else:
            python = Item(0, "", clip_words(frames, width), "warn")
        stats = self.store.pipeline
        event = Item(1, "", "")
        if stats is not None:
            text = f"{safe_text(stats.event)} @ {stats.frequency} Hz · {stats.call_graph}"
            event = Item(1, "", text)
        refresh = [] if self.interval is None else [Item(1, "every", f"{self.interval:g} s")]
        return [
            event,
            *refresh,
            Item(3, "", safe_text(info.host)),
            Item(3, "Linux", safe_text(info.kernel)),
            Item(4, "perf", safe_text(info.perf_version) or "missing"),
            python,
        ][stats is None :]

    def draw(self, width: int, height: int) -> list[Strip]:
        first = self._first_line()
        if height == 1 and self.store.info.python_frames not in ("on", "off"):
            first.append(Item(3, "Python frames", "no", "warn"))
        lines = [self._item_line(first, width)]
        if height > 1:
            lines.append(self._item_line(self._second_line(width), width, dim=True))
        return lines

    def _item_line(self, items: list[Item], width: int, dim: bool = False) -> Strip:
        pieces: list[Piece] = []
        muted, null = self.paint("dim"), self.paint("")
        for item in shed(items, width):
            if pieces:
                pieces.append(("   ", null))
            if item.label:
                pieces.append((item.label + " ", muted))
            style = (
                self._paint("header--title")
                if item.style == "title"
                else self.paint(item.style or ("dim" if dim else ""))
            )
            pieces.append((item.text, style))
        return self.line(pieces)
