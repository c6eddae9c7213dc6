"""agentsight-rx report transcripts: the session files of agents on this machine, and which session of the recording each is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from msgspec.structs import replace

from ...core.messages import program
from ...policy.redaction.redactor import Redactor
from ...sources.session_files.files import home_of_user
from ...store.words import amount, count, plural
from ...view.queries import sessions_named
from ...view.queries.choosing import selection_of
from ...view.queries.sessions.files import Matched, SessionFile, is_of_recording, match_files, session_file
from ..places.session_files import Found, TranscriptFiles
from .shown.ask import Ask
from .shown.screen import Cell, Column, Columns, Line, Span, table
from .shown.words import moment


def columns_of(now_ms: int) -> Columns[SessionFile]:
    """The columns."""
    return (
        Column("last", lambda row: moment(row.end_timestamp_ms or 0, now_ms, short=True)),
        Column("file", lambda row: row.name, most=24, flexible=True, middle=True),
        Column("calls", lambda row: str(row.calls), right=True),
        Column("tokens", lambda row: amount(row.asked_tokens + row.output_tokens), right=True),
        Column("session", _session, most=12, middle=True),
        Column("known by", _known_by, rank=1),
        Column("directory", lambda row: _near_home(row.cwd or ""), flexible=True, middle=True),
        Column("title", lambda row: row.title or row.prompt, flexible=True),
    )


def transcripts(ask: Ask) -> None:
    """The session files that agents on this machine wrote, newest first, each with its session of the recording."""
    found, files = find_files(ask)
    chosen = [file for file in files if _is_chosen(ask, file)]
    limit = None if ask.flags.show_all else ask.flags.limit
    shown = [session_file(file) for file in chosen[:limit]]
    if ask.as_json:
        ask.write(shown)
        return
    ask.write_lines(table(columns_of(ask.now_ms), shown, ask.screen))
    if not shown:
        ask.write_lines([f"no session file{'' if not files else ', as it was selected'}"])
    ask.write_lines(_left_out(found, len(chosen) - len(shown)))


def find_files(ask: Ask) -> tuple[Found, list[Matched]]:
    """The session files of the invoking user, without secrets, and the sessions of the recording that they are."""
    store = ask.store
    from ...sinks import redaction_key_in  # all sinks take a quarter of the start of a report, which needs none

    files = TranscriptFiles(home_of_user(), Redactor(redaction_key_in(store)))
    found = files.newest(first=is_of_recording(store))
    return found, match_files(store, found.sessions)


def _is_chosen(ask: Ask, file: Matched) -> bool:
    """Files have agents and ids of their own, so that files of no recorded session can be chosen too."""
    flags, transcript = ask.flags, file.transcript
    if flags.agent is not None and flags.agent != transcript.agent:
        return False
    if flags.session is not None and not transcript.session_id.startswith(flags.session):
        named = {row.id for row in sessions_named(ask.store, session=flags.session, agent=None)}
        if named.isdisjoint(row.id for row in file.sessions):
            return False
    if flags.pid is not None and flags.pid not in [row.pid for row in file.sessions]:
        return False
    times = selection_of(replace(flags, agent=None, session=None), ask.store, now_ms=ask.now_ms)
    if times.since_ms is not None and transcript.end_ms < times.since_ms:
        return False
    return times.until_ms is None or transcript.start_ms < times.until_ms


def _session(row: SessionFile) -> Cell:
    return row.sessions[0] if row.sessions else Span("no call seen", "missing") if row.method else ""


def _known_by(row: SessionFile) -> Cell:
    return f"{row.method} {row.confidence:.2f}" if row.method else Span("not recorded", "quiet")


def _near_home(path: str) -> str:
    home = home_of_user().path
    return f"~{path[len(home) :]}" if path == home or Path(path).is_relative_to(home) else path


def _left_out(found: Found, hidden: int) -> Iterable[Line]:
    if hidden > 0:
        yield f"{count(hidden)} more; all of them: {program()} report transcripts --all"
    if found.older:
        yield f"{plural(found.older, 'older file')} not read"
    if found.skipped:
        yield Span(f"{plural(found.skipped, 'file')} could not be read, or not the user's own", "missing")
