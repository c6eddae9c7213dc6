"""--guard and --guard-rules: the options of a graph with the rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsight_rx.cli.flags.guard import Guard, given_rules
from agentsight_rx.core.stream import of
from agentsight_rx.errors import UsageError
from agentsight_rx.events import Event, time_of
from agentsight_rx.graphs import TraceOptions, explain, recorded
from agentsight_rx.policy.rules.guard.file import built_in_rules


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("SUDO_UID", raising=False)


def test_without_a_flag_there_is_no_guard() -> None:
    options = TraceOptions()
    assert options is Guard().over(options)
    assert not Guard().is_on


def test_with_it_the_rules_and_the_prices_are_there(tmp_path: Path) -> None:
    made = Guard(guard=True).over(TraceOptions(), folder=tmp_path)
    assert built_in_rules() == made.guard
    assert made.priced is not None


def test_a_file_of_rules_asks_for_a_guard(tmp_path: Path) -> None:
    file = tmp_path / "g.toml"
    file.write_text('[rule.loop]\ndo = "stop"')
    made = Guard(guard_rules=file).over(TraceOptions())
    assert made.guard is not None
    assert made.guard == given_rules(file) != built_in_rules()
    with pytest.raises(UsageError, match=r"none\.toml cannot be read"):
        Guard(guard_rules=tmp_path / "none.toml").over(TraceOptions())


def test_the_file_is_looked_at_again_only_where_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "g.toml"
    file.write_text("")
    assert Guard(guard_rules=file).over(TraceOptions()).rules_file is None
    for made in (
        Guard(guard_rules=file).over(TraceOptions(), reloads=True),
        Guard(guard=True).over(TraceOptions(), reloads=True),
    ):
        assert made.rules_file is not None
        assert made.rules_file() is None
        assert "reload_rules" in explain(recorded(of(list[Event](), time_of=time_of, name="events"), made))
