"""A tool that a model asked for -> its input in a few words, and whether it runs a command or changes a file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

import msgspec

from .rows import ToolRow

__all__ = ["asked_for", "is_command", "is_edit"]

# The member of an input that says most, in the order of preference
_MAIN = ("command", "cmd", "file_path", "path", "pattern", "query", "url", "description", "prompt", "subject", "code", "input")
_BEGUN = re.compile(r'"(?:' + "|".join(_MAIN) + r')"\s*:\s*"((?:[^"\\]|\\.)*)')  # in JSON of which a row has the begin

# Names of tools that change a file, and of those that run a command, in lower case
_EDITS = frozenset(
    {"edit", "multiedit", "write", "notebookedit", "apply_patch", "write_file", "replace", "edit_file", "str_replace_editor"}
)
_SHELLS = frozenset({"bash", "shell", "local_shell", "exec_command", "run_shell_command", "execute", "terminal", "run_command"})


def is_edit(tool: ToolRow, /) -> bool:
    """It changes a file."""
    return tool.tool_name.lower() in _EDITS


def is_command(tool: ToolRow, /) -> bool:
    """It runs in a shell, or a process was found for it."""
    return not is_edit(tool) and (tool.related_pid is not None or tool.tool_name.lower() in _SHELLS)


def asked_for(text: str, /) -> str:
    """The input of a tool: its command, path or query where it has one, else its members."""
    try:
        value: object = msgspec.json.decode(text) if text else None
    except (msgspec.DecodeError, RecursionError):
        found = _BEGUN.search(text) if text.startswith("{") else None
        return found[1].replace("\\n", " ").replace('\\"', '"') if found else text
    if not isinstance(value, dict):
        return text
    members = cast("Mapping[str, object]", value)
    main = next((members[name] for name in _MAIN if isinstance(members.get(name), str | list) and members[name]), None)
    if isinstance(main, list):
        main = " ".join(map(str, cast("list[object]", main)))
    return str(main) if main else ", ".join(f"{name} {_short(each)}" for name, each in members.items())


def _short(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
