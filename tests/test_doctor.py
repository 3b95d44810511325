"""The command kvtop doctor: its words, its exit code, and what it finds for whom."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kvtop import doctor
from kvtop.cli import main
from kvtop.collectors.checks import Check, State

OK = Check("perf", "perf", State.OK, "version 6.1", needed=True)
SLOW = Check(
    *("limits", "perf's buffers", State.DEGRADED, "64 KiB"),
    cost="lost samples",
    remedy="sudo sysctl kernel.perf_event_mlock_kb=4100 and more that is wider than eighty columns",
)
GONE = Check("rights", "own processes", State.MISSING, "refused\x1b[2J", needed=True)


def test_each_finding_with_its_cost_and_a_command_that_is_never_broken() -> None:
    lines = list(doctor.report([OK, SLOW], 80))
    text = "\n".join(lines)
    assert "ok" in lines[1] and "version 6.1" in lines[1]
    assert "costs: lost samples" in text
    assert any(line.endswith(f"mend:  {SLOW.remedy}") for line in lines)
    assert all(len(line) <= 80 for line in lines if "mend:" not in line)
    assert "1 of 2" in lines[-1]


def test_only_what_is_needed_makes_it_unusable() -> None:
    assert doctor.usable([OK, SLOW])
    assert not doctor.usable([OK, GONE])
    assert "cannot profile" in doctor.verdict([OK, GONE])
    assert "everything" in doctor.verdict([OK])


def test_what_was_found_cannot_act_on_the_terminal() -> None:
    assert "\x1b" not in "".join(doctor.report([GONE], 80))


def test_json_of_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert code == (0 if report["usable"] else 1)
    for check in report["checks"]:
        assert check["state"] in ("ok", "degraded", "missing")
        if check["state"] != "ok":
            assert check["found"] and check["cost"]
    areas = {check["area"] for check in report["checks"]}
    assert {"perf", "rights", "events", "python", "terminal"} <= areas


def test_without_perf_it_says_what_to_install_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert doctor.run(argparse.Namespace(json=False)) == 1
    out = capsys.readouterr().out
    assert "perf is not installed" in out and "MISSING" in out


@pytest.mark.e2e
def test_an_ordinary_user_is_told_what_works_and_what_does_not() -> None:
    """As nobody, under the system's Python: root's own may be out of reach for others."""
    python = Path("/usr/bin/python3")
    version = subprocess.run(
        [python, "-c", "import sys; print(sys.version_info >= (3, 11))"],
        capture_output=True,
        text=True,
        check=False,
    )
    if os.geteuid() or version.stdout != "True\n":
        pytest.skip("needs root to become somebody else, and the system's Python 3.11 or newer")
    root = Path(doctor.__file__).parent.parent
    code = f"import sys; sys.path.insert(0, {str(root)!r}); from kvtop.cli import main; "
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    done = subprocess.run(
        [*become, python, "-B", "-c", code + "sys.exit(main(['doctor', '--json']))"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
    )
    if "Permission denied" in done.stderr or "No module named 'kvtop'" in done.stderr:
        pytest.skip("the project is where others cannot read")
    found = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    # The same kernel settings bind this user and not root.
    paranoid = int(Path("/proc/sys/kernel/perf_event_paranoid").read_text())
    assert found["others' processes"]["state"] == "degraded"
    assert "sudo" in found["others' processes"]["remedy"]
    assert found["tracepoints"]["state"] == "degraded"
    if paranoid > 2:
        assert done.returncode == 1 and found["own processes"]["state"] == "missing"
    elif paranoid == 2:
        assert done.returncode == 0 and found["own processes"]["state"] == "ok"
        assert "perf_event_paranoid=1" in found["kernel side"]["remedy"]


def test_python_version_that_runs_the_tests_is_in_the_report(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["doctor"])
    assert f"Python {sys.version_info[0]}.{sys.version_info[1]}" in capsys.readouterr().out
