"""The completion scripts in the shells that they are for."""

from __future__ import annotations

import os
import pty
import select
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from kvtop.completion import bash, fish, zsh
from kvtop.interface import whole
from kvtop.options import THEMES

SCRIPTS = {"bash": bash, "zsh": zsh, "fish": fish}
_ZSH = """\
fpath=({folder} $fpath)
autoload -U compinit && compinit -u -D
zstyle ':completion:*' list-prompt ''
LISTMAX=10000
PS1='ready> '
"""


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"needs {shell}")


def run(shell: str, *argv: str, cwd: Path) -> str:
    done = subprocess.run(
        [shell, *argv], capture_output=True, text=True, timeout=30, cwd=cwd, check=True
    )
    assert done.stderr == ""
    return done.stdout


def in_bash(line: str, cwd: Path) -> list[str]:
    """What bash offers at the end of a line."""
    words = line.split(" ")
    script = (
        f"{bash(whole())}\nCOMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}\n"
        'compopt() { :; }; _kvtop; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    return run("bash", "--norc", "-c", script, cwd=cwd).split()


def in_fish(line: str, cwd: Path) -> list[str]:
    """What fish offers at the end of a line."""
    (cwd / "kvtop.fish").write_text(fish(whole()))
    out = run("fish", "--no-config", "-c", f"source kvtop.fish; complete -C '{line}'", cwd=cwd)
    (cwd / "kvtop.fish").unlink()
    return [row.split("\t")[0] for row in out.splitlines()]


def in_zsh(line: str, cwd: Path) -> list[str]:
    """What zsh offers at the end of a line: typed into a real one, Tab pressed."""
    (cwd / "zsh").mkdir(exist_ok=True)
    (cwd / "zsh/_kvtop").write_text(zsh(whole()))
    (cwd / "zsh/.zshrc").write_text(_ZSH.format(folder=cwd / "zsh"))
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        environ = {**os.environ, "ZDOTDIR": str(cwd / "zsh"), "TERM": "dumb", "COLUMNS": "200"}
        os.execvpe("zsh", ["zsh", "-i"], environ)
    try:
        _read_until(terminal, "ready> ")
        os.write(terminal, f"{line}\t\t".encode())
        # After what is on offer zsh shows the line again, for which it sends the prompt.
        shown = _read_until(terminal, "ready> ")
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)
    return shown.replace("\x07", "").split()


def _read_until(terminal: int, text: str) -> str:
    seen, end = "", time.monotonic() + 20
    while text not in seen:
        assert time.monotonic() < end, seen
        if select.select([terminal], [], [], 0.2)[0]:
            seen += os.read(terminal, 65536).decode(errors="replace")
    return seen


SHELLS = {"bash": in_bash, "zsh": in_zsh, "fish": in_fish}


@pytest.mark.parametrize("shell", [pytest.param(name, marks=needs(name)) for name in SHELLS])
def test_what_a_shell_offers(shell: str, tmp_path: Path) -> None:
    offered = SHELLS[shell]
    for name in ("a.data", "a.svg"):
        (tmp_path / name).touch()
    assert {"flame", "view", "kv", "man"} <= set(offered("kvtop ", tmp_path))
    assert {"--nodes", "--no-mouse", "--no-stress"} <= set(offered("kvtop --no", tmp_path))
    assert set(THEMES) <= set(offered("kvtop --readonly --theme ", tmp_path))
    assert {"samples", "period"} <= set(offered("kvtop flame --weight ", tmp_path))
    files = " ".join(offered("kvtop flame --glue ./a", tmp_path))
    assert "a.data" in files and "a.svg" in files
    assert {"get", "put", "scan"} <= set(offered("kvtop kv ", tmp_path))
    assert {"--deadline", "--limit"} <= set(offered("kvtop kv scan --", tmp_path))
    assert {"bash", "zsh", "fish"} <= set(offered("kvtop completion ", tmp_path))
    assert "flame" not in offered("kvtop kv ", tmp_path)
    assert "--nodes" not in offered("kvtop flame --", tmp_path)


@pytest.mark.parametrize("shell", SCRIPTS)
def test_every_command_and_option_is_in_the_script(shell: str) -> None:
    top = whole()
    script = SCRIPTS[shell](top)
    for level in top.walk():
        assert level.name in script
        for option in level.options:
            long = option.flags[-1]
            assert (f"-l {long[2:]}" if shell == "fish" else long) in script


def test_the_command_prints_it() -> None:
    from tests.test_cli import kvtop

    assert kvtop("completion", "fish").stdout == fish(whole())
    assert kvtop("completion", "tcsh").returncode == 2
