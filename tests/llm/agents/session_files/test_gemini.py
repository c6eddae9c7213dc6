from __future__ import annotations

import json

import pytest

from agentsight_rx.events import Usage
from tests.view.transcripts.reading import Kind, gemini_json, gemini_lines, read
from tests.view.transcripts.samples import GEMINI, GEMINI_LINES, lines

BOTH = pytest.mark.parametrize(
    ("parser", "content"), [(gemini_json, GEMINI), (gemini_lines, GEMINI_LINES)], ids=["json", "lines"]
)


@BOTH
def test_the_session_is_known(parser: Kind, content: bytes) -> None:
    found = read(parser, content)
    assert ("gemini", "5b5b-0001", "Mend the prices") == (found.agent, found.session_id, found.prompt)
    assert ("Mend the prices of the shop", ("gemini-2.5-pro",), 30_000) == (
        found.title,
        found.models,
        found.end_ms - found.start_ms,
    )
    assert (64, "") == (len(found.project), found.cwd)


@BOTH
def test_input_has_no_cached_tokens_and_output_has_thoughts(parser: Kind, content: bytes) -> None:
    found = read(parser, content)
    usage = Usage(2010, 90, cache_read=3000, reasoning=70)
    assert ([usage], {"gemini-2.5-pro": usage}) == ([call.usage for call in found.calls], found.totals)


@BOTH
def test_tools_have_their_results(parser: Kind, content: bytes) -> None:
    found = read(parser, content)
    assert [("read_file", "A = 1", False, 1000), ("run_shell_command", "no rule", True, 2000)] == [
        (tool.name, tool.output, tool.is_error, tool.end_ms - tool.time_ms) for tool in found.tools
    ]
    assert ("/work/shop/prices.py",) == found.files


def test_an_id_of_the_api_stands_behind_the_name_of_the_tool() -> None:
    tools: list[dict[str, object]] = [{"id": id, "name": "run", "args": {}} for id in ("run__call_1", "run-2", "other__call_3")]
    content = json.dumps({"sessionId": "s", "messages": [{"type": "gemini", "id": "m", "model": "g", "toolCalls": tools}]})
    assert ["call_1", "run-2", "other__call_3"] == [tool.id for tool in read(gemini_json, content.encode()).tools]


def test_a_message_that_comes_again_is_one_call() -> None:
    def answer(output: int) -> dict[str, object]:
        return {"id": "m", "type": "gemini", "model": "g", "tokens": {"input": 5, "output": output}}

    found = read(gemini_lines, lines(answer(1), answer(7), {"$set": {"messages": [answer(9)]}}))
    assert [Usage(5, 9)] == [call.usage for call in found.calls]


def test_a_file_that_is_cut_is_counted() -> None:
    found = read(gemini_json, GEMINI[:-10])
    assert (True, 1) == (found.is_empty, found.unreadable)
