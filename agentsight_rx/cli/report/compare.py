"""agentsight-rx report compare: what only one of both has, the wire or the session file that the agent wrote."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from ...core.errors import UsageError
from ...core.messages import program
from ...llm.agents.known import AGENTS
from ...store.rows.tool_words import asked_for
from ...store.words import amount, count, plural
from ...view import CallRow, ToolRow
from ...view.queries import sessions_named
from ...view.queries.sessions.compare import CallPair, SessionComparison
from ...view.transcripts import TranscriptCall, TranscriptTool
from ..places.session_files import home_of_user
from .call_words import state_of_call
from .shown.ask import Ask
from .shown.lacking import compared
from .shown.screen import Cell, Column, Line, Screen, Span, Whole, table
from .shown.words import clock, listed

_MOST = 20  # lines of one kind
_READ = [agent.title for agent in AGENTS if agent.session_files]
_CALLS = (
    Column("time"),
    Column("turn", right=True),
    Column("in", right=True),
    Column("out", right=True),
    Column("model", most=32, flexible=True),
    Column("state"),
    Column("what", flexible=True),
)
_FILE_CALLS = (
    Column("time"),
    Column("in", right=True),
    Column("out", right=True),
    Column("model", most=32, flexible=True),
    Column("id", flexible=True, middle=True),
)
_TOOLS = (Column("time"), Column("tool"), Column("input", flexible=True), Column("id", flexible=True, middle=True))
_DIFFERING = (
    Column("time"),
    Column("turn", right=True),
    Column("model", most=32, flexible=True),
    Column("of"),
    Column("wire", right=True),
    Column("file", right=True),
)


def compare(
    ask: Ask,
    wanted: Annotated[
        str | None,
        typer.Argument(metavar="SESSION", help="Start of its id, in the recording or in its file; by default the newest."),
    ] = None,
) -> None:
    """Differences between the wire and the agent's own session file: calls, tools and tokens."""
    found = list(_chosen(ask, wanted))
    if not found:
        raise UsageError(_none_is(ask, wanted))
    shown = found if ask.flags.show_all or wanted else found[: ask.flags.limit or 1]
    if ask.as_json:
        ask.write(shown)
        return
    for number, each in enumerate(shown):
        ask.write_lines([*([""] if number else []), *_lines(each, ask)])
    if len(shown) < len(found):
        ask.write_lines(["", f"{plural(len(found) - len(shown), 'other session')} with a file: {ask.other('compare')} --all"])


def _chosen(ask: Ask, wanted: str | None) -> Iterator[SessionComparison]:
    named = {row.id for row in sessions_named(ask.store, session=wanted, agent=None)} if wanted else set[str]()
    for each in compared(ask):
        if wanted is None or not named.isdisjoint(each.sessions) or each.file_session_id.startswith(wanted):
            yield each


def _none_is(ask: Ask, wanted: str | None) -> str:
    what = f"of session {wanted}" if wanted else "of a session of this recording"
    return (
        f"no session file {what} was found in {home_of_user().path}; expected one of {listed(_READ, len(_READ))}. "
        f"List session files with `{program()} report transcripts`, and sessions with `{program()} report sessions`"
    )


def _lines(found: SessionComparison, ask: Ask) -> Iterator[Line]:
    screen, most = ask.screen, None if ask.flags.show_all else _MOST
    if found.title:
        yield Span(found.title, "title")
    sessions = ", ".join(found.sessions) or "without a call on the wire"
    yield f"{found.agent} {sessions} · known by {found.method} {found.confidence:.2f}"
    yield from map(Whole, found.paths)
    yield _sums("call", (len(found.calls), len(found.calls_only_wire), len(found.calls_only_file)))
    yield _sums("tool", (found.tools, len(found.tools_only_wire), len(found.tools_only_file)))
    if found.outside:
        yield f"{count(found.outside)} in the file from before or after the recording"
    if not found.calls_only_file and not found.tools_only_file:
        yield "nothing of the file is missing on the wire"
    sections = (
        ("calls only on the wire", _CALLS, [_call(row) for row in found.calls_only_wire]),
        ("calls only in the file", _FILE_CALLS, [_file_call(row) for row in found.calls_only_file]),
        ("calls with other tokens", _DIFFERING, [cells for pair in found.differing for cells in _differing(pair)]),
        ("tools only on the wire", _TOOLS, [_tool(row) for row in found.tools_only_wire]),
        ("tools only in the file", _TOOLS, [_file_tool(row) for row in found.tools_only_file]),
    )
    for title, columns, rows in sections:
        yield from _section(title, columns, rows, screen=screen, most=most)


def _section(
    title: str, columns: tuple[Column, ...], rows: list[tuple[Cell, ...]], *, screen: Screen, most: int | None
) -> Iterator[Line]:
    if not rows:
        return
    yield ""
    yield Span(title, "missing" if title.endswith("in the file") else "title")
    yield from table(columns, rows[:most], screen)
    if most is not None and len(rows) > most:
        yield f" {count(len(rows) - most)} more: --all"


def _sums(name: str, numbers: tuple[int, int, int]) -> str:
    both, wire, file = numbers
    return f"{plural(both, name)} in both · {count(wire)} only on the wire · {count(file)} only in the file"


def _call(row: CallRow) -> tuple[Cell, ...]:
    return (
        clock(row.start_timestamp_ms),
        str(row.turn or ""),
        amount(row.asked_tokens),
        amount(row.output_tokens),
        row.response_model or row.model or "",
        state_of_call(row),
        f"“{row.prompt}”" if row.prompt else row.text,
    )


def _file_call(row: TranscriptCall) -> tuple[Cell, ...]:
    usage = row.usage
    asked = usage.asked
    return (clock(row.time_ms), amount(asked), amount(usage.output), row.model, row.id or row.request_id)


def _differing(pair: CallPair) -> Iterator[tuple[Cell, ...]]:
    for name, (wire, file) in pair.differs.items():
        words = name.removesuffix("_tokens").replace("_", " ")
        yield (clock(pair.start_timestamp_ms), str(pair.turn or ""), pair.model or "", words, count(wire), count(file))


def _tool(row: ToolRow) -> tuple[Cell, ...]:
    return clock(row.timestamp_ms), row.tool_name, asked_for(row.input), row.tool_call_id


def _file_tool(row: TranscriptTool) -> tuple[Cell, ...]:
    return clock(row.time_ms), row.name, asked_for(row.input), row.id
