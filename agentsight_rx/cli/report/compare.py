"""agentsight-rx report compare: what only one of both has, the wire or the session file that the agent wrote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from msgspec import Struct

from ...core.errors import UsageError
from ...core.messages import program
from ...llm.agents.known import AGENTS
from ...sources.session_files.files import home_of_user
from ...store.rows.tool_words import asked_for
from ...store.words import amount, count, plural
from ...view import CallRow, ToolRow
from ...view.queries import sessions_named
from ...view.queries.sessions.compare import CallPair, SessionComparison
from ...view.transcripts import TranscriptCall, TranscriptTool
from .call_words import state_of_call
from .shown.ask import Ask
from .shown.lacking import compared
from .shown.screen import Column, Columns, Line, Row, Screen, Span, Whole, table
from .shown.words import clock, listed

_MOST = 20  # lines of one kind
_READ = [agent.title for agent in AGENTS if agent.session_files]
_CALLS: Columns[CallRow] = (
    Column("time", lambda row: clock(row.start_timestamp_ms)),
    Column("turn", lambda row: str(row.turn or ""), right=True),
    Column("in", lambda row: amount(row.asked_tokens), right=True),
    Column("out", lambda row: amount(row.output_tokens), right=True),
    Column("model", lambda row: row.response_model or row.model or "", most=32, flexible=True),
    Column("state", state_of_call),
    Column("what", lambda row: f"“{row.prompt}”" if row.prompt else row.text, flexible=True),
)
_FILE_CALLS: Columns[TranscriptCall] = (
    Column("time", lambda row: clock(row.time_ms)),
    Column("in", lambda row: amount(row.usage.asked), right=True),
    Column("out", lambda row: amount(row.usage.output), right=True),
    Column("model", lambda row: row.model, most=32, flexible=True),
    Column("id", lambda row: row.id or row.request_id, flexible=True, middle=True),
)
_TOOLS: Columns[ToolRow] = (
    Column("time", lambda row: clock(row.timestamp_ms)),
    Column("tool", lambda row: row.tool_name),
    Column("input", lambda row: asked_for(row.input), flexible=True),
    Column("id", lambda row: row.tool_call_id, flexible=True, middle=True),
)
_FILE_TOOLS: Columns[TranscriptTool] = (
    Column("time", lambda row: clock(row.time_ms)),
    Column("tool", lambda row: row.name),
    Column("input", lambda row: asked_for(row.input), flexible=True),
    Column("id", lambda row: row.id, flexible=True, middle=True),
)


class _Other(Struct, frozen=True):
    """A kind of tokens of a call, of which both have another number."""

    pair: CallPair
    kind: str
    wire: int
    file: int


_DIFFERING: Columns[_Other] = (
    Column("time", lambda each: clock(each.pair.start_timestamp_ms)),
    Column("turn", lambda each: str(each.pair.turn or ""), right=True),
    Column("model", lambda each: each.pair.model or "", most=32, flexible=True),
    Column("of", lambda each: each.kind.removesuffix("_tokens").replace("_", " ")),
    Column("wire", lambda each: count(each.wire), right=True),
    Column("file", lambda each: count(each.file), right=True),
)


def compare(
    ask: Ask,
    wanted: Annotated[
        str | None,
        typer.Argument(metavar="SESSION", help="Start of its id, in the recording or in its file; by default the newest."),
    ] = None,
) -> None:
    """Differences between the wire and the agent's own session file: calls, tools and tokens."""
    if ask.is_said:
        raise UsageError(f"{ask.path} has what agents wrote down themselves: compare needs a recording, as --db PATH")
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
    other = [_Other(pair, kind, *numbers) for pair in found.differing for kind, numbers in pair.differs.items()]
    yield from _section("calls only on the wire", _CALLS, found.calls_only_wire, screen=screen, most=most)
    yield from _section("calls only in the file", _FILE_CALLS, found.calls_only_file, screen=screen, most=most)
    yield from _section("calls with other tokens", _DIFFERING, other, screen=screen, most=most)
    yield from _section("tools only on the wire", _TOOLS, found.tools_only_wire, screen=screen, most=most)
    yield from _section("tools only in the file", _FILE_TOOLS, found.tools_only_file, screen=screen, most=most)


def _section(title: str, columns: Columns[Row], rows: Sequence[Row], *, screen: Screen, most: int | None) -> Iterator[Line]:
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
