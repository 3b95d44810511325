"""Which processes a name, a control group, a container and a unit stand for: real ones."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvtop.collectors import targets
from kvtop.collectors.attach import AttachError
from kvtop.collectors.targets import Selection, find

MOUNTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd")
CONTAINER = uuid.uuid4().hex * 2


@pytest.fixture
def mark() -> str:
    """A word that no other command line has."""
    return f"kvtop-{uuid.uuid4().hex}"


@pytest.fixture
def sleepers(mark: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Three processes with the mark in their command line."""
    code = "import time; print(1, flush=True); time.sleep(60)"
    some = [
        subprocess.Popen([sys.executable, "-c", code, mark], stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    for one in some:
        assert one.stdout is not None and one.stdout.readline()
    yield some
    for one in some:
        one.kill()
        one.communicate()


class Group:
    """A control group with one process in it."""

    def __init__(self, inner: str) -> None:
        self.inner = inner
        self.process = subprocess.Popen(["sleep", "60"])
        self.path: Path | None = None
        self._made: list[Path] = []
        for mount in MOUNTS:
            try:
                self._make(Path(mount), inner)
                return
            except OSError:
                continue

    def _make(self, mount: Path, inner: str) -> None:
        path = mount
        if not (mount / "cgroup.procs").exists():
            raise OSError("no hierarchy")
        for part in inner.strip("/").split("/"):
            path /= part
            if not path.exists():
                path.mkdir()
                self._made.append(path)
        (path / "cgroup.procs").write_text(str(self.process.pid))
        self.path = path

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for path in reversed(self._made):
            # A process that was just reaped may keep its group for a moment.
            for _ in range(200):
                try:
                    path.rmdir()
                    break
                except OSError:
                    time.sleep(0.01)


@pytest.fixture
def group(request: pytest.FixtureRequest) -> Iterator[Group]:
    made = Group(request.param)
    if made.path is None:
        made.close()
        pytest.skip("no control group can be made here")
    yield made
    made.close()


def test_a_name_means_all_that_match(mark: str, sleepers: list[subprocess.Popen[bytes]]) -> None:
    found = find(Selection(name=f"{mark}$"))
    assert set(found.pids) == {one.pid for one in sleepers}
    assert found.remark == ""
    with pytest.raises(AttachError, match="no process has a name or command line that matches"):
        find(Selection(name=f"^{mark}"))


def test_kvtop_and_who_started_it_are_not_meant(mark: str) -> None:
    # Its own command line has the pattern, and so has its parent's.
    code = (
        "import sys; from kvtop.collectors.targets import Selection, find\n"
        "from kvtop.collectors.attach import AttachError\n"
        "try: print(find(Selection(name=sys.argv[1])).pids)\n"
        "except AttachError as error: print(error)"
    )
    script = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}, sys.argv[1]])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, mark], capture_output=True, text=True, check=True
    )
    assert "no process has a name" in done.stdout


def test_more_than_can_be_had_are_capped_with_a_sentence(
    mark: str, sleepers: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "MOST", 2)
    found = find(Selection(name=mark))
    assert len(found.pids) == 2
    assert found.remark == "3 processes match, of which 2 are profiled."


def test_children_that_run_already() -> None:
    code = (
        "import subprocess; p = subprocess.Popen(['sleep', '60'])\n"
        "print(p.pid, flush=True); p.wait()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    try:
        assert find(Selection(pids=(parent.pid,))).pids == (parent.pid,)
        assert find(Selection(pids=(parent.pid,), children=True)).pids == (parent.pid, child)
    finally:
        os.kill(child, 9)
        parent.communicate()


@pytest.mark.parametrize("group", [f"/kvtop-test-{os.getpid()}/inner"], ids=["own"], indirect=True)
def test_a_control_group_and_those_below_it(group: Group) -> None:
    top = group.inner.rpartition("/")[0]
    for text in (group.inner, top, str(group.path), top.strip("/")):
        assert find(Selection(cgroup=text)).pids == (group.process.pid,)
    assert group.path is not None
    group.process.kill()
    group.process.wait()
    with pytest.raises(AttachError, match="no process runs in the cgroup"):
        find(Selection(cgroup=group.inner))


def test_a_control_group_that_does_not_exist_or_is_everything() -> None:
    with pytest.raises(AttachError, match="there is no cgroup /kvtop/nowhere"):
        find(Selection(cgroup="/kvtop/nowhere"))
    with pytest.raises(AttachError, match="-a profiles the whole machine"):
        find(Selection(cgroup="/"))


@pytest.mark.parametrize("group", [f"/docker/{CONTAINER}"], ids=["docker"], indirect=True)
def test_a_container_by_the_beginning_of_its_id(group: Group) -> None:
    for text in (CONTAINER[:12], CONTAINER):
        assert find(Selection(container=text)).pids == (group.process.pid,)


@pytest.mark.parametrize(
    "group", [f"/kvtop.slice/docker-{CONTAINER}.scope"], ids=["docker scope"], indirect=True
)
def test_a_container_by_the_name_that_docker_keeps(
    group: Group, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / CONTAINER
    kept.mkdir()
    (kept / "config.v2.json").write_text('{"Name": "/web"}')
    monkeypatch.setattr(targets, "_DOCKER", tmp_path)
    assert find(Selection(container="web")).pids == (group.process.pid,)
    with pytest.raises(AttachError, match="no process runs in a container db"):
        find(Selection(container="db"))


@pytest.mark.parametrize("group", ["/lxc.payload.kvtop-test"], indirect=True)
def test_a_container_by_its_group(group: Group) -> None:
    assert find(Selection(container="kvtop-test")).pids == (group.process.pid,)


@pytest.mark.parametrize("group", ["/kvtop.slice/kvtop-test.service"], indirect=True)
def test_a_unit_with_and_without_its_ending(group: Group) -> None:
    assert find(Selection(unit="kvtop-test")).pids == (group.process.pid,)
    assert find(Selection(unit="kvtop-test.service")).pids == (group.process.pid,)
    assert find(Selection(unit="kvtop.slice")).pids == (group.process.pid,)
    with pytest.raises(AttachError, match=r"unit kvtop-te\.service; see systemctl status"):
        find(Selection(unit="kvtop-te"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_those_of_other_users_are_refused(
    mark: str, sleepers: list[subprocess.Popen[bytes]]
) -> None:
    code = (
        "import os, sys; from kvtop.collectors.targets import Selection, find\n"
        "from kvtop.collectors.attach import AttachError\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: find(Selection(name=sys.argv[1][::-1]))\n"
        "except AttachError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, mark[::-1]], capture_output=True, text=True, check=True
    )
    assert "the 3 processes of" in done.stdout
    assert "belong to other users: start kvtop with sudo" in done.stdout
