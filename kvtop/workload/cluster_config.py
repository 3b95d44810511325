"""The file that names a cluster's nodes, in two formats.

The classic one has ``nodeNip=HOST`` and ``nodeNport=PORT`` for N = 0, 1, ... and ``#`` comments.
A file named ``*.toml`` has ``[[node]]`` tables with ``host``, ``port`` and optionally ``id``
(their order), ``resp_port`` and ``status_port``; and at the top, optionally, ``dir``.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kvtop.workload.peers import Address


class ConfigError(ValueError):
    """A file that cannot be used; the text names the file and the line."""


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """One node; port 0 for ``resp_port`` means no RESP, for ``status_port`` any free port."""

    id: int
    address: Address
    resp_port: int = 0
    status_port: int = 0


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """All nodes by id, and where their data goes (None: the caller decides)."""

    nodes: dict[int, NodeConfig]
    directory: Path | None = None

    @property
    def addresses(self) -> dict[int, Address]:
        """Where the nodes listen."""
        return {node: config.address for node, config in self.nodes.items()}


def load_config(path: Path) -> ClusterConfig:
    """Read a file of either format. Raises ConfigError."""
    try:
        text = path.read_text()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is no text: it needs nodeNip=HOST and nodeNport=PORT") from None
    return parse_toml(text, path) if path.suffix == ".toml" else parse_classic(text, path)


_CLASSIC = re.compile(r"node(\d{1,4})(ip|port)\s*=\s*(\S+)", re.ASCII)


def parse_classic(text: str, path: Path) -> ClusterConfig:
    """``nodeNip=`` / ``nodeNport=`` lines. Raises ConfigError."""
    hosts: dict[int, tuple[str, int]] = {}
    ports: dict[int, tuple[int, int]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.partition("#")[0].strip()
        if not stripped:
            continue
        found = _CLASSIC.fullmatch(stripped)
        if found is None:
            raise _bad(path, number, "expected nodeNip=HOST or nodeNport=PORT")
        node, what, value = int(found[1]), found[2], found[3]
        if node in (hosts if what == "ip" else ports):
            raise _bad(path, number, f"node{node}{what} is given twice")
        if what == "ip":
            hosts[node] = value, number
        else:
            ports[node] = _port(value, path, number), number
    if not hosts and not ports:
        raise _bad(path, 1, "names no node")
    for node in sorted(hosts.keys() ^ ports.keys()):
        line_number = (hosts.get(node) or ports[node])[1]
        missing = "port" if node in hosts else "ip"
        raise _bad(path, line_number, f"node{node} has no node{node}{missing}")
    nodes = {
        node: NodeConfig(node, Address(hosts[node][0], ports[node][0])) for node in sorted(hosts)
    }
    _check_unique(nodes, path, {node: ports[node][1] for node in nodes})
    return ClusterConfig(nodes)


def parse_toml(text: str, path: Path) -> ClusterConfig:
    """``[[node]]`` tables. Raises ConfigError."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        raise _bad(path, int(found[1]) if found else 1, str(error)) from None
    lines = [n for n, line in enumerate(text.splitlines(), 1) if line.strip() == "[[node]]"]
    unknown = data.keys() - {"node", "dir"}
    if unknown:
        raise _bad(path, _line_of(text, sorted(unknown)[0]), f"unknown key {sorted(unknown)[0]}")
    tables = data.get("node")
    if not isinstance(tables, list) or not tables or len(lines) != len(tables):
        raise _bad(path, 1, "needs a [[node]] table for each node")
    nodes: dict[int, NodeConfig] = {}
    at: dict[int, int] = {}
    for position, (table, number) in enumerate(zip(tables, lines, strict=True)):
        config = _toml_node(table, position, path, text, number)
        if config.id in nodes:
            raise _bad(path, number, f"node {config.id} is given twice")
        nodes[config.id] = config
        at[config.id] = number
    _check_unique(nodes, path, at)
    directory = data.get("dir")
    if directory is not None and not isinstance(directory, str):
        raise _bad(path, _line_of(text, "dir"), "dir must be a string")
    return ClusterConfig(nodes, Path(directory) if directory else None)


def _toml_node(table: Any, position: int, path: Path, text: str, number: int) -> NodeConfig:
    unknown = table.keys() - {"id", "host", "port", "resp_port", "status_port"}
    if unknown:
        name = sorted(unknown)[0]
        raise _bad(path, _line_of(text, name, number), f"unknown key {name} in this table")
    if not isinstance(table.get("host"), str) or "port" not in table:
        raise _bad(path, number, "this table needs a host (a string) and a port")
    node = table.get("id", position)
    if type(node) is not int or not 0 <= node <= 9999:
        raise _bad(path, _line_of(text, "id", number), "id must be an integer from 0 to 9999")
    ports = {
        name: _port(str(table[name]), path, _line_of(text, name, number))
        for name in ("port", "resp_port", "status_port")
        if name in table
    }
    return NodeConfig(node, Address(table["host"], ports.pop("port")), **ports)


def _check_unique(nodes: dict[int, NodeConfig], path: Path, lines: dict[int, int]) -> None:
    taken: dict[tuple[str, int], int] = {}
    for node, config in nodes.items():
        for port in (config.address.port, config.resp_port, config.status_port):
            place = config.address.host, port
            if port and place in taken:
                text = f"node {node} uses {place[0]}:{port}, as node {taken[place]} does"
                raise _bad(path, lines[node], text)
            taken[place] = node


def _port(text: str, path: Path, number: int) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise _bad(path, number, f"{text!r} is not a port from 1 to 65535")
    return int(text)


def _line_of(text: str, key: str, first: int = 1) -> int:
    """The line that sets ``key``, at or after line ``first``; else that one."""
    for number, line in enumerate(text.splitlines()[first - 1 :], first):
        if re.match(rf"\s*\[*{re.escape(key)}\b", line):
            return number
    return first


def _bad(path: Path, number: int, text: str) -> ConfigError:
    return ConfigError(f"{path}:{number}: {text}")
