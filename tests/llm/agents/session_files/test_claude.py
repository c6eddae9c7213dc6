from __future__ import annotations

import pytest

from agentsight_rx.events import Usage
from agentsight_rx.view.transcripts import TranscriptTool
from tests.view.transcripts.reading import claude, read
from tests.view.transcripts.samples import CLAUDE, lines

MODEL = "claude-sonnet-4-5-20250929"
FOUND = read(claude, CLAUDE)
AT = 1_793_527_200_000  # 2026-11-01T10:00:00Z


def test_the_session_is_known() -> None:
    assert ("claude", "1a2b3c4d-0000-4000-8000-000000000001", "/work/shop") == (FOUND.agent, FOUND.session_id, FOUND.cwd)
    assert ((MODEL,), AT, AT + 10_000) == (FOUND.models, FOUND.start_ms, FOUND.end_ms)
    assert "Mend the shop's prices" == FOUND.title


def test_a_call_in_several_lines_is_counted_once_with_its_last_usage() -> None:
    assert [("msg_01", "req_01", 80), ("msg_02", "req_02", 90), ("msg_03", "req_03", 20)] == [
        (call.id, call.request_id, call.usage.output) for call in FOUND.calls
    ]
    assert Usage(4, 80, cache_creation=1200, cache_read=9000) == FOUND.calls[0].usage
    assert {MODEL: Usage(12, 190, cache_creation=3600, cache_read=27000)} == FOUND.totals


@pytest.mark.parametrize("missing", [("requestId",), ("requestId", "id")])
def test_without_a_request_id_the_message_counts_and_then_the_line(missing: tuple[str, ...]) -> None:
    def answer(uuid: str, message_id: str) -> dict[str, object]:
        message = {"id": message_id, "model": "m", "usage": {"input_tokens": 1, "output_tokens": 1}}
        line = {
            "type": "assistant",
            "uuid": uuid,
            "requestId": "r",
            "message": {k: v for k, v in message.items() if k not in missing},
        }
        return {k: v for k, v in line.items() if k not in missing}

    found = read(claude, lines(answer("u1", "a"), answer("u1", "a"), answer("u2", "b")))
    assert 2 == len(found.calls)


def test_tools_have_their_results() -> None:
    first, second, third = FOUND.tools
    assert ("Read", '{"file_path":"/work/shop/prices.py"}', True, False) == (
        first.name,
        first.input,
        first.answered,
        first.is_error,
    )
    expected = TranscriptTool(
        id="toolu_02",
        name="Bash",
        input='{"command":"make"}',
        output="make: no rule",
        is_error=True,
        answered=True,
        time_ms=AT + 7000,
        end_ms=AT + 8000,
    )
    assert expected == second
    assert ("toolu_03", False) == (third.id, third.answered)


def test_files_of_the_agent_itself_are_no_files_of_the_work() -> None:
    assert ("/work/shop/prices.py",) == FOUND.files


def test_the_prompt_is_what_the_user_typed_first() -> None:
    assert FOUND.prompt.startswith("Mend it, the key is [redacted:")


@pytest.mark.parametrize(
    "line",
    [
        {"type": "queue-operation", "operation": "enqueue", "content": "Typed ahead"},
        {"type": "last-prompt", "lastPrompt": "Typed ahead"},
    ],
)
def test_a_prompt_that_waits_is_a_prompt(line: dict[str, object]) -> None:
    assert "Typed ahead" == read(claude, lines({"type": "queue-operation", "operation": "dequeue"}, line)).prompt


def test_the_sums_of_a_run_come_before_those_of_its_messages() -> None:
    usage = {"inputTokens": 5, "outputTokens": 6, "cacheReadInputTokens": 7, "cacheCreationInputTokens": 8}
    found = read(claude, CLAUDE + lines({"type": "result", "duration_ms": 5, "modelUsage": {"claude-haiku-4-5": usage}}))
    assert {"claude-haiku-4-5": Usage(5, 6, cache_creation=8, cache_read=7)} == found.totals
    assert (MODEL, "claude-haiku-4-5") == found.models
