"""What the first line of a recording says of the run, and which versions can be read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kvtop.recording.codec import DecodeError, Decoder, fields_of
from kvtop.store import RunInfo

MAGIC = "kvtop-recording"
VERSION = (1, 0)
"""A reader refuses a higher first number, and skips what a higher second one has brought."""


_LATEST = 1e10
"""Unix time past which no calendar need go; the year 2286."""


class RecordingError(Exception):
    """A file that cannot be read as a recording, or not be written: one sentence."""


@dataclass(frozen=True, slots=True)
class RecordingMeta:
    """What ran on what. ``event``, ``frequency`` and ``call_graph`` are as they were asked for.

    What perf made of them is in the recorded ``PipelineStats``. ``wall`` is Unix time.
    """

    kvtop: str
    """Version of kvtop."""
    host: str
    kernel: str
    perf: str
    """Version of perf, empty where there is none."""
    cpu: str
    """Model of the CPU, empty where the kernel does not say."""
    cpus: int
    event: str
    """Empty where the choice was left to kvtop."""
    frequency: int
    """Hz; 0 where ``period`` decides."""
    call_graph: str
    command: tuple[str, ...]
    """kvtop's own command line."""
    targets: tuple[str, ...]
    """The command lines that were profiled when the recording began."""
    wall: float
    run: RunInfo
    period: int = 0
    value_size: int | None = None
    """Bytes of the values that kvtop's own clients write; None where there are none."""
    version: tuple[int, int] = VERSION
    """Of the format."""

    def head(self) -> dict[str, Any]:
        """What the first line of a file holds of it."""
        meta = asdict(self)
        del meta["version"]
        return {MAGIC: list(self.version), "run": meta.pop("run"), "meta": meta}

    @classmethod
    def of_head(cls, head: dict[str, Any]) -> RecordingMeta:
        """The other way round; DecodeError where it makes no sense."""
        major, minor = head[MAGIC]
        try:
            run = RunInfo(**_fields(RunInfo, head.get("run")))
            meta = cls(**_fields(cls, head.get("meta")), run=run, version=(major, minor))
        except TypeError as error:
            raise DecodeError(f"it lacks something ({error})") from None
        for wall in (run.started, run.started + run.wall_offset, meta.wall):
            if not 0 <= wall <= _LATEST:
                raise DecodeError("its start is no time")
        return meta


def _fields(cls: type, raw: object) -> dict[str, Any]:
    """The fields of a class that an object of JSON has."""
    if not isinstance(raw, dict):
        raise DecodeError(f"there is no {cls.__name__}")
    decoder, hints = Decoder({}), fields_of(cls)
    return {
        name: decoder.value(hints[name], value)
        for name, value in raw.items()
        if name in hints and name not in ("run", "version")
    }
