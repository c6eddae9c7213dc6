"""What the agents wrote whose parser is a table of fields, or reads a log of events: each sample has two calls and a tool."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from agentsight_rx.events import SessionEntry, Usage
from agentsight_rx.llm.agents.session_files import parser_for, read_agents
from tests.view.transcripts.other_samples import ANSWER, BESIDE, DONE, MS, OTHERS

EVERY = pytest.mark.parametrize("key", OTHERS, ids=lambda key: key[0])
UNCOUNTED = ("droid", "goose", "crush")  # their files have no tokens of a call
PLACELESS = ("gptme", "mini", "crush")  # and theirs no folder
MODELS = {
    "pi": "claude-opus-4-5",
    "droid": "claude-opus-4-5",
    "qwen": "qwen3-coder",
    "gptme": "gpt-5",
    "cline": "claude-opus-4-5",
    "amp": "claude-opus-4-5",
    "mini": "gpt-5",
    "copilot": "gpt-5.4",
    "kimi": "kimi-k3",
    "vibe": "devstral",
    "own": "gpt-5",
    "goose": "gpt-5",
    "crush": "gpt-5",
}
# of each call: input, output, cache written, cache read
COUNTS = {
    "pi": Usage(10, 5, 7, 100),
    "amp": Usage(10, 5, 7, 100),
    "cline": Usage(10, 5, 7, 100),
    "copilot": Usage(17, 5, 0, 100, 2),
}
IDS = {
    "pi": ["msg_a1", "msg_a2"],
    "mini": ["chatcmpl-1", "chatcmpl-2"],
    "copilot": ["chatcmpl-1", "chatcmpl-2"],
    "kimi": ["chatcmpl-1", "chatcmpl-2"],
    "own": ["r1"],
}


def read(agent: str, path: str, values: Sequence[Mapping[str, Any]]) -> list[SessionEntry]:
    parser = parser_for(agent, path)
    assert parser is not None
    beside = parser.facts_beside(BESIDE[agent][1]) if agent in BESIDE else ()
    return [*beside, *(entry for value in values for entry in parser.take(value)), *parser.finish()]


def entries(key: tuple[str, str]) -> list[SessionEntry]:
    content = OTHERS[key]
    values = [json.loads(content)] if key[1].endswith(".json") else [json.loads(line) for line in content.splitlines()]
    return read(*key, values)


def of_kind(found: list[SessionEntry], kind: str) -> list[SessionEntry]:
    return [each for each in found if each.kind == kind]


def answers(found: list[SessionEntry]) -> list[SessionEntry]:
    """Each as its newest entry says it."""
    return list({each.id: each for each in of_kind(found, "answer")}.values())


@EVERY
def test_the_conversation_is_there(key: tuple[str, str]) -> None:
    found = entries(key)
    (first, second), prompts = answers(found), of_kind(found, "prompt")
    assert "Mend it" in prompts[0].text
    assert (True, DONE) == (first.text.startswith(ANSWER), second.text)
    (tool,) = first.tools
    assert ("t1", {"command": "make"}) == (tool.id, json.loads(tool.input))
    (result,) = of_kind(found, "result")
    assert ("t1", key[0] != "gptme") == (result.id, result.is_error)
    assert key[0] in ("goose",) or "no rule" in result.text


@EVERY
def test_calls_have_their_model_and_tokens(key: tuple[str, str]) -> None:
    agent, found = key[0], answers(entries(key))
    assert {MODELS[agent]} == {each.model for each in found}
    expected = Usage() if agent in UNCOUNTED else COUNTS.get(agent, Usage(17, 5, 0, 100))
    assert [expected, expected] == [each.usage for each in found]
    named = [each.id for each in found if not each.id.startswith("#")]
    assert IDS.get(agent, []) == named


@EVERY
def test_the_session_has_its_facts_and_times(key: tuple[str, str]) -> None:
    agent, found = key[0], entries(key)
    facts = of_kind(found, "session")
    folder = "" if agent in PLACELESS else "/work/shop"
    title = "" if agent in ("gptme", "mini") else "Mend the prices"
    if facts:
        assert (folder, title) == (facts[-1].folder, facts[-1].text)
    (session,) = {each.session for each in found if each.kind != "session"}
    assert session in {"2026-11-01-red-cat", "session_1", "run-1", "T-1", "mini-chatcmpl-1", *(f"{agent}-1",)}
    times = [each.origin.wall_ns // 1_000_000 for each in answers(found)]
    late = {"kimi": [MS + 3000, MS + 4000]}
    assert late.get(agent, [MS + 2000, MS + 4000]) == times
    assert {"shopbot" if agent == "own" else agent} == {each.agent for each in found}


@EVERY
def test_thinking_is_no_answer(key: tuple[str, str]) -> None:
    assert {"", "Hm"} >= {each.thinking for each in answers(entries(key))}
    assert not any("Hm" in each.text for each in entries(key))


def test_every_agent_that_is_read_has_places_and_patterns() -> None:
    assert {key[0] for key in OTHERS} | {"claude", "codex", "gemini", "opencode"} == {each.id for each in read_agents()}
    assert all(each.sessions and each.session_files for each in read_agents())


@pytest.mark.parametrize("agent", BESIDE)
def test_a_file_says_more_about_the_session(agent: str) -> None:
    path = next(path for each, path in OTHERS if each == agent)
    parser = parser_for(agent, path)
    assert parser is not None
    assert BESIDE[agent][0] == parser.beside(path)


def test_sums_of_tokens_are_the_agents_own() -> None:
    droid, goose = (of_kind(entries(key), "sum") for key in OTHERS if key[0] in ("droid", "goose"))
    assert [Usage(20, 13, 14, 200, 3)] == [each.usage for each in droid]
    assert [Usage(34, 10)] == [each.usage for each in goose]


# -- pi ------------------------------------------------------------------------------------------------------------------


def test_a_fork_of_pi_has_not_the_calls_of_its_parent() -> None:
    content = next(content for (agent, _), content in OTHERS.items() if agent == "pi")
    _, *copied = [json.loads(line) for line in content.splitlines()]
    header = {"type": "session", "id": "pi-2", "timestamp": "2026-11-01T11:00:00Z", "parentSession": "/x/pi-1.jsonl"}
    own = {**copied[3], "id": "n", "timestamp": "2026-11-01T11:00:01Z"}
    found = read("pi", "fork.jsonl", [header, *copied, own])
    assert [("answer", "pi-2")] == [(each.kind, each.session) for each in found if each.kind != "session"]


def test_calls_of_pi_beside_the_conversation_count() -> None:
    usage = {"input": 0, "output": 0, "cacheRead": 50_000, "cacheWrite": 0}
    found = read(
        "pi",
        "x.jsonl",
        [
            {"type": "usage", "id": "w", "kind": "cache_warm", "model": "claude-opus-4-5", "usage": usage},
            {"type": "compaction", "id": "c", "summary": "So far", "usage": {"input": 9, "output": 3}},
            {"type": "label", "id": "l"},
        ],
    )
    assert [("answer", 50_000), ("note", 0), ("answer", 12)] == [
        (each.kind, each.usage.total if each.usage else 0) for each in found
    ]


# -- copilot -------------------------------------------------------------------------------------------------------------


def test_an_answer_in_parts_is_one() -> None:
    parts = [{"type": "assistant.message", "data": {"content": said, "apiCallId": "c"}} for said in ("A", "B")]
    assert [("c", "A"), ("c", "A\nB")] == [(each.id, each.text) for each in read("copilot", "s/events.jsonl", parts)]


def test_sub_agents_of_copilot_are_threads() -> None:
    line = {"type": "assistant.message", "agentId": "g1", "data": {"content": "A", "messageId": "m", "outputTokens": 4}}
    (entry,) = read("copilot", "s/events.jsonl", [line])
    assert ("g1", "#m", Usage(0, 4)) == (entry.thread, entry.id, entry.usage)


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ({"type": "abort", "data": {"reason": "user"}}, ["interrupted"]),
        ({"type": "session.compaction_complete", "data": {"success": True}}, ["compacted"]),
        ({"type": "session.compaction_complete", "data": {"success": False}}, []),
    ],
)
def test_what_happened_beside_the_messages_of_copilot_is_noted(line: dict[str, Any], note: list[str]) -> None:
    assert note == [each.text for each in read("copilot", "s/events.jsonl", [line])]


def test_the_sums_of_copilot_are_read() -> None:
    metrics = {"gpt-5.4": {"usage": {"inputTokens": 10, "outputTokens": 2, "cacheReadTokens": 4}}}
    (entry,) = read("copilot", "s/events.jsonl", [{"type": "session.shutdown", "data": {"modelMetrics": metrics}}])
    assert ("sum", "gpt-5.4", Usage(6, 2, 0, 4)) == (entry.kind, entry.model, entry.usage)


# -- others --------------------------------------------------------------------------------------------------------------


def test_a_step_of_kimi_that_did_not_end_is_an_answer_without_tokens() -> None:
    steps = [{"type": "step.begin", "uuid": "s1"}, {"type": "content.part", "part": {"text": "I"}}, {"type": "step.begin"}]
    found = read("kimi", "w/s/agents/a2/wire.jsonl", [{"type": "context.append_loop_event", "event": each} for each in steps])
    assert [("answer", "#s1", "I", "a2")] == [(each.kind, each.id, each.text, each.thread) for each in found[1:]]


def test_a_session_of_crush_that_another_one_asked_for_is_a_thread() -> None:
    values: list[Mapping[str, Any]] = [
        {"session": {"id": "c2", "root": "c1", "title": "Look"}},
        {"message": {"id": "m", "role": "user", "parts": json.dumps([{"type": "text", "data": {"text": "Look"}}])}},
    ]
    assert [("c1", "c2", "Look")] == [(each.session, each.thread, each.text) for each in read("crush", "crush.db#c2", values)]


def test_a_line_of_our_own_form_with_another_kind_is_counted() -> None:
    parser = parser_for("own", "bot/x.jsonl")
    assert parser is not None
    assert ([], 1) == (list(parser.take({"kind": "thought"})), parser.broken)


def test_answers_without_an_id_are_numbered() -> None:
    found = read("own", "bot/x.jsonl", [{"kind": "answer", "text": "A"}, {"kind": "answer", "text": "B"}])
    assert [("#1", "bot", "x"), ("#2", "bot", "x")] == [(each.id, each.agent, each.session) for each in found]
