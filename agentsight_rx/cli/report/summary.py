"""agentsight-rx report: the first screen: one sentence about the session, its gaps, its turns with their actions."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Annotated

import typer
from msgspec.structs import asdict, replace

from ...llm.prices import Prices
from ...store.reasons import FILE_GONE
from ...store.rows.kinds import SAID
from ...store.rows.tool_words import asked_for, has_failed
from ...store.state import Store
from ...store.words import NO_END, count, end_said, plural, took
from ...view import CallRow, ProcessRow, SessionRow
from ...view.queries import Selection
from ...view.queries.alerts import read_alerts
from ...view.queries.context.words import saving_said
from ...view.queries.sessions.summary import Summary, Turn, read_summary
from .call_words import cost_of, is_whole, new_in_call, numbers_said, state_of_call, tokens_of, took_by
from .recordings import agreement_of, missing_said
from .shown.ask import Ask, next_said, report_called
from .shown.lacking import WITH_FILES, compared, in_file_only, lacking_said
from .shown.markdown import summary_markdown
from .shown.screen import Cell, Column, Columns, Line, Prose, Screen, Span, Whole, render, table
from .shown.words import finding_said, listed, moment
from .tools import tool_said

_TURNS = 12
_PATHS = 3
_PEERS = 4
_FINDINGS = 3
_TITLE = 100

COLUMNS: Columns[Turn] = (
    Column("turn", lambda turn: turn.call.turn_name, right=True),
    Column("time", lambda turn: took_by(turn.call), right=True),
    Column("in", lambda turn: tokens_of(turn.call, turn.call.asked_tokens), right=True),
    Column("cached", lambda turn: tokens_of(turn.call, turn.call.cache_read_tokens), right=True),
    Column("out", lambda turn: _out(turn.call), right=True),
    Column("cost", lambda turn: cost_of(turn.call), right=True),
    Column("what was new", lambda turn: _new(turn.call), flexible=True, most=36),
    Column("tools", lambda turn: _tools(turn), flexible=True, middle=True),
)


def summary(
    ask: Ask,
    transcripts: Annotated[bool, WITH_FILES] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Markdown, for a job summary or a comment.")] = False,
) -> None:
    """What the newest session did, what it cost, and whether anything is missing."""
    files = compared(ask) if transcripts else []
    most = None if ask.flags.show_all else ask.flags.limit or _TURNS
    found = read_summary(
        ask.store, ask.selection, ask.prices, being_written=ask.being_written, most_turns=most, twins=ask.twins
    )
    if markdown:
        chosen = ask.selection if found.session is None else replace(ask.selection, sessions=frozenset({found.session.id}))
        ask.write_raw(summary_markdown(found, list(read_alerts(ask.store, chosen)), ask.screen))
        return
    if ask.as_json:
        session = found.session.id if found.session else ""
        ask.write([{**asdict(found), "only_in_file": in_file_only(files, session)} if transcripts else found])
        return
    ask.write_lines(summary_lines(found, ask.screen, ask.other))
    ask.write_lines(lacking_said(files, ask))


def summary_text(store: Store, screen: Screen, *, prices: Prices | None = None, given: str = "") -> list[str]:
    """The first screen of a store as it is written. `given` is the store as an argument of the hints, where they need it."""
    found = read_summary(store, Selection(), prices or Prices(), most_turns=_TURNS)
    chosen = f" --db {given}" if given else ""
    return [render(line, screen) for line in summary_lines(found, screen, lambda name: f"{report_called(name)}{chosen}")]


def summary_lines(found: Summary, screen: Screen, call: Callable[[str], str]) -> Iterator[Line]:
    """The first screen. `call` says how another report of the same is called, "" this one."""
    session = found.session
    title = session.title if session and session.title else ""
    if title:
        yield Span(title if len(title) <= _TITLE else title[: _TITLE - 1] + "…", "title")
    yield _head(found, screen)
    yield Prose(found.verdict.sentence)
    yield missing_said(found.health)
    if session is not None and session.file_gone:
        yield Prose(FILE_GONE)
    yield from agreement_of(found.health)
    if found.health.missing:
        yield Whole(f"all of it: {call('health')}")
    if found.avoidable is not None and found.cost.usd:
        yield Prose(saving_said(found.avoidable, found.cost.usd))
    if found.calls:
        yield ""
        yield Prose(_numbers(found))
        yield from table(COLUMNS, found.turns, screen)
        if len(found.turns) < found.calls:
            yield Whole(f"    …  {count(found.calls - len(found.turns))} more{_failures_left_out(found)}: {call('')} --all")
    yield from _effects(found, session, call)
    yield from _programs(found.programs)
    yield ""
    if found.sessions > 1:
        yield Whole(f"{plural(found.sessions - 1, 'other session')}: {call('sessions')}")
    yield next_said(list(_next(found)), call)


def _failures_left_out(found: Summary) -> str:
    """How many failures stand in turns that are not shown."""
    shown = sum(turn.call.status == "error" for turn in found.turns)
    shown += sum(has_failed(tool) for turn in found.turns for tool in turn.tools)
    left_out = found.failed_calls + found.failed_tools - shown
    return f", with {plural(left_out, 'failure')}" if left_out > 0 else ""


def _head(found: Summary, screen: Screen) -> Line:
    session = found.session
    when = f"{moment(found.started_ms, screen.now_ms)}, {took(found.duration_ms)}"
    if session is None:
        return when
    who = f"{session.who} {session.pid or ''}".strip()
    live = ", still running" if session.status == "live" and found.health.live else ""
    return " · ".join(filter(None, (who, session.cwd or "", when + live)))


def _numbers(found: Summary) -> str:
    tokens = found.asked_tokens, found.cached_tokens, found.output_tokens
    return numbers_said(found.calls, tokens, found.cost, found.models)


def _out(call: CallRow) -> Cell:
    if not is_whole(call):
        return Span("cut" if call.status == "partial" else call.status, "missing")
    return tokens_of(call, call.output_tokens)


def _new(call: CallRow) -> str:
    return "your prompt" if call.turn == 1 and call.is_prompted else new_in_call(call)


def _tools(turn: Turn) -> Cell:
    if not turn.tools:
        return state_of_call(turn.call) if turn.call.status == "error" else ""
    first = next((tool for tool in turn.tools if tool_said(tool).state), turn.tools[0])
    said = tool_said(first)
    end = said.text.partition(":")[0]
    lasted = f", {took(first.duration_ms)}" if first.duration_ms is not None else ""
    failed = sum(has_failed(tool) for tool in turn.tools if tool is not first)
    more = f" and {len(turn.tools) - 1} more{f', {failed} failed' if failed else ''}" if len(turn.tools) > 1 else ""
    return Span(f"{first.tool_name} {asked_for(first.input)} → {end}{lasted}{more}", said.state)


def _effects(found: Summary, session: SessionRow | None, call: Callable[[str], str]) -> Iterator[Line]:
    files, lines = found.files, list[tuple[str, Line]]()
    home = session.cwd if session else None
    for paths, word, state in (
        (files.written, "written", ""),
        (files.removed, "removed", ""),
        (files.refused, "refused", "failed"),
    ):
        if paths:
            number = f"{count(len(paths))} {word}"
            shown = listed([_near(path, home) for path in paths[:_PATHS]] + list(paths[_PATHS:]), _PATHS)
            lines.append(("files", (Span(f"{number:<12}", "failed" if state else ""), shown)))
    if found.peers:
        reached = [f"{peer.host} ×{count(peer.count)}" for peer in found.peers if not peer.is_absent]
        absent = len(found.peers) - len(reached)
        parts = [listed(reached, _PEERS)] if reached else []
        parts += [f"{plural(absent, 'local socket')} that did not answer"] if absent else []
        lines.append(("network", (f"{plural(len(reached), 'peer'):<12}", ", and ".join(parts))))
    for use in found.mcp[:_PATHS]:
        asked = listed([f"{name} ×{times}" if times > 1 else name for name, times in use.counts.items()], 5)
        lines.append(("mcp", (f"{plural(sum(use.counts.values()), 'request'):<12}", f"{use.server}: {asked}")))
    before = ""
    if lines:
        yield ""
    for name, line in lines:
        yield (f" {name if name != before else '':<8} ", *(line if isinstance(line, tuple) else (str(line),)))
        before = name
    for each in found.cut:
        yield f" {'':<8} {each}"
    for at, finding in enumerate(found.findings[:_FINDINGS]):
        yield (f" {'worth a look' if not at else '':<21} ", finding_said(finding))


def _near(path: str, home: str | None) -> str:
    """The path as seen from the directory of the session."""
    if home and PurePosixPath(path).is_relative_to(home):
        return str(PurePosixPath(path).relative_to(home))
    return path


def _programs(rows: tuple[ProcessRow, ...]) -> Iterator[Line]:
    if rows:
        yield ""
        yield Span(" programs", "quiet")
    for row in rows:
        failed = row.has_failed
        end = f"{'killed by ' if row.signal else ''}{end_said(row.exit_code, row.signal)}" or NO_END
        yield (f" {row.pid:>7}  {shlex.join(row.argv) or row.command or ''}  → ", Span(end, "failed" if failed else ""))


def _next(found: Summary) -> Iterator[str]:
    turns = [turn for turn in found.turns if turn.call.turn]
    if turns:
        notable = next((turn for turn in turns if any(tool_said(tool).state for tool in turn.tools)), turns[-1])
        yield f"call {notable.call.turn_name}"
    if found.calls:
        yield "calls"
    if found.tools:
        yield "tools"
    if found.health.seen_by != SAID:
        yield "files" if found.files.written or found.files.removed else "processes"
    if len(turns) > 1:
        yield f"diff {turns[-2].call.turn_name} {turns[-1].call.turn_name}"
