"""Both formats of the file that names the nodes, and what is said of bad ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from kvtop.workload.cluster_config import ConfigError, load_config
from kvtop.workload.peers import Address

CLASSIC = """\
# the cluster
node0ip=127.0.0.1
node0port=7100

node1ip = 127.0.0.1   # the second
node1port = 7101
"""
TOML = """\
dir = "data"
[[node]]
host = "127.0.0.1"
port = 7100
resp_port = 7200

[[node]]
id = 5
host = "127.0.0.1"
port = 7101
"""


def _write(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    path.write_text(text)
    return path


def test_reads_the_classic_format(tmp_path: Path) -> None:
    config = load_config(_write(tmp_path, "test.conf", CLASSIC))
    assert config.addresses == {0: Address("127.0.0.1", 7100), 1: Address("127.0.0.1", 7101)}
    assert config.directory is None


def test_reads_toml(tmp_path: Path) -> None:
    config = load_config(_write(tmp_path, "test.toml", TOML))
    assert config.addresses == {0: Address("127.0.0.1", 7100), 5: Address("127.0.0.1", 7101)}
    assert config.nodes[0].resp_port == 7200
    assert config.directory == Path("data")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("node0ip=127.0.0.1\nnode0port=abc\n", 2, "abc"),
        ("node0ip=127.0.0.1\nnode0port=70000\n", 2, "70000"),
        ("\nnode0ip=127.0.0.1\n", 2, "node0port"),
        ("node0port=1\n", 1, "node0ip"),
        ("node0ip=a\nnode0port=1\nnode0ip=b\n", 3, "twice"),
        ("node0ip=a\nnode0port=1\nnode1ip=a\nnode1port=1\n", 4, "node 0"),
        ("nodes=3\n", 1, "nodeNip=HOST"),
        ("", 1, "no node"),
    ],
)
def test_a_bad_classic_file_names_the_line(
    tmp_path: Path, text: str, line: int, reason: str
) -> None:
    path = _write(tmp_path, "bad.conf", text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("[[node]]\nhost = \n", 2, "Invalid"),
        ("[[node]]\nhost = '127.0.0.1'\nport = 0\n", 3, "0"),
        ("[[node]]\nhost = '127.0.0.1'\n", 1, "port"),
        ("[[node]]\nhost='a'\nport=1\n[[node]]\nhost='a'\nport=2\nid=0\n", 4, "twice"),
        ("[[node]]\nhost='a'\nport=1\ncolour=3\n", 4, "colour"),
        ("[[node]]\nhost='a'\nport=1\n[[node]]\nport=2\nhost='b'\nid=-1\n", 7, "id"),
        ("\ncolour = 3\n", 2, "colour"),
        ("", 1, "[[node]]"),
    ],
)
def test_a_bad_toml_file_names_the_line(tmp_path: Path, text: str, line: int, reason: str) -> None:
    path = _write(tmp_path, "bad.toml", text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert reason in str(caught.value)


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^cannot read .*none.conf: No such file or directory$"):
        load_config(tmp_path / "none.conf")
    with pytest.raises(ConfigError, match=r"Is a directory$"):
        load_config(tmp_path)


def test_a_binary_file_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "bad.conf"
    path.write_bytes(b"node0ip=\xff\xfe")
    with pytest.raises(ConfigError, match="is no text"):
        load_config(path)
