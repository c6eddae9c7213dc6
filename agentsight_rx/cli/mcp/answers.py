"""
What an agent may ask -> answers from the recordings: each tool with its arguments, its description and its query.

Longer than 300 lines because it is one table of thirteen tools, and each has its arguments and its rows beside it.
"""

from __future__ import annotations

import datetime
import re
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from ...core.errors import AgentsightError, UsageError
from ...core.messages import say
from ...llm.canonical import ReasoningPart, TextPart
from ...runtime.recording.judged import had_guard
from ...store.rows.kinds import ProcessRow, SessionRow
from ...store.rows.tables import PROCESSES, SESSIONS
from ...store.rows.tool_words import asked_for, outcome_said
from ...store.words import NO_END, count, end_said, money, plural
from ...view.queries import Selection
from ...view.queries.alerts import LEVELS, read_alerts
from ...view.queries.calls.call import WholeCall, find_calls, read_call, read_calls
from ...view.queries.calls.costs import PricedCall, read_facts
from ...view.queries.calls.mcp import read_tools
from ...view.queries.choosing import moment_of
from ...view.queries.context.context import AgentContext
from ...view.queries.context.findings import avoidable, with_instruction_files
from ...view.queries.context.reading import read_contexts
from ...view.queries.context.report import called_tools
from ...view.queries.context.segments import carried
from ...view.queries.context.words import avoidable_said, cleared_said, lost_said, saving_said, sentence_of, what_to_do
from ...view.queries.effects.causes import Causes, within
from ...view.queries.effects.files import read_file_uses
from ...view.queries.effects.network import read_network
from ...view.queries.reading import selected, session_of
from ...view.queries.sessions.diff import difference_of
from ...view.queries.sessions.findings import finding_words
from ...view.queries.sessions.gaps import missing_things
from ...view.queries.sessions.summary import read_summary
from ..report.diff.runs import message_said
from ..report.shown.conversation import result_said
from ..report.shown.words import causes_said, who_said
from .library import Found, Library
from .paging import Answer, page, row_of

_TEXT = 300  # characters of a text in a list
_PIECE = 3_000  # characters of a text that is given whole, in pieces
_HITS = 200
_PATHS = 8
_INDEX_S, _INDEX_STEP_S = 8.0, 0.05  # that a search waits for the index, which is made with the first one


class Cursor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every tool takes."""

    cursor: Annotated[str, Meta(description="From the last answer, to get its next rows. Keep the other arguments.")] = ""


class OfSession(Cursor, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A session. Without arguments it is the newest one."""

    session: Annotated[str, Meta(description="Id of a session, or the begin of it. Without it the newest session.")] = ""
    recording: Annotated[str, Meta(description="Name of the recording, as find_sessions has it. Rarely needed.")] = ""


class FindSessions(Cursor, frozen=True, kw_only=True, forbid_unknown_fields=True):
    agent: Annotated[str, Meta(description="Only of this agent, such as claude, codex or gemini.")] = ""
    words: Annotated[str, Meta(description="Only where the first prompt has this text in it. For other texts use search.")] = ""
    since: Annotated[str, Meta(description="Only sessions that went on after then: 2h, today, 2026-11-27T18:00Z.")] = ""


class SomeTurns(OfSession, frozen=True, kw_only=True, forbid_unknown_fields=True):
    order: Annotated[Literal["oldest", "newest", "dearest"], Meta(description="Which come first.")] = "oldest"


class OneCall(OfSession, frozen=True, kw_only=True, forbid_unknown_fields=True):
    turn: Annotated[int, Meta(ge=0, description="Number of the call in its session, as turns has it.")] = 0
    call: Annotated[str, Meta(description="Or its id, as turns has it.")] = ""
    request: Annotated[bool, Meta(description="The whole conversation as it was sent, not only its new part.")] = False


class OneContext(OfSession, frozen=True, kw_only=True, forbid_unknown_fields=True):
    turn: Annotated[int, Meta(ge=0, description="As it was with the request of this turn. Without it the newest one.")] = 0


class SomeTools(OfSession, frozen=True, kw_only=True, forbid_unknown_fields=True):
    failed: Annotated[bool, Meta(description="Only failed tools.")] = False
    name: Annotated[str, Meta(description="Only tools of this name, such as Bash.")] = ""


class SomeFiles(OfSession, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: Annotated[
        Literal["changed", "all", "written", "removed", "moved", "temporary", "refused", "read", "failed", "device"],
        Meta(description="changed: written, removed or moved."),
    ] = "changed"
    path: Annotated[str, Meta(description="Only paths that begin with this.")] = ""


class SomeAlerts(OfSession, frozen=True, kw_only=True, forbid_unknown_fields=True):
    level: Annotated[Literal["note", "warn", "stop"], Meta(description="From this level on.")] = "note"


class Search(Cursor, frozen=True, kw_only=True, forbid_unknown_fields=True):
    words: Annotated[str, Meta(min_length=1, max_length=400, description='All must be there; "side by side" in quotes.')]


class Compare(Cursor, frozen=True, kw_only=True, forbid_unknown_fields=True):
    first: Annotated[str, Meta(min_length=1, description="Id of a session, or the begin of it.")]
    second: Annotated[str, Meta(min_length=1, description="Id of the other session, or the begin of it.")]


def _find_sessions(library: Library, asked: FindSessions) -> Answer:
    since_ms = moment_of(asked.since or None, "since", now_ms=time.time_ns() // 1_000_000) or 0
    listed = library.recordings.listed()
    return Answer(
        said=f"sessions in {plural(len(listed), 'recording')} of yours, the newest first. {library.left_out}".rstrip(),
        not_seen="of each session: not_seen(session=ID)",
        rows=_sessions(library, asked, since_ms),
        ask_next=("session(session=ID): what it did and cost", "search(words=…): where a text is in all recordings"),
    )


def _sessions(library: Library, asked: FindSessions, since_ms: int) -> Iterator[dict[str, object]]:
    for each in library.recordings.listed():
        if each.changed_ms < since_ms:
            continue
        store = library.opened(each)
        if store is None:
            yield row_of(recording=each.id, cannot_be_read=True)
            continue
        found = selected(store, SESSIONS, Selection(since_ms=since_ms or None))
        for row in sorted(found, key=_last, reverse=True):
            if asked.agent.lower() in (row.who.lower(), "") and asked.words.lower() in row.title.lower():
                yield row_of(
                    **_about(row), recording=each.id, calls=row.calls, tools=row.tools, tokens=row.total_tokens,
                    is_sub_session_of=row.parent_session_id, being_recorded=each.being_written or None,
                )  # fmt: skip


def _session(library: Library, asked: OfSession) -> Answer:
    at = library.found(asked.recording, asked.session)
    found = read_summary(at.store, at.selection, library.prices, being_written=at.being_written, most_turns=1)
    tokens = f"{count(found.asked_tokens)} tokens in ({count(found.cached_tokens)} cached), {count(found.output_tokens)} out"
    unknown = f", without {plural(found.cost.unknown_calls, 'call')} of unknown price" if found.cost.unknown_calls else ""
    said = (
        f"{plural(found.calls, 'call')} ({found.failed_calls} failed), {plural(found.tools, 'tool')} "
        f"({found.failed_tools} failed), {tokens}, {money(found.cost.usd)} at list price{unknown}"
    )
    rows = [row_of(finding=each.title, says=each.text, code=each.code, turns=finding.turns[:20], usd=finding.cost_usd)
            for finding in found.findings for each in [finding_words(finding)]]  # fmt: skip
    if found.avoidable is not None and found.cost.usd:
        rows.append(row_of(could_be_saved=saving_said(found.avoidable, found.cost.usd), do=what_to_do(found.avoidable)))
    head = _about(at.session) | row_of(
        verdict=found.verdict.sentence, models=found.models, written=found.files.written, removed=found.files.removed,
        refused=found.files.refused, peers={each.host: each.count for each in found.peers}, cut=found.cut,
    )  # fmt: skip
    then = (
        "turns(order='dearest'): calls by cost",
        "context(): what filled the context",
        "tools(failed=true)",
        "files()",
        "hosts()",
        "alerts()",
    )
    return _answer(at, said, rows, ask_next=then, head=head)


def _turns(library: Library, asked: SomeTurns) -> Answer:
    at = library.found(asked.recording, asked.session)
    calls: Iterable[PricedCall] = read_calls(at.store, at.selection, library.prices)
    if asked.order != "oldest":
        calls = sorted(calls, key=lambda row: (asked.order == "dearest" and row.cost_usd) or 0.0)[::-1]
    rows = (
        row_of(
            turn=row.turn, call=row.id, at=_at(row.start_timestamp_ms), model=row.response_model or row.model,
            agent=row.agent_name or row.agent_id, in_tokens=row.asked_tokens, cached_tokens=row.cache_read_tokens,
            out_tokens=row.output_tokens, usd=row.cost_usd, status=row.status, missing=row.reason, error=row.error_type,
            prompt=row.prompt[:_TEXT], answer=row.text[:_TEXT], tools=row.tools, aside=row.aside, repeat_of=row.repeat_of,
        )
        for row in calls
    )  # fmt: skip
    return _answer(
        at, f"{plural(at.session.calls, 'call')}, the {asked.order} first", rows, ask_next=("call(turn=N): one call whole",)
    )


def _call(library: Library, asked: OneCall) -> Answer:
    at = library.found(asked.recording, asked.session)
    if not (asked.call or asked.turn):
        raise UsageError("call takes turn or call: the number of a call in its session, or its id; turns has both")
    rows = {row.id: row for row in find_calls(at.store, asked.call or str(asked.turn), at.selection)}
    row = rows.get(asked.call) or next(iter(rows.values()), None)
    if row is None or (len(rows) > 1 and row.id != asked.call):
        what = f"call is {asked.call[:80]!r}" if asked.call else f"turn {asked.turn} is in this session"
        raise UsageError(f"no {what}; turns lists the calls" if row is None else "several calls are meant; give the id")
    at = replace(at, session=session_of(at.store, row.session_id or "") or at.session)  # an id may be of another one
    found = read_call(at.store, row, library.prices)
    call = found.call
    said = (
        f"turn {call.turn_name}: {count(call.asked_tokens)} tokens in, {count(call.output_tokens)} out, {money(call.cost_usd)}"
    )
    head = row_of(
        call=call.id, model=call.model, at=_at(call.start_timestamp_ms), status=call.status, missing=call.reason,
        host=call.host, cached_tokens=call.cache_read_tokens, tokens_no_longer_cached=found.uncached or None,
    )  # fmt: skip
    then = "call(request=true): all that was sent", "files(kind='all')", "context(turn=N): what filled this request"
    return _answer(at, said, _pieces(_parts(found, whole=asked.request)), ask_next=then, head=head)


def _parts(found: WholeCall, *, whole: bool) -> Iterator[tuple[str, str]]:
    exchange = found.exchange
    if exchange is None:
        yield "note", "the bytes of this call are not in the recording: texts are cut to 1,000 characters"
    if whole and exchange is not None:
        for message in exchange.asked.messages:
            yield from (("sent", line) for line in message_said(message))
    else:
        for result in found.new.results:
            tool = found.results_of.get(result.id)
            yield "new result", result_said(result, f"{tool.tool_name} ({asked_for(tool.input)})" if tool else result.id)
        yield "new prompt", found.new.text
    if exchange is None:
        yield from (("thinking", found.call.thinking), ("answer", found.call.text))
    else:
        for part in exchange.answer.parts:
            if isinstance(part, ReasoningPart | TextPart):
                yield ("thinking" if isinstance(part, ReasoningPart) else "answer"), part.text or ""
        yield "error", exchange.error or ""
    for work in found.tools:
        yield "tool", f"{work.tool.tool_name} {asked_for(work.tool.input)} → {outcome_said(work.tool)}"
        yield from (("process of the tool", _process(each)) for each in work.processes)
        yield from ((f"file {kind} by the tool", path) for path, kind in work.fates.items())
        yield "result of the tool", work.tool.output


def _pieces(parts: Iterable[tuple[str, str]]) -> Iterator[dict[str, object]]:
    """Long texts in pieces, so that all of each can be asked for."""
    for kind, text in parts:
        pieces = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]
        for number, piece in enumerate(pieces, 1):
            yield row_of(kind=kind, piece=f"{number} of {len(pieces)}" if len(pieces) > 1 else "", text=piece)


def _context(library: Library, asked: OneContext) -> Answer:
    at = library.found(asked.recording, asked.session)
    agents = list(_agents(at, library, asked.turn))
    if not agents:
        up_to = f" up to turn {asked.turn}" if asked.turn else ""
        return _answer(at, f"no request of this session{up_to} was captured whole, so its context is not known", [])
    called = called_tools(at.store, at.selection, at.session.id)

    def rows() -> Iterator[dict[str, object]]:
        for agent in agents:
            findings, last = avoidable(agent, called), agent.turns[-1]
            yield row_of(agent=agent.name, turn=last.turn, tokens=last.total, window=agent.window, tokens_by_origin=last.sums,
                         counted_by_the_provider=last.usage is not None, says=sentence_of(agent, last, findings))  # fmt: skip
            for each in findings:
                yield row_of(
                    agent=agent.name, avoidable=avoidable_said(each), usd=each.usd, turns=each.turns, do=what_to_do(each)
                )
            for part in carried(agent):
                yield row_of(
                    agent=agent.name, part=part.name, origin=part.origin, tokens=part.tokens, since_turn=part.since,
                    requests=part.requests, usd_so_far=part.cost, preview=part.preview[:_TEXT],
                    dropped_after=None if part.held else part.last, times=part.count if part.count > 1 else None,
                )  # fmt: skip

    last = agents[0].turns[-1]
    said = f"the request of turn {last.turn} has {count(last.total)} tokens; its parts, the dearest first"
    return _answer(at, said, rows(), ask_next=("lost_caches(): when and why the cache was lost", f"call(turn={last.turn})"))


def _agents(at: Found, library: Library, turn: int) -> Iterator[AgentContext]:
    for each in with_instruction_files(at.store, read_contexts(at.store, at.session.id, library.prices)):
        if not turn or each.turns[0].turn <= turn:
            yield each.at(turn) if turn else each


def _lost_caches(library: Library, asked: OfSession) -> Answer:
    at = library.found(asked.recording, asked.session)
    turns = [turn for agent in read_contexts(at.store, at.session.id, library.prices) for turn in agent.turns]
    lost = [turn.lost for turn in turns if turn.lost is not None]
    usd = sum(each.usd or 0.0 for each in lost)
    rows = (
        row_of(
            turn=turn.turn, call=turn.call.id, at=_at(turn.call.start_timestamp_ms),
            lost_tokens=turn.lost and turn.lost.tokens, more_usd=turn.lost and turn.lost.usd,
            why=turn.lost and lost_said(turn.lost),
            before=turn.lost and turn.lost.cause and turn.lost.cause.old,
            now=turn.lost and turn.lost.cause and turn.lost.cause.new,
            conversation_was_shortened=turn.compaction is not None or None, cleared=turn.cleared and cleared_said(turn.cleared),
        )
        for turn in turns
        if turn.lost or turn.compaction or turn.cleared
    )  # fmt: skip
    tokens = count(sum(each.tokens for each in lost))
    said = f"the cache was lost {plural(len(lost), 'time')}: {tokens} tokens, {money(usd)} more than reading it"
    return _answer(at, said, rows, ask_next=("context(turn=N): what filled that request", "call(turn=N)"))


def _tools(library: Library, asked: SomeTools) -> Answer:
    at, ran = library.found(asked.recording, asked.session), dict[str, list[str]]()
    causes = Causes(at.store)
    for process in within(at.store, PROCESSES, at.selection, causes, where=lambda row: row.tool_call_id is not None):
        if process.command:
            ran.setdefault(process.tool_call_id or "", []).append(_process(process))
    rows = (
        row_of(
            turn=causes.turn(row.llm_call_id), tool=row.tool_name, at=_at(row.timestamp_ms), asked=asked_for(row.input),
            ended=outcome_said(row), took_ms=row.duration_ms, result=row.output[:_TEXT], processes=ran.get(row.id, [])[:_PATHS],
            more_processes=max(0, len(ran.get(row.id, ())) - _PATHS) or None, matched_by=row.link, repeat_of=row.repeat_of,
        )
        for row in read_tools(at.store, at.selection, failed=asked.failed, name=asked.name or None)
    )  # fmt: skip
    said = f"{plural(at.session.tools, 'tool')}, {at.session.failed_tools} failed; each has the processes that ran"
    return _answer(at, said, rows, ask_next=("call(turn=N): the whole call that asked for a tool", "files(kind='all')"))


def _process(row: ProcessRow) -> str:
    end = NO_END if row.status == "running" else end_said(row.exit_code, row.signal) or NO_END
    return f"{row.pid} {shlex.join(row.argv) or row.command or row.comm or ''} → {end}"


def _files(library: Library, asked: SomeFiles) -> Answer:
    at = library.found(asked.recording, asked.session)
    found = read_file_uses(at.store, at.selection)
    kinds = {"changed": ("written", "removed", "moved"), "all": ()}.get(asked.kind, (asked.kind,))
    uses = [each for each in found.files if (not kinds or each.kind in kinds) and each.path.startswith(asked.path)]
    rows = (
        row_of(
            path=use.path, kind=use.kind, moved_to=use.target, times=use.count, failed=use.errors or None, error=use.error,
            written_bytes=use.written_bytes or None, read_bytes=use.read_bytes or None, by=who_said(use.by),
            tool=causes_said(use.causes),
        )
        for use in uses
    )  # fmt: skip
    more = f"; {count(found.uncounted)} operations on other paths are not listed" if found.uncounted else ""
    said = f"{plural(len(uses), 'path')} of {len(found.files):,} that the session used{more}"
    return _answer(at, said, rows, ask_next=("files(kind='all')", "tools(): which tool changed them"))


def _hosts(library: Library, asked: OfSession) -> Answer:
    at = library.found(asked.recording, asked.session)
    found = read_network(at.store, at.selection)

    def rows() -> Iterator[dict[str, object]]:
        for each in found.hosts:
            yield row_of(host=each.host or "(not known)", scheme=each.scheme, requests=each.count, failed=each.errors,
                         calls_of_models=each.calls, sent_bytes=each.sent_bytes, received_bytes=each.received_bytes,
                         paths=[path.path for path in each.paths[:_PATHS]], by=who_said(each.by))  # fmt: skip
        for peer in found.peers:
            yield row_of(peer=peer.peer, names=peer.names, did=peer.deeds, failed=peer.errors or None, error=peer.error,
                         sent_bytes=peer.sent_bytes, received_bytes=peer.received_bytes, by=who_said(peer.by),
                         tool=causes_said(peer.causes))  # fmt: skip
        yield from (row_of(could_not_be_read=each.sentence) for each in found.unread)

    said = f"{plural(len(found.hosts), 'host')} by HTTP, {plural(len(found.peers), 'peer')} of connections"
    return _answer(at, said, rows(), ask_next=("not_seen(): traffic that could not be read", "search(words=HOST)"))


def _alerts(library: Library, asked: SomeAlerts) -> Answer:
    at = library.found(asked.recording, asked.session)
    found = [row for row in read_alerts(at.store, at.selection, least=asked.level) if row.part_of is None]
    rows = (
        row_of(
            alert=row.name, level=row.do, rule=row.rule, at=_at(row.timestamp_ms), says=row.sentence, because=row.because,
            target=row.target, command=row.command, tool=row.tool, turn=row.turn or None, times=row.count,
            prompt=row.prompt[:_TEXT], not_all_was_seen=None if row.complete else True,
        )
        for row in found
    )  # fmt: skip
    said = f"{plural(len(found), 'alert')} from the level {asked.level} on; levels: {', '.join(LEVELS)}"
    if not found and not had_guard(at.store):
        said = "no rule was applied: this was recorded without a guard, so no alert does not mean that nothing happened"
    return _answer(at, said, rows, ask_next=("call(turn=N)", "files(kind='refused')", "hosts()"))


def _search(library: Library, asked: Search) -> Answer:
    deadline = time.monotonic() + _INDEX_S
    found = library.search.search(asked.words, limit=_HITS)
    while found.going_on and time.monotonic() < deadline:
        time.sleep(_INDEX_STEP_S)
        found = library.search.search(asked.words, limit=_HITS)
    rows = (
        row_of(recording=hit.recording, session=hit.session.strip("-"), turn=hit.turn or None, kind=hit.kind, at=_at(hit.at_ms),
               text=hit.text.translate({2: None, 3: None})[:_TEXT])
        for hit in found.hits
    )  # fmt: skip
    partly = f"only {found.searched} of {found.recordings} recordings were searched so far: ask again"
    is_whole = found.searched == found.recordings and not found.going_on
    return Answer(
        said=f"{plural(len(found.hits), 'place')}{', and more' * (len(found.hits) == _HITS)}, the newest of each kind first",
        not_seen="all recordings were searched, for texts that were recorded" if is_whole else partly,
        rows=rows,
        ask_next=("call(session=ID, turn=N): the call around a place", "session(session=ID)"),
    )


def _compare(library: Library, asked: Compare) -> Answer:
    both = [library.found("", each) for each in (asked.first, asked.second)]
    found = difference_of(*(read_facts(at.store, at.selection, library.prices) for at in both))
    rows = (row_of(kind=each.kind, what=each.what, first=each.first, second=each.second) for each in found.differences)
    gaps = [f"{name}: {at.not_seen}" for name, at in zip(("first", "second"), both, strict=True)]
    gaps += [f"{name}: its programs, files and hosts are not known, and not compared" for name in found.not_known]
    return Answer(
        said=f"{plural(len(found.differences), 'difference')}; numbers are values, of other kinds how often it was there",
        not_seen=" · ".join(gaps),
        head={"first": _about(both[0].session), "second": _about(both[1].session), **row_of(equal=found.equal)},
        rows=rows,
        ask_next=("session(session=ID) of either", "turns(session=ID)"),
    )


def _not_seen(library: Library, asked: OfSession) -> Answer:
    at = library.found(asked.recording, asked.session)
    found = at.health
    rows = [row_of(missing=what, why_and_what_to_do=more) for each in missing_things(found.gaps) for what, more in [each.lines]]
    rows += [row_of(unread_field=row.field, of=row.provider, calls=row.count) for row in found.unknown_fields]
    filtered = f"; {count(found.filtered)} messages were left out by filters, as asked" if found.filtered else ""
    said = f"{plural(len(rows), 'thing is', 'things are')} missing or not understood{filtered}"
    return _answer(at, said, rows, ask_next=("session()", "turns()"))


_NOTHING: Mapping[str, object] = {}


def _answer(
    at: Found,
    said: str,
    rows: Iterable[dict[str, object]],
    *,
    ask_next: tuple[str, ...] = (),
    head: Mapping[str, object] = _NOTHING,
) -> Answer:
    whose = row_of(session=at.session.id, title=at.session.title[:_TEXT])
    return Answer(said=said, not_seen=at.not_seen, recording=at.recording, head={**whose, **head}, rows=rows, ask_next=ask_next)


def _about(row: SessionRow) -> dict[str, object]:
    return row_of(
        session=row.id, title=row.title[:_TEXT], agent=row.who_and_version, began=_at(row.start_timestamp_ms),
        last=_at(_last(row)), status=row.status, folder=row.cwd,
    )  # fmt: skip


def _last(row: SessionRow) -> int:
    return row.end_timestamp_ms or row.start_timestamp_ms


def _at(ms: int) -> str:
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC).isoformat(timespec="seconds") if ms else ""


class Tool(NamedTuple):
    """What it is called for people, what it takes, how it answers, and when a model is to use it."""

    title: str
    takes: type[Cursor]
    answers: Callable[[Library, Any], Answer]
    meaning: str


TOOLS_BY_NAME: Mapping[str, Tool] = {
    "find_sessions": Tool(
        "Find sessions", FindSessions, _find_sessions,
        "List recorded sessions of AI agents on this machine, the newest first, with the ids that all other tools take. "
        "Begin here, unless the newest session is meant: that one is the default of every tool.",
    ),
    "session": Tool(
        "What a session did", OfSession, _session,
        "What one session did in one sentence, its tokens and cost, findings (loops, retries, lost caches), possible "
        "savings, and whether something is missing. Ask this first about any session.",
    ),
    "turns": Tool(
        "Turns of a session", SomeTurns, _turns,
        "Each call of a model in a session: model, tokens in, cached and out, cost, status, the begin of the "
        "prompt and of the answer. Use it to find which turn was dear or failed.",
    ),
    "call": Tool(
        "One call whole", OneCall, _call,
        "One call of a model whole: the new part of the request, thinking, answer, and the tools it asked for with their "
        "processes and files. Takes turn (a number from turns) or call (an id).",
    ),
    "context": Tool(
        "What fills the context", OneContext, _context,
        "What fills the context of a session: tokens by origin, the parts with what each has cost so far, and what could be "
        "left out. Use it for: why is it so long, or so dear?",
    ),
    "lost_caches": Tool(
        "Lost caches", OfSession, _lost_caches,
        "Each time that the prompt cache of a session was lost: in which turn, why, and what that cost.",
    ),
    "tools": Tool(
        "Tools and their processes", SomeTools, _tools,
        "The tools that a session's models asked for, how each ended, and the processes that really ran for it.",
    ),
    "files": Tool(
        "Files changed", SomeFiles, _files,
        "Files that a session changed, by path, with the process and the tool that did it. kind='all' lists reads too.",
    ),
    "hosts": Tool(
        "Hosts reached", OfSession, _hosts,
        "Hosts and addresses that the processes of a session reached, with bytes sent and received.",
    ),
    "alerts": Tool(
        "Alerts of the guard", SomeAlerts, _alerts,
        "What a session did that a rule of the guard is about, such as reading a secret or pushing by force.",
    ),
    "search": Tool(
        "Search all recordings", Search, _search,
        "Where a text is in all recordings: prompts, answers, commands, results, programs, files, hosts.",
    ),
    "compare": Tool(
        "Compare two sessions", Compare, _compare,
        "What two sessions did differently: tokens, cost, models, tools, commands, files, hosts.",
    ),
    "not_seen": Tool(
        "What was not seen", OfSession, _not_seen,
        "Gaps in the recording of a session: unread traffic, losses, incomplete calls, each with its reason and advice. "
        "Ask it before you conclude that something did not happen.",
    ),
}  # fmt: skip


def schema_of(tool: Tool, /) -> dict[str, Any]:
    """The JSON schema of its arguments."""
    schema = msgspec.json.schema(tool.takes)["$defs"][tool.takes.__name__]
    return {name: value for name, value in schema.items() if name not in ("title", "description")}


def ask(library: Library, name: str, arguments: Mapping[str, object] | None) -> tuple[str, bool]:
    """The answer of a tool as text, and whether it is an error. An error names the wrong argument and the expected one."""
    tool = TOOLS_BY_NAME.get(name)
    if tool is None:
        return f"no tool is {name[:80]!r}; there are {', '.join(TOOLS_BY_NAME)}", True
    try:
        asked = msgspec.convert(dict(arguments or {}), tool.takes, strict=False)
        question = name.encode() + msgspec.json.encode(replace(asked, cursor=""))
        return page(tool.answers(library, asked), question=question, cursor=asked.cursor), False
    except UnicodeEncodeError:
        return f"{name} cannot be asked so: a text has half of a character in it (U+D800 to U+DFFF); give whole ones", True
    except msgspec.ValidationError as error:
        return f"{name} cannot be asked so: {str(error)[:300]}. {_expected(tool, str(error))}", True
    except AgentsightError as error:
        return str(error)[:1000], True
    except Exception as error:  # a bug of ours: the agent gets a sentence, and goes on
        say(f"the tool {name} has a bug: {error!r}")
        return f"the tool {name} has a bug and cannot answer this ({type(error).__name__}); other tools may", True


def _expected(tool: Tool, error: str) -> str:
    """What the argument that an error names is to be; where it names none, all that there are."""
    fields, wrong = schema_of(tool)["properties"], re.search(r"`\$\.(\w+)", error)
    if wrong is None or wrong[1] not in fields:
        return f"It takes {', '.join(fields)}"
    field = fields[wrong[1]]
    return f"{wrong[1]} is {', '.join(field.get('enum', ())) or field['type']}: {field.get('description', '')}"
