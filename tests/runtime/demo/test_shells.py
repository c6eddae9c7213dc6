"""A command for a model -> the tool that it calls: a shell with the parameter that it has, or the one that is named."""

from __future__ import annotations

import json

import pytest

from agentsight_rx.runtime.demo.shells import tool_among, tool_call


@pytest.mark.parametrize(
    ("shell", "command", "tool", "given"),
    [
        ("Bash", "ls é", "Bash", {"command": "ls é"}),
        ("exec_command", "ls", "exec_command", {"cmd": "ls"}),
        ("other", "ls", "other", {"command": "ls"}),
        ("bash", '@read_file {"file_path": "a b"}', "read_file", {"file_path": "a b"}),
    ],
)
def test_a_command_is_for_a_shell_or_for_the_tool_that_it_names(
    shell: str, command: str, tool: str, given: dict[str, str]
) -> None:
    called, arguments = tool_call(shell, command)
    assert (tool, given) == (called, json.loads(arguments))


def test_a_shell_comes_before_other_tools() -> None:
    assert "Bash" == tool_among(["Edit", "Bash"])
    assert "Edit" == tool_among(["Edit"])
    assert tool_among([]) is None
