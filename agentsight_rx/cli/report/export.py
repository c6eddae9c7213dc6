"""agentsight-rx report export: a recording as a file: events that can be replayed, one snapshot, or what other tools open."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, NamedTuple

import msgspec
import typer
from msgspec.structs import replace

from ...core.errors import SinkError, StoreError, UsageError
from ...core.files import why, written_whole
from ...core.messages import program, say
from ...events.envelope import encode_line
from ...events.loss import Ledger
from ...runtime.web.app import bundle, single_file
from ...sinks import OtelOptions, send_recorded, write_recorded
from ...store.log.reading import read_events_of_now
from ...store.reasons import FILE_SAYS
from ...store.rows.kinds import SessionRow
from ...store.rows.tables import ALERTS
from ...store.words import plural
from ...view.exports.atif import atif
from ...view.exports.csv_tables import CSV_TABLES, csv_lines, csv_of_all
from ...view.exports.har import har
from ...view.exports.perfetto import perfetto
from ...view.exports.tables import TABLES, parquet
from ...view.page import Picture, embedded
from ...view.page.picture import WHOLE
from ...view.queries.reading import newest_session, rows_of, sessions_named
from ...view.snapshot.snapshot import AUDIT_DEFAULT, read_snapshot
from ..capturing.launch import invoking_user
from ..flags.destinations import Otel
from ..flags.group import Only
from ..values import one_of
from .shown.ask import Ask
from .shown.every import Every, every

_SPANS = "otlp"
_DEADLINE_S = 60.0  # for which the end waits for a collector


class _Wanted(NamedTuple):
    """What the flags of some formats say."""

    audit_limit: int
    table: str
    every: Every | None = None  # all stores, where all are meant


class _Format(NamedTuple):
    """How the file is made; the endings of files that have it; whether a selection may be given; of what there are so many."""

    write: Callable[[Ask, _Wanted], Iterable[bytes]]
    endings: tuple[str, ...]
    parts: tuple[str, ...] = ()  # flags that choose a part of the recording
    binary: bool = False
    counted: str = ""  # a piece is one of these


def export(
    ask: Ask,
    *,
    output: Annotated[
        str, typer.Option("-o", "--output", help="The file to write; - is standard output.", metavar="FILE")
    ] = "-",
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="jsonl, snapshot, html, har, perfetto, atif, csv, parquet or otlp; by default the ending of FILE decides.",
            metavar="FORMAT",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    audit_limit: Annotated[
        int, typer.Option("--audit-limit", help="Rows of the audit trail in a snapshot.", metavar="N", min=0)
    ] = AUDIT_DEFAULT,
    table: Annotated[
        str, typer.Option("--table", help="The rows of a csv or parquet: calls, tools, alerts or others.", metavar="TABLE")
    ] = CSV_TABLES[0],
    otel: Annotated[Otel, Only("otel_endpoint", "otel_protocol", "otel_capture_content")],
) -> None:
    """
    Write the recording as a file, or with --all a csv of all recordings and imported sessions. The formats are: every event,
    one a line, which replay reads (jsonl); one JSON value (snapshot); the page of a session (html); HTTP exchanges (har).
    Further formats are a trace for ui.perfetto.dev (perfetto), the trajectory of a session (atif), a table (csv, parquet), and
    OpenTelemetry spans as lines of OTLP JSON (otlp). With --otel-endpoint, the spans go to that collector instead.

    A file appears once all of it is written, readable by its owner only. Nothing is left out and nothing more is hidden than in
    the recording: prompts and answers are in it. Only spans have none, unless --otel-capture-content is given.
    """
    chosen = form or _by_ending(output)
    if otel.otel_endpoint and (chosen != _SPANS or output != "-"):
        raise UsageError("--otel-endpoint sends spans: give it with --format otlp, and without -o FILE")
    if chosen == _SPANS:
        _refuse_parts(ask, chosen, _Format(_jsonl, ()))
        spans = replace(otel.options(patient=True), deadline_s=_DEADLINE_S)
        _export_spans(ask, output, spans, force=force)
        return
    how = _FORMATS[one_of("--format", chosen, (*_FORMATS, _SPANS))]
    one_of("--table", table, TABLES if chosen == "parquet" else CSV_TABLES)
    _refuse_parts(ask, chosen, how)
    if how.binary and output == "-" and sys.stdout.isatty():
        raise UsageError(f"a {chosen} file is not text; give -o FILE")
    found = every(ask) if ask.flags.show_all else None
    for line in found.unread if found is not None else ():
        say(line)
    pieces = how.write(ask, _Wanted(audit_limit, table, found))
    count = 0
    with _opened(output, force=force) as file:
        for piece in pieces:
            file.write(piece)
            count += 1
    if output != "-":
        _say_done(ask, plural(count, how.counted) if how.counted else f"the {chosen}", output, found)


def _export_spans(ask: Ask, output: str, spans: OtelOptions, *, force: bool) -> None:
    if spans.endpoint:
        ledger = send_recorded(read_events_of_now(ask.store), spans, alerts=rows_of(ask.store, ALERTS))
        say(f"sent {_spans_of(ledger)} of {ask.path}")
        if not ledger.complete:
            raise SinkError("the collector did not take every span; send them again once it does: their ids stay the same")
        return
    with _opened(output, force=force) as file:
        alerts = rows_of(ask.store, ALERTS)
        done = _spans_of(write_recorded(read_events_of_now(ask.store), file, spans, alerts=alerts))
    if output != "-":
        _say_done(ask, done, output)


def _say_done(ask: Ask, done: str, output: str, found: Every | None = None) -> None:
    said = f"; it is {FILE_SAYS}" if found is None and ask.is_said else ""
    say(f"exported {done} of {ask.path if found is None else found.where} to {output}{said}")


def _spans_of(ledger: Ledger) -> str:
    """How many spans were taken, and how many were not."""
    lost = sum(entry.count for entry in ledger.entries())
    taken = plural(sum(meter.passed for meter in ledger), "span")
    return f"{taken}, and lost {lost}," if lost else taken


def _by_ending(output: str) -> str:
    """
    The format whose longest ending the name of the file has; a snapshot for standard output and for a name without an ending.
    Raises UsageError for an ending that no format has.
    """
    name = Path(output).name
    found = [(len(ending), form) for form, how in _FORMATS.items() for ending in how.endings if name.endswith(ending)]
    if found:
        return max(found)[1]
    before, _, ending = name.rpartition(".")
    if not before:
        return "snapshot"
    known = "; ".join(f"{', '.join(how.endings)} ({form})" for form, how in _FORMATS.items())
    raise UsageError(
        f"-o {output}: no format has the ending .{ending}. There are {known}. "
        f"Give one of these endings, or --format; spans (--format {_SPANS}) have no ending of their own"
    )


def _refuse_parts(ask: Ask, chosen: str, how: _Format) -> None:
    """Flags that choose a part are refused where the format has all of it."""
    given = {
        "--since": ask.flags.since, "--until": ask.flags.until, "--session": ask.flags.session, "--agent": ask.flags.agent,
        "--pid": ask.flags.pid, "--limit": ask.flags.limit, "--all": ask.flags.show_all or None,
    }  # fmt: skip
    refused = [flag for flag, value in given.items() if value is not None and flag not in how.parts]
    if refused:
        what = "what one session did" if how.parts == _ONE_SESSION else "the whole recording"
        raise UsageError(f"export --format {chosen} writes {what}: leave out {' and '.join(refused)}")


def _jsonl(ask: Ask, _: _Wanted) -> Iterator[bytes]:
    return (encode_line(event) + b"\n" for event in read_events_of_now(ask.store))


def _snapshot(ask: Ask, wanted: _Wanted) -> Iterator[bytes]:
    snapshot = read_snapshot(ask.store, now_ms=ask.now_ms, audit_limit=wanted.audit_limit)
    yield msgspec.json.format(msgspec.json.encode(snapshot), indent=2) + b"\n"


def _har(ask: Ask, _: _Wanted) -> Iterator[bytes]:
    return har(ask.store)


def _perfetto(ask: Ask, _: _Wanted) -> Iterator[bytes]:
    return perfetto(ask.store)


def _csv(ask: Ask, wanted: _Wanted) -> Iterator[bytes]:
    table = CSV_TABLES[CSV_TABLES.index(wanted.table)]
    if wanted.every is not None:
        return csv_of_all(wanted.every.once, ask.prices, table=table)
    return csv_lines(ask.store, ask.selection, ask.prices, table=table)


def _parquet(ask: Ask, wanted: _Wanted) -> Iterator[bytes]:
    return parquet(ask.store, ask.selection, ask.prices, table=wanted.table)


def _atif(ask: Ask, _: _Wanted) -> Iterator[bytes]:
    return atif(ask.store, _session(ask), ask.prices)


def _html(ask: Ask, _: _Wanted) -> Iterator[bytes]:
    """The page of one session, or of all that ran where no call of a model was seen."""
    built = bundle()
    if built is None:
        raise SinkError(
            "the web page is not built, and this format is the page in one file: build it once with scripts/page.sh"
        )
    named = ask.flags.session is not None or ask.flags.agent is not None
    session = _session(ask).id if named or newest_session(ask.store) is not None else WHOLE
    picture = Picture(ask.store, ask.prices, being_written=ask.being_written, place=str(ask.path))
    made = embedded(picture, ask.path.stem, session)
    if made.left_out:
        say(f"the page has not all of the session: without {'; '.join(made.left_out)}")
    yield single_file(built, made)


def _session(ask: Ask) -> SessionRow:
    """The one that is meant: the newest, or the only one of the flags."""
    if ask.flags.session is None and ask.flags.agent is None:
        newest = newest_session(ask.store)
        if newest is None:
            raise StoreError(f"no session of an agent is in {ask.path}, and this format is one session")
        return newest
    found = sessions_named(ask.store, session=ask.flags.session, agent=ask.flags.agent)
    if len(found) == 1:
        return found[0]
    names = ", ".join(row.id for row in found[:5])
    seen = f"{len(found)} sessions are meant: {names}" if found else "no session is meant"
    raise UsageError(f"{seen}; give the id of one with --session, as `{program()} report sessions` shows it")


_ONE_SESSION = ("--session", "--agent")
_EVERY_PART = ("--since", "--until", "--session", "--agent", "--pid", "--limit")
_FORMATS: dict[str, _Format] = {
    "jsonl": _Format(_jsonl, (".jsonl", ".ndjson"), counted="event"),
    "snapshot": _Format(_snapshot, (".json",)),
    "html": _Format(_html, (".html", ".htm"), _ONE_SESSION),
    "har": _Format(_har, (".har",)),
    "perfetto": _Format(_perfetto, (".pftrace", ".perfetto-trace"), binary=True),
    "atif": _Format(_atif, (".atif.json",), _ONE_SESSION),
    "csv": _Format(_csv, (".csv",), (*_EVERY_PART, "--all")),
    "parquet": _Format(_parquet, (".parquet",), _EVERY_PART, binary=True),
}


@contextmanager
def _opened(output: str, *, force: bool) -> Generator[BinaryIO]:
    if output == "-":
        sys.stdout.flush()
        yield sys.stdout.buffer
        return
    try:
        with written_whole(Path(output), invoking_user(), replace=force) as file:
            yield file
    except FileExistsError as error:
        raise SinkError(f"{output} is there already; give --force to replace it, or another -o FILE") from error
    except OSError as error:
        raise SinkError(f"{output} cannot be written: {why(error, output)}") from error
