"""report diff claude@2.1.3 claude@2.1.4, and --system: what the agent itself sends, its system text and tools, in both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path

from msgspec import Struct

from ....core.errors import StoreError, UsageError
from ....store.state import LmdbStore, Store
from ....store.words import amount, count, plural
from ....view import SessionRow
from ....view.queries import sessions_named
from ....view.queries.reading import newest_session
from ....view.queries.sessions.versions import Sent, SentText, ToolDiff, VersionDiff, diff_versions, sent_by, session_of_version
from ..shown.ask import Ask
from ..shown.screen import Column, Columns, Line, Span, Whole, table
from ..shown.words import changed_lines


class _Number(Struct, frozen=True):
    """One number of both versions."""

    name: str
    first: int
    second: int


_NUMBERS: Columns[_Number] = (
    Column("", lambda each: each.name),
    Column("first", lambda each: _said(each.first), right=True),
    Column("second", lambda each: _said(each.second), right=True),
    Column("", lambda each: _grown(each.first, each.second)),
)


def is_version(wanted: str, /) -> bool:
    """`claude@2.1.4`, or `@2.1.4` of any agent."""
    _, mark, version = wanted.rpartition("@")
    return bool(mark) and version[:1].isdigit()


def show_versions(ask: Ask, first: str, second: str) -> None:
    """Raises UsageError where one of both is nothing with requests."""
    one, other = (_sent(ask, wanted) for wanted in (first, second))
    found = diff_versions(one, other)
    if ask.as_json:
        ask.write([found])
    else:
        ask.write_lines(_lines(found, ask))


def _sent(ask: Ask, wanted: str) -> SentText:
    if Path(wanted).exists():
        with closing(LmdbStore.open(wanted, readonly=True)) as store:
            session = newest_session(store)
            if session is None:
                raise StoreError(f"no session of an agent is in {wanted}")
            return _sent_in(store, session)
    return _sent_in(ask.store, _session(ask, wanted))


def _session(ask: Ask, wanted: str) -> SessionRow:
    if is_version(wanted):
        agent, _, version = wanted.rpartition("@")
        found = session_of_version(ask.store, agent, version)
        if found is not None:
            return found
        known = dict.fromkeys(
            f"{row.who}@{row.agent_version}"
            for row in sessions_named(ask.store, session=None, agent=None)
            if row.agent_version and row.calls
        )
        there = ", ".join([*known][-6:]) or "none that names its version"
        raise UsageError(f"no session of {wanted} is in {ask.path}; there are {there}")
    rows = sessions_named(ask.store, session=wanted, agent=None)
    if len(rows) != 1:
        seen = f"may be {len(rows)} sessions" if rows else "is no recording, no session and no version of an agent"
        raise UsageError(f"{wanted} {seen}; list the sessions with `{ask.other('sessions')}`")
    return rows[0]


def _sent_in(store: Store, session: SessionRow) -> SentText:
    found = sent_by(store, session)
    if found is None:
        raise StoreError(f"no request of session {session.id} is in the store: only its rows are")
    return found


def _lines(found: VersionDiff, ask: Ask) -> Iterator[Line]:
    first, second = found.first, found.second
    yield f"{_name(first)} → {_name(second)}"
    numbers = (
        _Number("system text, characters", first.system_size, second.system_size),
        _Number("tools", first.tools, second.tools),
        _Number("their definitions, characters", first.tools_size, second.tools_size),
        _Number("tokens in, first request", first.tokens_in, second.tokens_in),
    )
    yield from table(_NUMBERS, [each for each in numbers if each.first or each.second], ask.screen)
    yield from ("", Span("system text", "title"))
    yield from changed_lines(found.system) if found.system else ["   neither has one"]
    yield from ("", Span("tools", "title"), *chain.from_iterable(map(_tool, found.tools)))
    if found.same_tools:
        yield Span(f"   {plural(found.same_tools, 'tool')} unchanged", "quiet")
    if found.equal:
        yield "they send the same"
    yield ""
    yield Whole(f"of the sessions {first.session_id} and {second.session_id}; $PWD is the folder of each")


def _name(sent: Sent) -> str:
    return f"{sent.agent} {sent.version or 'of an unknown version'}"


def _said(value: int) -> str:
    return count(value) if value < 100_000 else amount(value)


def _grown(first: int, second: int) -> str:
    """`+40 %`."""
    return f"{(second - first) / first:+.0%}".replace("%", " %") if first and second != first else ""


def _tool(change: ToolDiff) -> Iterator[Line]:
    sizes = {
        "gone": f"{count(change.first_size)} characters",
        "new": f"{count(change.second_size)} characters",
        "changed": f"{count(change.first_size)} → {count(change.second_size)} characters",
    }
    sign = {"gone": "-", "new": "+", "changed": "~"}[change.change]
    yield f" {sign} {change.name}  {sizes[change.change]}"
    yield from changed_lines(change.lines, indent="   ")
