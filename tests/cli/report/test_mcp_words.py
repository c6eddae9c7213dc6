"""What matters in a result of MCP."""

from __future__ import annotations

import pytest

from agentsight_rx.cli.report.mcp import result_said


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
