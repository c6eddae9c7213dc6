"""--json and --text: every command that writes a result has both."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer

from agentsight_rx.cli import app
from agentsight_rx.cli.flags.filters import asks_for_json
from tests.cli.program.test_errors import run
from tests.cli.test_terminal import LINE, on_a_terminal

# To standard output: messages go to the other one
PAUSE = {"watch pause", "watch resume"}
WRITE_NOTHING = {"record", "serve", "ship", "cluster run", "cluster load", "guard continue", "guard end", *PAUSE}
ACT = {
    "service install",
    "service uninstall",
    "mcp install",
    "import",
}  # they name what they did, or would do: files and commands


def commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def test_every_command_that_writes_a_result_has_both() -> None:
    found = dict(commands(typer.main.get_command(app)))
    flags = {name: {flag for each in command.params for flag in each.opts} for name, command in found.items()}
    assert {name for name, given in flags.items() if not {"--json", "--text"} <= given} == WRITE_NOTHING | ACT


@pytest.mark.parametrize("otherwise", [True, False])
def test_what_is_asked_for_holds(otherwise: bool) -> None:
    assert asks_for_json(json_lines=True, text=False, otherwise=otherwise)
    assert not asks_for_json(json_lines=False, text=True, otherwise=otherwise)
    assert otherwise == asks_for_json(json_lines=False, text=False, otherwise=otherwise)


def test_both_at_once_are_an_error(tmp_path: Path) -> None:
    done = run("replay", "--json", "--text", str(tmp_path))
    assert (done.returncode, "--json and --text do not go together" in done.stderr) == (2, True)


def test_events_can_be_text_without_a_terminal_and_json_on_one(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(LINE)
    shown = run("replay", "--text", str(path)).stdout
    assert "sh 7" in shown
    assert shown.rstrip("\n").endswith("exit 3")
    assert "\x1b" not in shown
    assert on_a_terminal("replay", "--json", str(path)).startswith('{"timestamp":')


def test_a_tried_filter_can_be_json(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text("{not json\n")
    drops, end = map(msgspec.json.decode, run("filter", "request.method=GET", str(path), "--json").stdout.splitlines())
    assert list(drops) == ["drops"]
    assert end == {"seen": 0, "dropped": 0, "passed": 0, "damaged": 1}


def test_a_probe_can_be_json() -> None:
    (value,) = map(msgspec.json.decode, run("doctor", "--probe", "cat", "--json").stdout.splitlines())
    assert (value["target"], value["lines"][0]) == ("cat", shutil.which("cat"))
