"""The findings of a session -> its signals, each with the turns that show it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from ...store.rows.kinds import AuditRow, ToolRow
from ...store.rows.tool_words import asked_for
from ...store.words import cut, money
from ...store.words import took as took_said
from ..queries.sessions.findings import Finding, finding_words
from .picture import Work

_SLOW_MS = 5000  # a tool that took less is not slow, whatever the others took
_SLOWER = 3  # times the usual one of its name
_SIGNALS_MOST = 12
_EVIDENCE_MOST = 6
_CODE = 160  # characters


class Signal(Struct, frozen=True, omit_defaults=True):
    """One thing worth a look: a claim, what it is about, a number, the turns that show it, and how bad it is."""

    title: str
    text: str
    code: str = ""
    turns: tuple[int, ...] = ()
    more: int = 0  # turns that show it too
    bad: bool = False
    tab: str = ""
    diff: str = ""  # the call whose request shows it
    alert: int = 0  # the number of the alert that it is


def signals_of(
    work: Work, findings: Sequence[Finding], refused: Sequence[AuditRow], turns: dict[str, int], /
) -> tuple[Signal, ...]:
    """The signals, the worst first."""
    found = [*_of_findings(findings, work), *_refused(refused, work, turns), *_slow(work.tools, turns)]
    return tuple(sorted(found, key=lambda each: not each.bad)[:_SIGNALS_MOST])


def _of_findings(findings: Sequence[Finding], work: Work) -> Iterator[Signal]:
    by_turn = {call.turn: call.id for call in work.calls if not call.own_turn}
    for each in findings:
        said = finding_words(each)
        every = tuple(turn for turn in each.turns if turn)
        seen = every[:_EVIDENCE_MOST]
        text = said.text if said.code else f"{said.text[:1].upper()}{said.text[1:]}"  # goes on behind the code
        yield Signal(
            said.title,
            f"{text}; {money(each.cost_usd)}." if each.cost_usd else f"{text}.",
            cut(said.code, _CODE),
            turns=seen,
            more=len(every) - len(seen),
            bad=each.kind in ("loop", "failed"),
            diff=by_turn.get(seen[0], "") if seen and each.kind == "uncached" else "",
        )


def _refused(rows: Sequence[AuditRow], work: Work, turns: dict[str, int]) -> Iterator[Signal]:
    tools = {tool.id: tool for tool in work.tools}
    for path in list(dict.fromkeys(row.target or "" for row in rows))[:_EVIDENCE_MOST]:
        row = next(each for each in rows if (each.target or "") == path)
        tool = tools.get(row.tool_id or "")
        seen = (turns.get(tool.llm_call_id, 0),) if tool is not None else ()
        yield Signal(
            "A file was refused",
            f"{row.action} by {row.comm} {row.pid}: permission denied.",
            path,
            turns=seen,
            bad=True,
            tab="files",
        )


def _slow(tools: Sequence[ToolRow], turns: dict[str, int]) -> Iterator[Signal]:
    """A tool that took several times as long as the same one usually did."""
    took: dict[tuple[str, str], list[ToolRow]] = {}
    for tool in tools:
        if tool.duration_ms is not None:
            took.setdefault((tool.tool_name, asked_for(tool.input)[:24]), []).append(tool)
    for rows in took.values():
        durations = sorted(tool.duration_ms or 0 for tool in rows)
        usual, slowest = durations[(len(durations) - 1) // 2], rows[0]
        for tool in rows:
            slowest = tool if (tool.duration_ms or 0) > (slowest.duration_ms or 0) else slowest
        longest = slowest.duration_ms or 0
        if len(rows) > 2 and longest >= _SLOW_MS and longest >= _SLOWER * max(usual, 1):
            text = f"took {took_said(longest)}; usually {took_said(usual)}."
            yield Signal("Slow call", text, cut(asked_for(slowest.input), 120), turns=(turns.get(slowest.llm_call_id, 0),))
