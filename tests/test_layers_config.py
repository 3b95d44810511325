"""Rules files: which is read, that it goes before the built-in one, exit code 2 for a bad one."""

from __future__ import annotations

from pathlib import Path

import pytest

from kvtop.cli import main
from kvtop.config import UsageError
from kvtop.layers_config import BUILT_IN, layers_path, load_rules, user_rules
from kvtop.profile.layers import parse_rules

RULE = "[[rule]]\nlayer = 'payments'\nsymbol = '^pay'\n"


def home(tmp_path: Path, text: str | None) -> dict[str, str]:
    """An environment whose configuration holds this file of rules."""
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    if text is not None:
        path = layers_path(environ)
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return environ


def test_without_a_file_the_built_in_rules_are_all(tmp_path: Path) -> None:
    environ = home(tmp_path, None)
    assert user_rules(None, environ) == ()
    assert load_rules(None, environ) == parse_rules(BUILT_IN.read_text())


def test_the_users_file_goes_before_the_built_in_rules(tmp_path: Path) -> None:
    environ = home(tmp_path, RULE)
    assert layers_path(environ) == tmp_path / "config" / "kvtop" / "layers.toml"
    assert load_rules(None, environ)[0].layer == "payments"
    assert len(load_rules(None, environ)) == 1 + len(parse_rules(BUILT_IN.read_text()))


def test_the_option_stands_in_for_the_users_file(tmp_path: Path) -> None:
    environ = home(tmp_path, RULE)
    chosen = tmp_path / "mine.toml"
    chosen.write_text(RULE.replace("payments", "shop"))
    assert [rule.layer for rule in user_rules(chosen, environ)] == ["shop"]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"[[rule]]\nlayer='x'\n\n[[rule]]\nlayer='x'\nsymbol='('", "rule 1 (line 1): needs a"),
        (b"[[rule]]\nlayer='x'\nsymbol='['", "rule 1 (line 1): symbol '[' is no regex"),
        (b"\xff", "is not UTF-8"),
        (b"#" * ((1 << 20) + 1), "longer than a file of rules"),
    ],
)
def test_a_bad_file_ends_kvtop_with_file_and_rule(
    raw: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(raw)
    assert main(["--once", "--layers", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"kvtop: {path}") and said in error
    assert error.count("\n") == 1


def test_a_bad_users_file_is_told_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in home(tmp_path, "[[rule]]\n").items():
        monkeypatch.setenv(name, value)
    assert main(["--once"]) == 2
    assert "layers.toml: rule 1 (line 1): needs a layer" in capsys.readouterr().err


def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--layers: cannot read .*none\.toml: No such file"):
        user_rules(tmp_path / "none.toml", {})
    with pytest.raises(UsageError, match="cannot read"):
        user_rules(tmp_path, {})
