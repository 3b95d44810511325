"""The SVG as a file: well-formed, harmless, complete without a script, and readable again."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvtop.export.svg import NotOurSvg, SvgMeta, read_svg, write_svg, write_svg_groups
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.stacks import StackTable
from tests.profile.test_stacks import stack
from tests.profile.test_text import ANY_TEXT
from tests.profile.test_tree import STACKS, Stacks, fold

META = SvgMeta(
    title="node0, on-CPU",
    command="kvtop --nodes 3",
    host="box",
    kernel="6.1.0",
    event="cpu-clock",
    frequency="99 Hz",
    window="last 30 s",
    version="0.1.0",
)
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    "</script><script>window.pwned=1</script>",
    "]]><script>window.pwned=1</script>",
    "</metadata><script>window.pwned=1</script>",
    "</title><image href='x' onerror='window.pwned=1'/>",
    '"onload="window.pwned=1',
    "'&quot;&#34;&amp;<!-- --><?php ?>",
    "\u202eright to left\u2066",
    "\x1b[31mred\x00\x07\ud800\ufffe",
    "javascript:window.pwned=1",
    "${window.pwned=1}`",
]


def frames_of(table: StackTable, counts: dict[int, int]) -> dict[tuple[Frame, ...], int]:
    found: dict[tuple[Frame, ...], int] = {}
    for known, weight in counts.items():
        key = tuple(table.frame(f) for f in table.frames(known))
        found[key] = found.get(key, 0) + weight
    return found


def boxes(text: str) -> dict[str, float]:
    """Title of every static box -> its width."""
    found = {}
    for group in ET.fromstring(text).iter(f"{SVG}g"):
        title, rect = group.find(f"{SVG}title"), group.find(f"{SVG}rect")
        if title is not None and rect is not None:
            found[title.text or ""] = float(rect.get("width", "0"))
    return found


@given(STACKS)
def test_it_reads_back_as_it_was_written(stacks: Stacks) -> None:
    table, other = StackTable(), StackTable()
    counts = fold(table, stacks)
    again, meta = read_svg(write_svg(counts, table, META), other)
    assert frames_of(other, again) == frames_of(table, counts)
    assert meta == META


@settings(max_examples=50)
@given(st.lists(ANY_TEXT, min_size=1, max_size=4), ANY_TEXT)
def test_any_name_gives_a_well_formed_file(names: list[str], title: str) -> None:
    table = StackTable()
    raw = [table.intern(Frame(name, name, Kind.NATIVE, name)) for name in names]
    text = write_svg({table.stack_id(raw): 1}, table, SvgMeta(title, command=title, host=title))
    ET.fromstring(text.encode())
    assert text.isascii() or text.encode()
    read_svg(text, StackTable())


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name: str) -> None:
    table = StackTable()
    raw = table.intern(Frame(name, name, Kind.PYTHON, name))
    cooked = table.frame_id(name, name)
    meta = SvgMeta(*[name] * 9)
    text = write_svg_groups({name: {table.stack_id([raw, cooked]): 5}}, table, meta)
    root = ET.fromstring(text.encode())
    assert len(list(root.iter(f"{SVG}script"))) == 1
    assert not list(root.iter(f"{SVG}image"))
    for element in root.iter():
        assert not [key for key in element.attrib if key.startswith("on")]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


def test_it_refers_to_nothing_outside() -> None:
    table = StackTable()
    text = write_svg({stack(table, "_start", "main"): 1}, table, META)
    assert set(re.findall(r"\w+://[^\s\"'<)]+", text)) == {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xhtml",
    }
    assert "href" not in text and "@import" not in text and "url(" not in text


def test_the_boxes_are_there_without_the_script() -> None:
    table = StackTable()
    counts = {
        stack(table, "_start", "main", "heavy"): 70,
        stack(table, "_start", "main", "light"): 30,
    }
    found = boxes(write_svg(counts, table, META))
    assert found["all (100 samples, 100.00 %)"] == pytest.approx(1176, abs=1)
    assert found["heavy (70 samples, 70.00 %)"] == pytest.approx(1176 * 0.7, abs=1)
    assert found["light (30 samples, 30.00 %)"] == pytest.approx(1176 * 0.3, abs=1)


def test_glue_is_left_out_of_the_static_boxes_and_kept_in_the_file() -> None:
    table = StackTable()
    counts = {stack(table, "_start", "_PyEval_EvalFrameDefault", "work"): 4}
    text = write_svg(counts, table, META)
    assert not any("EvalFrame" in title for title in boxes(text))
    other = StackTable()
    again, _ = read_svg(text, other)
    assert frames_of(other, again) == frames_of(table, counts)


def test_groups_are_boxes_of_their_own() -> None:
    table = StackTable()
    work = stack(table, "_start", "work")
    found = boxes(write_svg_groups({"node0": {work: 3}, "node1": {work: 1}}, table, META))
    assert found["node0 (3 samples, 75.00 %)"] == pytest.approx(1176 * 0.75, abs=1)
    assert found["node1 (1 sample, 25.00 %)"] == pytest.approx(1176 * 0.25, abs=1)


def test_the_footer_says_what_was_measured() -> None:
    table = StackTable()
    text = write_svg({stack(table, "main"): 1234}, table, META)
    shown = "\n".join(e.text or "" for e in ET.fromstring(text).iter(f"{SVG}text"))
    for part in ("1,234 samples", "cpu-clock", "99 Hz", "last 30 s", "kvtop --nodes 3", "box"):
        assert part in shown
    assert "Linux 6.1.0" in shown and "kvtop 0.1.0" in shown


def test_the_unit_is_shown_with_every_weight() -> None:
    table = StackTable()
    text = write_svg({stack(table, "main"): 7}, table, SvgMeta("off-CPU", unit="ms"))
    assert "main (7 ms, 100.00 %)" in boxes(text)


def test_nothing_measured_is_an_empty_graph() -> None:
    text = write_svg({}, StackTable(), META)
    assert boxes(text) == {}
    assert read_svg(text, StackTable())[0] == {}


def damaged(**changes: object) -> str:
    table = StackTable()
    text = write_svg({stack(table, "a", "b"): 1}, table, META)
    head, _, rest = text.partition('<metadata id="kvtop-profile">')
    body, _, tail = rest.partition("</metadata>")
    data = json.loads(body) | changes
    return f'{head}<metadata id="kvtop-profile">{json.dumps(data)}</metadata>{tail}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<svg/>",
        '<metadata id="kvtop-profile">{"version":1</metadata>',
        '<metadata id="kvtop-profile">[]</metadata>',
        '<metadata id="kvtop-profile">' + "[" * 100_000 + "</metadata>",
        damaged(version=99),
        damaged(frame=[0, 99, 1]),
        damaged(depth=[0, 5, 1]),
        damaged(self=[0, 0, "many"]),
        damaged(frames=[["a"]]),
        damaged(frames=[["a", "", 77, "", 0]] * 3),
        damaged(meta={}),
        damaged(frames=None),
    ],
)
def test_other_and_damaged_files_are_refused_in_words(text: str) -> None:
    with pytest.raises(NotOurSvg):
        read_svg(text, StackTable())
