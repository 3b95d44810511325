"""What there was in a whole run, as plain data and as text."""

from __future__ import annotations

import statistics
from typing import Any

from kvtop import __version__
from kvtop.batch import make_report
from kvtop.config import Config
from kvtop.profile.series import Series
from kvtop.recorder import Recorded
from kvtop.session import Session
from kvtop.store import Store


def summary(
    session: Session,
    config: Config,
    seconds: float,
    interrupted: bool,
) -> dict[str, Any]:
    """A report of ``kvtop --json`` over the whole run, with ``run``, ``load`` and ``totals``.

    The profile covers what the ring still holds of it: the last ten minutes. What was recorded
    is yet to come: `recording_facts`.
    """
    store = session.store
    first = store.ring.first_time
    # perf began before the run's clock did; a little more, because time goes on.
    held = max(seconds, 0.0 if first is None else session.now - first) + 0.1
    report = make_report(session, min(round(held, 1), store.ring.seconds))
    return {
        "run": {
            "kvtop": __version__,
            "host": store.info.host,
            "kernel": store.info.kernel,
            "perf": store.info.perf_version,
            "seconds": seconds,
            "interrupted": interrupted,
        },
        **report,
        "load": _load(store),
        "totals": [
            {"label": label, "event": event, "value": total.amount, "shared": shared}
            for label in store.counters.labels
            for event in store.counters.events
            if (total := store.counters.total(label, event)) is not None
            for shared in [store.counters.was_shared(label, event)]
        ],
    }


def recording_facts(recorded: Recorded | None, problem: str) -> dict[str, Any]:
    """What ``run`` says of the recording; its file is None where nothing was recorded."""
    return {
        "recording": recorded and {"file": str(recorded.path), "bytes": recorded.size},
        "recording_problem": problem,
    }


def _load(store: Store) -> dict[str, Any] | None:
    """Throughput and latency of the clients over the run; None without clients.

    The percentiles of intervals cannot be added up to one of the run: their median and their
    worst are told.
    """
    last, times = store.stress.last, store.stress.rate.since(0.0)
    if last is None or not times:
        return None
    # The first figure is of an interval too.
    seconds = last.time - times[0][0] + last.interval
    operations = store.stress.operations.amount
    return {
        "operations": round(operations),
        "errors": last.total_errors,
        "seconds": seconds,
        "rate": operations / seconds if seconds > 0 else None,
        "p50": _spread(store.stress.p50),
        "p99": _spread(store.stress.p99),
        "p999": _spread(store.stress.p999),
    }


def _spread(series: Series) -> dict[str, float] | None:
    values = [value for _, value in series.since(0.0) if value is not None]
    return {"median": statistics.median(values), "worst": max(values)} if values else None


def summary_lines(told: dict[str, Any]) -> list[str]:
    """What a report does not say."""
    run, load = told["run"], told["load"]
    ended = "was ended by a signal after" if run["interrupted"] else "ran for"
    lines = [f"{ended} {run['seconds']:.1f} s on {run['host']}, Linux {run['kernel']}"]
    if load is not None and load["rate"] is not None:
        lines.append(
            f"load: {load['operations']:,} operations, {load['rate']:,.0f} a second, "
            f"{load['errors']:,} errors"
        )
    if recording := run["recording"]:
        lines.append(f"recorded {recording['bytes'] / 1e6:.2f} MB in {recording['file']}")
    return lines
