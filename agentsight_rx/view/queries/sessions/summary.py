"""Store, selection -> the first screen: a session's actions, cost, findings and gaps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from ....llm.prices import Prices
from ....store.rows.kinds import AuditRow, NetworkRow, ProcessRow, SessionRow, ToolRow
from ....store.rows.tables import AUDIT, CALLS, NETWORK, SESSIONS, TOOLS
from ....store.rows.tally import Totals
from ....store.rows.tool_words import has_failed
from ....store.state import Store, pages
from ..calls.costs import CostSum, PricedCall, models_of, priced, short_call, short_tool, summed
from ..calls.mcp import tools_of
from ..context.context import AgentContext
from ..context.findings import Avoidable
from ..effects.causes import Causes, within
from ..effects.file_fates import Lives
from ..effects.work import FilesTouched, McpUse, Peer, files_touched, mcp_uses, peers_of
from ..explained import explained
from ..reading import newest_as, newest_programs, newest_session, read_totals, rows_of, selected
from ..selection import Selection
from .findings import Finding, Run, find
from .health import Health, Healths
from .verdict import Verdict, deeds_of, verdict_of

if TYPE_CHECKING:
    from .twins import Twins

_CALLS_MOST = 20_000
_TOOLS_MOST = 20_000
_PROGRAMS = 20
_PROGRAMS_LOOKED_AT = 5_000


class Turn(Struct, frozen=True):
    """One call of a model and the tools that it asked for."""

    call: PricedCall
    tools: tuple[ToolRow, ...] = ()


class Summary(Struct, frozen=True):
    """
    The actions of one session; where there is none, the content of the recording. `turns` are those shown, `calls` how many
    there are.

    `cut` are the kinds of rows that are too many: they say so in a line of their own, since their counts are not whole.
    """

    session: SessionRow | None
    verdict: Verdict
    sessions: int  # in the store
    started_ms: int
    duration_ms: int
    calls: int
    failed_calls: int
    asked_tokens: int  # cached or not
    cached_tokens: int
    output_tokens: int
    models: dict[str, int]
    cost: CostSum
    turns: tuple[Turn, ...]
    tools: int
    commands: int  # of the tools: commands whose process was seen
    commands_unseen: int  # and commands that were asked for, of which none was
    refused_tools: int
    failed_tools: int
    edits: int  # of the tools: those that change a file
    failed_in_a_row: Run | None
    files: FilesTouched
    peers: tuple[Peer, ...]
    mcp: tuple[McpUse, ...]
    cut: tuple[str, ...]
    findings: tuple[Finding, ...]
    avoidable: Avoidable | None  # from a tenth of the cost on
    programs: tuple[ProcessRow, ...]  # the newest, where there is no session
    totals: Totals  # of the whole store
    health: Health


def read_summary(
    store: Store,
    selection: Selection,
    prices: Prices,
    /,
    *,
    being_written: bool = False,
    most_turns: int | None = 12,
    twins: Twins | None = None,
) -> Summary:
    """
    Of the session that was used last, or of the selection. `most_turns`: None for all of them. `twins`: what agents wrote down
    themselves.
    """
    session = _session(store, selection)
    part = replace(selection, limit=None)
    if session is not None and selection.sessions is None:
        part = replace(part, sessions=frozenset({session.id}))
    sessions = sum(1 for _ in pages(store, SESSIONS))
    healths = Healths(store, being_written=being_written, twins=twins)
    health = healths.whole if session is None else healths.of(session)
    # where there is but one session every call is of it, and the table is read without its index
    called = replace(part, sessions=None) if selection.whole and sessions == 1 else part
    calls = newest_as(store, CALLS, called, lambda row: short_call(row, prices), most=_CALLS_MOST)
    totals = read_totals(store)
    tools = newest_as(store, TOOLS, part, short_tool, most=_TOOLS_MOST, rows_known=totals.tools if sessions == 1 else None)
    causes = None if called.sessions is None else Causes(store)
    home = (session.cwd or "") if session is not None else (causes or Causes(store)).folder
    files = files_touched(_effects(store, "file", called, causes), None if called.whole else Lives(store), home=home)
    start, end = _times(session, calls, part, health)
    deeds = deeds_of(calls, tools, files, programs=totals.programs)
    falls, dearest = explained(calls, {tool.tool_name for tool in tools}, _contexts(store, session, prices))
    is_whole = part.since_ms is None and part.until_ms is None  # else what could be saved is more than what is shown
    return Summary(
        session,
        verdict_of(deeds, {call.id: call.turn for call in calls}),
        sessions=sessions,
        started_ms=start,
        duration_ms=max(0, end - start),
        calls=len(calls),
        failed_calls=deeds.failed_calls,
        asked_tokens=sum(call.asked_tokens for call in calls),
        cached_tokens=sum(call.cache_read_tokens for call in calls),
        output_tokens=sum(call.output_tokens for call in calls),
        models=models_of(calls),
        cost=summed(calls),
        turns=tuple(_turn(store, call, prices) for call in _shown(calls, tools, most_turns)),
        tools=len(tools),
        commands=deeds.commands,
        commands_unseen=deeds.commands_unseen,
        refused_tools=deeds.refused_tools,
        failed_tools=deeds.failed_tools,
        edits=deeds.edits,
        failed_in_a_row=deeds.failed_in_a_row,
        files=deeds.files,
        peers=peers_of(_peers(store, called, causes)),
        mcp=mcp_uses(_effects(store, "mcp", called, causes)),
        cut=tuple(_cut(calls, tools, files)),
        findings=find(calls, tools, falls),
        avoidable=dearest if is_whole else None,
        programs=() if session else _programs(store, part),
        totals=totals,
        health=health,
    )


def _contexts(store: Store, session: SessionRow | None, prices: Prices) -> Callable[[], list[AgentContext]] | None:
    def read(id: str) -> list[AgentContext]:
        from ..context.reading import read_contexts  # loads the readers of all providers

        return read_contexts(store, id, prices)

    return None if session is None else partial(read, session.id)


def _turn(store: Store, call: PricedCall, prices: Prices) -> Turn:
    """The whole call and its tools."""
    row = store.get(CALLS, (call.start_timestamp_ms, call.id))
    return Turn(call if row is None else priced(row, prices), tools_of(store, call.id))


def _session(store: Store, selection: Selection) -> SessionRow | None:
    if selection.sessions is None and selection.whole:
        return newest_session(store)
    return next(iter(selected(store, SESSIONS, replace(selection, limit=1))), None)


def _times(session: SessionRow | None, calls: Sequence[PricedCall], part: Selection, health: Health) -> tuple[int, int]:
    if session is not None and part.since_ms is None and part.until_ms is None:
        return session.start_timestamp_ms, session.end_timestamp_ms or session.start_timestamp_ms
    if calls:
        return calls[0].start_timestamp_ms, max(call.end_timestamp_ms or call.start_timestamp_ms for call in calls)
    start = min((run.started_ms for run in health.recordings), default=0)
    return start, start + round(1000 * sum(run.seconds for run in health.recordings))


def _shown(calls: Sequence[PricedCall], tools: Sequence[ToolRow], most: int | None) -> Sequence[PricedCall]:
    """The first one, the newest ones, and between them the most telling ones: incomplete, with failed tools, expensive."""
    if most is None or len(calls) <= most:
        return calls
    failed = {tool.llm_call_id for tool in tools if has_failed(tool)}
    newest = most // 2
    middle = range(1, len(calls) - newest)
    rank = sorted(
        middle, key=lambda at: (calls[at].status == "complete", calls[at].id not in failed, -(calls[at].cost_usd or 0))
    )
    return [calls[at] for at in sorted({0, *rank[: most - newest - 1], *range(len(calls) - newest, len(calls))})]


def _effects(store: Store, kind: str, part: Selection, causes: Causes | None) -> Iterator[AuditRow]:
    """All lines of a kind in the audit trail, as the report of that kind reads them."""
    return selected(store, AUDIT, part, kind=kind) if causes is None else within(store, AUDIT, part, causes, kind=kind)


def _cut(calls: Sequence[PricedCall], tools: Sequence[ToolRow], files: FilesTouched) -> Iterator[str]:
    if len(calls) == _CALLS_MOST:
        yield f"of calls only the newest {_CALLS_MOST:,}: report calls"
    if len(tools) == _TOOLS_MOST:
        yield f"of tools only the newest {_TOOLS_MOST:,}: report tools"
    if files.uncounted:
        yield f"{files.uncounted:,} operations on other files are not counted"


def _peers(store: Store, part: Selection, causes: Causes | None) -> Iterator[NetworkRow]:
    """A session's peers include the peers that its processes reached before its first call."""
    sessions = part.sessions
    rest = part if causes is None else replace(part, sessions=None)
    for row in rows_of(store, NETWORK):
        if rest.has(row) and (causes is None or sessions is None or causes.session_of_row(row) in sessions):
            yield row


def _programs(store: Store, part: Selection) -> tuple[ProcessRow, ...]:
    rows = (row for row in newest_programs(store, most=_PROGRAMS_LOOKED_AT) if part.has(row))
    return tuple(islice(rows, _PROGRAMS))[::-1]
