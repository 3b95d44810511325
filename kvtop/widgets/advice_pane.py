"""Findings as text: what stands out, its evidence and its functions, what to try."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.strip import Strip

from kvtop.profile.advice import ENOUGH, Finding
from kvtop.profile.text import safe_text
from kvtop.store import Store
from kvtop.widgets.base import Help, wrap
from kvtop.widgets.figures import percent
from kvtop.widgets.given_pane import GivenPane

_Line = tuple[str, str]
"""Text and the name of its style."""


class AdvicePane(GivenPane):
    """Scrolls; ``show`` takes new findings."""

    NAME = "Advice"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll_by(-1)", "up", show=False),
        Binding("down", "scroll_by(1)", "down", show=False),
    ]
    KEYS_HELP: ClassVar[list[Help]] = [("↑ ↓", "scroll the findings")]

    def __init__(self, store: Store, *, id: str | None = None) -> None:
        super().__init__(store, id=id)
        self.findings: list[Finding] = []
        self._samples = 0

    def show(self, findings: Sequence[Finding], samples: int, *caption: str) -> None:
        """Show these findings, made from so many samples."""
        self.findings = list(findings)
        self._samples = samples
        self._given(caption)

    def describe(self) -> None:
        number = len(self.findings)
        self.set_state(f"{number} finding{'' if number == 1 else 's'}", *self._caption)

    def draw(self, width: int, height: int) -> list[Strip]:
        lines = self.lines(width)
        size = Size(self.size.width, len(lines))
        if self.virtual_size.height != size.height:
            self.virtual_size = size
        first = self.scroll_offset.y
        return [
            self.line([(text, self.paint(style))]) for text, style in lines[first : first + height]
        ]

    def lines(self, width: int) -> list[_Line]:
        """Everything there is to say, in lines of at most this width, each with its style."""
        if not self.findings:
            return [(text, "dim") for text in wrap(self._nothing(), max(8, width))]
        lines: list[_Line] = []
        for number, found in enumerate(self.findings, 1):
            if lines:
                lines.append(("", ""))
            lines += _block(f"{number}. ", found.title, width, "warn")
            for sentence in found.evidence:
                lines += _block("   ", sentence, width, "")
            for hot in found.frames:
                text = f"{percent(100 * hot.share):>5}%  {hot.symbol}"
                lines.append((safe_text(f"   {text}", max(8, width)), "dim"))
            lines += _block("   try: ", found.remedy, width, "good")
        return lines

    def _nothing(self) -> str:
        if self._samples < ENOUGH:
            return (
                f"{self._samples} samples are too few to judge by; {ENOUGH} are needed. "
                "A longer window (key ]) or a higher frequency (-F) has more."
            )
        return "Nothing stands out: no figure is past its threshold."

    def action_scroll_by(self, step: int) -> None:
        """Scroll by lines."""
        self.scroll_to(y=self.scroll_offset.y + step, animate=False)
        self.redraw()


def _block(head: str, text: str, width: int, style: str) -> list[_Line]:
    """Wrapped text, its further lines under its first."""
    parts = wrap(safe_text(text), max(8, width - len(head)))
    indent = " " * len(head)
    return [((head if n == 0 else indent) + part, style) for n, part in enumerate(parts)]
