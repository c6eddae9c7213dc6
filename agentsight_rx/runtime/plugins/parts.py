"""The groups of parts that other packages add -> the check of a part, and the table in which the program finds it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from ...llm import Provider, add_provider, provider_named
from ...llm.agents import AGENTS, Agent, add_agent


class Kind(Struct, frozen=True):
    """A group. `wrong` says what a part of it should be, where it is not; `add` makes it known."""

    group: str
    wrong: Callable[[str, Any], str | None]
    add: Callable[[Any], None] = lambda _: None


def _wrong_provider(_: str, part: object) -> str | None:
    if not isinstance(part, Provider):
        return "expected a value of agentsight_rx.llm.Provider"
    return f"the provider {part.name!r} is there already" if provider_named(part.name) else None


def _wrong_agent(_: str, part: object) -> str | None:
    if not isinstance(part, Agent):
        return "expected a value of agentsight_rx.llm.agents.Agent"
    return f"the agent {part.id!r} is there already" if part.id in {each.id for each in AGENTS} else None


def _wrong_parser(_: str, part: object) -> str | None:
    from ...llm.agents.session_files import PARSERS, Parser  # with it come all parsers

    if not (isinstance(part, type) and issubclass(part, Parser)):
        return "expected a class that inherits agentsight_rx.llm.agents.session_files.Parser"
    return f"the session files of {part.agent!r} are read already" if part.agent in PARSERS else None


def _add_parser(part: Any) -> None:
    from ...llm.agents.session_files import add_parser

    add_parser(part)


def _no_function(name: str, part: object) -> str | None:
    if not callable(part):
        return "expected a function"
    return None if name.isidentifier() else f"the name {name!r} is not one word of letters, digits and _"


GROUPS: dict[str, Kind] = {
    kind.group: kind
    for kind in (
        Kind("providers", _wrong_provider, add_provider),
        Kind("agents", _wrong_agent, add_agent),
        Kind("session_files", _wrong_parser, _add_parser),
        Kind("operators", _no_function),
        Kind("sinks", _no_function),
        Kind("sources", _no_function),
        Kind("deliveries", _no_function),
    )
}
