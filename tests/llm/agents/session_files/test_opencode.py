"""The database of opencode: what each session was."""

from __future__ import annotations

import json
from typing import Any

from agentsight_rx.events import SessionEntry, Usage
from agentsight_rx.llm.agents.session_files import parser_for
from tests.view.transcripts.reading import opencode, read
from tests.view.transcripts.samples import OPENCODE, OPENCODE_LINES, SECRET, changed, lines, values_in

INCLUDED = Usage(11_162, 42, cache_read=83, reasoning=39)
BESIDE = Usage(100, 94, cache_creation=20, cache_read=8320, reasoning=59)


def test_the_session_is_known() -> None:
    found = read(opencode, OPENCODE_LINES)
    assert ("opencode", "ses_0001", "/work/shop", "Mend the prices") == (
        found.agent,
        found.session_id,
        found.cwd,
        found.title,
    )
    assert found.prompt.startswith("Mend it, the key is ")
    assert SECRET not in str(found)


def test_a_call_is_a_finished_step_else_its_message_and_reasoning_is_output_once() -> None:
    found = read(opencode, OPENCODE_LINES)
    assert [INCLUDED, BESIDE] == [call.usage for call in found.calls]
    assert [1500, 2500] == [call.time_ms - found.start_ms for call in found.calls]
    assert ("claude-sonnet-4-5",) == found.models


def test_tools_have_their_results() -> None:
    found = read(opencode, OPENCODE_LINES)
    assert [("read", False, 1000), ("bash", True, 1000)] == [
        (tool.name, tool.is_error, tool.end_ms - tool.time_ms) for tool in found.tools
    ]
    assert ("no rule", ("/work/shop/prices.py",)) == (found.tools[1].output, found.files)


def test_what_is_no_object_in_a_row_is_counted_or_empty() -> None:
    found = read(
        opencode, lines({"message": {"id": "m", "data": 7, "parts": [{"data": {"type": "step-finish"}}, 3]}}, {"session": 1}, 3)
    )
    assert (True, 1) == (found.is_empty, found.unreadable)


def test_rows_that_are_no_json_are_counted() -> None:
    data = changed(
        OPENCODE,
        "update part set data = 'x{' where data like '%step-start%'",
        "update message set data = null where data like '%8320%'",
    )
    found = read(opencode, lines(*values_in(data, "ses_0001")))
    assert (1, [INCLUDED]) == (found.unreadable, [call.usage for call in found.calls])


def entries(*values: Any) -> list[SessionEntry]:
    parser = parser_for("opencode", "opencode.db#ses_2")
    assert parser is not None
    return [entry for value in values for entry in parser.take(value)]


def message(id: str, role: str, *parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    rows = [{"id": f"{id}.{number}", "data": json.dumps(part)} for number, part in enumerate(parts)]
    return {"message": {"id": id, "data": json.dumps({"role": role, **more}), "parts": rows}}


def test_a_sub_agent_is_a_thread_of_the_session_that_asked_for_it() -> None:
    session = {"session": {"id": "ses_2", "root": "ses_1", "title": "Look around", "directory": "/work/shop"}}
    found = entries(session, message("m1", "user", {"type": "text", "text": "Look"}))
    assert [("prompt", "ses_1", "ses_2", "Look")] == [(each.kind, each.session, each.thread, each.text) for each in found]


def test_what_happened_beside_the_messages_is_noted() -> None:
    found = entries(
        message("m1", "user", {"type": "compaction", "auto": True}),
        message("m2", "assistant", {"type": "text", "text": "I"}, error={"name": "MessageAbortedError"}),
    )
    assert ["compacted", "I", "interrupted"] == [each.text for each in found]


def test_a_message_that_may_change_is_read_again() -> None:
    parser = parser_for("opencode", "opencode.db#ses_1")
    assert parser is not None
    said = [
        message("m1", "user"),  # its text is on its way
        message("m1", "user", {"type": "text", "text": "Go"}),
        message("m2", "assistant", {"type": "text", "text": "I g"}, time={"created": 1}),
        message("m2", "assistant", {"type": "text", "text": "I go"}, time={"created": 1, "completed": 2}),
        message("m3", "assistant", {"type": "text", "text": "O"}),
        message("m4", "assistant", {"type": "text", "text": "Oh"}),
    ]
    done: list[tuple[str, str]] = []
    for value in said:
        list(parser.take(value))
        done.append((parser.state.done, parser.state.waiting))
    assert [("", "m1"), ("m1", ""), ("m1", "m2"), ("m2", ""), ("m2", "m3"), ("m3", "m4")] == done


def test_each_step_of_an_answer_is_a_call() -> None:
    end: dict[str, Any] = {"type": "step-finish", "tokens": {"input": 5, "output": 2}}
    said = message("m1", "assistant", {"type": "reasoning", "text": "Hm"}, end, {"type": "text", "text": "Done"}, end)
    assert [("#m1", "", "Hm"), ("#m1.1", "Done", "")] == [(each.id, each.text, each.thinking) for each in entries(said)]
