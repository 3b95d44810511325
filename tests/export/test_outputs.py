"""Files are named by what they hold, and appear whole or not at all."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from kvtop.export.outputs import Output, output_of, write_file


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.svg", Output.SVG),
        ("A.SVG", Output.SVG),
        ("x/a.folded", Output.FOLDED),
        ("a.speedscope.json", Output.SPEEDSCOPE),
        ("a.pb.gz", Output.PPROF),
        ("a.firefox.json", Output.FIREFOX),
        ("a.json", None),
        ("svg", None),
    ],
)
def test_the_name_says_what_it_holds(name: str, form: Output | None) -> None:
    assert output_of(name) is form


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "out.svg"
    write_file(path, b"one")
    held = path.open("rb")
    write_file(path, b"two")
    # Whoever had the old file open still reads the whole of it: it was not written into.
    assert held.read() == b"one"
    held.close()
    assert path.read_bytes() == b"two"
    assert [p.name for p in tmp_path.iterdir()] == ["out.svg"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    write_file(tmp_path / "link", b"data")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"data"


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    write_file(path, b"data")
    reader.join(10)
    assert got == [b"data"]
