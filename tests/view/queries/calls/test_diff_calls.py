"""What one call says that another did not."""

from __future__ import annotations

import pytest

from agentsight_rx.llm.canonical import Answer, Asked, LlmCall, Message, Parameters, TextPart, ToolDefinition
from agentsight_rx.view.queries.calls import diff as module
from agentsight_rx.view.queries.calls.diff import CallDiff, diff_calls


def said(text: str, role: str = "user") -> Message:
    return Message(role, (TextPart(text),))


def call(*texts: str, model: str = "m", tools: tuple[ToolDefinition, ...] = (), **parameters: int) -> LlmCall:
    asked = Asked(model, messages=tuple(map(said, texts)), tools=tools, parameters=Parameters(**parameters))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return LlmCall("anthropic", "anthropic", "chat", asked, Answer())


def changes(found: CallDiff) -> list[tuple[str, int, int]]:
    return [(each.change, each.at, each.count) for each in found.messages]


def test_what_a_conversation_went_on_with_is_new() -> None:
    found = diff_calls(call("a", "b"), call("a", "b", "c", "d"))
    assert changes(found) == [("same", 0, 2), ("new", 2, 2)]
    assert [message.texts() for message in found.messages[1].messages] == [["c"], ["d"]]
    assert found.messages[0].messages == ()


def test_a_changed_message_in_the_middle_is_one_gone_and_one_new() -> None:
    assert changes(diff_calls(call("a", "b", "c"), call("a", "x", "c", "d"))) == [
        ("same", 0, 1),
        ("gone", 1, 1),
        ("new", 1, 1),
        ("same", 2, 1),
        ("new", 3, 1),
    ]


def test_a_conversation_made_shorter_says_what_is_gone() -> None:
    assert changes(diff_calls(call("a", "b", "c"), call("a"))) == [("same", 0, 1), ("gone", 1, 2)]


def test_equal_calls_are_equal() -> None:
    assert diff_calls(call("a"), call("a")).equal
    assert not diff_calls(call("a"), call("b")).equal
    assert not diff_calls(call("a"), call("a", max_tokens=1)).equal


def test_parameters_that_changed_have_both_values() -> None:
    found = diff_calls(call(max_tokens=5, top_k=1), call(model="n", max_tokens=6, top_k=1))
    assert [(each.name, each.first, each.second) for each in found.parameters] == [("model", "m", "n"), ("max_tokens", 5, 6)]


def test_tools_that_came_went_and_changed_are_named() -> None:
    old, new = ToolDefinition("old"), ToolDefinition("new")
    found = diff_calls(
        call(tools=(old, ToolDefinition("t", "does a"), ToolDefinition("same"))),
        call(tools=(ToolDefinition("t", "does b"), new, ToolDefinition("same"))),
    )
    assert (found.tools_added, found.tools_removed, found.tools_changed) == (("new",), ("old",), ("t",))


def test_very_long_conversations_are_compared_by_their_beginning_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MATCHED_MOST", 2)
    assert changes(diff_calls(call("a", "x", "b", "c"), call("a", "y", "b", "c"))) == [
        ("same", 0, 1),
        ("gone", 1, 3),
        ("new", 1, 3),
    ]
