"""The text of ``perf script`` as people make it, brought into the one form that kvtop parses.

Whatever fields were chosen (the default ones, with or without CPU, process, period or call chain),
out comes what ``perf script -F comm,pid,tid,time,event,period,ip,sym,dso`` prints. The ``#`` lines
of ``--header`` become facts. What is no sample is passed on, for the parser to count.
"""

from __future__ import annotations

import re

from kvtop.profile.text import safe_text

_EXACT = re.compile(rb"[^\t\n#][^\n]*? \d+/\d+ +\d+\.\d+: +\d+ [^\n]*?: *\n\t")
# It begins with the line break, and not with ^, because that is several times as fast.
_HEADER = re.compile(
    rb"\n(?P<comm>[^\t\n][^\n]*?) +(?P<pid>-?\d{1,10})(?:/(?P<tid>-?\d{1,10}))? +"
    rb"(?:\[\d+\] +)?(?:[.a-zA-Z\d]{4,6} +)?(?P<time>\d{1,12}\.\d{1,12}): +"
    rb"(?:(?P<period>\d{1,20}) +)?(?P<event>[^\s:][^\n]*?):(?P<rest> [^\n]*)?(?=\n|$)"
)
_LINE = re.compile(rb"\n[^\t\n][^\n]*")
_MOST_THREADS = 20_000
_LEAF = re.compile(rb" *([0-9a-f]{1,16} .*\([/\[].*\)) *")
# A command line may go on over several lines.
_FACT = re.compile(rb"^# ([a-z][\w ]*?) *: (.*?)$(?=\n#|\n*\Z)", re.MULTILINE | re.DOTALL)
_LONGEST_PREFACE = 1 << 20
_FREQUENCY = re.compile(r"sample_freq \} = (\d+)\b.*\bfreq = 1\b")


class PerfText:
    """Feed it pieces of any size; what comes out ends in whole samples after ``end``.

    ``facts`` are the ``#`` lines by name ("hostname", "os release", "cmdline", "event"), safe to
    show. ``periods`` turns False where a sample came without its period.
    """

    def __init__(self) -> None:
        self.facts: dict[str, str] = {}
        self.periods = True
        self._rest = b""
        self._preface = b""
        self._ended = False
        self._begun = False
        self._exact = False
        self._who: dict[bytes, bytes] = {}
        """First words of a line -> thread in the form that is wanted."""

    def feed(self, data: bytes) -> bytes:
        """The lines that ``data`` completed."""
        if self._exact:
            return data
        text = self._rest + data
        cut = text.rfind(b"\n") + 1
        self._rest = text[cut:]
        return self._convert(text[:cut])

    def end(self) -> bytes:
        """What was held back, and the end of the last sample."""
        rest, self._rest = self._rest, b""
        self._ended = True
        return self._convert(rest + b"\n") + b"\n\n"

    @property
    def frequency(self) -> str:
        """Samples a second that were asked for, with the unit; empty where it is not known."""
        match = _FREQUENCY.search(self.facts.get("event", ""))
        return f"{match[1]} Hz" if match else ""

    def _convert(self, text: bytes) -> bytes:
        if not self._begun:
            text = self._begin(text)
        if self._exact:
            return text
        return _LINE.sub(self._line, b"\n" + text.replace(b"\r\n", b"\n"))[1:]

    def _begin(self, text: bytes) -> bytes:
        """Take off what stands before the first sample, and see whether that has the right form
        already."""
        text = self._preface + text
        first = _HEADER.search(b"\n" + text)
        if first is None:
            if len(text) < _LONGEST_PREFACE and not self._ended:
                self._preface = text
                return b""
            at = len(text) if text.startswith(b"#") else 0
        else:
            at = first.start() if text.startswith((b"#", b"\n")) else 0
        for name, value in _FACT.findall(text[:at]):
            fact = safe_text(value.decode(errors="replace").strip(), 4096)
            self.facts.setdefault(name.decode(), fact)
        self._preface = b""
        self._begun = True
        text = text[at:]
        if _EXACT.match(text):
            self._exact = True
            text += self._rest
            self._rest = b""
        return text

    def _line(self, match: re.Match[bytes]) -> bytes:
        """A line that is no frame: of a thread that is known, or to be looked at closely."""
        line: bytes = match[0]
        parts = line.rsplit(None, 3)
        who = self._who.get(parts[0]) if parts else None
        if who is not None and len(parts) == 4 and parts[1][-1:] == parts[3][-1:] == b":":
            return b"%b %b %b %b" % (who, *parts[1:])
        found = _HEADER.match(line)
        if found is None:
            return line
        made = self._header(found)
        if len(parts) == 4 and parts[2].isdigit() and b"\n" not in made[1:]:
            if len(self._who) > _MOST_THREADS:
                self._who.clear()
            self._who[parts[0]] = made.rsplit(None, 3)[0]
        return made

    def _header(self, match: re.Match[bytes]) -> bytes:
        comm, pid, tid, time, period, event, rest = match.groups()
        if period is None:
            self.periods = False
        if tid is None:
            # Only the thread is printed: its process is not known.
            tid = pid
        line = b"\n%b %b/%b %b: %b %b:" % (comm.strip(), pid, tid, time, period or b"1", event)
        # Without a call chain the one frame stands on the same line.
        leaf = _LEAF.fullmatch(rest) if rest else None
        return b"%b\n\t%b\n" % (line, leaf[1]) if leaf else line
