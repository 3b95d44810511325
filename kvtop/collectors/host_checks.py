"""Checks of what is around perf: Python's frames, debug information, tools, files, terminal."""

from __future__ import annotations

import asyncio
import locale
import os
import re
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from pathlib import Path

from kvtop.collectors.checks import Check, State
from kvtop.collectors.children import output_of

_DEBUG = Path("/usr/lib/debug/.build-id")
_ROOM = 64 << 20
_SMALLEST = (80, 24)


async def host_checks(environ: Mapping[str, str] = os.environ) -> list[Check]:
    """Python frames, debug information, helper programs, room in /tmp, terminal."""
    flags = str(sysconfig.get_config_var("PY_CORE_CFLAGS") or "")
    flags += str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    found = check_python_frames(
        sys.version_info[:2], _has_jit(), "-fno-omit-frame-pointer" in flags
    )
    found.append(await _debug_information())
    found += check_tools({name: shutil.which(name) is not None for name in _TOOLS})
    found.append(check_room(Path(tempfile.gettempdir())))
    size = shutil.get_terminal_size((0, 0)) if sys.stdout.isatty() else None
    encoding = locale.getpreferredencoding(False)
    found += check_terminal(environ, sys.stdout.isatty(), encoding, size)
    return found


def _has_jit() -> bool:
    """Whether this interpreter was built for ``-X perf_jit`` (its trampolines exist here)."""
    return bool(sysconfig.get_config_var("PY_HAVE_PERF_TRAMPOLINE"))


def check_python_frames(version: tuple[int, int], jit: bool, frame_pointers: bool) -> list[Check]:
    """Which way to functions of Python there is in the cluster that kvtop starts.

    ``jit``: the interpreter can tell perf what it runs; ``frame_pointers``: it was built with them.
    """
    name = f"Python {version[0]}.{version[1]}"
    area = "python"
    if version < (3, 13):
        frames = Check(
            *(area, "cluster's frames", State.DEGRADED, f"{name} has no -X perf_jit"),
            cost="stacks of the cluster show the interpreter's C functions, not Python's",
            remedy="run kvtop under Python 3.13 or newer: uv tool install --python 3.13 .",
        )
    elif not jit:
        frames = Check(
            *(area, "cluster's frames", State.DEGRADED, f"{name} was built without perf support"),
            cost="stacks show the interpreter's C functions, not Python's",
            remedy="run kvtop under a python3.13 built with --enable-perf-trampoline (the default "
            "on x86-64 and arm64)",
        )
    else:
        frames = Check(area, "cluster's frames", State.OK, f"{name} with -X perf_jit")
    how = "with" if frame_pointers else "without"
    others = "python -X perf" if frame_pointers else "python3.13 -X perf_jit"
    return [
        frames,
        Check(
            *(area, "attached programs", State.OK),
            f"started with {others} they show Python's functions; this one is built {how} frame "
            "pointers",
        ),
    ]


async def _debug_information() -> Check:
    """Whether the C library's debug symbols are there, as a sample of all."""
    libc = _own_libc()
    build_id = ""
    if libc and shutil.which("readelf"):
        try:
            _, text, _ = await output_of(["readelf", "-n", libc])
        except (OSError, TimeoutError):
            text = ""
        match = re.search(r"Build ID: ([0-9a-f]+)", text)
        build_id = match[1] if match else ""
    return check_debug_information(libc, build_id)


def _own_libc() -> str:
    for line in Path("/proc/self/maps").read_text().splitlines():
        if re.search(r"/libc[.-]", path := line.split(maxsplit=5)[-1]):
            return path
    return ""


def check_debug_information(libc: str, build_id: str, directory: Path = _DEBUG) -> Check:
    """Debug symbols of the system's libraries, told by those of the C library."""
    name = "debug symbols"
    if build_id and (directory / build_id[:2] / f"{build_id[2:]}.debug").exists():
        return Check("symbols", name, State.OK, f"of {Path(libc).name} are installed")
    install = "sudo apt-get install libc6-dbg"
    if shutil.which("dnf"):
        install = "sudo dnf debuginfo-install glibc"
    elif shutil.which("pacman"):
        install = "export DEBUGINFOD_URLS=https://debuginfod.archlinux.org"
    return Check(
        *("symbols", name, State.DEGRADED, f"of {Path(libc).name or 'the C library'} are missing"),
        cost="internal functions of system libraries have no names, no source lines",
        remedy=install,
    )


_TOOLS = {
    "objdump": ("binutils", "no instructions in the source view"),
    "stdbuf": ("coreutils", "samples come late, in larger portions"),
}


def check_tools(there: Mapping[str, bool]) -> list[Check]:
    """Programs that kvtop calls beside perf."""
    found = []
    for name, (package, cost) in _TOOLS.items():
        if there[name]:
            found.append(Check("tools", name, State.OK, "is installed"))
            continue
        install = f"sudo apt-get install {package}"
        if shutil.which("apt-get") is None:
            install = f"install the package {package}"
        found.append(
            Check("tools", name, State.DEGRADED, "is not installed", cost=cost, remedy=install)
        )
    return found


def check_room(directory: Path) -> Check:
    """Whether the cluster's data and the dumps of compiled code have room."""
    try:
        free = shutil.disk_usage(directory).free
    except OSError as error:
        free, said = 0, f"{directory}: {error.strerror}"
    else:
        said = f"{free >> 20:,} MiB free in {directory}"
    if free >= _ROOM and os.access(directory, os.W_OK):
        return Check("files", "temporary files", State.OK, said)
    if free >= _ROOM:
        said = f"{directory} is not writable"
    return Check(
        *("files", "temporary files", State.DEGRADED, said),
        cost="the cluster has no place for its logs, Python's functions no names",
        remedy="export TMPDIR=/var/tmp",
    )


def check_terminal(
    environ: Mapping[str, str], tty: bool, encoding: str, size: os.terminal_size | None
) -> list[Check]:
    """What the screen will look like here; only text without a terminal."""
    area, term = "terminal", environ.get("TERM", "")
    if not tty:
        found = [Check(area, "screen", State.OK, "standard output is no terminal: not looked at")]
    elif term in ("", "dumb"):
        found = [
            Check(
                *(area, "screen", State.DEGRADED, f"TERM is {term or 'not set'}"),
                cost="no screen: --batch and --json only",
                remedy="export TERM=xterm-256color",
            )
        ]
    else:
        found = [_colours(environ, term)]
    if "utf" not in encoding.lower():
        found.append(
            Check(
                *(area, "characters", State.DEGRADED, f"the locale's encoding is {encoding}"),
                cost="frames and curves are drawn with wrong characters",
                remedy="export LC_ALL=C.UTF-8",
            )
        )
    else:
        found.append(Check(area, "characters", State.OK, encoding))
    if size is not None and (size.columns < _SMALLEST[0] or size.lines < _SMALLEST[1]):
        found.append(
            Check(
                *(area, "size", State.DEGRADED, f"{size.columns}x{size.lines}"),
                cost="panes are hidden; keys 1 to 7 bring them up one by one",
                remedy=f"enlarge it to {_SMALLEST[0]}x{_SMALLEST[1]} or more",
            )
        )
    elif size is not None:
        found.append(Check(area, "size", State.OK, f"{size.columns}x{size.lines}"))
    return found


def _colours(environ: Mapping[str, str], term: str) -> Check:
    if environ.get("COLORTERM", "") in ("truecolor", "24bit") or "direct" in term:
        return Check("terminal", "colours", State.OK, f"16 million (TERM is {term})")
    if "NO_COLOR" in environ:
        return Check("terminal", "colours", State.OK, "none, as NO_COLOR asks")
    number = "256" if "256" in term else "16"
    return Check(
        *("terminal", "colours", State.DEGRADED, f"{number} (TERM is {term})"),
        cost="flamegraph colours are approximate",
        remedy="export COLORTERM=truecolor, where the terminal can",
    )


async def all_checks(environ: Mapping[str, str] = os.environ) -> list[Check]:
    """Every check, those of perf first."""
    from kvtop.collectors.checks import perf_checks, read_rights

    parts = await asyncio.gather(perf_checks(read_rights()), host_checks(environ))
    return [check for part in parts for check in part]
