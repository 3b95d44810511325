"""Room for a new recording: what has its name already is kept beside it."""

from __future__ import annotations

from pathlib import Path

from kvtop.profile.text import safe_text
from kvtop.recording.meta import RecordingError
from kvtop.recording.reader import Recording


def make_room(path: Path) -> None:
    """Rename a recording that has this name already to FILE.old, as ``perf record`` does.

    RecordingError where the file is something else, which is never touched.
    """
    if not path.exists() and not path.is_symlink():
        return
    try:
        if path.is_file() and path.stat().st_size:
            Recording.open(path)
        elif not path.is_file():
            raise RecordingError(f"{safe_text(str(path))} is no file")
        path.replace(path.with_name(f"{path.name}.old"))
    except OSError as error:
        raise RecordingError(f"cannot rename {safe_text(str(path))}: {error.strerror}") from error
    except RecordingError as error:
        name = safe_text(str(path))
        raise RecordingError(f"{name} exists and is no recording: name another file") from error
