"""``kvtop bench``: measures, keeps a baseline, compares with it, and profiles."""

from __future__ import annotations

import argparse
import difflib
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kvtop.config import UsageError
from kvtop.profile.text import safe_text

if TYPE_CHECKING:
    import pyperf  # type: ignore[import-untyped]

    from kvtop.bench.compare import Comparison

_DESCRIPTION = """\
Benchmarks of the store and the profile engine, run by pyperf in processes of their own:
calibrated, warmed up, in a JSON file that pyperf reads as well.

  kvtop bench --list
  kvtop bench skiplist raft -o now.json          groups, single names or globs
  kvtop bench --save-baseline                    keep all of them
  kvtop bench --baseline --fail-on 5%            exit code 1 where one is slower than that
  kvtop bench wal.replay --profile --baseline    with a red and blue flamegraph of what changed
  python -m pyperf compare_to before.json now.json --table
"""
_DEFAULT = ""
"""An option's FILE that was left out."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.description = _DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="what to run (every micro benchmark)")
    add("--list", action="store_true", help="print the names and what each measures")
    add("--macro", action="store_true", help="the cluster as well: a fresh one for every run")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--fast", action="store_true", help="rough figures, in half the time")
    pace.add_argument("--rigorous", action="store_true", help="more runs, twice the time")
    add("-o", "--output", type=Path, metavar="FILE", help="write the figures (pyperf's JSON)")
    add("--from", dest="source", type=Path, metavar="FILE", help="run nothing, take its figures")
    add(
        "--baseline",
        nargs="?",
        const=_DEFAULT,
        metavar="FILE",
        help="compare with this file (the one of --save-baseline); names go before it",
    )
    add(
        "--save-baseline",
        nargs="?",
        const=_DEFAULT,
        metavar="FILE",
        help="keep the figures (~/.local/share/kvtop/bench/baseline.json); names go before it",
    )
    add(
        "--fail-on",
        type=_share,
        metavar="PERCENT",
        help="with --baseline: exit code 1 where one is slower by more, and not by chance (5%%)",
    )
    add(
        "--profile",
        action="store_true",
        help="profile each too, afterwards: folded stacks and a flamegraph beside the figures, "
        "with --baseline the difference to its own",
    )
    add("--profile-dir", type=Path, metavar="DIR", help="where the profiles go instead")
    tuning = parser.add_argument_group("pyperf's own", "As for any benchmark of pyperf.")
    for flags, kind, text in _PYPERF:
        tuning.add_argument(*flags, type=kind, metavar=flags[-1].strip("-").upper(), help=text)
    add("-q", "--quiet", action="store_true", help="one line a benchmark, no warnings")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def _natural(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError("must be seconds above 0")
    return value


def _cpus(text: str) -> str:
    """``0,2-3``, if these CPUs exist; pyperf would find out in each of its processes."""
    for part in text.split(","):
        found = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", part.strip())
        if found is None:
            raise argparse.ArgumentTypeError(f"{text!r} must be CPUs, such as 2 or 0,2-3")
        first, last = int(found[1]), int(found[2] or found[1])
        if not first <= last < (os.cpu_count() or 1):
            raise argparse.ArgumentTypeError(f"there is no CPU {part.strip()}, see lscpu")
    return text


def _share(text: str) -> float:
    """``5%`` or ``5`` -> 0.05."""
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage, such as 5%") from None
    if not 0 <= value < 1e6:
        raise argparse.ArgumentTypeError("must be 0% or more")
    return value / 100


_PYPERF = (
    (("-p", "--processes"), _positive, "processes of a benchmark; fresh clusters of --macro"),
    (("-n", "--values"), _positive, "values of a process"),
    (("-w", "--warmups"), _natural, "values of a process that are skipped first"),
    (("-l", "--loops"), _natural, "rounds of a value (0: as many as --min-time takes)"),
    (("--min-time",), _seconds, "seconds that a value takes at least"),
    (("--affinity",), _cpus, "CPUs that the processes are bound to, as 2-3"),
)


def run(arguments: argparse.Namespace) -> int:
    """Measure, and compare; the exit code. UsageError for names and files that are none."""
    from kvtop.bench import files, running

    names = _names(arguments.names, arguments.macro)
    if arguments.list:
        _print_list(names)
        return 0
    _check(arguments)
    home = files.default_baseline()
    against = _path(arguments.baseline, home)
    keep = _path(arguments.save_baseline, home)
    # Read first: a mistake is better told before half an hour of work.
    before = files.read_figures(against) if against is not None else None
    with running.tidy_on_signals():
        code = 0
        if arguments.source is not None:
            after = files.read_figures(arguments.source)
        else:
            after, code = _measure(names, arguments)
        if after is None:
            return code
        for path in (arguments.output, keep):
            if path is not None:
                files.write_figures(path, after)
        profiles = _profile(after, arguments, keep) if arguments.profile else None
        if before is not None and against is not None:
            code = max(code, _compare(before, after, arguments.fail_on, against, profiles))
        if keep is not None:
            print(f"kept as the baseline: {keep}")
    return code


def _names(wanted: Sequence[str], macro: bool) -> list[str]:
    from kvtop.bench.running import every_name, names_of

    try:
        return names_of(wanted, macro)
    except KeyError as error:
        name = str(error.args[0])
        groups = {one.partition(".")[0] for one in every_name()}
        close = difflib.get_close_matches(name, [*every_name(), *sorted(groups)], 1, 0.5)
        hint = f"did you mean {close[0]}?" if close else "see kvtop bench --list."
        raise UsageError(f"there is no benchmark {safe_text(name, 80)!r}: {hint}") from None


def _print_list(names: Sequence[str]) -> None:
    from kvtop.bench.running import text_of

    width = max(map(len, names))
    for name in names:
        print(f"{name:<{width}}  {text_of(name)}")


def _check(arguments: argparse.Namespace) -> None:
    from kvtop.bench.running import names_of

    for option in ("baseline", "save_baseline"):
        file = getattr(arguments, option)
        if file and not Path(file).exists():
            try:
                names_of([file], False)
            except KeyError:
                continue
            flag = option.replace("_", "-")
            raise UsageError(f"--{flag} took {file!r} as its FILE: write names before it.")
    if arguments.fail_on is not None and arguments.baseline is None:
        raise UsageError("--fail-on needs --baseline, to compare with.")
    if arguments.source is not None and (arguments.names or arguments.macro or arguments.profile):
        raise UsageError("--from runs nothing: leave out names, --macro and --profile.")
    if arguments.profile_dir is not None and not arguments.profile:
        raise UsageError("--profile-dir needs --profile.")


def _path(option: str | None, home: Path) -> Path | None:
    return None if option is None else Path(option) if option else home


def _measure(
    names: Sequence[str], arguments: argparse.Namespace
) -> tuple[pyperf.BenchmarkSuite | None, int]:
    """The figures, None without any, and 1 where a benchmark failed."""
    import pyperf

    from kvtop.bench.running import BenchFailed, Effort, run_one
    from kvtop.bench.system import system_warnings

    if not arguments.quiet:
        for warning in system_warnings():
            _warn(warning)
    effort = Effort(
        "fast" if arguments.fast else "rigorous" if arguments.rigorous else "",
        tuple(_pyperf_options(arguments)),
        arguments.quiet,
        arguments.processes,
    )
    done, code = [], 0
    for name in names:
        try:
            done.append(run_one(name, effort))
        except BenchFailed as error:
            print(f"kvtop: {error}.", file=sys.stderr)
            code = 1
        except (KeyboardInterrupt, SystemExit):
            if not done or arguments.output is None:
                raise
            # What was measured stays measured; the baseline is not replaced by a part.
            from kvtop.bench.files import write_figures

            write_figures(arguments.output, pyperf.BenchmarkSuite(done))
            _warn(f"stopped before {name}; {arguments.output} has what came before it")
            raise
    return (pyperf.BenchmarkSuite(done) if done else None), code


def _pyperf_options(arguments: argparse.Namespace) -> list[str]:
    words = []
    for flags, _, _ in _PYPERF:
        value = getattr(arguments, flags[-1].strip("-").replace("-", "_"))
        if value is not None:
            words.append(f"{flags[-1]}={value}")
    return words


def _profile(
    after: pyperf.BenchmarkSuite, arguments: argparse.Namespace, keep: Path | None
) -> Path:
    """Profile what was measured; the directory of the profiles."""
    from kvtop.bench import profiles
    from kvtop.bench.sampling import NoProfile, sample

    beside = [path for path in (arguments.output, keep) if path is not None]
    directory: Path = arguments.profile_dir or profiles.directory_of(
        beside[0] if beside else Path("kvtop-bench.json")
    )
    for name in after.get_benchmark_names():
        try:
            print(f"profile of {name}: {profiles.save(directory, name, sample(name))}")
        except NoProfile as error:
            _warn(f"no profile of {name}: {str(error).rstrip('.')}")
    kept = profiles.directory_of(keep) if keep is not None else directory
    if kept != directory:
        shutil.copytree(directory, kept, dirs_exist_ok=True)
    return directory


def _compare(
    before: pyperf.BenchmarkSuite,
    after: pyperf.BenchmarkSuite,
    threshold: float | None,
    against: Path,
    profiles: Path | None,
) -> int:
    """Print the comparison; 1 where one is slower by more than the threshold."""
    from kvtop.bench.compare import compare, lines_of, ratio_text

    comparison = compare(before, after)
    for difference in comparison.differences:
        _warn(difference)
    if not comparison.compared:
        raise UsageError(f"{safe_text(str(against))} has none of these benchmarks.")
    print("\n".join(lines_of(comparison)))
    if profiles is not None:
        _compare_profiles(comparison, against, profiles)
    if threshold is None:
        return 0
    unsure = [one.name for one in comparison.compared if one.t is None]
    if unsure:
        _warn(f"too few values to tell whether these are slower: {', '.join(unsure)}")
    slower = comparison.slower(threshold)
    for one in slower:
        limit = f"{100 * threshold:g} %"
        print(f"kvtop: {one.name} is {ratio_text(one.ratio)} (more than {limit}).", file=sys.stderr)
    return 1 if slower else 0


def _compare_profiles(comparison: Comparison, against: Path, profiles: Path) -> None:
    from kvtop.bench.profiles import directory_of, save_diff

    for one in comparison.compared:
        try:
            guilty = save_diff(directory_of(against), profiles, one.name)
        except ValueError as error:
            _warn(str(error))
            continue
        if guilty is None:
            _warn(f"no profile of {one.name} to compare with: keep one by --profile")
            continue
        print(f"{one.name}: {profiles / one.name}.diff.svg")
        for line in guilty:
            print(f"  more than before: {line}")


def _warn(text: str) -> None:
    print(f"kvtop: warning: {text}.", file=sys.stderr, flush=True)
