"""What matters in a request and in a result of MCP."""

from __future__ import annotations

import pytest

from agentsight_rx.cli.report.mcp_words import arguments_said, result_said


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ('{"name":"add","arguments":{"a":1}}', '{"a":1}'),
        ('{"name":"add"}', '{"name":"add"}'),
        ('{"name":"add","argume', '{"name":"add","argume'),
        ("[1]", "[1]"),
        ("[" * 5000, "[" * 5000),
        ("", ""),
    ],
)
def test_of_a_tool_the_arguments(params: str, said: str) -> None:
    assert arguments_said(params) == said


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ('{"content":[{"type":"text","text":"3"},{"type":"image"},{"type":"text","text":"4"}]}', "3 4"),
        ('{"content":[{"type":"image"}]}', '{"content":[{"type":"image"}]}'),
        ('{"content":[7]}', '{"content":[7]}'),
        ('{"code":0,"message":"Unknown prompt"}', "Unknown prompt"),
        ('{"tools":[]}', '{"tools":[]}'),
        ('{"content":[{"te', '{"content":[{"te'),
        ("", ""),
    ],
)
def test_of_a_result_the_text_or_the_message(result: str, said: str) -> None:
    assert result_said(result) == said
