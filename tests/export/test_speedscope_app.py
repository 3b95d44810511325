"""The speedscope file in speedscope itself: its published schema, and its page in a browser.

Both come out of speedscope's npm package; where that cannot be had, these tests are left out and
`test_speedscope` still checks the file's structure.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from kvtop.export.speedscope import write_speedscope
from kvtop.profile.preorder import Groups
from kvtop.profile.stacks import StackTable
from tests.export.test_svg_browser import CHROMIUM, FLAGS
from tests.profile.test_stacks import stack

PACKAGE = "speedscope@1.25.0"
pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of speedscope's page and schema."""
    if shutil.which("npm") is None:
        pytest.skip("needs npm")
    folder = tmp_path_factory.mktemp("speedscope")
    pack = ["npm", "pack", "--silent", "--ignore-scripts", PACKAGE]
    try:
        subprocess.run(pack, cwd=folder, check=True, capture_output=True, timeout=60)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pytest.skip("npm cannot fetch speedscope here")
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as unpacked:
        unpacked.extractall(folder, filter="data")
    return folder / "package" / "dist" / "release"


def example(table: StackTable) -> Groups:
    return {
        "node0": {
            stack(table, "_start", "main", "heavy"): 70,
            stack(table, "_start", "main", "k:ksys_read"): 30,
        },
        "node1": {stack(table, "_start", "idle<&>"): 5},
    }


def faults(
    schema: dict[str, Any], value: Any, root: dict[str, Any], at: str = "$"
) -> Iterator[str]:
    """What draft 7 finds wrong, of its keywords those that this schema uses."""
    known = {"$schema", "$ref", "definitions", "title", "description", "type", "const", "enum"}
    known |= {"properties", "required", "items", "anyOf", "allOf", "minItems", "maxItems"}
    assert set(schema) <= known, set(schema) - known
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/definitions/")
        yield from faults(root["definitions"][name], value, root, at)
    types: dict[str, Any] = {"object": dict, "array": list, "string": str, "number": (int, float)}
    if "type" in schema and not isinstance(value, types[schema["type"]]):
        yield f"{at} is no {schema['type']}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{at} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at} is not one of {schema['enum']}"
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{at} has no {name}"
    for name, inner in schema.get("properties", {}).items():
        if name in value:
            yield from faults(inner, value[name], root, f"{at}.{name}")
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for number, item in enumerate(value):
            yield from faults(schema["items"], item, root, f"{at}[{number}]")
    for inner in schema.get("allOf", ()):
        yield from faults(inner, value, root, at)
    if "anyOf" in schema:
        ways = [list(faults(inner, value, root, at)) for inner in schema["anyOf"]]
        if all(ways):
            yield from min(ways, key=len)


def test_it_is_what_the_published_schema_says(release: Path) -> None:
    schema = json.loads((release / "file-format-schema.json").read_text())
    table = StackTable()
    data = json.loads(write_speedscope(example(table), table, "title", "ms"))
    assert list(faults(schema, data, schema)) == []
    # The check itself finds what is wrong.
    data["profiles"][0]["unit"] = "parsecs"
    del data["shared"]["frames"][0]["name"]
    assert len(list(faults(schema, data, schema))) >= 2


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_speedscope_opens_it_and_counts_as_we_do(release: Path, tmp_path: Path) -> None:
    table = StackTable()
    file = tmp_path / "a.speedscope.json"
    file.write_text(write_speedscope(example(table), table, "two nodes"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1200, "height": 600})
        page.goto((release / "index.html").as_uri())
        page.locator("input[type=file]").set_input_files(file)
        page.get_by_text("Sandwich").click()
        page.locator("tr", has_text="heavy").wait_for()
        rows = [text.split() for text in page.locator("tr").all_inner_texts()[1:]]
        title = page.locator("body").inner_text()
        browser.close()
    found = {row[4]: (row[0], row[2]) for row in rows if len(row) == 5}
    assert found == {
        "heavy": ("70", "70"),
        "ksys_read": ("30", "30"),
        "main": ("100", "0"),
        "_start": ("100", "0"),
    }
    assert "node0" in title
