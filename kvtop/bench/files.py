"""Files of figures: read with one sentence where they are none, written whole, and the default."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Mapping
from pathlib import Path

import pyperf  # type: ignore[import-untyped]

from kvtop.config import UsageError
from kvtop.export.outputs import write_file
from kvtop.profile.text import safe_text


def default_baseline(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the baseline is kept that has no name (XDG base directory specification)."""
    data = environ.get("XDG_DATA_HOME") or str(Path(environ.get("HOME", "/")) / ".local/share")
    return Path(data) / "kvtop" / "bench" / "baseline.json"


def read_figures(path: Path) -> pyperf.BenchmarkSuite:
    """The benchmarks of a file that pyperf can read; UsageError."""
    shown = safe_text(str(path))
    try:
        suite = pyperf.BenchmarkSuite.load(str(path))
        measured = [benchmark for benchmark in suite if benchmark.get_nvalue()]
    except FileNotFoundError:
        raise UsageError(
            f"there is no file {shown}; kvtop bench --save-baseline makes one."
        ) from None
    except OSError as error:
        raise UsageError(f"cannot read {shown}: {error.strerror or error}.") from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, EOFError) as error:
        why = safe_text(str(error), 120)
        raise UsageError(f"{shown} is no file of pyperf's benchmarks: {why}.") from None
    if not measured:
        raise UsageError(f"{shown} has no values, only calibration.")
    return pyperf.BenchmarkSuite(measured, filename=str(path))


def write_figures(path: Path, suite: pyperf.BenchmarkSuite) -> None:
    """Replace a file in one step; one that ends in .gz is compressed. OSError."""
    text = io.StringIO()
    suite.dump(text)
    data = text.getvalue().encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, gzip.compress(data) if path.name.endswith(".gz") else data)
