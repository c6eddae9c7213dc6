"""Rows -> the few words of them that a list shows."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from ...store.reasons import why_cut
from ...store.rows.gap_counts import state_of_call
from ...store.rows.kinds import CallRow, ProcessRow, ToolRow
from ...store.rows.tool_words import outcome_of, outcome_said
from ..queries.calls.costs import PricedCall

# -- lines ---------------------------------------------------------------------------------------------------------
# The rows of the tabs, one short line each: a process, a file, a host, an MCP request, an HTTP exchange.


class ProcessLine(Struct, frozen=True, omit_defaults=True):
    id: str
    pid: int
    depth: int
    argv: str
    start_ms: int
    ms: int | None = None
    end: str = ""  # exit 0, signal 9, running, no end seen
    bad: bool = False
    agent: str = ""
    cwd: str = ""
    turn: int = 0
    tool: str = ""
    kids: int = 0
    starts: bool = False


class FileLine(Struct, frozen=True, omit_defaults=True):
    """
    `kind` as in FileUse. It was used last for `prompt`, of which this is the begin; `asked` is the turn of the prompt. Of a
    file that was changed `turn`, `tool` and `how` are of the last change, `plus` and `minus` the lines that came and went (-1:
    not known), and `edits` counts the tools that say what they changed. `size` is the file's behind it: tools say its whole
    content, and the last write had as many bytes (-1: not known).
    """

    path: str
    kind: str
    count: int = 0
    errors: int = 0
    error: str = ""
    target: str = ""
    read: int = 0
    written: int = 0
    last_ms: int = 0
    by: str = ""
    turn: int = 0
    tool: str = ""
    prompt: str = ""
    asked: int = 0
    made: bool = False
    how: str = ""
    plus: int = -1
    minus: int = -1
    edits: int = 0
    size: int = -1


class FileChange(Struct, frozen=True, omit_defaults=True):
    """One change of a file by a tool. `before` is None where the tool wrote the whole file; `marked`: `after` is a patch."""

    turn: int
    tool: str
    row: str
    after: str
    before: str | None = None
    marked: bool = False
    cut: bool = False  # the begin of a text that is too long


class FileStory(Struct, frozen=True, omit_defaults=True):
    """
    The known content of a file: the changes that tools say, `said` where something else changed it last, and its `content`
    where tools wrote all of it.
    """

    path: str
    changes: tuple[FileChange, ...] = ()
    said: str = ""
    content: str | None = None


class HostLine(Struct, frozen=True, omit_defaults=True):
    """
    `kind`: host (with its exchanges), peer (with its connections), unread (a process that could not be read). Bytes are None
    where they were not measured.
    """

    kind: str
    name: str
    count: int = 0
    errors: int = 0
    error: str = ""
    calls: int = 0
    sent: int | None = 0
    received: int | None = 0
    paths: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    by: str = ""
    turn: int = 0
    last_ms: int = 0


class McpLine(Struct, frozen=True, omit_defaults=True):
    id: str
    start_ms: int
    server: str
    method: str
    tool: str = ""
    outcome: str = ""
    ms: int | None = None
    params: str = ""
    result: str = ""
    client: int = 0
    pid: int = 0
    turn: int = 0


class HttpLine(Struct, frozen=True, omit_defaults=True):
    id: str
    start_ms: int
    method: str
    host: str
    path: str
    status: int = 0
    state: str = ""
    why: str = ""
    ms: int | None = None
    sent: int = 0
    received: int = 0
    type: str = ""
    by: str = ""
    peer: str = ""
    passed_on: bool = False  # by a proxy, which was asked for it
    turn: int = 0
    call: str = ""
    version: str = ""


# ------------------------------------------------------------------------------------------------------------------------


_PLANS = ("todos", "plan", "items", "steps")
# One step of a plan whose JSON the row has only the begin of
_STEP = re.compile(r'"(?:content|step|title|description)"\s*:\s*"((?:[^"\\]|\\.)*)"[^{}]*?"status"\s*:\s*"(\w+)"')
_STEP_TURNED = re.compile(r'"status"\s*:\s*"(\w+)"[^{}]*?"(?:content|step|title|description)"\s*:\s*"((?:[^"\\]|\\.)*)"')
_STEPS_MOST = 60
_DONE = frozenset({"completed", "done", "complete"})

_UNASKED = "request_unseen"


class Gap(Struct, frozen=True, omit_defaults=True):
    """The missing part, why, since when, and what to do; `stage` is its row in Health."""

    what: str
    why: str
    stage: str = "calls"
    since_ms: int = 0
    do: str = ""


def how_tool_ended(row: ToolRow, /) -> tuple[str, str]:
    """(words, state); the state is ok, failed, or running where no result was seen."""
    outcome = outcome_of(row)
    if outcome == "asked":
        return "no result yet", "running"
    return outcome_said(row), "failed" if outcome in ("failed", "refused") else "ok"


def plan_of(row: ToolRow, /) -> list[tuple[str, str]]:
    """The steps of a plan that a tool set, as (text, todo | doing | done); none where it set no plan."""
    if not any(f'"{name}"' in row.input for name in _PLANS) or '"status"' not in row.input:
        return []
    found = _STEP.findall(row.input)[:_STEPS_MOST]
    if not found:
        found = [(text, status) for status, text in _STEP_TURNED.findall(row.input)[:_STEPS_MOST]]
    return [
        (_unescaped(text), "done" if status in _DONE else "doing" if status == "in_progress" else "todo")
        for text, status in found
    ]


def newest_plan(tools: Sequence[ToolRow], /) -> list[tuple[str, str]]:
    """The plan that the main agent set last; none where it set none."""
    for tool in reversed(tools):
        steps = plan_of(tool) if tool.agent_id is None else []
        if steps:
            return steps
    return []


def _unescaped(text: str) -> str:
    try:
        return msgspec.json.decode(f'"{text}"', type=str)
    except msgspec.DecodeError:
        return text


def context_of(call: CallRow, /) -> int:
    """Tokens that the request had."""
    return call.asked_tokens


def gap_of_call(call: PricedCall | CallRow, /, *, goes_on: bool) -> Gap | None:
    """The missing part of a call; None if the call is whole, failed, or goes on."""
    state = state_of_call(call)
    if state == "whole" or goes_on:
        return None
    why, do = why_cut(call.reason or ("pending" if state == "pending" else ""))
    what = "Part of the answer is missing" if call.text or call.output_tokens else "The answer is missing"
    if call.reason == _UNASKED:
        what = "The request is missing"
    return Gap(what, why, since_ms=call.end_timestamp_ms or call.start_timestamp_ms, do=do)


def program_of(row: ProcessRow, /) -> str:
    """Its arguments, as a shell would take them."""
    return shlex.join(row.argv) or row.command or row.comm or ""
