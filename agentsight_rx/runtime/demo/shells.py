"""The tools that an agent offers, a command -> the tool that the fake model calls, and its arguments."""

from __future__ import annotations

import json
from collections.abc import Sequence

__all__ = ["tool_among", "tool_call"]

# Shell tools of Claude Code, opencode, Gemini CLI and Codex, and the parameter that takes the command
_SHELLS = {"Bash": "command", "bash": "command", "run_shell_command": "command", "exec_command": "cmd"}


def tool_among(names: Sequence[str]) -> str | None:
    """A shell, or else the first: agents offer a shell among other tools, and not always first."""
    return next((name for name in names if name in _SHELLS), next(iter(names), None))


def tool_call(shell: str, command: str) -> tuple[str, str]:
    """The tool that is called, and the JSON text of its input: `@NAME JSON` names another one than the shell."""
    if command.startswith("@"):
        name, _, given = command.removeprefix("@").partition(" ")
        return name, given
    return shell, json.dumps({_SHELLS.get(shell, "command"): command}, ensure_ascii=False)
