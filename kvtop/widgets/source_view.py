"""The lines of a function with the samples taken in each, or its instructions."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from rich.style import Style
from textual import events, work
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.strip import Strip

from kvtop.profile.listing import Instruction, Listing, SourceFile
from kvtop.widgets.base import Help, LineWidget, wrap
from kvtop.widgets.figures import percent
from kvtop.widgets.highlight import highlight
from kvtop.widgets.line import Piece, clip_middle, fit, strip_of

HOT, WARM = 0.1, 0.01
"""Parts of the function's samples from which on a line is loud, and coloured at all."""


_COLUMNS = f"{'total':>7} {'self':>7} {'count':>6}"
"""Over the figures that are both of a line and of what it calls."""


class SourceView(LineWidget):
    """One of the listing's source files, or the instructions; the hottest line is pointed at."""

    NAME = "Source"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "cursor(-1)", "up", show=False),
        Binding("down,j", "cursor(1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("home", "edge(0)", "first line", show=False),
        Binding("end", "edge(1)", "last line", show=False),
        Binding("n", "hot(1)", "next hottest line", show=False),
        Binding("N", "hot(-1)", "hotter line", show=False),
        Binding("i", "instructions", "instructions or source", show=False),
        Binding("tab", "file(1)", "next file", show=False),
        Binding("shift+tab", "file(-1)", "file before", show=False),
    ]
    KEYS_HELP: ClassVar[list[Help]] = [
        ("↑ ↓ pgup pgdn", "move the cursor"),
        ("n N", "to the next hottest line, to the hotter one"),
        ("i", "instructions, or the source again"),
        ("tab", "the next file: code inlined from it"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.listing = Listing()
        self.head: tuple[str, ...] = ()
        """Sentences above the lines."""
        self.by_instruction = False
        self._file = 0
        self._cursor = 0
        self._moved = False
        self._code: dict[str, list[list[Piece]]] = {}

    # Data

    def show(self, listing: Listing, *head: str) -> None:
        """Show another listing; ``head`` are sentences about it."""
        if not self._same_text(listing):
            self._code.clear()
        self.listing = listing
        self.head = head
        self._file = 0
        self._moved = False
        self.by_instruction = self.by_instruction and bool(listing.instructions)
        if not listing.files and listing.instructions:
            self.by_instruction = True
        self._changed()

    def update(self, listing: Listing, *head: str) -> None:
        """Show new figures of the same lines; the cursor goes to the first ones that there are,
        unless it was moved, and stays where it is from then on."""
        new = not any(self.weights()) and not self._moved
        if new or not self._same_text(listing):
            self.show(listing, *head)
            return
        self.listing = listing
        self.head = head
        self._fit_height()
        self.describe()
        self.redraw()

    def _same_text(self, listing: Listing) -> bool:
        shown = [(file.name, file.lines) for file in self.listing.files]
        return shown == [(file.name, file.lines) for file in listing.files]

    @property
    def file(self) -> SourceFile | None:
        """The file on screen, or that would be."""
        files = self.listing.files
        return files[self._file % len(files)] if files else None

    def weights(self) -> list[int]:
        """Samples per row, of a line with what it called where that is known."""
        if self.by_instruction:
            return [one.samples for one in self.listing.instructions]
        file = self.file
        if file is None:
            return []
        counts = file.totals if self.listing.total else file.samples
        return [counts.get(number, 0) for number in self._numbers(file)]

    def _numbers(self, file: SourceFile) -> range | list[int]:
        """Line numbers of the rows; only lines with samples where the text is missing."""
        if file.lines:
            return range(1, len(file.lines) + 1)
        return sorted({*file.samples, *file.totals})

    @property
    def cursor(self) -> int:
        """The row under the cursor."""
        return self._cursor

    def _changed(self) -> None:
        """Other rows: begin at the hottest one, without samples where the function begins."""
        weights = self.weights()
        file = self.file
        if any(weights):
            self._cursor = max(range(len(weights)), key=lambda row: weights[row])
        else:
            self._cursor = max(0, file.first - 1) if file is not None else 0
        self._fit_height()
        self.describe()
        self.redraw()
        self.call_after_refresh(self._to_cursor, 0.5 if any(weights) else 0.15)
        if file is not None and file.name not in self._code and file.lines:
            self._colour(file)

    @work(exclusive=True)
    async def _colour(self, file: SourceFile) -> None:
        """Colour the lines, which are shown plain until then: a long file takes its time."""
        dark = self.app.current_theme.dark
        code = await asyncio.to_thread(highlight, file.name, file.lines, dark)
        if file in self.listing.files:
            self._code[file.name] = code
            self.redraw()

    def _fit_height(self) -> None:
        size = Size(self.size.width, len(self.weights()) + len(self._head_lines()))
        if size != self.virtual_size:
            self.virtual_size = size

    def on_resize(self, event: events.Resize) -> None:
        """Sentences wrap anew."""
        super().on_resize(event)
        self._fit_height()

    def describe(self) -> None:
        files = self.listing.files
        file = self.file
        if self.by_instruction:
            self.set_state(f"{len(self.listing.instructions):,} instructions", "i: source")
        elif file is not None:
            place = f"file {self._file % len(files) + 1} of {len(files)}" if len(files) > 1 else ""
            self.set_state(clip_middle(file.name, max(10, self.size.width - 30)), place)
        else:
            self.set_state("")

    # Drawing

    def _head_lines(self) -> list[str]:
        width = max(20, self.inner_width - 2)
        lines = [line for text in self.head for line in wrap(text, width)[:3]]
        return [*lines, _COLUMNS] if self.listing.total else lines

    def draw(self, width: int, height: int) -> list[Strip]:
        head = self._head_lines()
        lines = [self.line([(f" {text}", self.paint("dim"))]) for text in head]
        room = max(0, height - len(lines))
        weights = self.weights()
        top = min(self.scroll_offset.y, max(0, len(weights) - 1))
        most = max(weights, default=0)
        hottest = weights.index(most) if most else -1
        rows = range(top, min(top + room, len(weights)))
        return lines + [self._row(row, weights[row], row == hottest, width) for row in rows]

    def _row(self, row: int, samples: int, hottest: bool, width: int) -> Strip:
        both = self.listing.total
        whole = both or self.listing.samples
        share = samples / whole if whole else 0.0
        base = self.plain
        if row == self._cursor:
            base += self.paint("cursor")
        plain = row == self._cursor and self.has_focus
        style = self._heat(share) if not plain else Style.null()
        pieces: list[Piece] = [("▶" if hottest else " ", style)]
        if both:
            own = self._own(row)
            figures = f"{percent(100 * share):>6}% " if samples else " " * 8
            figures += f"{percent(100 * own / both):>6}% " if own else " " * 8
            pieces.append((figures + (f"{samples:>6} " if samples else " " * 7), style))
        elif whole:
            figures = f"{percent(100 * share):>6}% {samples:>6} " if samples else " " * 15
            pieces.append((figures, style))
        body = self._instruction(row, width) if self.by_instruction else self._line(row)
        if plain:
            body = [(text, Style.null()) for text, _ in body]
        return strip_of([*pieces, *body], width, base)

    def _own(self, row: int) -> int:
        """Samples in the row's line itself."""
        file = self.file
        return file.samples.get(self._numbers(file)[row], 0) if file is not None else 0

    def _heat(self, share: float) -> Style:
        return self.paint("bad" if share >= HOT else "warn" if share >= WARM else "dim")

    def _line(self, row: int) -> list[Piece]:
        file = self.file
        assert file is not None
        number = self._numbers(file)[row]
        pieces: list[Piece] = [(f"{number:>6} ", self.paint("dim"))]
        if not file.lines:
            return pieces
        coloured = self._code.get(file.name)
        return pieces + (coloured[row] if coloured else [(file.lines[row], Style.null())])

    def _instruction(self, row: int, width: int) -> list[Piece]:
        found = self.listing.instructions
        one = found[row]
        dim = self.paint("dim")
        place = _place(one)
        if row and row != self.scroll_offset.y and place == _place(found[row - 1]):
            place = ""
        room = max(20, width - 16 - 9 - 24)
        return [
            (f"{one.address:>7x}  ", dim),
            (fit(one.text, room), Style.null()),
            (f" {clip_middle(place, 23)}", dim),
        ]

    # Keys and mouse

    def _to_cursor(self, at: float | None = None) -> None:
        """Bring the cursor into sight, or to this part of the height."""
        room = max(1, self.size.height - len(self._head_lines()))
        top = self.scroll_offset.y
        if at is not None:
            self.scroll_to(y=max(0, self._cursor - int(room * at)), animate=False)
        elif self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False)
        elif self._cursor >= top + room:
            self.scroll_to(y=self._cursor - room + 1, animate=False)
        self.redraw()

    def _move_to(self, row: int, at: float | None = None) -> None:
        self._moved = True
        self._cursor = max(0, min(row, len(self.weights()) - 1))
        self._to_cursor(at)

    def action_cursor(self, step: int) -> None:
        """Move the cursor by lines."""
        self._move_to(self._cursor + step)

    def action_page(self, step: int) -> None:
        """Move the cursor by a page."""
        self._move_to(self._cursor + step * max(1, self.size.height - len(self._head_lines()) - 1))

    def action_edge(self, last: int) -> None:
        """Move to the first or the last line."""
        self._move_to(len(self.weights()) - 1 if last else 0)

    def action_hot(self, step: int) -> None:
        """Walk the lines with samples from the hottest down, or up again."""
        weights = self.weights()
        rows = sorted((r for r, n in enumerate(weights) if n), key=lambda r: -weights[r])
        if rows:
            at = rows.index(self._cursor) + step if self._cursor in rows else 0
            self._move_to(rows[at % len(rows)], at=0.5)

    def action_instructions(self) -> None:
        """Instructions, or the source again, where there is such."""
        if self.listing.instructions and self.listing.files:
            self.by_instruction = not self.by_instruction
            self._changed()

    def action_file(self, step: int) -> None:
        """The next file that has code in the function."""
        if len(self.listing.files) > 1 and not self.by_instruction:
            self._file = (self._file + step) % len(self.listing.files)
            self._changed()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor there."""
        offset = event.get_content_offset(self)
        if offset is not None and offset.y >= len(self._head_lines()):
            row = self.scroll_offset.y + offset.y - len(self._head_lines())
            if row < len(self.weights()):
                self._move_to(row)


def _place(one: Instruction) -> str:
    """Where the instruction comes from, '' where unknown."""
    return f"{one.file.rpartition('/')[2]}:{one.line}" if one.line else ""
