"""agentsight-rx report export: a recording as events that can be replayed, as one snapshot, or as OpenTelemetry spans."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import typer

from ...envelope import encode_line
from ...errors import SinkError, UsageError
from ...events import Event
from ...files import why, written_whole
from ...launch import invoking_user
from ...loss import Ledger
from ...say import say
from ...sinks import OtelOptions, send_recorded, write_recorded
from ...state import Store
from ...view.log import read_event_count, read_events
from ...view.snapshot import AUDIT_DEFAULT, read_snapshot
from ..flags import OtelContent, OtelEndpoint, OtelProtocol
from .ask import Ask
from .words import plural

__all__ = ["export"]

_FORMATS = ("jsonl", "snapshot", "otlp")
_DEADLINE_S = 60.0  # for which the end waits for a collector
_LINES = frozenset({".jsonl", ".ndjson"})


def export(
    ask: Ask,
    output: Annotated[str, typer.Option("-o", "--output", help="Where to; - is standard output.", metavar="FILE")] = "-",
    form: Annotated[
        str | None,
        typer.Option("--format", help="jsonl, snapshot or otlp; without it jsonl for .jsonl, else snapshot.", metavar="FORMAT"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    audit_limit: Annotated[
        int, typer.Option("--audit-limit", help="Rows of the audit trail in a snapshot.", metavar="N", min=0)
    ] = AUDIT_DEFAULT,
    otel_endpoint: OtelEndpoint = None,
    otel_protocol: OtelProtocol = None,
    otel_capture_content: OtelContent = False,
) -> None:
    """
    Write the whole recording: every event, one a line, which replay reads (jsonl), one JSON value (snapshot), or OpenTelemetry
    spans as lines of OTLP JSON (otlp). With --otel-endpoint, the spans go to that collector instead.

    A file appears once all of it is written, readable by its owner only. Nothing is left out and nothing more is hidden than in
    the recording: prompts and answers are in it. Only spans have none, unless --otel-capture-content is given.
    """
    chosen = form or ("jsonl" if Path(output).suffix in _LINES else "snapshot")
    if chosen not in _FORMATS:
        raise UsageError(f"--format {chosen} is not known; there are {', '.join(_FORMATS)}")
    if not ask.selection.whole or ask.selection.limit is not None:
        raise UsageError("export writes the whole recording: leave out --since, --until, --session, --agent, --pid and --limit")
    spans = OtelOptions(
        otel_endpoint, protocol=otel_protocol, capture_content=otel_capture_content, deadline_s=_DEADLINE_S, patient=True
    )
    if otel_endpoint:
        if chosen != "otlp" or output != "-":
            raise UsageError("--otel-endpoint sends spans: give it with --format otlp, and without -o FILE")
        say(f"sent {_spans_of(send_recorded(_events(ask.store), spans))} of {ask.path}")
        return
    with _opened(output, force=force) as file:
        if chosen == "jsonl":
            done = plural(_write_events(ask.store, file), "event")
        elif chosen == "otlp":
            done = _spans_of(write_recorded(_events(ask.store), file, spans))
        else:
            snapshot = read_snapshot(ask.store, now_ms=ask.now_ms, audit_limit=audit_limit)
            file.write(msgspec.json.format(msgspec.json.encode(snapshot), indent=2) + b"\n")
            done = "the snapshot"
    if output != "-":
        say(f"exported {done} of {ask.path} to {output}")


def _events(store: Store) -> Iterator[Event]:
    """The events that are there now: a recording that goes on would never end."""
    return islice(read_events(store), read_event_count(store))


def _spans_of(ledger: Ledger) -> str:
    """How many spans were taken, and how many were not."""
    lost = sum(entry.count for entry in ledger.entries())
    taken = plural(sum(meter.passed for meter in ledger), "span")
    return f"{taken}, and lost {lost}," if lost else taken


def _write_events(store: Store, file: BinaryIO) -> int:
    count = 0
    for event in _events(store):
        file.write(encode_line(event) + b"\n")
        count += 1
    return count


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
