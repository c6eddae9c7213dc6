"""Session files of agents beside a recording -> what only they have: for the reports that say so with --transcripts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import typer

from ....store.words import plural
from .ask import Ask
from .screen import Line, Span, Whole

if TYPE_CHECKING:
    from ....view.queries.sessions.compare import SessionComparison


WITH_FILES = typer.Option("--transcripts", help="Compare with the session files that the agents wrote themselves.")
_SURE = 0.9  # the calls name the session, or a process was seen to use the file


def compared(ask: Ask) -> list[SessionComparison]:
    """The sessions of the selection that have files, the newest first."""
    from ....view.queries.sessions.compare import compare_sessions  # with it come all readers of calls and of secrets
    from ..transcripts import find_files

    chosen = ask.selection.sessions
    found = compare_sessions(ask.store, find_files(ask)[1])
    return [each for each in found if chosen is None or chosen & set(each.sessions)]


def lacking_said(rows: Iterable[SessionComparison], ask: Ask) -> Iterator[Line]:
    """What the wire lacks of a session, and how to see it, where it is sure that the file is of the session."""
    for row in (row for row in rows if row.confidence >= _SURE):
        numbers = (len(row.calls_only_file), "call"), (len(row.tools_only_file), "tool")
        what = " and ".join(plural(number, name) for number, name in numbers if number)
        if what:
            said = f"the session file of {row.name} has {what} that the wire does not have"
            yield Span(said, "missing")
            yield Whole(f"    {ask.other(f'compare {row.name}')}")


def in_file_only(rows: Iterable[SessionComparison], session: str) -> dict[str, int] | None:
    """How many calls and tools only the file of a session has; None: it has no file."""
    found = next((row for row in rows if session in row.sessions), None)
    return {"calls": len(found.calls_only_file), "tools": len(found.tools_only_file)} if found else None
