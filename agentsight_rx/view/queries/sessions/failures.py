"""Calls and tools of a session -> its failures, equal ones together, and the commands whose exit code was an answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from ....core.start import regex
from ....llm.agents.answers import meaning_of
from ....store.rows.kinds import ToolRow
from ....store.rows.tables import PREVIEW
from ....store.rows.tool_words import asked_for, has_failed, outcome_said, steady
from ....store.words import cut, error_said
from ..calls.costs import PricedCall

_TEXT = 240  # characters of a command, and of a line
_GROUPS_MOST = 50
_TURNS_MOST = 500  # of a group
_ANSWERS_MOST = 50
_NUMBERS = regex(r"\d+(?:\.\d+)?")
_ERROR = regex(r"(?i)error|exception|failed|failure|fatal|panic|not found|denied|cannot|no such")


class Failure(Struct, frozen=True, omit_defaults=True):
    """
    Equal failures: `outcome` as `exit 1`, `what` failed, `line` of its result that says why. `turns` and `rows` (ids of tools,
    "" for a call) are in the order of time. `differs`: the lines are equal but for numbers.
    """

    outcome: str
    what: str
    turns: tuple[int, ...]
    rows: tuple[str, ...]
    line: str = ""
    differs: bool = False


class Answered(Struct, frozen=True):
    """A command whose exit code is an answer: `meaning` is what it says."""

    what: str
    outcome: str
    meaning: str
    turn: int
    row: str


class Failures(Struct, frozen=True):
    """The most frequent failures first. `more` groups and answers were too many to be listed."""

    groups: tuple[Failure, ...]
    answers: tuple[Answered, ...]
    more: int = 0
    more_answers: int = 0


class _One(Struct, frozen=True):
    at_ms: int
    outcome: str
    what: str
    line: str
    turn: int
    row: str

    @property
    def key(self) -> tuple[str, str, str]:
        return self.outcome, self.what, _NUMBERS.sub("#", steady(self.line))


def failures_of(calls: Iterable[PricedCall], tools: Iterable[ToolRow], turns: Mapping[str, int], /) -> Failures:
    """`turns` has the number of the turn of each call."""
    tools = list(tools)
    found = [*_of_calls(calls, turns), *(_of_tool(tool, turns) for tool in tools if has_failed(tool))]
    equal: dict[tuple[str, str, str], list[_One]] = {}
    for each in sorted(found, key=lambda one: one.at_ms):
        equal.setdefault(each.key, []).append(each)
    groups = sorted(map(_group, equal.values()), key=lambda group: (-len(group.turns), group.turns))
    answers = [_answered(tool, turns) for tool in tools if tool.is_answer]
    return Failures(
        tuple(groups[:_GROUPS_MOST]),
        tuple(answers[:_ANSWERS_MOST]),
        more=max(0, len(groups) - _GROUPS_MOST),
        more_answers=max(0, len(answers) - _ANSWERS_MOST),
    )


def _group(some: list[_One]) -> Failure:
    first, kept = some[0], some[:_TURNS_MOST]
    differs = any(each.line != first.line for each in some)
    turns, rows = tuple(each.turn for each in kept), tuple(each.row for each in kept)
    return Failure(first.outcome, first.what, turns, rows, line=first.line, differs=differs)


def _of_calls(calls: Iterable[PricedCall], turns: Mapping[str, int]) -> Iterator[_One]:
    for call in calls:
        if call.status == "error":
            has_status = call.status_code is not None and call.status_code >= 400
            outcome = f"HTTP {call.status_code}" if has_status else "failed"
            what = f"{call.host or call.provider or 'a model'}{(call.path or '').partition('?')[0]}"
            why = error_said(call.error_type or call.reason or "")
            line = "" if why == outcome else why
            yield _One(
                call.start_timestamp_ms, outcome, cut(what, _TEXT), line=line, turn=turns.get(call.id, call.turn), row=""
            )


def _of_tool(tool: ToolRow, turns: Mapping[str, int]) -> _One:
    return _One(
        tool.timestamp_ms,
        outcome_said(tool),
        _what(tool),
        line=_line_of(tool.output, is_whole=len(tool.output) < PREVIEW),
        turn=turns.get(tool.llm_call_id, 0),
        row=tool.id,
    )


def _what(tool: ToolRow) -> str:
    return cut(" ".join(f"{asked_for(tool.input) or tool.tool_name}".split()), _TEXT)


def _line_of(output: str, *, is_whole: bool) -> str:
    """The last line that names an error, else the last one; of a result of which a row has the begin, no last line is known."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    named = [line for line in lines if _ERROR.search(line)]
    return cut((named or (lines if is_whole else []) or [""])[-1], _TEXT)


def _answered(tool: ToolRow, turns: Mapping[str, int]) -> Answered:
    meaning = meaning_of(tool.related_argv, tool.exit_code)
    return Answered(_what(tool), outcome_said(tool), meaning, turns.get(tool.llm_call_id, 0), tool.id)
