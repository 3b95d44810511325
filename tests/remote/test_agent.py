"""The agent over two pipes instead of a network: what it needs, and what it leaves behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kvtop.collectors.procfs import arguments, descendants
from kvtop.config import Config, UsageError
from kvtop.events import Health, LogLine
from kvtop.remote.address import Address
from kvtop.remote.session import RemoteSession
from kvtop.session import StartError
from kvtop.tool_events import Tool
from tests.collectors.helpers import SPIN, processes, until

_SSH = """\
#!/bin/sh
for last; do :; done
echo 'Welcome to this machine.'
exec /usr/bin/env -i HOME={home} TMPDIR={home} PATH={path} /bin/sh -c "$last"
"""


def script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def near(directory: Path, python: str, path: str = "/usr/bin:/bin") -> tuple[str, ...]:
    """A stand-in for ssh that runs the command here, in an empty home, with one python3."""
    (directory / "home").mkdir()
    (directory / "bin").mkdir()
    script(directory / "bin" / "python3", python)
    text = _SSH.format(home=directory / "home", path=f"{directory / 'bin'}:{path}")
    return (str(script(directory / "ssh", text)),)


def real(name: str) -> str:
    """An interpreter under its own name: that of an environment would bring its packages."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name}")
    code = "import os, sys; print(os.path.realpath(sys.executable))"
    told = subprocess.run([found, "-c", code], check=False, capture_output=True, text=True)
    if told.returncode:
        pytest.skip(f"{name} does not run")
    return f'#!/bin/sh\nexec {told.stdout.strip()} "$@"\n'


@asynccontextmanager
async def session(
    ssh: tuple[str, ...], *pids: int, sudo: bool = False
) -> AsyncIterator[RemoteSession]:
    there = Address("there")
    made = RemoteSession(Config(attach=pids, ssh=there, ssh_command=ssh, ssh_sudo=sudo))
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


@pytest.mark.e2e
@pytest.mark.skipif(shutil.which("perf") is None, reason="needs perf")
@pytest.mark.parametrize("python", [sys.executable, "python3.11"])
async def test_it_runs_by_the_standard_library_alone_and_leaves_no_file(
    tmp_path: Path, python: str
) -> None:
    ssh = near(tmp_path, real(python))
    with processes(SPIN) as (spin,):
        async with session(ssh, spin.pid) as here:
            store = here.store
            (label,) = store.targets
            assert label.endswith(f"({spin.pid})") and store.info.title == f"there: {label}"
            # Every module of its own that it may ever load: those of the waits and tools too.
            here.follow_waits(True)
            for tool in Tool:
                here.follow_tool(tool)
                await until(lambda tool=tool: tool in store.collectors)
            await until(lambda: here.fold(60) and store.counters.labels and store.cluster.usage)
            assert "cpu-clock" in {event.name for event in await here.list_events()}
            assert store.info.cpus == os.cpu_count()
            assert store.health("off_cpu").health in (Health.OK, Health.STARTING)
            agents = [p for p in descendants(os.getpid()) if "-ISBc" in arguments(p)]
            assert agents
            assert not [one for one in store.logs.items if one.level == "error"]
        assert not [pid for pid in agents if arguments(pid)]
    assert list((tmp_path / "home").iterdir()) == []


@pytest.mark.parametrize(
    ("python", "sentence"),
    [
        ("#!/bin/sh\necho Python 3.9.2\nexit 1\n", "newer on there, where python3 is Python 3.9.2"),
        ("#!/bin/sh\nexit 127\n", "newer on there, where there is no python3"),
    ],
)
async def test_a_host_without_a_python_that_will_do(
    tmp_path: Path, python: str, sentence: str
) -> None:
    ssh = near(tmp_path, python)
    for name in ("python3.11", "python3.12", "python3.13", "python3.14"):
        script(tmp_path / "bin" / name, "#!/bin/sh\nexit 1\n")
    with pytest.raises(StartError, match=sentence):
        async with session(ssh, 1):
            pass


@pytest.mark.parametrize("sudo", [False, True])
async def test_a_process_that_is_not_there(tmp_path: Path, sudo: bool) -> None:
    ssh = near(tmp_path, real(sys.executable))
    if sudo:
        script(tmp_path / "bin" / "sudo", '#!/bin/sh\n[ "$1" = -n ] && shift && exec "$@"\n')
    with processes(["true"]) as (gone,):
        gone.wait()
        with pytest.raises(UsageError, match=f"^On there: there is no process {gone.pid};"):
            async with session(ssh, gone.pid, sudo=sudo):
                pass


async def test_sudo_that_asks_for_a_password_is_named(tmp_path: Path) -> None:
    ssh = near(tmp_path, real(sys.executable))
    script(
        tmp_path / "bin" / "sudo", "#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n"
    )
    with pytest.raises(StartError, match=r"sudo on there .*a password is required"):
        async with session(ssh, 1, sudo=True):
            pass


async def test_no_perf_on_the_host_is_said_with_its_name(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "true", "stdbuf"):
        (tools / name).symlink_to(shutil.which(name) or "/bin/sh")
    ssh = near(tmp_path, real(sys.executable), str(tools))
    if any((Path(d) / "perf").exists() for d in ("/usr/local/bin", "/usr/sbin", "/sbin")):
        pytest.skip("perf is where every administrator has it")
    with processes(SPIN) as (spin,):
        async with session(ssh, spin.pid) as here:
            await until(lambda: here.store.health("perf_record").health is Health.UNAVAILABLE)
            reason = here.store.health("perf_record").reason
    assert reason.startswith("On there: perf is not installed:")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("yes Welcome", "login shell prints too much"),
        ("echo 'ssh: Could not resolve hostname there: x' >&2; exit 255", "There is no host there"),
        ("echo oops >&2; exit 3", "ssh to there ended: oops"),
        ("exit 3", "ssh to there ended: exit status 3"),
        (
            """printf '\\n["hello",{"cpu":"c","cpus":2}]\\n'; echo '{"no": 1}'; cat >/dev/null""",
            "sent what kvtop cannot read",
        ),
        (
            """printf '\\n["hello",{"cpu":"c","cpus":"x"}]\\n'; cat >/dev/null""",
            "sent what kvtop cannot read",
        ),
    ],
)
async def test_whatever_is_at_the_other_end_it_becomes_a_sentence(
    tmp_path: Path, text: str, sentence: str
) -> None:
    ssh = str(script(tmp_path / "ssh", f"#!/bin/sh\n{text}\n"))
    with pytest.raises(StartError, match=sentence):
        async with session((ssh,), 1):
            pass


async def test_without_ssh_the_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"is not installed: install OpenSSH's client"):
        async with session((str(tmp_path / "none"),), 1):
            pass


async def test_the_clock_of_the_host_is_told(tmp_path: Path) -> None:
    ssh = near(tmp_path, real(sys.executable))
    with processes(SPIN) as (spin,):
        async with session(ssh, spin.pid) as here:
            lines = [one for one in here.store.logs.items if isinstance(one, LogLine)]
            assert any("wrong by" in one.text for one in lines)
            connection = here._connection
            assert connection is not None
            # Here both clocks are the same one.
            assert abs(connection.clock.offset) <= connection.clock.error
