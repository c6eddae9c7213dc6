"""The product's graphs: what stands in them, and that nothing captured leaves without redaction."""

from __future__ import annotations

import pytest

from agentsight_rx.core.engine import Engine
from agentsight_rx.core.stream import of
from agentsight_rx.errors import UsageError
from agentsight_rx.events import (
    HttpRequest,
    HttpResponse,
    Origin,
    ProcessEvent,
    ProcessExec,
    ProcessExit,
    ProcessFork,
    SseMessage,
    moment_of,
    time_of,
)
from agentsight_rx.graphs import TraceOptions, explain, replay, trace, traced, unredacted
from agentsight_rx.graphs import _lived as lived  # pyright: ignore[reportPrivateUsage]
from agentsight_rx.sources import (
    FileOptions,
    NetOptions,
    PlainHttpOptions,
    ProcessOptions,
    ReadlineOptions,
    ReplayOptions,
    StdioOptions,
    SystemOptions,
    Target,
    TlsOptions,
)
from agentsight_rx.sources.opened import Inputs
from agentsight_rx.view import Output
from benchmarks.recording import cut, traffic

TARGET = Target(1)
EVERYTHING = TraceOptions(
    tls=TlsOptions(TARGET),
    plain_http=PlainHttpOptions(TARGET),
    process=ProcessOptions(TARGET),
    files=FileOptions(TARGET),
    net=NetOptions(TARGET),
    readline=ReadlineOptions(TARGET),
    stdio=StdioOptions(TARGET),
    system=SystemOptions(TARGET),
    tls_filters=("len<10",),
    http_filters=("request.method=HEAD",),
)


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("http", [False, True])
@pytest.mark.parametrize("tls", [None, EVERYTHING.tls])
@pytest.mark.parametrize("plain_http", [None, EVERYTHING.plain_http])
def test_every_path_from_captured_content_passes_redaction(
    raw: bool, http: bool, tls: TlsOptions | None, plain_http: PlainHttpOptions | None
) -> None:
    options = TraceOptions(
        tls=tls,
        plain_http=plain_http,
        stdio=EVERYTHING.stdio,
        process=EVERYTHING.process,
        raw=raw,
        http=http,
        tls_filters=("len<10",),
    )
    assert [] == unredacted(trace(options).node())
    assert [] == unredacted(replay(ReplayOptions(("x",)), options).node())


def test_without_redaction_the_sources_are_named() -> None:
    options = TraceOptions(tls=EVERYTHING.tls, plain_http=EVERYTHING.plain_http, stdio=EVERYTHING.stdio, remove_auth=False)
    assert ["tls", "plain_http", "stdio"] == unredacted(trace(options).node())


def test_the_key_of_the_labels_is_shown_nowhere() -> None:
    key = b"0123456789abcdef"
    shown = explain(trace(TraceOptions(tls=EVERYTHING.tls, redaction_key=key)))
    assert "remove_auth" in shown
    assert key.decode() not in shown
    assert key.hex() not in shown


def test_nothing_asked_for_is_an_error() -> None:
    with pytest.raises(UsageError, match="At least one monitoring type must be enabled"):
        trace(TraceOptions())


def test_every_source_stands_in_the_graph() -> None:
    names = {line.split()[0] for line in explain(trace(EVERYTHING)).splitlines()}
    assert {"tls", "plain_http", "process", "files", "net", "readline", "stdio", "system"} <= names
    assert {"parse_http", "merge_sse", "filter_tls", "filter_http", "remove_auth", "parse_jsonrpc", "merge"} <= names


def test_only_ends_of_long_lived_processes_are_kept() -> None:
    origin = Origin(1, 1)
    events: list[tuple[ProcessEvent, bool]] = [
        (ProcessFork(origin, 1, 1), False),
        (ProcessExec(origin, 1, 1, "x", (), "/"), False),
        (ProcessExit(origin, 1, 1, 0, duration_ns=4_999_999), False),
        (ProcessExit(origin, 1, 1, 0, duration_ns=5_000_000), True),
    ]
    assert [kept for _, kept in events] == [lived(5, event) for event, _ in events]


def test_calls_on_many_connections_come_in_the_order_in_which_they_ended() -> None:
    """The view looks back where one comes late: it would read each call of a busy machine several times."""
    chunks, out = traffic(8, calls=2), list[Output]()
    inputs = Inputs(tls=of(*cut(chunks, 1024), time_of=time_of, name="tls"))
    engine = Engine()
    traced(inputs, TraceOptions()).subscribe(out.append, scheduler=engine)
    engine.run_inline()
    messages = [event for event in out if isinstance(event, HttpRequest | HttpResponse | SseMessage)]
    assert len(messages) == 3 * 16
    assert messages == sorted(messages, key=moment_of)
