"""A comparison as JSON; docs/compare.md describes the schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isfinite
from typing import Any

from kvtop import __version__
from kvtop.compare.comparison import Comparison
from kvtop.compare.functions import Figure
from kvtop.compare.gate import Guilty, Verdict
from kvtop.compare.metrics import MetricChange
from kvtop.compare.model import Run
from kvtop.compare.statistics import Estimate
from kvtop.profile.frames import Frame

SCHEMA = "kvtop-diff/1"


def write_json(comparison: Comparison, rows: int | None) -> str:
    """All figures, and every function or the first ``rows``."""
    pair, alpha = comparison.pair, comparison.alpha
    functions = [
        {
            **_frame(function.frame),
            "self": _figure(function.own, alpha),
            "total": _figure(function.total, alpha),
        }
        for function in comparison.functions[:rows]
    ]
    data = {
        "schema": SCHEMA,
        "kvtop": __version__,
        "before": _side(pair.before),
        "after": _side(pair.after),
        "confidence": comparison.confidence,
        "units": "runs" if pair.independent else "blocks",
        "function_basis": str(comparison.basis),
        "function_unit": "cpu_seconds" if comparison.in_cpu else "samples",
        "figures": [_metric(row, alpha) for row in comparison.metrics],
        "functions": functions,
        "gained": [_guilty(guilty) for guilty in comparison.gained],
        "conditions": [_verdict(verdict) for verdict in comparison.verdicts],
        "failed": comparison.fails,
        "notes": list(comparison.notes),
    }
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _side(runs: Sequence[Run]) -> list[dict[str, Any]]:
    return [
        {
            "name": run.name,
            "seconds": run.seconds or None,
            "blocks": len(run.blocks),
            "weight": run.samples,
            "unit": run.unit,
            "event": run.event,
            "host": run.host,
            "kernel": run.kernel,
        }
        for run in runs
    ]


def _metric(row: MetricChange, alpha: float) -> dict[str, Any]:
    change = row.change
    return {
        "name": row.metric.name,
        "better": row.metric.better or None,
        "before": _estimate(change.before),
        "after": _estimate(change.after),
        "relative": _finite(change.relative),
        "low": _finite(change.low),
        "high": _finite(change.high),
        "p": change.p,
        "significant": None if change.p is None else row.significant(alpha),
    }


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return {
        "value": estimate.value,
        "standard_error": estimate.error,
        "units": estimate.units,
    }


def _figure(figure: Figure, alpha: float) -> dict[str, Any]:
    return {
        "before": {
            "weight": figure.before,
            "share": figure.before_share,
            "rate": figure.before_rate,
        },
        "after": {"weight": figure.after, "share": figure.after_share, "rate": figure.after_rate},
        "relative": figure.relative,
        "dispersion": figure.dispersion,
        "p": figure.p,
        "q": figure.q,
        "significant": None if figure.p is None else figure.significant(alpha),
    }


def _frame(frame: Frame) -> dict[str, Any]:
    return {
        "symbol": frame.symbol,
        "object": frame.object,
        "file": frame.file,
        "kind": frame.kind.name.lower(),
    }


def _guilty(guilty: Guilty) -> dict[str, Any]:
    return {
        **_frame(guilty.function.frame),
        "figure": "self" if guilty.own else "total",
        "change": guilty.figure.delta,
        "paths": [
            {"change": path.gain, "frames": [frame.symbol for frame in path.frames]}
            for path in guilty.paths
        ],
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "condition": verdict.condition.text,
        "change": _finite(verdict.change),
        "unit": "share" if verdict.condition.points else "relative",
        "limit": verdict.condition.limit,
        "p": verdict.p,
        "past": verdict.past,
        "significant": verdict.significant,
        "failed": verdict.fails,
        "guilty": [_guilty(guilty) for guilty in verdict.guilty],
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None
