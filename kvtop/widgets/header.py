"""The run header: what runs where, how the sample stream fares, and what kvtop itself costs."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, replace
from typing import ClassVar

from textual.strip import Strip

from kvtop.events import Flaw, FlawKind, Health, PipelineStats
from kvtop.profile.text import safe_text
from kvtop.store import Store
from kvtop.widgets.base import Pane
from kvtop.widgets.figures import NONE, count, percent, size
from kvtop.widgets.help import HelpScreen
from kvtop.widgets.line import Piece, width_of

_RECENT = 30.0
"""Seconds over which the shares of broken and unresolved stacks are taken."""
_SERIOUS = 5.0
"""From this percentage on a flaw is marked, and its cause and remedy take the second line."""
_GROUPS = {
    FlawKind.LOST: "Lost samples",
    FlawKind.BROKEN: "Broken stacks: they do not reach their thread's start",
    FlawKind.UNRESOLVED: "Unresolved: the function that ran has no name",
}


@dataclass(frozen=True, slots=True)
class Item:
    """A piece of the header: ``rank`` 0 stays longest, ``short`` replaces ``text`` before that."""

    rank: int
    label: str
    text: str
    style: str = ""
    short: str = ""

    @property
    def width(self) -> int:
        """Cells that label and text take."""
        return width_of(self.label) + width_of(self.text) + (1 if self.label else 0)


def shed(items: list[Item], width: int, gap: int = 3) -> list[Item]:
    """The items that fit beside each other, least important first to go."""
    kept = list(items)
    if not fits(kept, width, gap):
        kept = [replace(i, text=i.short) if i.short else i for i in kept]
    while len(kept) > 1 and not fits(kept, width, gap):
        kept.remove(max(reversed(kept), key=lambda i: i.rank))
    return kept


def fits(items: list[Item], width: int, gap: int = 3) -> bool:
    """Whether the items have room beside each other."""
    return sum(i.width for i in items) + gap * (len(items) - 1) <= width


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


def _of_samples(share: float | None) -> str:
    """A share with its sign; without samples there is none."""
    return NONE if share is None else f"{percent(share)}%"


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
        self.banner = ""
        self.interval: float | None = None
        self._recent: deque[PipelineStats] = deque(maxlen=256)

    def set_paused(self, paused: bool) -> None:
        """Say loudly that the screen stands still; the collection goes on."""
        self.paused = paused
        self.redraw()

    def set_banner(self, text: str) -> None:
        """Say loudly what is special of this run, '' where nothing is."""
        if text != self.banner:
            self.banner = text
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
        samples = self._counted("samples")
        return 100 * self._counted(field) / samples if samples > 0 else None

    def _counted(self, field: str) -> int:
        """How much a count grew in the last 30 seconds."""
        if not self._recent:
            return 0
        first, last = self._recent[0], self._recent[-1]
        return int(getattr(last, field)) - (getattr(first, field) if first is not last else 0)

    def flaws(self) -> list[tuple[float, Flaw]]:
        """What the last 30 seconds' samples lack, by percentage of them, the worst first."""
        samples = self._counted("samples")
        if samples <= 0:
            return []
        first, last = self._recent[0], self._recent[-1]
        before = {(f.kind, f.object): f.samples for f in first.flaws if first is not last}
        shares = [
            (100 * (f.samples - before.get((f.kind, f.object), 0)) / samples, f) for f in last.flaws
        ]
        return sorted((s for s in shares if s[0] > 0), key=lambda s: -s[0])

    def stream_rows(self) -> list[tuple[str, str, str]]:
        """The stream's state as (group, figure, text) rows: every flaw, its cause and remedy."""
        group = f"The last {_RECENT:g} seconds"
        rows = [(group, item.text, item.label or "") for item in (*self._stream(), self._own())]
        rows += self._effect()
        for kind, title in _GROUPS.items():
            rows += [
                (title, f"{percent(share)}%", f"{f.cause}: {f.remedy}")
                for share, f in self.flaws()
                if f.kind is kind
            ]
        return [(g, safe_text(figure), safe_text(text)) for g, figure, text in rows]

    def _effect(self) -> list[tuple[str, str, str]]:
        """What of the targets' time the profile may take, as far as it can be measured."""
        group, rows = "Effect on the targets", []
        if self.store.own is not None:
            info = self.store.info
            cores = info.cpus or os.cpu_count() or 1
            share = self.store.own.cpu_percent / cores
            whose = f"{info.remote}'s" if info.remote else "this machine's"
            rows.append((group, f"{share:.1f}%", f"of {whose} {cores} cores go to kvtop"))
        if len(self._recent) > 1:
            seconds = self._recent[-1].time - self._recent[0].time
            rate = self._counted("copied") / seconds if seconds > 0 else 0
            rows.append((group, f"{size(rate)}/s", "of stacks and registers copied by the kernel"))
        if self._recent:
            times = self._counted("throttled")
            rows.append((group, count(times), "times the kernel throttled the sampling"))
        return rows

    def on_click(self) -> None:
        """The whole of it."""
        self.show_stream()

    def show_stream(self) -> None:
        """Every flaw of the sample stream, its cause and remedy."""
        self.app.push_screen(HelpScreen(self.stream_rows(), "The sample stream"))

    def _stream(self) -> list[Item]:
        """Items about the sample stream; a sentence in place of figures that do not exist."""
        stats = self.store.pipeline
        status = self.store.health("perf_record")
        if stats is None:
            gone = status.reason.endswith("exited.")
            why = "every process has exited" if gone else "perf does not work here"
            text = {
                Health.UNAVAILABLE: f"no samples: {why}",
                Health.DEGRADED: "no samples yet",
                Health.OK: "waiting for samples",
                Health.STARTING: "perf is starting",
            }[status.health]
            return [Item(0, "", text, "warn")]
        broken, unresolved = self._share("broken"), self._share("unresolved")
        # What came last is no rate of a stream that has ended.
        over = status.health is Health.UNAVAILABLE
        rate = None if over else self.store.sample_rate.last
        return [
            Item(1, "samples/s", count(rate)),
            Item(0, "LOST" if stats.lost else "lost", count(stats.lost), "bad" * bool(stats.lost)),
            Item(2, "broken", _of_samples(broken), "warn" * ((broken or 0) > _SERIOUS)),
            Item(3, "unresolved", _of_samples(unresolved), "warn" * ((unresolved or 0) > _SERIOUS)),
        ]

    def _own(self) -> Item:
        own = self.store.own
        if own is None:
            return Item(2, "kvtop CPU", "–")
        text = f"{own.cpu_percent:.1f}% (perf {own.perf_cpu_percent:.1f}%)"
        return Item(2, "kvtop CPU", text, short=f"{own.cpu_percent:.1f}%")

    def _title(self) -> Item:
        return Item(1, "", f"kvtop · {safe_text(self.store.info.title)}", "title")

    def _first_line(self) -> list[Item]:
        items = []
        if self.paused:
            items.append(Item(0, "", " PAUSED · space goes on ", "loud"))
        if self.banner:
            items.append(Item(0, "", self.banner, "loud"))
        items += self._stream()
        items.append(self._own())
        if self.store.info.readonly:
            items.append(Item(1, "", "READ-ONLY", "warn"))
        return items

    def _remedy(self, width: int) -> list[Item]:
        """The cause of the worst flaw and what helps, where it is serious."""
        for share, flaw in self.flaws():
            if share > _SERIOUS:
                text = f"{flaw.kind}: {flaw.cause}; {flaw.remedy}"
                return [Item(0, "", clip_words(safe_text(text, 300), width), "warn")]
        return []

    def _second_line(self, width: int) -> list[Item]:
        info = self.store.info
        frames = safe_text(info.python_frames)
        if frames == "py-spy":
            python = Item(1, "Python frames", "by py-spy: P", "good")
        elif frames in ("on", "off"):
            python = Item(1, "Python frames", frames, "good" if frames == "on" else "warn")
        else:
            python = Item(0, "", clip_words(frames, width), "warn")
        stats = self.store.pipeline
        event = []
        if stats is not None:
            text = f"{safe_text(stats.event)} @ {stats.rate_text} · {stats.call_graph}"
            event = [Item(1, "", text)]
        refresh = [] if self.interval is None else [Item(1, "every", f"{self.interval:g} s")]
        return [
            *self._remedy(width),
            *event,
            *refresh,
            Item(3, "", safe_text(info.host)),
            Item(3, "Linux", safe_text(info.kernel)),
            Item(4, "perf", safe_text(info.perf_version) or "missing"),
            python,
        ]

    def draw(self, width: int, height: int) -> list[Strip]:
        first = self._first_line()
        if height == 1 and self.store.info.python_frames not in ("on", "off", "py-spy"):
            first.append(Item(3, "Python frames", "no", "warn"))
        second = self._second_line(width)
        # The figures of the stream stay; a title that has no room beside them goes below.
        title = self._title()
        titled = [title, *first]
        if height == 1 or len(shed(titled, width)) == len(titled):
            first = titled
        else:
            second.insert(0, title)
        lines = [self._item_line(first, width)]
        if height > 1:
            lines.append(self._item_line(second, width, dim=True))
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
