"""A session -> its alerts: a list, one of them whole, marks for the strip, the turns and the rail."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from msgspec.structs import replace

from ...core.messages import program
from ...policy.rules.guard.compiled import allow_text
from ...policy.rules.guard.file import built_in_rules
from ...policy.rules.guard.values import shortened, with_short_homes
from ...store.rows.kinds import REPORTED_AT, AlertRow, ToolRow
from ...store.rows.tables import PROCESSES, TOOLS
from ...store.words import cut, end_said, plural, took
from ..queries.alerts import Evidence, evidence_of
from ..queries.calls.lookup import turn_of_call
from ..queries.decided import Decisions, State, allowed_by, allowing, is_waiting, removed_by, state_of
from ..queries.sessions.verdict import Clause
from .alert_shapes import STATES, AlertColumns, AlertLine, AlertList, AlertMark, AlertPart, AlertProof, AlertWhole, Halt
from .picture import Picture
from .signals import Signal

_COLUMNS_MOST = 500
_PROMPT, _SAID = 160, 240  # characters in a list
_SIGNALS_MOST = 3
_RANKS = {state: rank for rank, state in enumerate(STATES)}
_TIED = {"argv": "by its arguments", "time": "by time alone"}


def line_of(
    row: AlertRow,
    decisions: Decisions,
    /,
    *,
    recording: str = "",
    session: str | None = None,
    numbers: Mapping[str, int] | None = None,
) -> AlertLine:
    """`numbers` of the other alerts of the recording, by id; `session` is the one that shows it."""
    return AlertLine(
        row.number,
        row.id,
        row.rule,
        row.do,
        state_of(row, decisions),
        at_ms=row.timestamp_ms,
        sentence=row.sentence,
        last_ms=row.last_timestamp_ms,
        count=row.count,
        recording=recording,
        session=row.session_id or "" if session is None else session,
        agent=row.agent or "",
        turn=row.turn,
        prompt=cut(row.prompt, _PROMPT),
        proven=row.proven,
        cut=not row.complete,
        cost=row.cost,
        part_of=(numbers or {}).get(row.part_of or "", 0),
    )


def alert_page(lines: Iterable[AlertLine], decisions: Decisions, /, *, start: int, count: int) -> AlertList:
    """A page of them, waiting alerts first."""
    found = sorted(lines, key=lambda line: (_group(line), -line.at_ms, -line.n))
    states: list[State] = [line.state for line in found]
    return AlertList(
        start,
        len(found),
        tuple(found[start : start + count]),
        waiting=sum(map(is_waiting, states)),
        decided=sum(state in ("seen", "allowed") for state in states),
        notes=states.count("note"),
        stopped=states.count("stopped"),
        refusal=decisions.refusal,
        wrong=decisions.wrong,
    )


def _group(line: AlertLine) -> int:
    """Seen and allowed ones are one group."""
    return _RANKS["seen" if line.state == "allowed" else line.state]


def alerts_of(picture: Picture, session: str, /, *, start: int, count: int) -> AlertList:
    """Raises KeyError for a session that is not in the recording."""
    rows = picture.alerts_of(session)
    numbers = {row.id: row.number for row in rows}
    lines = [line_of(row, picture.decisions, numbers=numbers) for row in rows]
    return alert_page(lines, picture.decisions, start=start, count=count)


def loud_of(picture: Picture, session: str, /) -> tuple[AlertRow, ...]:
    """The newest alerts of a session that are for a person, oldest first."""
    rows = [row for row in picture.alerts_of(session) if row.do != "note" and row.part_of is None]
    return tuple(rows[-_COLUMNS_MOST:])


def columns_of(picture: Picture, session: str, /) -> AlertColumns:
    rows = picture.alerts_of(session)
    newest = rows[-_COLUMNS_MOST:]
    return AlertColumns(
        tuple(row.number for row in newest),
        tuple(row.turn for row in newest),
        tuple(STATES.index(state_of(row, picture.decisions)) for row in newest),
        more=len(rows) - len(newest),
    )


def marks_of(rows: Iterable[AlertRow], tools: Collection[str], /) -> Iterator[AlertMark]:
    """The alerts of a call, as they stand on its card, which has these tools."""
    for row in rows:
        tool = row.tool_id if row.tool_id in tools else None
        yield AlertMark(row.number, row.rule, cut(row.sentence, _SAID), tool or "", count=row.count)


Waiting: TypeAlias = Sequence[tuple[State, AlertRow]]


def waiting_of(picture: Picture, session: str, /) -> Waiting:
    """The alerts that wait, with their states, stopped ones first, then the newest."""
    states: list[tuple[State, AlertRow]] = [(state_of(row, picture.decisions), row) for row in picture.alerts_of(session)]
    return sorted((each for each in states if is_waiting(each[0])), key=lambda each: (_RANKS[each[0]], -each[1].timestamp_ms))


def halt_of(picture: Picture, waiting: Waiting, /) -> Halt | None:
    """The agent of the session stands still now."""
    return next((halt for _, row in waiting if (halt := _halt(row, picture)) is not None and halt.halted), None)


def clauses_of(waiting: Waiting, /) -> tuple[tuple[Clause, ...], tuple[Clause, ...]]:
    """What the verdict says of alerts: a stopped agent before all else, what waits behind it."""
    rows = [row for _, row in waiting]
    first: tuple[Clause, ...] = ()
    if waiting and waiting[0][0] == "stopped":
        stopped = rows.pop(0)
        where = f" in turn {stopped.turn}" if stopped.turn else ""
        first = (Clause(f"Stopped{where}: {stopped.sentence}.", "alerts"), Clause(" "))
    if not rows:
        return first, ()
    said = (
        f"{rows[0].sentence[:1].upper()}{rows[0].sentence[1:]}." if len(rows) == 1 else f"{plural(len(rows), 'alert')} are new."
    )
    return first, (Clause(" "), Clause(cut(said, _SAID), "alerts"))


def signals_of_alerts(waiting: Waiting, /) -> Iterator[Signal]:
    """Alerts that wait, as things worth a look."""
    for _, row in waiting[:_SIGNALS_MOST]:
        more = f", {row.count:,} times" if row.count > 1 else ""
        yield Signal(row.rule, f"{cut(row.sentence, _SAID)}{more}.", turns=(row.turn,) if row.turn else (), alert=row.number)
    if len(waiting) > _SIGNALS_MOST:
        yield Signal(
            f"{plural(len(waiting) - _SIGNALS_MOST, 'more alert')}", "They wait for you as well: see Alerts.", tab="alerts"
        )


# -- one of them whole ---------------------------------------------------------------------------------------------------


def alert_of(picture: Picture, session: str, name: str, /, *, recording: str = "") -> AlertWhole:
    """The alert `a31`, or of that id. Raises KeyError where the session has none."""
    rows = picture.alerts_of(session)
    row = next((each for each in rows if name in (each.name, each.id, str(each.number))), None)
    if row is None:
        raise KeyError(f"the alert {name[:40]}")
    decisions = picture.decisions
    known = (decisions.rules.named(row.rule) if decisions.rules else None) or built_in_rules().named(row.rule)
    entry, allowed = allowing(row), allowed_by(row, decisions.rules)
    seen = decisions.seen.get(row.id)
    return AlertWhole(
        replace(
            line_of(row, decisions, recording=recording, numbers={each.id: each.number for each in rows}),
            cost=row.cost if row.cost is not None else _cost_of(picture, session, row),
        ),
        tuple(_parts(picture, row)),
        tuple(_proof(picture, each) for each in evidence_of(picture.store, row)),
        because=row.because,
        means=known.means if known else "",
        misses=known.misses if known else "",
        entry=allow_text(entry) if entry and not allowed else "",
        removes=removed_by(entry, row.rule, rows) if entry else 0,
        allowed=allowed,
        file=shortened(decisions.place),
        sha256=row.sha256,
        seen_ms=seen.at_ms if seen else 0,
        next=next((each for each in REPORTED_AT if each > row.count), 0),
        halt=_halt(row, picture) if row.do == "stop" else None,
        workspace=shortened(row.workspace or ""),
    )


def _cost_of(picture: Picture, session: str, row: AlertRow) -> float | None:
    """Of its call, whose rows may have been priced since; a rule that reads no cost notes none."""
    return next((call.cost_usd for call in picture.work(session).calls if call.id == row.call_id), None)


def _halt(row: AlertRow, picture: Picture) -> Halt | None:
    if row.do != "stop" or row.agent_pid is None:
        return None
    halted = picture.decisions.halted(row)
    return Halt(
        f"{row.agent or 'the agent'} {row.agent_pid}",
        row.timestamp_ms,
        halted,
        running=not halted and picture.decisions.running(row),
        go_on=f"{program()} guard continue {row.agent_pid}",
        end=f"{program()} guard end {row.agent_pid}",
    )


def _parts(picture: Picture, row: AlertRow) -> Iterator[AlertPart]:
    """The four parts of the thread. The row has counted how many of its links are proven."""
    tool = picture.store.get(TOOLS, row.tool_id) if row.tool_id else None
    by_id = bool(tool and tool.llm_call_id)
    left = row.proven - by_id
    by_process = tool is not None and (tool.link != "time" or left > 1)
    done = left - by_process > 0
    asked = turn_of_call(picture.store, tool.llm_call_id) if tool is not None else row.turn
    tab = "conversation" if row.turn else ""
    yield AlertPart("prompt", row.prompt, tab=tab, turn=row.turn)
    if row.tool:
        turn = f"turn {asked}" if asked else ""
        yield AlertPart(
            "tool",
            with_short_homes(row.tool),
            turn,
            "by its id" if by_id else "",
            sure=by_id,
            code=True,
            tab=tab,
            turn=asked,
            row=row.tool_id or "",
        )
    else:
        yield AlertPart("tool", more="no tool asked for it, or it is not known which", sure=False)
    yield _process(picture, row, tool, sure=by_process)
    yield _target(row, sure=done)


def _process(picture: Picture, row: AlertRow, tool: ToolRow | None, *, sure: bool) -> AlertPart:
    if row.process_id is None and not row.command:
        return AlertPart("process", more="no process was seen", sure=False)
    process = picture.store.get(PROCESSES, row.process_id) if row.process_id else None
    ended = end_said(process.exit_code, process.signal) if process is not None else ""
    more = ", ".join(filter(None, (str(row.pid or ""), ended, took(process.duration_ms) if process is not None else "")))
    tied = _TIED.get(tool.link or "", "by its parents") if tool is not None else ""
    name = row.command or row.agent or str(row.pid or "")
    return AlertPart("process", name, more, tied, sure=sure, code=True, tab="processes", row=row.process_id or "")


def _target(row: AlertRow, *, sure: bool) -> AlertPart:
    if row.target.startswith("/"):
        more = f"to {row.host}" if row.host else ""
        words = row.target.rstrip("/")
        return AlertPart("target", shortened(row.target), more, "by its process", sure=sure, code=True, tab="files", q=words)
    if row.host:
        return AlertPart("target", row.target, "", "by its connection", sure=sure, code=True, tab="network", q=row.host)
    tab = "conversation" if row.turn else ""
    return AlertPart("target", with_short_homes(row.target), sure=sure, code=True, tab=tab, turn=row.turn)


def _proof(picture: Picture, each: Evidence) -> AlertProof:
    text, row, turn = cut(with_short_homes(each.text), _SAID), "", 0
    if each.tab == "conversation":
        tool = picture.store.get(TOOLS, each.id)
        row, turn = each.id, turn_of_call(picture.store, tool.llm_call_id if tool is not None else each.id)
    return AlertProof(each.id, each.timestamp_ms, text, each.tab, turn=turn, row=row, q=each.look_for)
