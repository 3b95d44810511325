"""``kvtop flame`` as a process: pipes, several outputs, options, and what it says to bad input."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from kvtop.events import SampleBatch, StackSample
from kvtop.profile.stacks import StackTable
from tests.export.test_perf_text import FRAMES, HEADS
from tests.recording.builders import STARTED, write

FOLDED = "_start;main;work;malloc 30\n_start;main;rest 10\nkthread;idle_[k] 5\n"


def flame(*argv: str | Path, stdin: bytes | str = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "kvtop", "flame", *map(str, argv)],
        input=stdin if isinstance(stdin, bytes) else stdin.encode(),
        capture_output=True,
        timeout=60,
    )


def written(tmp_path: Path, text: str = FOLDED) -> Path:
    path = tmp_path / "in.folded"
    path.write_text(text)
    return path


def titles(svg: bytes) -> list[str]:
    return [e.text or "" for e in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}title")]


def test_perf_script_through_a_pipe_becomes_an_svg() -> None:
    done = flame(stdin=HEADS["default"] + FRAMES)
    assert done.returncode == 0, done.stderr
    assert any(title.startswith("leaf (1 sample, 100.00 %)") for title in titles(done.stdout))
    # The command is at the root, as stackcollapse-perf.pl puts it.
    folded = flame("--to", "folded", stdin=HEADS["default"] + FRAMES)
    assert folded.stdout == b"my prog;main;leaf 1\n"


def test_several_outputs_of_one_reading(tmp_path: Path) -> None:
    names = ["a.svg", "a.folded", "a.speedscope.json", "a.pb.gz", "a.firefox.json"]
    outputs = [part for name in names for part in ("-o", tmp_path / name)]
    done = flame(written(tmp_path), *outputs)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert {p.name for p in tmp_path.iterdir()} == {*names, "in.folded"}
    for name in ("a.svg", "a.speedscope.json", "a.pb.gz"):
        again = flame(tmp_path / name, "--to", "folded")
        assert again.stdout.decode().splitlines() == sorted(FOLDED.splitlines()), name
    firefox = json.loads((tmp_path / "a.firefox.json").read_text())
    assert sum(firefox["threads"][0]["samples"]["weight"]) == 45


def test_firefox_gets_the_times_that_perf_recorded(tmp_path: Path) -> None:
    text = b"".join(b"p 7/8 %d.5: 1 cycles: \n" % second + FRAMES for second in (100, 101, 103))
    done = flame("-o", tmp_path / "a.firefox.json", stdin=text)
    assert done.returncode == 0, done.stderr
    (thread,) = json.loads((tmp_path / "a.firefox.json").read_text())["threads"]
    assert thread["samples"]["time"] == [0, 1000, 3000]
    assert (thread["pid"], thread["tid"]) == ("7", 8)


def test_a_part_of_a_recording_becomes_an_svg(tmp_path: Path) -> None:
    table = StackTable()
    stack = table.stack_id([table.frame_id(name, "/bin/x") for name in ("main", "work")])
    samples = (StackSample(STARTED + n, 1, 1, "x", "cycles", 1, stack) for n in range(10))
    path = write(tmp_path / "a.kvtop", [SampleBatch(tuple(samples))], table)
    done = flame(path, "--start", "0:02", "--end", "4", "-o", tmp_path / "a.svg")
    assert (done.returncode, done.stderr) == (0, b"")
    assert "work (3 samples, 100.00 %)" in titles((tmp_path / "a.svg").read_bytes())
    again = flame("--to", "folded", stdin=path.read_bytes())
    assert again.stdout == b"x;main;work 10\n"


def test_only_and_exclude_choose_stacks(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert flame(path, "--to", "folded", "--only", "MALLOC|idle").stdout == b"kthread;idle_[k] 5\n"
    assert flame(path, "--to", "folded", "--only", "malloc").stdout.endswith(b"malloc 30\n")
    kept = flame(path, "--to", "folded", "--exclude", "main").stdout
    assert kept == b"kthread;idle_[k] 5\n"


def test_options_of_the_picture(tmp_path: Path) -> None:
    done = flame(
        *(written(tmp_path), "--title", "a <title>", "--count-name", "ms", "--width", "800"),
        *("--inverted", "--reverse"),
    )
    root = ET.fromstring(done.stdout)
    data = json.loads(root.find("{http://www.w3.org/2000/svg}metadata").text or "")  # type: ignore[union-attr]
    assert data["meta"]["title"] == "a <title>"
    assert data["view"] == {"inverted": True, "callers": True, "glue": False, "width": 800}
    assert "main (40 ms, 88.89 %)" not in titles(done.stdout)
    assert "malloc (30 ms, 66.67 %)" in titles(done.stdout)
    assert root.get("width") == "800"


@pytest.mark.parametrize(
    ("argv", "stdin", "words"),
    [
        ([], "", "standard input is empty"),
        ([], "no profile\n", "not a profile"),
        (["/nonexistent"], "", "No such file"),
        (["-", "-o", "out.zip"], FOLDED, ".speedscope.json"),
        (["--only", "("], FOLDED, "regular expression"),
        (["--only", "nothing"], FOLDED, "leaves no stack"),
        (["--format", "perf"], FOLDED, "--format"),
        (["--width", "3"], FOLDED, "--width"),
        (["--start", "soon"], FOLDED, "M:SS"),
        (["--start", "3", "--end", "2"], FOLDED, "before --end"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(argv: list[str], stdin: str, words: str) -> None:
    done = flame(*argv, stdin=stdin)
    assert done.returncode == 2
    assert words in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1
    assert done.stdout == b""


def test_nothing_is_overwritten_by_bad_input(tmp_path: Path) -> None:
    out = tmp_path / "out.svg"
    out.write_text("precious")
    assert flame("-o", out, stdin="a;b\n").returncode == 2
    assert out.read_text() == "precious"
    assert [p.name for p in tmp_path.iterdir()] == ["out.svg"]


def test_a_place_that_cannot_be_written_is_exit_code_1(tmp_path: Path) -> None:
    done = flame("-o", tmp_path / "none" / "out.svg", stdin=FOLDED)
    assert done.returncode == 1
    assert b"cannot write" in done.stderr and done.stderr.count(b"\n") == 1


def test_an_svg_does_not_go_to_a_terminal(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "kvtop", "flame", written(tmp_path)],
            stdin=subprocess.DEVNULL,
            stdout=slave,
            stderr=subprocess.PIPE,
            timeout=60,
        )
    finally:
        os.close(slave)
        os.close(master)
    assert done.returncode == 2
    assert b"-o out.svg" in done.stderr


@pytest.mark.e2e
def test_perf_data_as_a_file_and_through_a_pipe(tmp_path: Path) -> None:
    data = tmp_path / "perf.data"
    work = "sum(n * n for n in range(2_000_000))"
    record = ["perf", "record", "-q", "-e", "cpu-clock:u", "-F", "499", "-g", "-o", data]
    subprocess.run([*record, "--", sys.executable, "-c", work], check=True, timeout=60)
    script = subprocess.run(["perf", "script", "-i", data], capture_output=True, timeout=60)
    samples = script.stdout.count(b"\n\n")
    assert samples > 10
    for way in (flame(data, "--to", "folded"), flame("--to", "folded", stdin=data.read_bytes())):
        assert way.returncode == 0, way.stderr
        lines = way.stdout.decode().splitlines()
        assert sum(int(line.rpartition(" ")[2]) for line in lines) == samples
        assert all(line.startswith("python") for line in lines)
    assert flame("--to", "folded", stdin=script.stdout).stdout == way.stdout
    damaged = tmp_path / "damaged"
    damaged.write_bytes(data.read_bytes()[:200])
    done = flame(damaged)
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1
    assert b"damaged or was cut short" in done.stderr


LATER = "_start;main;work;malloc 10\n_start;main;rest 70\nnewcomer;busy 5\n"
PERF = b"".join(b"p 7/8 %d.5: 1 cycles: \n" % second + FRAMES for second in range(100, 140))


def diff_files(tmp_path: Path) -> tuple[Path, Path]:
    later = tmp_path / "later.folded"
    later.write_text(LATER)
    return written(tmp_path), later


def test_two_profiles_of_any_format_become_a_diff(tmp_path: Path) -> None:
    one, two = diff_files(tmp_path)
    assert flame(two, "-o", tmp_path / "later.pb.gz").returncode == 0
    done = flame(one, "--diff", tmp_path / "later.pb.gz", "-o", tmp_path / "d.svg")
    assert (done.returncode, done.stderr) == (0, b"")
    svg = (tmp_path / "d.svg").read_bytes()
    assert "malloc (30 → 10, 66.67 % → 11.76 %)" in titles(svg)
    assert "rest (10 → 70, 22.22 % → 82.35 %)" in titles(svg)
    assert any(title.startswith("busy (0 → 5") for title in titles(svg))
    text = " ".join(ET.fromstring(svg).itertext())
    assert "in.folded (45 samples) → later.pb.gz (85 samples)" in text
    # Opened again it is the later one.
    again = flame(tmp_path / "d.svg", "--to", "folded")
    assert again.stdout.decode().splitlines() == sorted(LATER.splitlines())
    folded = flame(one, "--diff", two, "--to", "folded")
    assert folded.stdout.decode().splitlines() == [
        "_start;main;rest 10 70",
        "_start;main;work;malloc 30 10",
        "kthread;idle_[k] 5 0",
        "newcomer;busy 0 5",
    ]


def test_rates_where_both_have_times(tmp_path: Path) -> None:
    text = tmp_path / "perf.txt"
    text.write_bytes(PERF)
    done = flame("--diff", text, "--per-second", stdin=PERF)
    assert done.returncode == 0, done.stderr
    assert any(
        title.startswith("leaf (40 → 40, 1.03 /s → 1.03 /s") for title in titles(done.stdout)
    )


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--diff", "{two}", "-o", "out.pb.gz"], "no room for two profiles"),
        (["--diff", "{two}", "--per-second"], "--per-second needs"),
        (["--diff", "/nonexistent"], "No such file"),
        (["--diff", "{ms}"], "cannot be compared"),
    ],
)
def test_what_cannot_be_compared(tmp_path: Path, argv: list[str], words: str) -> None:
    one, two = diff_files(tmp_path)
    ms = tmp_path / "ms.svg"
    assert flame(two, "--count-name", "ms", "-o", ms).returncode == 0
    done = flame(one, *(part.format(two=two, ms=ms) for part in argv))
    assert done.returncode == 2 and done.stdout == b""
    assert words in done.stderr.decode() and done.stderr.count(b"\n") == 1
    same = flame("-", "--diff", "-", stdin=FOLDED)
    assert same.returncode == 2 and b"standard input" in same.stderr
