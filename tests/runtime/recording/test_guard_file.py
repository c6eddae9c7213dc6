"""Where the rules of a guard are read from, and what a call costs to them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from agentsight_rx.errors import UsageError
from agentsight_rx.events import Origin, RulesLoaded
from agentsight_rx.llm.prices import Prices, own_prices
from agentsight_rx.policy.rules.guard.file import built_in_rules, read_rules
from agentsight_rx.policy.rules.guard.values import Rules
from agentsight_rx.runtime.recording.guard_file import WORKSPACE_FILE, RulesFile, guard_rules, priced_by
from agentsight_rx.view import CallRow

NOTE = '[rule.x]\nwhen = "event=file"\ndo = "note"'


def does(rules: Rules, name: str) -> str:
    found = rules.named(name)
    return found.do if found is not None else ""


def test_without_a_file_there_are_the_built_in_rules(tmp_path: Path) -> None:
    assert built_in_rules() == guard_rules() == guard_rules(own=tmp_path / "none.toml", folder=tmp_path)


def test_a_given_file_stands_in_the_place_of_ones_own(tmp_path: Path) -> None:
    own, given = tmp_path / "own.toml", tmp_path / "given.toml"
    own.write_text('[rule.loop]\ndo = "stop"')
    given.write_text('[rule.unread]\ndo = "note"')
    assert ("stop", "warn") == (does(guard_rules(own=own), "loop"), does(guard_rules(own=own), "unread"))
    both = guard_rules(given, own=own)
    assert ("warn", "note") == (does(both, "loop"), does(both, "unread"))


def test_a_workspace_tightens_also_from_a_folder_inside(tmp_path: Path) -> None:
    place = tmp_path / WORKSPACE_FILE
    place.parent.mkdir()
    place.write_text(f'[rule.loop]\ndo = "stop"\n{NOTE}')
    inside = tmp_path / "deep" / "er"
    inside.mkdir(parents=True)
    assert ("stop", "note") == (does(guard_rules(folder=inside), "loop"), does(guard_rules(folder=inside), "x"))
    place.write_text('[rule.loop]\ndo = "off"')
    with pytest.raises(UsageError, match=rf"{place}:2: .*may not loosen"):
        guard_rules(folder=inside)


def test_a_repository_inside_is_a_workspace_of_its_own(tmp_path: Path) -> None:
    place = tmp_path / WORKSPACE_FILE
    place.parent.mkdir()
    place.write_text(NOTE)
    (tmp_path / "inside" / ".git").mkdir(parents=True)
    assert "" == does(guard_rules(folder=tmp_path / "inside"), "x")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none.toml cannot be read: No such file"):
        guard_rules(tmp_path / "none.toml")
    (tmp_path / "raw.toml").write_bytes(b"\xff")
    with pytest.raises(UsageError, match=r"raw.toml is not UTF-8 text"):
        guard_rules(tmp_path / "raw.toml")
    (tmp_path / "long.toml").write_text("#" * (1 << 20) + "\n")
    with pytest.raises(UsageError, match="is larger than 1 MiB"):
        guard_rules(tmp_path / "long.toml")


def test_a_call_costs_what_the_prices_say() -> None:
    prices = Prices(own_prices('["gpt-4o"]\ninput = 2\noutput = 4', name="p.toml"))
    row = CallRow("llm-1", 0, provider="openai", model="gpt-4o", input_tokens=1_000_000, output_tokens=500_000)
    rules = read_rules('[rule.budget]\nwhen = "session.calls > 3"', "guard.toml")
    assert [4.0, 4.0, 4.0] == [priced_by(prices, each)(row) for each in (None, rules, built_in_rules())]
    assert priced_by(Prices())(CallRow("llm-1", 0)) is None


def test_changed_rules_are_loaded_once_they_have_stayed_the_same(tmp_path: Path) -> None:
    file, said = tmp_path / "guard.toml", list[str]()
    file.write_text(NOTE)
    look = RulesFile(file, guard_rules(file), said.append)
    assert look() is None
    file.write_text(f"{NOTE}\n[rule.lo")  # an editor is at it
    assert look() is None
    file.write_text(f'{NOTE}\n[rule.loop]\ndo = "stop"')
    assert look() is None
    found = look()
    assert found is not None
    rules = msgspec.json.decode(found.rules, type=Rules)
    assert ("stop", "note", guard_rules(file).sha256) == (does(rules, "loop"), does(rules, "x"), found.sha256)
    assert [f"rules of the guard: {file} loaded, 12 rules, sha256 {found.sha256[:8]}"] == said
    assert look() is None


def test_rules_that_are_wrong_or_gone_are_said_with_their_place(tmp_path: Path) -> None:
    file, said = tmp_path / "guard.toml", list[str]()
    look = RulesFile(file, guard_rules(), said.append)  # it is not there yet
    file.write_text("[rule.mine]\ndo = 1")
    found = [look(), look()][1]
    why = f"{file}:1: rule.mine: a rule of your own needs `when`"
    assert found is not None
    assert ("", why) == (found.rules, found.error)
    assert [f"rules of the guard: {why}; the rules from before stay"] == said
    file.write_text("")
    assert [look(), look()][1] == RulesLoaded(Origin(0, 0), str(file), built_in_rules().text, built_in_rules().sha256)
    assert f"{file} the same as before" in said[1]
    file.unlink()
    found = [look(), look()][1]
    assert found is not None
    assert f"{file} cannot be read: No such file or directory" == found.error


def test_where_alerts_go_is_not_in_the_recording(tmp_path: Path) -> None:
    file = tmp_path / "guard.toml"
    file.write_text('[[deliver]]\nwebhook = "https://hooks.example/secret"')
    rules = guard_rules(file)
    assert rules.deliver
    assert "hooks.example" not in rules.text
    assert rules.sha256 == msgspec.json.decode(rules.text, type=Rules).sha256
