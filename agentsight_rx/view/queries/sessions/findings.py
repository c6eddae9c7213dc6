"""Calls and tools of a session -> findings: repeats, loops, failures, a growing context, a lost cache."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Literal, TypeAlias

from msgspec import Struct

from ....store.rows.ids import Beginning
from ....store.rows.kinds import CallRow, SessionRow, ToolRow
from ....store.rows.tables import PROCESSES, Recording
from ....store.rows.tool_words import asked_for, executed, has_failed, steady
from ....store.state import Store
from ....store.words import amount, error_said, plural, times_said, took
from ..calls.costs import PricedCall
from ..context.falls import Falls
from ..context.words import lost_said

FindingKind: TypeAlias = Literal["loop", "repeated", "retried", "failed", "limit", "uncached", "growth"]

_GROWS = 1000  # tokens a turn
_GROWS_TURNS = 5
_LIMITS = frozenset({"max_tokens", "length", "MAX_TOKENS", "max_output_tokens"})


class Finding(Struct, frozen=True):
    """
    One thing worth a look, in these turns. `amount` is how many; of `uncached`, and of `growth` for a turn, it is tokens.
    `what` is the tool with its input, the kind of error, or why the cache was lost.
    """

    kind: FindingKind
    turns: tuple[int, ...]
    amount: int
    what: str = ""
    cost_usd: float | None = None  # where that is known


class FindingWords(Struct, frozen=True):
    """A finding as every view has it: a claim, a phrase with its number, and the command or the name of the error, if any."""

    title: str
    text: str
    code: str = ""


def finding_words(finding: Finding, /) -> FindingWords:
    """Without turns and cost."""
    number, what = finding.amount, finding.what
    match finding.kind:
        case "loop":
            often = f"{times_said(number)}, nothing else in between"
            return FindingWords("Same command, same result", often, asked_for(what.partition(" ")[2]))
        case "repeated":
            return FindingWords("Same request sent again", f"{plural(number, 'request')} unchanged")
        case "retried":
            return FindingWords("Retries", f"{plural(number, 'retry', 'retries')} after a failure")
        case "failed":
            return FindingWords("The model did not answer", f"{plural(number, 'call')} failed", error_said(what))
        case "limit":
            return FindingWords("Ended at a limit", f"{plural(number, 'answer')} ended at the limit of tokens")
        case "uncached":
            return FindingWords("Cache lost", f"{what and f'{what}, '}{amount(number)} tokens were paid again")
        case "growth":
            return FindingWords("Context grows", f"{amount(number)} tokens a turn")


class Run(Struct, frozen=True):
    """The same tool call, one after the other: how often it failed in a row."""

    tool: ToolRow
    times: int


def longest_failure(tools: Sequence[ToolRow], /) -> Run | None:
    """The tool call that failed most often in a row, two times at least; `tools` in the order of time."""
    best: Run | None = None
    last: dict[str, Run] = {}  # of each agent
    for tool in tools:
        agent = tool.agent_id or ""
        before = last.pop(agent, None)
        if not has_failed(tool):
            continue
        same = before is not None and _executed(before.tool) == _executed(tool)
        run = last[agent] = Run(tool, before.times + 1 if same and before else 1)
        if run.times > max(1, best.times if best else 1):
            best = run
    return best


def find(calls: Sequence[PricedCall], tools: Sequence[ToolRow], falls: Falls, /) -> tuple[Finding, ...]:
    """Of one session, calls and tools in the order of time; what cost most comes first."""
    by_id = {call.id: call for call in calls}
    found = [*_loops(tools, by_id), *_repeats(calls), *_failures(calls), *_uncached(calls, falls), *_growth(calls)]
    return tuple(sorted(found, key=lambda each: -(each.cost_usd or 0.0)))


def _loops(tools: Sequence[ToolRow], calls: Mapping[str, PricedCall]) -> Iterator[Finding]:
    """The same tool executes the same with the same result, with nothing else in between."""
    groups: dict[str, list[ToolRow]] = {}
    outputs = {tool.id: steady(tool.output) for tool in tools}
    for tool in tools:
        if tool.loop and tool.repeat_of is not None and outputs[tool.id] == outputs.get(tool.repeat_of, outputs[tool.id]):
            groups.setdefault(tool.repeat_of, []).append(tool)
    of_call = {tool.id: tool.llm_call_id for tool in tools}
    for first, rows in groups.items():
        again = list({call.id: call for row in rows if (call := calls.get(row.llm_call_id)) is not None}.values())
        begun = calls.get(of_call.get(first) or "")
        every = [begun, *(each for each in again if each is not begun)] if begun else again
        yield Finding("loop", _turns(every), len(rows) + 1, what=_what(rows[0]), cost_usd=_cost(again))


def _repeats(calls: Sequence[PricedCall]) -> Iterator[Finding]:
    """A retry costs what the failed requests before it have cost: the one that succeeds is what was wanted."""
    retried = [call for call in calls if call.retry]
    again = [call for call in calls if call.repeat and not call.retry]
    newest: dict[str, PricedCall] = {}  # of equal requests
    failed: list[PricedCall] = []
    for call in calls:
        first = call.repeat_of or call.id
        failed += [newest[first]] if call.retry and first in newest else []
        newest[first] = call
    if again:
        yield Finding("repeated", _turns(again), len(again), cost_usd=_cost(again))
    if retried:
        yield Finding("retried", _turns(retried), len(retried), cost_usd=_cost(failed))


def _failures(calls: Sequence[PricedCall]) -> Iterator[Finding]:
    kinds: dict[str, list[PricedCall]] = {}
    for call in calls:
        if call.status == "error":
            kinds.setdefault(call.error_type or "unknown", []).append(call)
    for kind, rows in kinds.items():
        yield Finding("failed", _turns(rows), len(rows), what=kind)
    cut = [call for call in calls if call.finish_reason in _LIMITS]
    if cut:
        yield Finding("limit", _turns(cut), len(cut))


def _uncached(calls: Sequence[PricedCall], falls: Falls) -> Iterator[Finding]:
    for call in calls:
        lost = falls.lost.get(call.id)
        if lost is not None:
            yield Finding("uncached", (call.turn,), lost.tokens, what=lost_said(lost), cost_usd=lost.usd)


def _growth(calls: Sequence[PricedCall]) -> Iterator[Finding]:
    """Of the main agent: how much longer each of its requests is than the one before."""
    sizes = [
        (call.turn, call.asked_tokens) for call in calls if call.agent_id is None and call.total_tokens and call.messages > 1
    ]
    if len(sizes) < _GROWS_TURNS:
        return
    a_turn = (sizes[-1][1] - sizes[0][1]) // (len(sizes) - 1)
    if a_turn >= _GROWS:
        yield Finding("growth", (sizes[0][0], sizes[-1][0]), a_turn)


def _turns(calls: Sequence[CallRow]) -> tuple[int, ...]:
    """Each once: several calls of a turn are tries of one request, or of its sub-agents."""
    return tuple(dict.fromkeys(call.turn for call in calls))


def _cost(calls: Sequence[PricedCall]) -> float | None:
    known = [call.cost_usd for call in calls if call.cost_usd is not None]
    return sum(known) if known else None


def _executed(tool: ToolRow) -> tuple[str, str]:
    return tool.tool_name, executed(tool.input)


def _what(tool: ToolRow) -> str:
    return f"{tool.tool_name} {tool.input}".strip()


# -- interruptions -------------------------------------------------------------------------------------------------
# Runs into one store, a session -> the runs that it went through, and how long nothing was recorded between them.


class Life(Struct, frozen=True):
    """From the begin of a session to the last that is known of it, Unix time in ms. `over`: its end was seen."""

    begin_ms: int
    last_ms: int
    over: bool


def life_of(store: Store, session: SessionRow, /) -> Life:
    """The last is its newest call, or the end of its process."""
    begin_ms = session.start_timestamp_ms
    last_ms = max(begin_ms, session.end_timestamp_ms or 0)
    process = store.get(PROCESSES, session.process_id) if session.process_id else None
    ended_ms = process.end_timestamp_ms if process else None
    if ended_ms is None:
        return Life(begin_ms, last_ms, over=session.status == "ended")
    return Life(begin_ms, max(last_ms, ended_ms), over=True)


def runs_through(life: Life, runs: Sequence[Recording], /) -> tuple[Recording, ...]:
    """The runs in which something of the session may have been seen or lost. The last of `runs` may go on."""
    newest = runs[-1].number if runs else 0
    return tuple(
        run
        for run in runs
        if run.started_ms <= life.last_ms and (run.committed_ms >= life.begin_ms or (run.number == newest and not run.ended))
    )


def gone_on(session: SessionRow, life: Life, runs: Sequence[Recording], /) -> Beginning | None:
    """The gap of a session that went on between runs; `runs` are all of the store, in order."""
    gaps_ms = [
        after.started_ms - max(before.committed_ms, life.begin_ms)
        for before, after in pairwise(runs)
        if life.begin_ms < after.started_ms <= life.last_ms
    ]
    if not gaps_ms:
        return None
    gaps = f", in {plural(len(gaps_ms), 'gap')}" if len(gaps_ms) > 1 else ""
    who = f"{session.who} {session.pid or ''}".strip()
    said = f"{who} went on while nothing was recorded, for {took(max(0, sum(gaps_ms)))}{gaps}"
    return Beginning(said, "what it did then was not seen", session.pid or 0)
