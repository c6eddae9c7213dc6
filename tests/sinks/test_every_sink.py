"""Every sink keeps the promises that all of them make: see sink_component.py."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import pytest
from msgspec.structs import replace

from agentsight_rx import sinks
from agentsight_rx.core.sink import Sink
from agentsight_rx.events.loss import Ledger
from agentsight_rx.sinks import Lent, OtelOptions
from agentsight_rx.sinks.web import Feed
from agentsight_rx.store.log.reading import read_events
from agentsight_rx.store.rows.tables import AUDIT, CALLS, NETWORK, PROCESSES, RESOURCES, RUNS, TOKENS, TOOLS
from agentsight_rx.store.spool import SpoolOptions, read_segment
from agentsight_rx.store.state import LmdbStore, Table
from tests.sink_component import Place, SinkCase, check_sink, of_file
from tests.sinks.test_otel import collecting

ROWS: tuple[Table[Any], ...] = (AUDIT, CALLS, NETWORK, PROCESSES, RESOURCES, TOKENS, TOOLS)


@contextmanager
def console(directory: Path) -> Generator[Place]:
    screen = io.BytesIO()
    yield Place(sinks.console(to=screen), screen.getvalue)


@contextmanager
def readable(directory: Path) -> Generator[Place]:
    screen = io.BytesIO()
    yield Place(sinks.readable(width=100, colour=True, to=screen), screen.getvalue)


@contextmanager
def store(directory: Path) -> Generator[Place]:
    path = directory / "store.lmdb"

    def read() -> object:
        kept = LmdbStore.open(path, readonly=True)
        try:
            events = list(read_events(kept))
            runs = [(run.number, run.ended) for _, run in kept.scan(RUNS)]
            return events, runs, [list(kept.scan(table)) for table in ROWS]
        finally:
            kept.close()

    yield Place(sinks.store(path), read)


@contextmanager
def memory(directory: Path) -> Generator[Place]:
    lent = Lent()

    def read() -> object:
        kept = lent.store
        assert kept is not None
        runs = [(run.number, run.ended) for _, run in kept.scan(RUNS)]
        return list(read_events(kept)), runs, [list(kept.scan(table)) for table in ROWS]

    yield Place(sinks.memory(lent), read)


@contextmanager
def spool(directory: Path) -> Generator[Place]:
    def read() -> object:
        segments = [read_segment(path.read_bytes()) for path in sorted((directory / "host").glob("*.seg"))]
        return [event for segment in segments for batch in segment.batches() for event in batch]

    yield Place(sinks.spool(SpoolOptions(str(directory), "host")), read)


def refused_spool(directory: Path) -> Sink[Any]:
    (directory / "file").write_bytes(b"")
    return sinks.spool(SpoolOptions(str(directory / "file"), "host"))


@contextmanager
def otel(directory: Path) -> Generator[Place]:
    with collecting() as collector:
        options = OtelOptions(collector.url, capture_content=True)
        yield Place(sinks.otel(options), lambda: collector.spans)


@contextmanager
def page(directory: Path) -> Generator[Place]:
    feeds: list[Feed] = []

    def opened(ledger: Ledger) -> Feed:
        feeds.append(Feed(ledger))
        return feeds[0]

    def read() -> object:
        (feed,) = feeds
        return replace(feed.snapshot(), generated_at="", completeness=None), feed.after(0), feed.ended

    yield Place(Sink("web", opened), read)


CASES = {
    "console": SinkCase(console),
    "readable": SinkCase(readable),
    "jsonl": of_file(sinks.jsonl),
    "otel": SinkCase(otel, refused=lambda _: sinks.otel(OtelOptions("nowhere"))),
    "spool": SinkCase(spool, refused=refused_spool),
    "store": SinkCase(store, refused=lambda directory: sinks.store(directory)),
    "memory": SinkCase(memory),
    "page": SinkCase(page),  # what web/ shows
}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


def makes_a_sink(function: Callable[..., object]) -> bool:
    return get_origin(get_type_hints(function).get("return")) is Sink


def test_no_sink_is_missing() -> None:
    assert {name for name in sinks.__all__ if makes_a_sink(getattr(sinks, name))} | {"page"} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_sink(name: str, tmp_path: Path) -> None:
    check_sink(CASES[name], tmp_path)
