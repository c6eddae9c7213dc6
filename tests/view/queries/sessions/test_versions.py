"""What the agent of a session sends by itself, of stores in memory; the words of it are in tests/cli/report."""

from __future__ import annotations

import json
from typing import Any

from msgspec.structs import replace

from agentsight_rx.events import Usage
from agentsight_rx.runtime.testing.recording import recorded
from agentsight_rx.store.rows.tables import SESSIONS
from agentsight_rx.store.state import MemoryStore
from agentsight_rx.testing import Scene
from agentsight_rx.view import SessionRow
from agentsight_rx.view.queries.sessions.versions import diff_versions, sent_by, session_of_version
from tests.view.queries.rows import BASE, stored


def scene(*requests: dict[str, Any], version: str = "", cwd: str = "/src/app") -> MemoryStore:
    """A store with the calls of one agent, each with these fields in its body."""
    made = Scene()
    agent = made.process("claude", cwd=cwd)
    for at, fields in enumerate(requests):
        asked = agent.asks(f"prompt {at}")
        body = json.loads(asked.body) | fields
        head = (*asked.headers, ("user-agent", f"claude-cli/{version}"), *body.pop("head", ()))
        made.events[-1] = replace(asked, body=json.dumps(body).encode(), headers=head)
        agent.is_answered("yes", usage=Usage(input=100 + at, output=5))
    return recorded(made.events)


def session(store: MemoryStore) -> SessionRow:
    ((_, row),) = store.scan(SESSIONS)
    return row


def tool(name: str, about: str = "Do it.", schema: object = None) -> dict[str, object]:
    return {"name": name, "description": about} | ({} if schema is None else {"input_schema": schema})


def test_the_first_request_with_tools_is_looked_at() -> None:
    store = scene({"system": "a"}, {"system": "b in /src/app", "tools": [tool("T", schema={"a": 1})]}, {"tools": [tool("U")]})
    found = sent_by(store, session(store))
    assert found is not None
    assert (found.system, found.tools) == ("b in $PWD", {"T": 'Do it.\n{\n  "a": 1\n}'})
    assert (found.sent.tokens_in, found.sent.system_size, found.sent.tools, found.sent.tools_size) == (101, 9, 1, 19)


def test_without_tools_it_is_the_first_one_and_a_root_folder_is_no_place() -> None:
    store = scene({"system": [{"type": "text", "text": "a / b"}, {"type": "text", "text": "c"}]}, {"system": "z"}, cwd="/")
    found = sent_by(store, session(store))
    assert found is not None
    assert (found.system, found.tools, found.sent.tokens_in) == ("a / b\n\nc", {}, 100)


def test_sub_agents_and_asides_are_not_the_agent() -> None:
    helper = {"head": (("x-claude-code-agent-id", "sub"),), "system": "helper", "tools": [tool("T")]}
    store = scene(helper, {"system": "main"})
    found = sent_by(store, session(store))
    assert found is not None
    assert found.system == "main"
    only = scene(helper)
    assert sent_by(only, session(only)) is None


def test_a_session_without_its_requests_has_sent_nothing_that_is_known() -> None:
    assert sent_by(stored(*BASE), SessionRow("s", 1)) is None


def test_definitions_differ_by_line() -> None:
    first, second = (
        scene({"tools": [tool("T", "One.\nTwo.", {"a": 1}), tool("S"), tool(only)]}, version=f"1.{at}")
        for at, only in enumerate("XY")
    )
    one, other = (sent_by(store, session(store)) for store in (first, second))
    assert one is not None
    assert other is not None
    assert diff_versions(one, one).equal
    found = diff_versions(one, replace(other, tools=other.tools | {"T": "One.\nThree."}))
    assert [(each.change, each.name, each.first_size, each.second_size) for each in found.tools] == [
        ("changed", "T", 22, 11),
        ("gone", "X", 6, 0),
        ("new", "Y", 0, 6),
    ]
    assert (found.tools[0].lines[0].change, found.tools[0].lines[0].lines) == ("same", ("One.",))
    assert (found.same_tools, found.equal, found.first.version, found.second.version) == (1, False, "1.0", "1.1")


def test_the_newest_session_of_a_version_is_found() -> None:
    store = scene({}, version="2.1.4")
    row = session(store)
    for agent in ("claude", ""):
        assert session_of_version(store, agent, "2.1.4") == row
    for agent, version in (("codex", "2.1.4"), ("claude", "2.1"), ("claude", "")):
        assert session_of_version(store, agent, version) is None
