"""
A session -> the head of the page: verdict, completeness, the strip of turns, numbers, signals, plan, and how programs are read.

Longer than 300 lines because a comparison of two sessions has the numbers of their heads.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from msgspec import Struct
from msgspec.structs import replace

from ...llm.agents.registry import agent_named
from ...store.reasons import FILE_GONE
from ...store.rows.kinds import SessionRow
from ...store.rows.tool_words import has_failed
from ...store.state import MemoryStore
from ...store.words import lasted_ms
from ..queries.calls.costs import CostSum, PricedCall, read_facts, seller_of, summed
from ..queries.context.falls import Falls
from ..queries.context.findings import Avoidable
from ..queries.context.words import saving_said
from ..queries.effects.causes import Causes
from ..queries.effects.file_fates import effect_of
from ..queries.effects.work import calls_that_changed, files_touched
from ..queries.reading import read_totals
from ..queries.selection import Selection
from ..queries.sessions.diff import RunFacts, facts_of
from ..queries.sessions.findings import find
from ..queries.sessions.latency import Spread, spread_of, timed_calls, timed_tools
from ..queries.sessions.listing import ListRow
from ..queries.sessions.side_by_side import Part
from ..queries.sessions.verdict import Clause, deeds_of, verdict_of
from .alert_shapes import AlertColumns, Halt
from .alerts import clauses_of, columns_of, halt_of, signals_of_alerts, waiting_of
from .counts import Read, Wholeness, counts_of, reads_of
from .funnel import whole_in
from .picture import WHOLE, Picture, Work
from .signals import Signal, signals_of
from .threads import Threads, threads_of
from .words import context_of, gap_of_call, newest_plan

FAILED, MISSING, RUNNING, SUB_AGENT, COMPACTED, CACHE_LOST = 1, 2, 4, 8, 16, 32  # of a turn
CHANGED, PROMPTED = 512, 1024


class Strip(Struct, frozen=True):
    """
    The turns in columns, so that a thousand of them are 40 kB. `flags`: 1 failed, 2 something is missing, 4 running, 8 a
    sub-agent worked, 16 the conversation was compacted before it, 32 the cache was lost, 512 a tool of it or of
    its sub-agents changed files, 1024 it began with a prompt of a person.
    """

    n: tuple[int, ...]
    call: tuple[str, ...]
    start: tuple[int, ...]  # ms after the start of the session
    ms: tuple[int, ...]
    context: tuple[int, ...]
    cached: tuple[int, ...]
    flags: tuple[int, ...]


class SubLane(Struct, frozen=True, omit_defaults=True):
    """A sub-agent below the strip, in turns of its own. It hangs on turn `turn`; `tool` began it, where that is known."""

    id: str
    name: str
    turn: int
    turns: int
    ms: int
    context: tuple[int, ...]
    cached: tuple[int, ...]
    task: str = ""
    tool: str = ""
    cost: float | None = None
    flags: tuple[int, ...] = ()


class Numbers(Struct, frozen=True, omit_defaults=True):
    calls: int = 0
    sub_calls: int = 0
    failed_calls: int = 0
    tokens_in: int = 0
    cached: int = 0
    tokens_out: int = 0
    reasoning: int = 0
    cost: CostSum = CostSum()
    context: int = 0  # of the newest request
    left: float | None = None  # of the window, 0 to 1
    model_ms: int = 0
    tools_ms: int = 0
    idle_ms: int = 0
    tools: int = 0
    failed_tools: int = 0
    first_word: Spread = Spread()
    a_tool: Spread = Spread()


class Step(Struct, frozen=True):
    text: str
    state: str  # todo, doing, done


class Head(Struct, frozen=True, omit_defaults=True):
    """
    Everything above the tabs. `from_turn`: the strip begins behind so many turns that the page has already. `lanes`: the
    sub-agents below the strip. `cut`: the turns and their numbers are of the newest
    calls. `more`: the tabs of which only the newest rows were counted. `export`: the command that makes files of it.
    `others`: the recordings that have more of the session, as the list of all sessions knows them.
    """

    id: str
    recording: str
    live: bool
    agent: str
    start_ms: int
    end_ms: int
    agent_version: str = ""
    title: str = ""
    model: str = ""
    models: tuple[str, ...] = ()
    cwd: str = ""
    container: str = ""
    pid: int = 0
    comm: str = ""
    verdict: tuple[Clause, ...] = ()
    whole: Wholeness = Wholeness("whole")
    strip: Strip | None = None
    turns: int = 0
    lanes: tuple[SubLane, ...] = ()
    from_turn: int = 0
    window: int = 0
    numbers: Numbers = Numbers()
    signals: tuple[Signal, ...] = ()
    plan: tuple[Step, ...] = ()
    counts: dict[str, int] = {}
    more: tuple[str, ...] = ()
    reads: tuple[Read, ...] = ()
    cut: bool = False
    version: int = 0  # of the store
    alerts: AlertColumns = AlertColumns()
    halt: Halt | None = None
    export: str = ""
    others: tuple[str, ...] = ()


def head_of(picture: Picture, session: str, /, *, recording: str, from_turn: int = 0) -> Head:
    """Raises KeyError for a session that is not in the recording."""
    row = None if session == WHOLE else picture.session(session)
    work = picture.work(session)
    threads = threads_of(session, work)
    files, _ = picture.audits(session, "file")
    live = picture.is_live(session)
    from_turn = 0 if work.cut else from_turn  # with each new turn an older one goes
    counts, more = counts_of(picture, session)
    start, end = _times(picture, row, work)
    main = threads.main
    last = next((call for call in reversed(main) if call.total_tokens), None)
    window = picture.prices.window_of(seller_of(last), last.response_model or last.model) if last else None
    programs = 0 if work.calls else read_totals(picture.store).programs
    cwd = (row.cwd if row else None) or (picture.causes.folder if row is None else "")
    deeds = deeds_of(work.calls, work.tools, files_touched(files, picture.lives, home=cwd), programs=programs)
    refused = [each for each in files if effect_of(each) == "refused"]
    changed = calls_that_changed(files, picture.causes, picture.lives)
    falls, dearest = picture.falls(session)
    numbers = _numbers(work, threads, (start, end), window)
    said = verdict_of(deeds, threads.turns, live=live).clauses
    alerts = waiting_of(picture, session)
    stopped, waiting = clauses_of(alerts)
    return Head(
        session,
        recording,
        live=live,
        agent=agent_title(row),
        start_ms=start,
        end_ms=end,
        agent_version=row.agent_version if row else "",
        title=row.title if row else "",
        model=(row.model if row else None) or (last.model if last else None) or "",
        models=row.models if row else (),
        container=(row.container if row else None) or "",
        cwd=cwd,
        pid=(row.pid if row else None) or 0,
        comm=(row.comm if row else None) or "",
        verdict=(*stopped, *said, *_saving(dearest, numbers.cost), *waiting),
        whole=replace(
            whole_in(picture, picture.healths.of(row) if row else picture.health),
            gone=FILE_GONE if row and row.file_gone else "",
        ),
        strip=_strip(threads, work, falls, start_ms=start, from_turn=from_turn, changed=changed, goes_on=picture.goes_on),
        turns=len(main),
        lanes=tuple(_lanes(threads, work, picture.goes_on)),
        from_turn=from_turn,
        window=window or 0,
        numbers=numbers,
        signals=(
            *signals_of_alerts(alerts),
            *signals_of(work, find(work.calls, work.tools, falls), refused, threads.turns),
        ),
        plan=tuple(Step(*step) for step in newest_plan(work.tools)),
        counts=counts,
        more=more,
        reads=tuple(reads_of(picture)),
        cut=work.cut,
        version=picture.version,
        alerts=columns_of(picture, session),
        halt=halt_of(picture, alerts),
        export=picture.command("report export", session),
    )


def part_of(picture: Picture, row: ListRow, /) -> Part:
    """A session to compare. Raises KeyError for a session that is not in the recording."""
    session, work = picture.session(row.id), picture.work(row.id)
    main = threads_of(row.id, work).main
    falls, _ = picture.falls(row.id)
    numbers = _numbers(work, threads_of(row.id, work), _times(picture, session, work), None)
    return Part(
        row,
        calls=main,
        tools=work.tools,
        facts=_facts_of(picture, row, work),
        folder=session.cwd or "",
        findings=find(work.calls, work.tools, falls),
        context=[context_of(call) for call in main],
        prompt=next((call.prompt for call in main if call.prompt), ""),
        model_ms=numbers.model_ms,
        tools_ms=numbers.tools_ms,
    )


def _facts_of(picture: Picture, row: ListRow, work: Work) -> RunFacts:
    """As `report diff` has them. An agent's own file has calls and tools alone, so nothing else is looked for."""
    if row.recorded:
        return read_facts(picture.store, Selection(sessions=frozenset((row.id,))), picture.prices)
    cost = summed(work.calls)
    usd = None if cost.unknown_calls else cost.usd
    return facts_of(work.calls, work.tools, (), (), exchanges=(), causes=Causes(MemoryStore()), cost=usd)


def agent_title(row: SessionRow | None, /) -> str:
    if row is None:
        return "All processes"
    known = agent_named(row.agent) if row.agent else None
    return known.title if known else row.who


def _times(picture: Picture, row: SessionRow | None, work: Work) -> tuple[int, int]:
    if row is not None:
        return row.start_timestamp_ms, max(row.end_timestamp_ms or 0, row.start_timestamp_ms)
    runs = picture.health.recordings
    start = min((run.started_ms for run in runs), default=0)
    end = max((run.committed_ms or run.started_ms for run in runs), default=start)
    if work.calls and not start:
        return work.calls[0].start_timestamp_ms, work.calls[-1].end_timestamp_ms or work.calls[-1].start_timestamp_ms
    return start, end


def _saving(dearest: Avoidable | None, cost: CostSum) -> tuple[Clause, ...]:
    """The sentence behind the verdict: what costs most and could be saved."""
    return (Clause(" "), Clause(saving_said(dearest, cost.usd), "context")) if dearest is not None and cost.usd else ()


def _strip(
    threads: Threads,
    work: Work,
    falls: Falls,
    *,
    start_ms: int,
    from_turn: int,
    changed: Collection[str],
    goes_on: Callable[[PricedCall], bool],
) -> Strip:
    def shown(calls: Iterable[str]) -> set[int | None]:
        return {threads.turns.get(call) for call in calls}

    failed = [call.id for call in work.calls if call.status == "error"]
    bad = shown([*failed, *threads.tries, *(tool.llm_call_id for tool in work.tools if has_failed(tool))])
    edited = shown(changed)
    with_subs = set(threads.under.values())
    calls = threads.main[from_turn:]

    def flags(call: PricedCall) -> int:
        turn = threads.turns[call.id]
        return (
            _flags(call, turn in bad, goes_on=goes_on(call))
            | SUB_AGENT * (turn in with_subs)
            | COMPACTED * (call.id in falls.compacted)
            | CACHE_LOST * (call.id in falls.lost)
            | CHANGED * (turn in edited)
            | PROMPTED * threads.is_prompted(call)
        )

    return Strip(
        tuple(threads.turns[call.id] for call in calls),
        tuple(call.id for call in calls),
        start=tuple(call.start_timestamp_ms - start_ms for call in calls),
        ms=tuple(lasted_ms(call.start_timestamp_ms, call.end_timestamp_ms) or 0 for call in calls),
        context=tuple(map(context_of, calls)),
        cached=tuple(call.cache_read_tokens for call in calls),
        flags=tuple(map(flags, calls)),
    )


def _lanes(threads: Threads, work: Work, goes_on: Callable[[PricedCall], bool]) -> Iterable[SubLane]:
    """The sub-agents, in the order in which they began."""
    failed = {tool.llm_call_id for tool in work.tools if has_failed(tool)}
    found = [thread for some in threads.below.values() for thread in some]
    for thread in sorted(found, key=lambda each: each.calls[0].start_timestamp_ms):
        calls = thread.calls
        flags = tuple(_flags(call, call.id in failed or call.id in threads.tries, goes_on=goes_on(call)) for call in calls)
        yield SubLane(
            thread.key,
            thread.name,
            threads.turns.get(calls[0].id, 0),
            len(calls),
            thread.ms,
            context=tuple(map(context_of, calls)),
            cached=tuple(call.cache_read_tokens for call in calls),
            task=thread.task,
            tool=thread.tool,
            cost=summed(calls).usd,
            flags=flags if any(flags) else (),
        )


def _flags(call: PricedCall, bad: bool, /, *, goes_on: bool) -> int:
    missing = gap_of_call(call, goes_on=goes_on) is not None
    return FAILED * (bad or call.status == "error") | MISSING * missing | RUNNING * goes_on


def _numbers(work: Work, threads: Threads, times: tuple[int, int], window: int | None) -> Numbers:
    calls = work.calls
    spans = [(call.start_timestamp_ms, call.end_timestamp_ms) for call in calls if call.end_timestamp_ms]
    model = _union(spans)
    both = _union([*spans, *((tool.timestamp_ms, tool.end_timestamp_ms) for tool in work.tools if tool.end_timestamp_ms)])
    context = next((context_of(call) for call in reversed(threads.main) if call.total_tokens), 0)
    return Numbers(
        calls=len(calls),
        sub_calls=len(threads.under),
        failed_calls=sum(call.status == "error" for call in calls),
        tokens_in=sum(map(context_of, calls)),
        cached=sum(call.cache_read_tokens for call in calls),
        tokens_out=sum(call.output_tokens for call in calls),
        reasoning=sum(call.reasoning_tokens for call in calls),
        cost=summed(calls),
        context=context,
        left=max(0.0, round(1 - context / window, 6)) if window and context else None,
        model_ms=model,
        tools_ms=both - model,
        idle_ms=max(0, times[1] - times[0] - both),
        tools=len(work.tools),
        failed_tools=sum(map(has_failed, work.tools)),
        first_word=spread_of(call.time_to_first_chunk_ms or 0 for call in timed_calls(calls)),
        a_tool=spread_of(tool.duration_ms or 0 for tool in timed_tools(work.tools)),
    )


def _union(spans: Iterable[tuple[int, int]]) -> int:
    """The time that at least one of them covers."""
    covered, until = 0, 0
    for begin, end in sorted(spans):
        covered += max(0, end - max(begin, until))
        until = max(until, end)
    return covered
