"""Two requests -> the first reason that holds; the stories of view.queries.context have each of them whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from agentsight_rx.llm.context import anatomy
from agentsight_rx.llm.context.held import Step
from agentsight_rx.llm.context.losses import Asked, Cause, cause_of, change_in


def asked(system: str = "Today is 2026-11-26.", *, at: int = 0, model: str = "m", **more: Any) -> Asked:
    body: dict[str, Any] = {
        "tools": [{"name": "Read"}, {"name": "Bash"}],
        "system": [{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}],
        **more,
    }
    found = anatomy(json.dumps(body).encode())
    return Asked(found.read(), found.body, model=model, parameters=found.parameters(), time_ms=at)


def why(now: Asked, before: Asked | None = None, *, cached: int = 1000) -> Cause:
    before = before or asked()
    same = 0  # pieces of 100 tokens each
    while same < min(len(before.pieces), len(now.pieces)) and before.pieces[same].digest == now.pieces[same].digest:
        same += 1
    step = Step(2, same, (), (), {}, 0, None, before=len(before.pieces), kept_tokens=100 * same)
    return cause_of(before, now, change=change_in(step, cached), dialect="anthropic")


def test_words_that_differ_are_whole_and_a_date_is_named() -> None:
    found = why(asked("Today is 2026-11-27."))
    assert (found.kind, found.old, found.new, found.when) == ("system", "2026-11-26.", "2026-11-27.", True)
    assert not why(asked("Today is a day.")).when


@pytest.mark.parametrize(
    ("tools", "change", "what", "number"),
    [
        ([{"name": "Read"}, {"name": "Bash"}, {"name": "Edit"}], "added", ("Edit",), 3),
        ([{"name": "Bash"}], "removed", ("Read",), 1),
        ([{"name": "Read"}, {"name": "Bash", "description": "new"}], "changed", ("Bash",), 2),
        ([{"name": "Bash"}, {"name": "Read"}], "moved", ("Bash", "Read"), 1),
    ],
)
def test_tools(tools: list[Any], change: str, what: tuple[str, ...], number: int) -> None:
    found = why(asked(tools=tools))
    assert (found.kind, found.change, found.what, found.number) == ("tools", change, what, number)


def test_a_message_has_its_place() -> None:
    found = why(asked(messages=[{"role": "user", "content": "one"}, {"role": "user", "content": "2"}]))
    assert (found.kind, found.number, found.count, found.old, found.new) == ("message", 2, 2, "two", "2")
    assert why(asked(messages=[])).change == "removed"


def test_what_was_not_in_the_cache_is_no_reason() -> None:
    changed = asked(messages=[{"role": "user", "content": "1"}], at=10)
    assert why(changed, cached=300).kind == "provider"


def test_model_parameters_time_and_marks_come_behind_the_content() -> None:
    assert why(asked(model="n", at=10**9)).what == ("m", "n")
    assert why(asked(tool_choice={"type": "any"}, temperature=1)).what == ("tool_choice",)
    assert why(asked(temperature=1)).kind == "provider"
    assert (why(asked(at=300_001)).kind, why(asked(at=300_000)).kind) == ("idle", "provider")
    hour = asked(system="", messages=[{"role": "user", "content": [_marked("1h")]}])
    later = asked(system="", messages=[{"role": "user", "content": [_marked("1h")]}], at=3_000_000)
    assert why(later, hour).kind == "provider"
    assert (
        why(asked(system="", messages=[{"role": "user", "content": [_marked("1h")]}], at=3_700_000), hour).life_ms == 3_600_000
    )


def _marked(ttl: str) -> dict[str, Any]:
    return {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": ttl}}


def test_without_a_mark_nothing_is_cached() -> None:
    body: dict[str, Any] = {"system": "Today is 2026-11-26.", "messages": []}
    found = anatomy(json.dumps(body).encode())
    now = Asked(found.read(), found.body, model="m", parameters={}, time_ms=0)
    assert cause_of(now, now, change=None, dialect="anthropic").kind == "unmarked"
    assert cause_of(now, now, change=None, dialect="openai").kind == "provider"


def thought(*, at: int, read: int, then: str) -> Asked:
    """A conversation whose answer thought, and what came behind it."""
    said = [
        {"role": "user", "content": "one"},
        {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "hm", "signature": "x"}, {"type": "text", "text": "a"}],
        },
        {"role": "user", "content": "two"},
    ]
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "3"}]}
    prompt = [{"role": "assistant", "content": "b"}, {"role": "user", "content": "three"}]
    news: dict[str, list[Any]] = {"": [], "prompt": prompt, "result": [result]}
    return replace(asked(at=at, messages=[*said, *news[then]]), read=read)


@pytest.mark.parametrize(
    ("then", "minutes", "read", "kind"),
    [
        ("prompt", 1, 100, "thinking"),
        ("prompt", 1, 0, "thinking"),
        ("prompt", 9, 100, "thinking"),
        ("prompt", 9, 0, "idle"),
        ("result", 1, 100, "provider"),
    ],
)
def test_thinking_that_the_provider_takes_out_is_a_reason_of_its_own(then: str, minutes: int, read: int, kind: str) -> None:
    """Behind a prompt alone: a result goes on with the turn that thought. What was read did not expire."""
    assert kind == why(thought(at=60_000 * minutes, read=read, then=then), thought(at=0, read=0, then="")).kind
