"""The help: in groups, in 80 columns, nothing cut; the version; each `debug` with the flags of its source alone."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from agentsight_rx.cli import app
from agentsight_rx.cli.program.help import SELECTIONS, spec_of
from agentsight_rx.cli.program.version import version_line
from tests.cli.inside import ended
from tests.cli.program.test_errors import PROGRAM

GROUPS = ["what to watch", "TLS", "stdio", "system", "filters", "where it goes", "the page", "flags"]
OURS = ("trace", "record", "replay", "debug ssl", "debug process", "debug stdio", "debug system", "debug files", "debug net")


def commands(group: Any, *before: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        yield " ".join((*before, name)), command
        yield from commands(command, *before, name) if hasattr(command, "commands") else ()


COMMANDS = dict(commands(typer.main.get_command(app)))


def shown(*words: str, columns: int = 80) -> list[str]:
    result = CliRunner().invoke(app, list(words), env={"COLUMNS": str(columns)}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_the_help_fits_80_columns_and_nothing_is_cut(name: str) -> None:
    lines = shown(*name.split(), "--help")
    assert [line for line in lines if len(line) >= 80 or "…" in line.removesuffix("COMMAND …")] == []
    text = " ".join(" ".join(lines).split())
    for parameter in COMMANDS[name].params if name else ():
        assert spec_of(parameter) in text
        assert " ".join((parameter.help or "").split()) in text


@pytest.mark.parametrize("name", OURS)
def test_each_flag_is_one_line(name: str) -> None:
    lines = shown(*name.split(), "--help")
    for parameter in COMMANDS[name].params:
        (line,) = (line for line in lines if line.startswith(f"  {spec_of(parameter)} "))
        assert parameter.help in line


def test_the_flags_of_trace_are_grouped_by_what_they_concern() -> None:
    titles = [line for line in shown("trace", "--help") if line in (*GROUPS, "which processes are watched")]
    assert titles == [*GROUPS, "which processes are watched"]


def test_how_selections_combine_is_one_table_in_the_help() -> None:
    text = " ".join(" ".join(shown("trace", "--help")).split())
    for row in SELECTIONS:
        assert all(part in text for part in row)


@pytest.mark.parametrize("name", ["trace", "record"])
def test_short_help_has_the_flags_that_matter(name: str) -> None:
    lines = shown(name, "-h")
    assert 8 <= sum(line.startswith("  -") for line in lines) <= 11
    assert lines[-1] == f"All flags: {CliRunner().invoke(app, ['--help']).output.split()[0]} {name} --help"


def test_a_word_of_the_command_is_no_flag_of_ours() -> None:
    done = subprocess.run([*PROGRAM, "record", "--explain", "--", "ls", "-h"], capture_output=True, text=True, check=False)
    assert "All flags" not in done.stdout


@pytest.mark.parametrize(
    ("source", "own", "foreign"),
    [
        ("ssl", {"--ssl-filter", "--http-filter", "--binary-path"}, {"--stdio-fds", "--system-interval", "--mode"}),
        ("process", {"--mode", "--duration"}, {"--ssl-uid", "--http-filter", "--stdio-fds", "--cpu-threshold"}),
        ("stdio", {"--stdio-raw", "--stdio-all-fds"}, {"--ssl-uid", "--http-filter", "--mode", "--cpu-threshold"}),
        ("system", {"--system-interval", "--cpu-threshold"}, {"--ssl-uid", "--stdio-fds", "--duration"}),
    ],
)
def test_debug_has_the_flags_of_its_source_alone(source: str, own: set[str], foreign: set[str]) -> None:
    flags = {name for parameter in COMMANDS[f"debug {source}"].params for name in parameter.opts}
    assert own | {"--pid", "--comm", "--json", "--db", "--server"} <= flags
    assert not flags & (foreign | {"--ssl", "--process", "--stdio", "--system"})


def test_a_flag_of_another_source_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    done = ended(capsys, "debug", "system", "--ssl-uid", "0")
    assert done.returncode == 2
    assert "No such option: --ssl-uid" in done.stderr


def test_the_version_is_that_of_the_package() -> None:
    assert [version_line()] == shown("--version")
    assert re.fullmatch(r"\d+\.\d+\.\d+", version("agentsight-rx"))


@pytest.mark.parametrize("words", [[], ["debug"]], ids=str)
def test_without_a_command_the_help_is_no_error_message(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    done = ended(capsys, *words)
    assert done.returncode == 2
    assert "Error" not in done.stderr
    assert "commands" in done.stderr.splitlines()


@pytest.mark.parametrize(
    ("words", "as_flag"),
    [
        ("help", "--help"),
        ("help record", "record --help"),
        ("help report calls", "report calls --help"),
        ("report help", "report --help"),
        ("report help calls", "report calls --help"),
    ],
)
def test_help_is_a_word_too(words: str, as_flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    given, flagged = (ended(capsys, *line.split()) for line in (words, as_flag))
    assert (given.returncode, given.stdout) == (0, flagged.stdout)
    assert len(given.stdout) > 500


def test_help_behind_another_command_is_an_argument(capsys: pytest.CaptureFixture[str]) -> None:
    done = ended(capsys, "replay", "help")
    assert (done.returncode, "help cannot be read" in done.stderr) == (1, True)
