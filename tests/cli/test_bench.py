from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agentsight_rx.cli import app
from agentsight_rx.cli import bench as command
from agentsight_rx.errors import UsageError

ROOT = Path(__file__).parents[2]


def test_the_flags_are_what_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def measure(names: tuple[str, ...], **flags: Any) -> int:
        asked.append((list(names), flags))
        return 0

    monkeypatch.setattr(command, "_found", lambda: measure)
    for words in (
        ["bench"],
        ["bench", "ring", "tls", "--json", "--quick", "--baseline", "a.json", "--save-baseline", "b.json"],
    ):
        assert CliRunner().invoke(app, words).exit_code == 0
    none = {"json": False, "quick": False, "baseline": None, "save": None}
    given = {"json": True, "quick": True, "baseline": Path("a.json"), "save": Path("b.json")}
    assert asked == [([], none), (["ring", "tls"], given)]


def test_a_name_that_is_none_is_a_wrong_use() -> None:
    result = CliRunner().invoke(app, ["bench", "rung"])
    assert isinstance(result.exception, UsageError)
    assert "no benchmark rung; there are start, idle, replay, " in str(result.exception)


def test_an_installation_without_benchmarks_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(command, "_PLACES", {"benchmarks": tmp_path / "benchmarks"})
    result = CliRunner().invoke(app, ["bench"])
    assert f"{tmp_path}/benchmarks is there; install the wheel" in str(result.exception)


def test_the_wheel_has_the_benchmarks_where_the_command_looks() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    places = getattr(command, "_PLACES")  # noqa: B009 (it is private)
    assert {(ROOT / place, ROOT / name) for name, place in wheel["force-include"].items()} == {
        (places["agentsight_rx.benchmarks"], places["benchmarks"])
    }
