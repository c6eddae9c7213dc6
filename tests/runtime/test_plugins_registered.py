"""Parts that a program registers by a call: the right ones are known, the others are refused."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from agentsight_rx import Operator, op, sinks
from agentsight_rx.cli.capturing.deliveries import alert_sinks
from agentsight_rx.core.stream import of
from agentsight_rx.errors import UsageError
from agentsight_rx.events import Event, Readline, SseEvent
from agentsight_rx.llm import PROVIDERS, Provider, dialect_of, find, provider_label, provider_named, table
from agentsight_rx.llm.agents import AGENTS, Agent, agent_named, agent_of, registry
from agentsight_rx.policy.rules.guard.file import read_rules
from agentsight_rx.runtime import plugins
from tests.installed_package import EXAMPLE, install_broken


@pytest.fixture(autouse=True)
def unchanged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test registers is gone behind it."""
    monkeypatch.setattr(sys, "path", [str(EXAMPLE), *sys.path])
    for held, name in (
        (plugins, "_parts"),
        (plugins, "_plugins"),
        (plugins, "_loaded"),
        (registry, "_known"),
        (table, "_added"),
    ):
        monkeypatch.setattr(held, name, getattr(held, name).copy())
    yield
    monkeypatch.undo()
    for remembered in (table._label, table._known, table._found, registry._of):  # pyright: ignore[reportPrivateUsage]
        remembered.cache_clear()


def test_a_provider_is_known_in_every_way() -> None:
    parrot: Provider = import_module("agentsight_parrot.provider").PARROT
    assert find("api.parrot.example", "/parrot/speak") is None
    assert "api.parrot.example" == provider_label("api.parrot.example")
    plugins.register_provider(parrot)
    assert parrot is find("api.parrot.example", "/parrot/speak")
    assert parrot is provider_named("parrot")
    assert parrot is dialect_of(SseEvent("message", '{"type":"parrot.word","words":"a"}'))
    assert "parrot" == provider_label("api.parrot.example")
    assert parrot not in PROVIDERS


def test_an_agent_is_known_by_its_name_and_ours_stay() -> None:
    before = {agent.id: agent_of(agent.names[0], agent.names[:1]) for agent in AGENTS}
    plugins.register_agent(Agent(id="new", title="New", names=("new-agent", "claude"), capture=""))
    assert "new" == agent_of("new-agent", ("new-agent",))
    named = agent_named("new")
    assert named is not None
    assert "New" == named.title
    assert before == {agent.id: agent_of(agent.names[0], agent.names[:1]) for agent in AGENTS}


def shown(begin: str = "") -> Operator[Event, Event]:
    return op.keep(lambda event: str(event).startswith(begin))


def test_functions_are_known_by_their_names() -> None:
    plugins.register_operator("shown", shown)
    plugins.register_sink("lines", sinks.jsonl)
    plugins.register_source("none", lambda: of(list[Readline]()))
    assert ("shown", "a=b") == (plugins.operator("shown=a=b").name, plugins.operator("shown=a=b").options)
    assert "jsonl" == plugins.sink("lines=/dev/null").name
    assert "of" == plugins.source("none").name
    listed = [(plugin.group, plugin.name, plugin.package) for plugin in plugins.found()]
    assert [
        (group, name, "this program") for group, name in (("operators", "shown"), ("sinks", "lines"), ("sources", "none"))
    ] == listed


@pytest.mark.parametrize(
    ("register", "said"),
    [
        (lambda: plugins.register_provider(PROVIDERS[0]), "the provider 'anthropic' is there already"),
        (lambda: plugins.register_agent(AGENTS[0]), "the agent 'claude' is there already"),
        (lambda: plugins.register_operator("a b", op.normalize), "the name 'a b' is not one word"),
        (lambda: plugins.register_operator("x", 3), "expected a function, and got 3"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_part_is_refused(register: Callable[[], None], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        register()


def test_a_name_is_given_once() -> None:
    plugins.register_operator("x", op.normalize)
    with pytest.raises(UsageError, match="there is another one of the name 'x'"):
        plugins.register_operator("x", op.normalize)


def test_an_error_of_the_part_that_is_meant_for_the_user_stays_as_it_is() -> None:
    def refuse(text: str) -> Any:
        raise UsageError(f"{text} is not a colour")

    plugins.register_operator("paint", refuse)
    with pytest.raises(UsageError, match=r"^seven is not a colour$"):
        plugins.operator("paint=seven")


@pytest.mark.parametrize("part", ["broken_parts:missing", "broken_parts:NUMBER", "not_there:x"])
def test_an_installed_part_that_is_broken_is_said_once(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install_broken(tmp_path, sources=part, operators="broken_parts:function")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.setattr(plugins, "_loaded", set[str]())
    sound, broken = [plugin for plugin in plugins.found() if plugin.package == "agentsight-broken"]
    assert ("operators", "it", "0.1", "") == (sound.group, sound.name, sound.version, sound.why)
    assert ("sources", "it", "0.1") == (broken.group, broken.name, broken.version)
    plugins.load("sources")
    (line,) = capsys.readouterr().err.splitlines()
    assert f"sources it of agentsight-broken 0.1 is skipped: {broken.why}" in line
    with pytest.raises(UsageError, match="it of operators made 3"):
        plugins.operator("it")


def test_a_delivery_of_another_package() -> None:
    got: list[object] = []

    def make(_: str) -> Callable[[object], None]:
        return got.append

    plugins.register_delivery("kept_for_a_test", make)
    rules = read_rules('[[deliver]]\nplugin = "kept_for_a_test=x"', "guard.toml")
    plugins.delivery("kept_for_a_test=x")({"id": "a"})
    assert [{"id": "a"}] == got
    assert 1 == len(alert_sinks(rules))
    with pytest.raises(UsageError, match="none_such is none of the installed deliveries"):
        alert_sinks(read_rules('[[deliver]]\nplugin = "none_such"', "guard.toml"))
