"""A tool that a model asked for -> its input in a few words, and whether it runs a command or changes a file."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Literal, TypeAlias, cast

import msgspec

from ...core.start import regex
from ...llm.agents.said import says_refused
from ..words import cut
from .kinds import SAID, ToolRow

# The member of an input that says most, in the order of preference
_MAIN = ("command", "cmd", "file_path", "path", "pattern", "query", "url", "description", "prompt", "subject", "code", "input")
_BEGUN = regex(r'"(?:' + "|".join(_MAIN) + r')"\s*:\s*"((?:[^"\\]|\\.)*)')  # in JSON of which a row has the begin

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


# What names an agent in the input of the tool that starts it, and else its task, in the order of preference
_NAMES = (
    "subagent_type", "agent_type", "agent_name", "agent", "role", "name", "description", "title", "task", "prompt", "message",
    "instructions", "query", "question", "input",
)  # fmt: skip
_NAME_MOST = 60  # characters


def task_name(tool: ToolRow, /) -> str:
    """The name of an agent that works on a tool: as its input names it, else the begin of its task."""
    try:
        value: object = msgspec.json.decode(tool.input) if tool.input else None
    except (msgspec.DecodeError, RecursionError):
        value = None
    members: Mapping[str, object] = cast("Mapping[str, object]", value) if isinstance(value, dict) else {}
    named = (str(each).split() for name in _NAMES if isinstance(each := members.get(name), str))
    return " ".join(next(filter(None, named), [tool.tool_name]))[:_NAME_MOST]


_TASKS = ("description", "task", "prompt", "message", "instructions", "query")
_TASK_MOST = 80  # characters


def task_said(tool: ToolRow, /) -> str:
    """What an agent that works on a tool was asked for, in a few words; "" where the input does not say it."""
    try:
        value: object = msgspec.json.decode(tool.input) if tool.input else None
    except (msgspec.DecodeError, RecursionError):
        return ""
    members: Mapping[str, object] = cast("Mapping[str, object]", value) if isinstance(value, dict) else {}
    said = (" ".join(each.split()) for name in _TASKS if isinstance(each := members.get(name), str))
    return cut(next(filter(None, said), ""), _TASK_MOST)


# Members of an input that change nothing of what is executed, in lower case without `_` and `-`
_ABOUT = frozenset(
    {
        "description", "explanation", "justification", "reasoning", "thought", "thinking", "intent", "toolcallid", "tooluseid",
        "callid", "requestid", "uuid", "nonce", "timestamp", "timeout", "timeoutms", "timeoutseconds", "yieldtimems",
        "maxoutputtokens", "securityrisk", "meta", "taskprogress", "waitforprevious",
    }
)  # fmt: skip
_COMMANDS = ("command", "cmd", "script")
_PLACES = ("cwd", "workdir", "working_directory", "directory", "dir", "dir_path")


def command_of(tool: ToolRow, /) -> tuple[str, str]:
    """What a tool is to run in a shell, and in which folder; "": it runs nothing, or it is not known."""
    if tool.tool_name.lower() not in _SHELLS:
        return "", ""
    try:
        value: object = msgspec.json.decode(tool.input) if tool.input else None
    except (msgspec.DecodeError, RecursionError):
        return "", ""
    members: Mapping[str, object] = cast("Mapping[str, object]", value) if isinstance(value, dict) else {}
    given = next((each for name in _COMMANDS if (each := members.get(name))), "")
    text = shlex.join(map(str, cast("list[object]", given))) if isinstance(given, list) else str(given)
    places = map(members.get, _PLACES)
    return text, next((each for each in places if isinstance(each, str)), "")


def executed(text: str, /) -> str:
    """The input of a tool without what changes nothing of what is executed: descriptions, ids, times. Equal calls are equal."""
    try:
        value: object = msgspec.json.decode(text) if text.lstrip()[:1] == "{" else None
    except (msgspec.DecodeError, RecursionError):
        return asked_for(text)
    if not isinstance(value, dict):
        return text.strip()
    members = cast("Mapping[str, object]", value)
    if any(members.get(name) for name in _COMMANDS):
        kept = {name: each for name, each in members.items() if name in _COMMANDS or name in _PLACES}
    else:
        kept = {name: each for name, each in members.items() if _plain(name) not in _ABOUT}
    return msgspec.json.encode(kept or members, order="sorted").decode()


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


# Parts of a result that differ each time: dates and times of day, durations, UUIDs, addresses in memory
_VARIES = regex(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?|\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b"
    r"|\b\d+(?:\.\d+)? ?(?:ms|[mµn]?s|secs?|seconds?|minutes?)\b"
    r"|\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b|\b0x[0-9a-f]+\b",
    re.IGNORECASE,
)


def steady(result: str, /) -> str:
    """A result without the parts of it that differ each time that the same happens."""
    return _VARIES.sub("~", result)


def _short(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


# -- tool outcome --------------------------------------------------------------------------------------------------
# A tool that a model asked for -> what became of it: one definition of asked, ran, failed, refused and unknown.


ToolOutcome: TypeAlias = Literal["asked", "ran", "failed", "refused", "unknown"]


def outcome_of(row: ToolRow, /) -> ToolOutcome:
    """
    failed: its process says so, or the agent did to the model; an exit code that is an answer is no failure. refused: the agent
    says that it did not run. ran: a process was found, or it is a tool that an agent runs without one, and its result came.
    unknown: a command whose result came and of which no process was seen, so only the agent says that it ran. asked: no result
    has come.
    """
    if row.is_answer:  # even where the agent reports it as an error
        return "ran"
    if row.exit_code or row.signal:
        return "failed"
    seen = has_process(row)
    if row.status in ("failed", "completed") and not seen and says_refused(row.output):
        return "refused"
    if row.status == "failed":
        return "failed"
    if row.status != "completed":
        return "ran" if row.exit_code is not None else "asked"
    return "ran" if seen or not is_command(row) or row.view_source == SAID else "unknown"


def has_process(row: ToolRow, /) -> bool:
    """The kernel saw a process of it."""
    return row.related_pid is not None or row.exit_code is not None or row.signal is not None


def has_failed(row: ToolRow, /) -> bool:
    """It ran, and its process or the agent says that it failed."""
    return outcome_of(row) == "failed"


def outcome_said(row: ToolRow, /) -> str:
    """How it ended, in a few words: by the exit of its process, else by what the agent reported to the model."""
    if row.signal:
        return f"killed by signal {row.signal}"
    if row.exit_code is not None:
        return f"exit {row.exit_code}"
    return _WORDS[outcome_of(row)]


_WORDS: dict[ToolOutcome, str] = {
    "asked": "no result seen",
    "ran": "done",
    "failed": "failed",
    "refused": "refused",
    "unknown": "no process seen",
}
