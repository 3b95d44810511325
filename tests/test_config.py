"""Options: the order of the sources, and one clear sentence for each bad value."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from kvtop.config import Config, UsageError, add_options, config_path, load
from kvtop.options import OPTIONS, THEMES


def flags(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_options(parser)
    return parser.parse_args(argv)


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path)}


def write_file(environ: dict[str, str], text: str) -> None:
    path = config_path(environ)
    path.parent.mkdir(parents=True)
    path.write_text(text)


def test_defaults_where_nothing_is_said(home: dict[str, str]) -> None:
    assert load(flags(), home) == Config()


def test_flag_beats_environment_beats_file(home: dict[str, str]) -> None:
    write_file(home, "clients = 2\nvalue_size = 64\nkeys = 5\n")
    home |= {"KVTOP_CLIENTS": "3", "KVTOP_VALUE_SIZE": "128"}
    config = load(flags("--clients", "4"), home)
    assert (config.clients, config.value_size, config.keys) == (4, 128, 5)


def test_xdg_config_home_is_respected(tmp_path: Path) -> None:
    environ = {"HOME": "/nonexistent", "XDG_CONFIG_HOME": str(tmp_path)}
    write_file(environ, "readonly = true\nattach = [1, 2]\n")
    config = load(flags(), environ)
    assert config.readonly
    assert config.attach == (1, 2)


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--mix", "80"], "--mix '80': must be READ:WRITE"),
        (["--mix", "0:0"], "not both 0"),
        (["--nodes", "2"], "must be odd"),
        (["--clients", "many"], "must be a number"),
        (["--clients", "0"], "must be from 1 to 1,024"),
        (["-F", "0"], "must be from 1 to 10,000"),
        (["--attach", "x"], "must be process ids"),
        (["--attach", "0"], "must be process ids"),
        (["--call-graph", "magic"], "must be one of auto, fp, dwarf"),
        (["--refresh", "0.01"], "must be from 0.1 to 10"),
        (["--theme", "pink"], "must be one of auto, dark, light, ansi"),
        (["--refresh", "nan"], "must be from 0.1 to 10"),
    ],
)
def test_bad_flags_get_one_sentence(home: dict[str, str], argv: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(flags(*argv), home)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("clients = ", "not valid TOML"),
        ("colour = 1", "no option 'colour'"),
        ("rate = 'fast'", "must be a number"),
    ],
)
def test_bad_files_name_the_file(home: dict[str, str], text: str, sentence: str) -> None:
    write_file(home, text)
    with pytest.raises(UsageError) as caught:
        load(flags(), home)
    assert sentence in str(caught.value)
    assert str(config_path(home)) in str(caught.value)


def test_bad_environment_names_the_variable(home: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="KVTOP_RATE '-1'"):
        load(flags(), home | {"KVTOP_RATE": "-1"})


def test_debug_with_and_without_a_file(home: dict[str, str]) -> None:
    assert load(flags("--debug", "x.log"), home).debug == Path("x.log")
    state = Path(home["HOME"], ".local/state/kvtop/debug.log")
    assert load(flags("--debug"), home).debug == state
    home |= {"XDG_STATE_HOME": "/state", "KVTOP_DEBUG": "auto"}
    assert load(flags(), home).debug == Path("/state/kvtop/debug.log")


@pytest.mark.parametrize("flag", ["--batch", "--json", "--once"])
def test_each_kind_of_report_needs_no_screen(home: dict[str, str], flag: str) -> None:
    assert not load(flags(), home).headless
    assert load(flags(flag), home).headless


def test_the_choices_offered_are_those_that_are_taken() -> None:
    for option in OPTIONS:
        for choice in option.choices:
            assert option.parse(choice) == choice
        if option.choices:
            with pytest.raises(ValueError):
                option.parse("no such choice")


def test_every_option_is_a_field_and_every_field_an_option() -> None:
    # The command comes after `--`, from nowhere else.
    assert {option.name for option in OPTIONS} == set(Config.__slots__) - {"command"}


def test_the_documented_file_is_taken_and_every_theme_documented(home: dict[str, str]) -> None:
    text = (Path(__file__).parent.parent / "docs" / "using.md").read_text()
    write_file(home, text.partition("```toml\n")[2].partition("```")[0])
    config = load(flags(), home)
    assert (config.theme, config.mix, config.no_mouse) == ("ansi", (80, 20), True)
    for theme in THEMES:
        assert f"`{theme}`" in text


@pytest.mark.parametrize("flag", ["--dir", "--output"])
def test_a_directory_that_cannot_be_is_told_before_the_start(
    home: dict[str, str], tmp_path: Path, flag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    assert load(flags(flag, str(tmp_path)), home)
    assert load(flags(flag, str(tmp_path / "to" / "be" / "made")), home)
    for name in ("file", "file/below", "dangling"):
        with pytest.raises(UsageError, match=f"^{flag} .* is not a directory.$"):
            load(flags(flag, str(tmp_path / name)), home)
    # Root may write everywhere, whatever the mode says.
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(UsageError, match="cannot be written"):
        load(flags(flag, str(tmp_path / "none")), home)


def test_limits_are_written_out(home: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"must be from 0\.1 to 10,000,000\.$"):
        load(flags("--duration", "nan"), home)


def test_how_perf_samples(home: dict[str, str]) -> None:
    def options(*argv: str) -> Config:
        return load(flags(*argv), home)

    config = options("-e", "{cpu-clock,page-faults}", "-c", "1000", "-D", "250")
    assert (config.event, config.period, config.delay) == ("{cpu-clock,page-faults}", 1000, 250)
    for mode in ("auto", "fp", "dwarf", "lbr", "dwarf,8192"):
        assert options("--call-graph", mode).call_graph == mode
    for mode in ("dwarf,7", "dwarf,65536", "fp,8192", "dwarf,"):
        with pytest.raises(UsageError, match="--call-graph"):
            options("--call-graph", mode)
