"""The plants, through the product's graph into every sink -> how many secrets of each kind show of each place."""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
import tempfile
import urllib.parse
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import msgspec
from msgspec import Struct, field

from agentsight_rx import sources
from agentsight_rx.cli.capturing.closing import closing_lines
from agentsight_rx.cli.report.shown.screen import Screen
from agentsight_rx.cli.report.summary import summary_text
from agentsight_rx.core.engine import Engine
from agentsight_rx.core.sink import Sink
from agentsight_rx.core.stream import Stream, of
from agentsight_rx.events import Event, SseMessage, TlsChunk, TlsClose, time_of
from agentsight_rx.events.loss import Ledger
from agentsight_rx.graphs import TraceOptions, http_messages, trace
from agentsight_rx.operators import normalize
from agentsight_rx.runtime.cluster import Shipper, place_of
from agentsight_rx.runtime.run import Summary, run
from agentsight_rx.sinks import OtelOptions, console, jsonl, otel, spool, store
from agentsight_rx.sinks.web import Feed
from agentsight_rx.sources import FileOptions, NetOptions, ProcessOptions, ReadlineOptions, StdioOptions, Target, TlsOptions
from agentsight_rx.store.log.reading import read_events
from agentsight_rx.store.spool import SpoolOptions
from agentsight_rx.store.spool.records import decompressed
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view.snapshot.snapshot import read_snapshot
from tests.reports import read_report
from tests.secrets.kinds import KINDS, PARTS, Parts
from tests.secrets.places import PLACES, Captured, is_raw
from tests.sinks.test_otel import collecting

__all__ = ["Cell", "Matrix", "is_usual", "lines_of", "measured", "outputs", "planted", "shown", "spooled"]

Cell = tuple[str, str]  # place, kind


class Matrix(Struct):
    """Of each cell that exists: the parts of its secrets, those that leaked, and the outputs in which they show."""

    parts: dict[Cell, Parts] = field(default_factory=dict[Cell, Parts])
    leaks: dict[Cell, set[str]] = field(default_factory=dict[Cell, set[str]])
    where: dict[Cell, set[str]] = field(default_factory=dict[Cell, set[str]])

    def count(self, place: str, kind: str) -> int | None:
        """Secrets that leaked; None: this place cannot hold this kind."""
        cell = place, kind
        return len(self.leaks.get(cell, ())) if cell in self.parts else None


def is_usual(place: str, kind: str) -> bool:
    """A seventh of the cells, with each kind and nearly each place among them."""
    return ([*PLACES].index(place) + [*KINDS].index(kind)) % 7 == 0


def measured(*, remove_auth: bool = True, usual: bool = False) -> Matrix:
    """
    Plant, run, search. Without `remove_auth` it shows whether the search finds what is there. `usual`: in the usual cells
    alone.
    """
    matrix = Matrix()
    for raw in (False, True):
        captured = Captured()
        parts: dict[str, Cell] = {}
        for row, (place, make) in enumerate(PLACES.items()):
            for column, kind in enumerate(KINDS):
                if usual and not is_usual(place, kind):
                    continue
                new: Parts = []
                made = make(row * len(KINDS) + column, KINDS[kind](new)) if is_raw(place) == raw else None
                if made is not None:
                    captured += made
                    matrix.parts[place, kind] = new
                    parts |= dict.fromkeys(new, (place, kind))
        with tempfile.TemporaryDirectory() as folder:
            for where, blob in outputs(captured, TraceOptions(raw=raw, remove_auth=remove_auth), Path(folder)):
                for part in shown(blob, parts):
                    matrix.leaks.setdefault(parts[part], set()).add(part)
                    matrix.where.setdefault(parts[part], set()).add(where)
    return matrix


# -- the run -----------------------------------------------------------------------------------------------------------

_SOURCES = {
    "tls": TlsOptions,
    "stdio": StdioOptions,
    "process": ProcessOptions,
    "files": FileOptions,
    "net": NetOptions,
    "readline": ReadlineOptions,
}


def _given(events: Sequence[Any], name: str, _: object) -> Stream[Any]:
    """In the place of a source: what it captured."""
    return of(sorted(events, key=time_of), time_of=time_of, name=name)


def _run(captured: Captured, options: TraceOptions, sinks: list[Sink[Any]]) -> Summary:
    """The product's graph on what was captured."""
    asked = {name: options_of(Target(1)) for name, options_of in _SOURCES.items()}
    with ExitStack() as stack:
        for name in _SOURCES:
            stack.enter_context(patch.object(sources, name, partial(_given, getattr(captured, name), name)))
        summary = run(trace(msgspec.structs.replace(options, **asked)), sinks, on_bug="raise_all")
    assert summary.failures == ()
    return summary


def lines_of(captured: Captured, options: TraceOptions, file: Path) -> list[bytes]:
    """The events that a run writes."""
    _run(captured, options, [jsonl(file)])
    return file.read_bytes().splitlines()


def planted() -> Captured:
    """Secrets in the usual cells of places that are not raw: of each kind, in each place that holds one."""
    captured = Captured()
    for row, (place, make) in enumerate(PLACES.items()):
        for column, kind in enumerate(KINDS):
            chosen = is_usual(place, kind) and not is_raw(place)
            made = make(row * len(KINDS) + column, KINDS[kind]([])) if chosen else None
            if made is not None:
                captured += made
    return captured


def spooled(captured: Captured, options: TraceOptions, sink: SpoolOptions) -> None:
    """Run them into a spool."""
    _run(captured, options, [spool(sink)])


def outputs(captured: Captured, options: TraceOptions, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Everything that a run makes readable: what it is, and its bytes."""
    screen, feeds = io.BytesIO(), list[Feed]()
    database, lines = folder / "run.lmdb", folder / "run.jsonl"

    def web(ledger: Ledger) -> Feed:
        feeds.append(Feed(ledger))
        return feeds[0]

    with collecting() as collector:
        spans = otel(OtelOptions(collector.url, capture_content=True, deadline_s=60))
        segments = spool(SpoolOptions(str(folder / "spool"), "host", redacted=options.remove_auth))
        sinks: list[Sink[Any]] = [console(to=screen), jsonl(lines), store(database), spans, Sink("web", web), segments]
        summary = _run(captured, options, sinks)
    yield "console", screen.getvalue()
    yield "jsonl", lines.read_bytes()
    for file in sorted(folder.glob("run.lmdb*")):
        yield "store", file.read_bytes()
    yield "otel", b"\n".join(request.SerializeToString() for request in collector.taken)
    yield "metrics", b"\n".join(request.SerializeToString() for request in collector.measured)
    yield "page", msgspec.json.encode(feeds[0].snapshot()) + msgspec.json.encode(feeds[0].after(0).rows)
    yield from _shipped(folder)
    kept = LmdbStore.open(database, readonly=True)
    report = read_report(kept)
    events = list(read_events(kept))
    yield "rows", repr(report).encode() + msgspec.json.encode(read_snapshot(kept, now_ms=0))
    said = summary_text(kept, Screen(width=10_000))
    kept.close()
    said = [*said, *closing_lines(summary, None, since_ms=None, verb="traced")]
    yield "report", "\n".join(said).encode()
    yield "event log", repr(events).encode()
    yield "put together", b"\n".join(_put_together(events))
    yield "records read again", repr(_read_again(events)).encode()


def _shipped(folder: Path) -> Iterator[tuple[str, bytes]]:
    """What leaves the host: every file at the other place, as it is and without its compression."""
    to = folder / "shipped"
    to.mkdir()
    shipper = Shipper(folder / "spool", place_of(str(to)), unredacted=True)
    shipper.run()
    shipper.close()
    files = [path.read_bytes() for path in sorted(to.rglob("*")) if path.is_file()]
    assert len(files) == shipper.done.sent > 0
    for content in files:
        yield "shipped", content
        yield "shipped", decompressed(content)


def _put_together(events: Iterable[Event]) -> Iterator[bytes]:
    """The texts of each event stream, and the records of each direction of a connection, each as one."""
    records: dict[object, list[bytes]] = {}
    for event in events:
        if isinstance(event, SseMessage):
            datas = [each.data for each in event.events]
            texts: dict[tuple[object, ...], list[str]] = {}
            for data in datas:
                for path, text in _values(data):
                    texts.setdefault(path, []).append(text)
            yield "".join(datas).encode()
            yield from ("".join(each).encode() for each in texts.values())
        elif isinstance(event, TlsChunk):
            records.setdefault((event.origin.connection, event.origin.direction), []).append(event.data)
    yield from (b"".join(each) for each in records.values())


def _values(data: str) -> Iterator[tuple[tuple[object, ...], str]]:
    """The texts of a JSON value, and the names that lead to each."""
    try:
        todo: list[tuple[tuple[object, ...], Any]] = [((), json.loads(data))]
    except ValueError:
        return
    while todo:
        path, value = todo.pop()
        if isinstance(value, str):
            yield path, value
        elif isinstance(value, dict):
            todo += [((*path, name), inner) for name, inner in cast("dict[str, Any]", value).items()]
        elif isinstance(value, list):
            todo += [((*path, 0), inner) for inner in cast("list[object]", value)]


def _read_again(events: Iterable[Event]) -> list[Event]:
    """The messages that the raw records say."""
    records: list[Any] = [event for event in events if isinstance(event, TlsChunk | TlsClose)]
    made: list[Event] = []
    engine = Engine()
    source = of(records, time_of=time_of).pipe(normalize())
    http_messages(source, TraceOptions()).subscribe(made.append, scheduler=engine)
    engine.run_inline()
    return [event for event in made if not isinstance(event, TlsChunk | TlsClose)]


# -- the search --------------------------------------------------------------------------------------------------------

_STEP = 4  # so a leak of PARTS + 3 characters is found
_RUN = re.compile(rb"[A-Za-z0-9+/_-]{%d,}" % PARTS)
_HEX = re.compile(rb"(?:[0-9a-fA-F]{2}){%d,}" % PARTS)
_DIGITS = re.compile(rb"[A-Za-z0-9+/_-]{20,}")


def shown(blob: bytes, parts: Collection[str]) -> set[str]:
    """The parts of secrets in these bytes, as they are or encoded."""
    windows = {part[at : at + PARTS].encode(): part for part in parts for at in range(len(part) - PARTS + 1)}
    found: set[str] = set()
    for text in _texts(blob):
        for run_of in _RUN.finditer(text):
            for at in range(run_of.start(), run_of.end() - PARTS + 1, _STEP):
                part = windows.get(text[at : at + PARTS])
                if part is not None:
                    found.add(part)
    return found


def _texts(blob: bytes) -> Iterator[bytes]:
    yield blob
    yield b"\n".join(bytes.fromhex(digits[0].decode()) for digits in _HEX.finditer(blob))
    yield urllib.parse.unquote_to_bytes(urllib.parse.unquote_to_bytes(blob))
    for shift in range(4):
        once = b"\n".join(_decoded(digits[0][shift:]) for digits in _DIGITS.finditer(blob))
        yield once
        yield b"\n".join(_decoded(digits[0]) for digits in _DIGITS.finditer(once))  # Base64 twice


def _decoded(digits: bytes) -> bytes:
    digits = digits[: len(digits) & ~3]
    try:
        return base64.b64decode(digits, altchars=b"-_") if b"-" in digits or b"_" in digits else binascii.a2b_base64(digits)
    except binascii.Error:
        return b""
