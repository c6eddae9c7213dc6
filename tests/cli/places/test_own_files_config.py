"""Flags from a TOML file, and back into one; one source alone by `debug`."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from agentsight_rx.cli import app
from agentsight_rx.errors import UsageError


def explained(*words: str) -> str:
    result = CliRunner().invoke(app, [*words, "--explain"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_flags_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('ssl = true\npid = 1\nssl-filter = ["len<10", "data~x"]\nchildren = false\n')
    assert explained("trace", "--ssl", "-p", "1", "--ssl-filter", "len<10", "--ssl-filter", "data~x", "--no-children") == (
        explained("trace", "--config", str(path))
    )


def test_a_flag_wins_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("process = true\npid = 1\n")
    assert "pid=2" in explained("trace", "--config", str(path), "--pid", "2")


def test_given_flags_can_be_saved_and_used_again(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    words = ["trace", "--ssl", "--process", "-p", "1", "--http-filter", 'response.body~"a\\\\b"', "--mode", "1", "--uid", "0"]
    saved = CliRunner().invoke(app, [*words, "--save-config", str(path)], catch_exceptions=False)
    assert saved.exit_code == 0
    assert path.stat().st_mode & 0o777 == 0o600
    assert explained(*words) == explained("trace", "--config", str(path))


@pytest.mark.parametrize(
    ("text", "said"),
    [("ssl = ", "is not TOML"), ("sssl = true", "did you mean ssl?"), ("colour = 1", "unknown name 'colour'; known: ")],
)
def test_a_wrong_file_is_an_error(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said.replace("?", r"\?")):
        CliRunner().invoke(app, ["trace", "--config", str(path), "--explain"], catch_exceptions=False)


@pytest.mark.parametrize("source", ["ssl", "process", "stdio", "system"])
def test_debug_is_one_source_alone(source: str) -> None:
    alone = explained("debug", source, "-p", "1")
    assert alone == explained("trace", f"--{source}", "-p", "1")


def test_the_modes_choose_processes_and_files() -> None:
    def targets(*words: str) -> dict[str, bool]:
        lines = explained("trace", "--process", "--files", "-p", "1", *words).splitlines()
        return {line.split()[0]: "pid=1" in line for line in lines if "Options(" in line}

    assert targets("--mode", "0") == {"process": False, "files": False, "readline": False}
    assert targets("--mode", "1") == {"process": False, "files": True, "readline": False}
    assert targets("--mode", "2") == targets() == {"process": True, "files": True, "readline": True}
