"""What SIGHUP reads anew: rules and agents; a file that cannot be used changes nothing."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.cli.places import own_files as own_agents
from agentsight_rx.cli.watch.heartbeat import Reloading
from agentsight_rx.llm.agents import agent_of, set_own_agents
from agentsight_rx.runtime.recording.guard_file import LoadedRules, guard_rules

WRONG = "[rule.mine]\ndo = 1"


def ruled(number: int) -> str:
    return f'[rule.mine]\nwhen = "file.path = /{number}"\n'


@pytest.fixture(autouse=True)
def no_agents() -> Generator[None]:
    yield
    set_own_agents(())


def made(file: Path) -> Reloading:
    file.write_text(ruled(0))
    rules = LoadedRules(partial(guard_rules, file), str(file), guard_rules(file), list[str]().append)
    return Reloading(rules, str)


def test_a_hundred_reloads_of_which_half_are_wrong_keep_what_was_right(tmp_path: Path) -> None:
    file = tmp_path / "guard.toml"
    its, loaded, wrong = made(file), list[str](), list[str]()
    for number in range(100):
        before = its.rules
        file.write_text(WRONG if number % 2 else ruled(number))
        its.ask()
        its.read_asked()
        found = its.look()
        assert found is not None
        (wrong if found.error else loaded).append(found.error or found.sha256)
        assert (before == its.rules) == bool(number % 2 or number == 0)
        assert bool(number % 2) == bool(its.error)
    assert (100, 50) == (its.reloads, its.refused)
    assert (50, 50) == (len(loaded), len(wrong))
    file.write_text(ruled(98))
    assert guard_rules(file).sha256 == its.rules == loaded[-1]


@given(st.lists(st.sampled_from(["right", "wrong", "look"]), max_size=12))
def test_the_engine_gets_the_newest_rules_however_late_it_looks(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    file = tmp_path_factory.mktemp("rules") / "guard.toml"
    its = made(file)
    holds = its.rules
    for number, step in enumerate(steps, 1):
        if step == "look":
            found = its.look()
            holds = found.sha256 if found is not None and not found.error else holds
            continue
        file.write_text(ruled(number) if step == "right" else WRONG)
        its.ask()
        its.read_asked()
    last = [step for step in steps if step != "look"][-1:]
    left = [found for found in (its.look(), its.look()) if found is not None]
    assert its.look() is None
    holds = ([found.sha256 for found in left if not found.error] or [holds])[-1]
    assert its.rules == holds
    assert bool(its.error) == (last == ["wrong"])
    assert all(found.error for found in left[1:]), "that newer ones are wrong comes last"


def test_nothing_is_read_unless_it_is_asked_for(tmp_path: Path) -> None:
    its = made(tmp_path / "guard.toml")
    (tmp_path / "guard.toml").write_text(ruled(7))
    its.read_asked()
    assert (0, None) == (its.reloads, its.look())
    assert "" == Reloading(None, str).rules


def test_agents_are_read_anew_and_a_wrong_file_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "agents.toml"

    def own_file(_: str) -> Path:
        return file

    monkeypatch.setattr(own_agents, "own_file", own_file)
    its = Reloading(None, own_agents.load_own_agents)
    assert "" == its.agents
    for text, agent, error in (
        ('[mine]\nnames = ["my-agent"]', "mine", False),
        ("[mine", "mine", True),
        ("[mine]", "mine", True),
        ('[mine]\nnames = ["other"]', None, False),
    ):
        file.write_text(text)
        its.ask()
        its.read_asked()
        assert (agent, error) == (agent_of("my-agent", []), bool(its.error))
    assert (4, 2, 64) == (its.reloads, its.refused, len(its.agents))
    file.unlink()
    its.ask()
    its.read_asked()
    assert (None, "") == (agent_of("other", []), its.agents)
    said = capsys.readouterr().err
    assert 2 == said.count("agents: loaded, sha256 ")
    assert 2 == said.count("; the agents from before stay")
    assert "your file is gone, and so are yours" in said
