"""A recording gives the spans that its capture sent: to a collector, or as lines of OTLP JSON."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from msgspec.structs import replace

from agentsight_rx.events.loss import Entry, Ledger, Reason
from agentsight_rx.policy.rules.guard.file import built_in_rules
from agentsight_rx.sinks import OtelOptions, otel, send_recorded, write_recorded
from agentsight_rx.view import AlertRow, Fold
from tests.guarded import leaking
from tests.sinks.otel.recordings import everything, items
from tests.sinks.test_otel import ROW, collecting, sent, values


def written(*, capture_content: bool = False) -> bytes:
    file = io.BytesIO()
    ledger = write_recorded(everything(), file, OtelOptions(capture_content=capture_content))
    assert ledger.complete
    return file.getvalue()


def spans_in(lines: bytes) -> list[dict[str, Any]]:
    requests = map(json.loads, lines.splitlines())
    return [
        span
        for request in requests
        for resource in request["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def test_the_lines_have_the_spans_of_the_capture_with_the_same_ids() -> None:
    live = sent(items(everything())).spans
    assert {(span.name, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()) for span in live} == {
        (span["name"], span["traceId"], span["spanId"], span.get("parentSpanId", "")) for span in spans_in(written())
    }


def test_the_lines_are_otlp_json() -> None:
    (span,) = [span for span in spans_in(written()) if span["name"] == "make"]
    assert (1, 2) == (span["kind"], span["status"]["code"])  # numbers, and no names of enums
    assert (32, 16, 16) == tuple(len(span[name]) for name in ("traceId", "spanId", "parentSpanId"))
    assert span["startTimeUnixNano"].isdigit()
    assert {"key": "process.exit.code", "value": {"intValue": "2"}} in span["attributes"]


def test_two_files_of_one_recording_are_equal() -> None:
    assert written() == written()


def test_content_is_written_only_where_it_is_asked_for() -> None:
    assert b"Fix the test" not in written()
    assert b"Fix the test" in written(capture_content=True)


def test_a_collector_gets_the_same_spans_as_in_the_capture() -> None:
    with collecting() as collector:
        ledger = send_recorded(everything(), OtelOptions(collector.url, deadline_s=60))
    assert ledger.complete
    live = sent(items(everything())).spans
    assert sorted(span.SerializeToString() for span in live) == sorted(span.SerializeToString() for span in collector.spans)
    assert all(values(span.attributes) for span in collector.spans)


def test_a_patient_sender_loses_nothing_where_another_would() -> None:
    rows = [replace(ROW, id=f"llm-{number}") for number in range(5000)]  # the queue has room for 2,048
    with collecting() as collector:
        ledger = Ledger()
        writer = otel(OtelOptions(collector.url, deadline_s=60, patient=True)).open(ledger)
        writer.write(rows)
        writer.close()
    assert ledger.complete
    assert 5000 == len(collector.spans)


def test_a_collector_that_is_not_there_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    ledger = send_recorded(everything(), OtelOptions("http://127.0.0.1:9"))
    assert [Entry("otel", Reason.SINK_FAILED, 9)] == ledger.entries()


def test_alerts_of_a_recording_are_spans_in_the_trace_of_their_session() -> None:
    file, fold, events = io.BytesIO(), Fold(built_in_rules()), leaking().events
    rows = {row.id: row for event in events for row in fold.add(event) if isinstance(row, AlertRow)}
    assert write_recorded(events, file, OtelOptions(), alerts=rows.values()).complete
    spans = spans_in(file.getvalue())
    alerts = [span for span in spans if span["name"] == "agentsight.alert"]
    assert len(rows) == len(alerts) == 4
    assert {span["traceId"] for span in spans if span["name"].startswith("chat")} == {span["traceId"] for span in alerts}
    assert {span["spanId"] for span in spans} >= {span["parentSpanId"] for span in alerts if span.get("parentSpanId")}
