"""The tools that an agent offers -> the one that the fake model calls, and its arguments."""

from __future__ import annotations

import json
from collections.abc import Sequence

__all__ = ["shell_arguments", "tool_among"]

# Shell tools of Claude Code, opencode, Gemini CLI and Codex, and the parameter that takes the command
_SHELLS = {"Bash": "command", "bash": "command", "run_shell_command": "command", "exec_command": "cmd"}


def tool_among(names: Sequence[str]) -> str | None:
    """A shell, or else the first: agents offer a shell among other tools, and not always first."""
    return next((name for name in names if name in _SHELLS), next(iter(names), None))


def shell_arguments(tool: str, command: str) -> str:
    """JSON text of the tool call's input."""
    return json.dumps({_SHELLS.get(tool, "command"): command}, ensure_ascii=False)
