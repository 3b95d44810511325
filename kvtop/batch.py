"""kvtop without a screen: tables or JSON lines on standard output, one report a refresh."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import textwrap
import time
from datetime import datetime
from typing import Any

from kvtop.config import Config
from kvtop.events import Health
from kvtop.profile.hotspots import Hotspot, hotspots
from kvtop.profile.ring import Filter, GroupKey
from kvtop.profile.text import safe_text
from kvtop.session import Session
from kvtop.store import Store

COLUMNS = 100
ONCE_SECONDS = 5.0
"""How long ``--once`` measures where ``--duration`` does not say."""
PARTS = 50
"""How often ``--once`` looks whether its targets have exited."""
TABLE_ROWS = 20
JSON_ROWS = 100


async def print_reports(session: Session, config: Config) -> int:
    """Print ``config.count`` reports (endless where None); returns the exit code."""
    if config.once:
        return await _print_once(session, config)
    deadline = None if config.duration is None else time.monotonic() + config.duration
    printed = 0
    while config.count is None or printed < config.count:
        # One table a second reads well; a script asks for what it wants with --refresh.
        await asyncio.sleep(config.refresh if config.json else max(config.refresh, 1.0))
        _print(make_report(session, config.window), config)
        printed += 1
        if session.ended or (deadline is not None and time.monotonic() >= deadline):
            break
    return 0


async def _print_once(session: Session, config: Config) -> int:
    """One report, over the time measured: until that is over, or the last target has exited."""
    seconds = config.duration or ONCE_SECONDS
    for _ in range(PARTS):
        if session.ended:
            break
        await asyncio.sleep(seconds / PARTS)
    _print(make_report(session, min(config.window, seconds)), config)
    return 0


def _print(report: dict[str, Any], config: Config) -> None:
    print(json.dumps(report) if config.json else format_report(report), flush=True)


def make_report(session: Session, window: float) -> dict[str, Any]:
    """What the screen shows at this moment, as plain data; absent figures are null."""
    store = session.store
    now = time.monotonic()
    counts = session.fold(window)
    total = sum(counts.values())
    spots = _leading(hotspots(store.table, counts))
    pipeline = store.pipeline
    return {
        "time": store.wall(now),
        "target": store.info.title,
        "leader": store.cluster.leader,
        "nodes": [dataclasses.asdict(node) for node in store.cluster.nodes.values()],
        "usage": [dataclasses.asdict(usage) for usage in store.cluster.usage.values()],
        "stress": dataclasses.asdict(store.stress.last) if store.stress.last else None,
        "counters": [
            dataclasses.asdict(reading)
            for label in store.counters.labels
            for event in store.counters.events
            if (reading := store.counters.last(label, event)) is not None
        ],
        "profile": {
            "window": window,
            "samples": total,
            "event": store.ring.event or (pipeline.event if pipeline else None),
            "events": _events(store, window),
            "stream": dataclasses.asdict(pipeline) if pipeline else None,
            "hot_symbols": [_spot(spot, total) for spot in spots],
        },
        "python_stacks": _python_stacks(store, window),
        "own": dataclasses.asdict(store.own) if store.own else None,
        "collectors": {
            name: {"health": status.health, "reason": status.reason}
            for name, status in store.collectors.items()
        },
    }


def _events(store: Store, window: float) -> dict[str, int]:
    """Samples of every event; a profile is always of one."""
    newest = store.ring.last_time
    if newest is None:
        return {}
    every = Filter(start=newest - window, events=frozenset(store.ring.events))
    groups = store.ring.fold_by(every, GroupKey.EVENT)
    return {event: sum(counts.values()) for event, counts in groups.items()}


def _python_stacks(store: Store, window: float) -> dict[str, Any] | None:
    """What py-spy saw, or None where it saw nothing."""
    newest = store.spied.last_time
    if newest is None:
        return None
    counts = store.spied.fold(Filter(start=newest - window))
    total = sum(counts.values())
    spots = _leading(hotspots(store.table, counts))
    return {"samples": total, "hot_symbols": [_spot(spot, total) for spot in spots]}


def format_report(report: dict[str, Any]) -> str:
    """A report as tables of at most 100 columns."""
    lines = [f"{datetime.fromtimestamp(report['time']):%H:%M:%S}  {report['target']}"]
    if report["nodes"]:
        lines.append(
            f"{'NODE':<8}{'PID':>8}  {'ROLE':<10}{'TERM':>5}{'COMMIT':>11}{'LAG':>7}  STATE"
        )
    lines += [
        f"{node['name']:<8}{_cell(node['pid']):>8}  {node['role']:<10}{_cell(node['term']):>5}"
        f"{_cell(node['commit']):>11}{_cell(node['lag']):>7}  {node['state']}"
        for node in report["nodes"]
    ]
    if stress := report["stress"]:
        rate = stress["operations"] / stress["interval"] if stress["interval"] else 0.0
        lines.append(
            f"stress: {rate:,.0f} ops/s  p50 {_ms(stress['p50'])}  p99 {_ms(stress['p99'])}  "
            f"p99.9 {_ms(stress['p999'])}  errors {stress['total_errors']:,}"
        )
    profile = report["profile"]
    lines.append(
        f"{profile['samples']:,} samples of {profile['event'] or '-'} in {profile['window']:g} s"
    )
    others = {name: n for name, n in profile["events"].items() if name != profile["event"]}
    if others:
        told = ", ".join(f"{n:,} of {name}" for name, n in others.items())
        lines[-1] += f" (beside them {told})"
    if profile["hot_symbols"]:
        lines.append(f"{'SELF':>7}{'TOTAL':>8}{'SAMPLES':>9}  SYMBOL")
    lines += [
        f"{spot['self_percent']:>6.2f}%{spot['total_percent']:>7.2f}%{spot['samples']:>9}  "
        f"{safe_text(spot['symbol'], 54)}  [{safe_text(spot['object'].rsplit('/', 1)[-1], 16)}]"
        for spot in profile["hot_symbols"][:TABLE_ROWS]
    ]
    if python := report["python_stacks"]:
        lines.append(f"{python['samples']:,} samples of Python stacks by py-spy, apart from perf's")
        lines += [
            f"{spot['self_percent']:>6.2f}%{spot['total_percent']:>7.2f}%{spot['samples']:>9}  "
            f"{safe_text(spot['symbol'], 54)}  [{safe_text(spot['object'], 16)}]"
            for spot in python["hot_symbols"][:TABLE_ROWS]
        ]
    for name, status in report["collectors"].items():
        if status["health"] in (Health.DEGRADED, Health.UNAVAILABLE):
            lines.append(f"{name}: {status['reason']}")
    return "\n".join(part for line in lines for part in _fitting(safe_text(line))) + "\n"


def _fitting(line: str) -> list[str]:
    """The line, broken at spaces where it is wider than a table may be."""
    return textwrap.wrap(line, COLUMNS, subsequent_indent="  ") if len(line) > COLUMNS else [line]


def _leading(spots: list[Hotspot]) -> list[Hotspot]:
    """The first by own samples, and by total ones: callers that seldom run themselves."""
    by_total = sorted(spots, key=lambda spot: -spot.total)[:JSON_ROWS]
    own = spots[:JSON_ROWS]
    known = {spot.frame_id for spot in own}
    return own + [spot for spot in by_total if spot.frame_id not in known]


def _spot(spot: Hotspot, total: int) -> dict[str, Any]:
    return {
        "symbol": spot.frame.symbol,
        "object": spot.frame.object,
        "file": spot.frame.file,
        "kind": spot.frame.kind.name.lower(),
        "samples": spot.self_weight,
        "self_percent": 100 * spot.self_weight / total,
        "total_percent": 100 * spot.total / total,
    }


def _cell(value: object) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.2f} ms"
