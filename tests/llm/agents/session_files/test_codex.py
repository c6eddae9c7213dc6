from __future__ import annotations

from collections.abc import Mapping

import pytest

from agentsight_rx.events import SessionEntry, Usage
from agentsight_rx.llm.agents.session_files import parser_for
from tests.view.transcripts.reading import codex, read
from tests.view.transcripts.samples import CODEX, lines

FOUND = read(codex, CODEX)


def test_the_session_is_known() -> None:
    assert ("codex", "019a-0001", "/work/shop", "Mend the prices") == (FOUND.agent, FOUND.session_id, FOUND.cwd, FOUND.prompt)
    assert (("gpt-5.1-codex", "gpt-5-mini"), 10_400) == (FOUND.models, FOUND.end_ms - FOUND.start_ms)


def test_each_new_sum_of_tokens_is_a_call() -> None:
    """The event that comes again with the same sum is none."""
    assert [Usage(2000, 100, cache_read=1000, reasoning=40), Usage(1500, 150, cache_read=2500)] == [
        call.usage for call in FOUND.calls
    ]
    assert ["gpt-5.1-codex", "gpt-5-mini"] == [call.model for call in FOUND.calls]


def test_the_sums_belong_to_the_model_of_the_turn() -> None:
    first = Usage(2000, 100, cache_read=1000, reasoning=40)
    assert {"gpt-5.1-codex": first, "gpt-5-mini": Usage(1500, 150, cache_read=2500)} == FOUND.totals


def test_where_only_sums_are_given_a_call_is_their_difference() -> None:
    def spent(total: int) -> dict[str, object]:
        usage = {"input_tokens": total, "output_tokens": 10}
        return {"type": "event_msg", "payload": {"type": "token_count", "info": {"total_token_usage": usage}}}

    found = read(codex, lines(spent(100), spent(100), spent(250), spent(40)))
    assert [100, 150, 40] == [call.usage.input for call in found.calls]
    assert {"": Usage(290, 20)} == found.totals


def test_tools_have_their_results() -> None:
    first, second = FOUND.tools
    assert ("shell", '{"command":["ls"]}', "ls: no such file", True) == (first.name, first.input, first.output, first.is_error)
    assert ("apply_patch", "*** Begin Patch", False, 1000) == (
        second.name,
        second.input,
        second.is_error,
        second.end_ms - second.time_ms,
    )


@pytest.mark.parametrize(
    ("output", "shown", "is_error"),
    [
        ("fine", "fine", False),
        ("Exit code: 127\nOutput:\nnot found", "Exit code: 127\nOutput:\nnot found", True),
        ("Process exited with code 0\nOutput:", "Process exited with code 0\nOutput:", False),
        ('{"output": "x", "metadata": {"exit_code": 0}}', "x", False),
        ('{"output": {"a": 1}, "metadata": 3}', '{"a":1}', False),
        ('{"other": 1}', '{"other": 1}', False),
        ({"content": "no", "success": False}, "no", True),
        ([{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}], "a\nb", False),
        (None, "", False),
    ],
)
def test_a_result_says_whether_the_tool_failed(output: object, shown: str, is_error: bool) -> None:
    content = lines(
        {"type": "response_item", "payload": {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"}},
        {"type": "response_item", "payload": {"type": "function_call_output", "call_id": "c", "output": output}},
    )
    (tool,) = read(codex, content).tools
    assert (shown, is_error, True) == (tool.output, tool.is_error, tool.answered)


def test_lines_of_older_versions_have_no_payload() -> None:
    content = lines(
        {"id": "old-1", "timestamp": "2025-06-01T00:00:00Z", "instructions": None},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
        {"type": "local_shell_call", "call_id": "c", "action": {"type": "exec", "command": ["ls"]}},
    )
    found = read(codex, content)
    assert ("old-1", "Hello") == (found.session_id, found.prompt)
    assert [("local_shell", '{"type":"exec","command":["ls"]}')] == [(tool.name, tool.input) for tool in found.tools]


def test_a_session_that_continues_another_keeps_its_own_id() -> None:
    content = lines(*({"type": "session_meta", "payload": {"id": name}} for name in ("new", "parent")))
    assert "new" == read(codex, content).session_id


PARENT, CHILD, NEW = (f"019a00{number:02x}-0000-7000-8000-000000000001" for number in (1, 5, 9))


def _spent(total: int) -> dict[str, object]:
    return {"type": "event_msg", "payload": {"type": "token_count", "info": {"total_token_usage": {"input_tokens": total}}}}


def _said(role: str, text: str) -> dict[str, object]:
    return {"type": "response_item", "payload": {"type": "message", "role": role, "content": [{"text": text}]}}


def _entries(*values: Mapping[str, object]) -> list[SessionEntry]:
    parser = parser_for("codex", "r.jsonl")
    assert parser is not None
    return [entry for value in values for entry in parser.take(value)]


@pytest.mark.parametrize(
    "fork", [{"forked_from_id": PARENT}, {"source": {"subagent": {"thread_spawn": {"parent_thread_id": PARENT}}}}]
)
def test_the_copy_of_another_session_is_not_counted_again(fork: dict[str, object]) -> None:
    found = _entries(
        {"type": "session_meta", "payload": {"id": CHILD, **fork}},
        {"type": "session_meta", "payload": {"id": PARENT}},
        {"type": "turn_context", "payload": {"turn_id": PARENT, "model": "m"}},
        _said("user", "Old"),
        _said("assistant", "Old"),
        _spent(1000),
        {"type": "event_msg", "payload": {"type": "task_started", "turn_id": NEW}},
        _said("user", "New"),
        _said("assistant", "Fresh"),
        _spent(1200),
    )
    assert {CHILD} == {each.session for each in found}
    said = [(each.kind, each.text) for each in found if each.kind != "session"]
    assert said == [("prompt", "New"), ("answer", "Fresh"), ("sum", ""), ("answer", "Fresh")]
    assert [Usage(200)] == [each.usage for each in found if each.kind == "sum"]


def test_a_copy_without_ids_of_turns_ends_with_its_moment() -> None:
    def at(second: int, value: Mapping[str, object]) -> dict[str, object]:
        return {"timestamp": f"2026-11-01T10:00:{second:02}Z", **value}

    found = _entries(
        at(0, {"type": "session_meta", "payload": {"id": "child", "forked_from_id": "parent"}}),
        at(0, _spent(1000)),
        at(9, _said("assistant", "Fresh")),
        at(10, _spent(1300)),
    )
    assert [Usage(300)] == [each.usage for each in found if each.kind == "sum"]
