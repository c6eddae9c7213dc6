"""Calls become the histograms of the conventions."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from msgspec.structs import replace
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric

from agentsight_rx.events.loss import Ledger
from agentsight_rx.sinks import OtelOptions, otel
from agentsight_rx.view import CallRow, Output
from tests.otlp_conformance import values
from tests.sinks.otel.recordings import everything, items
from tests.sinks.test_otel import ROW, collecting

ENDED = replace(
    ROW, provider="anthropic", host="api.anthropic.com", start_ns=1_000_000_000, end_ns=3_500_000_000, input_tokens=10,
    cache_read_tokens=90, output_tokens=7, total_tokens=107,
)  # fmt: skip


def measured(*batches: Iterable[Output]) -> list[ExportMetricsServiceRequest]:
    """The requests for metrics, of a sink that is closed after the last batch."""
    with collecting() as collector:
        writer = otel(OtelOptions(collector.url, deadline_s=60)).open(Ledger())
        for batch in batches:
            writer.write(list(batch))
        writer.close()
    return collector.measured


def metrics_of(*batches: Iterable[Output]) -> dict[str, Metric]:
    (request,) = measured(*batches)
    (resource,) = request.resource_metrics
    assert "agentsight-rx" == values(resource.resource.attributes)["service.name"]
    return {metric.name: metric for metric in resource.scope_metrics[0].metrics}


def test_a_call_is_counted_with_its_duration_and_its_tokens() -> None:
    found = metrics_of([ENDED])
    (point,) = found["gen_ai.client.operation.duration"].histogram.data_points
    assert (1, 2.5) == (point.count, point.sum)
    assert {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "m",
        "server.address": "api.anthropic.com",
        "server.port": 443,
    } == values(point.attributes)
    tokens = found["gen_ai.client.token.usage"]
    assert {"input": 100, "output": 7} == {
        str(values(each.attributes)["gen_ai.token.type"]): each.sum for each in tokens.histogram.data_points
    }
    assert ("{token}", "s") == (tokens.unit, found["gen_ai.client.operation.duration"].unit)


def test_the_buckets_are_those_of_the_conventions() -> None:
    found = metrics_of(items(everything()))
    bounds = {name: list(metric.histogram.data_points[0].explicit_bounds) for name, metric in found.items()}
    seconds = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
    assert {
        "gen_ai.client.token.usage": [4**step for step in range(14)],
        "gen_ai.client.operation.duration": seconds,
        "gen_ai.client.operation.time_to_first_chunk": seconds,
    } == bounds


def test_a_value_at_a_bound_is_in_the_bucket_below_it() -> None:
    rows = [replace(ENDED, id=f"llm-{tokens}", input_tokens=tokens, cache_read_tokens=0) for tokens in (4, 5, 10**9)]
    found = metrics_of(rows)
    (point,) = [
        each
        for each in found["gen_ai.client.token.usage"].histogram.data_points
        if values(each.attributes)["gen_ai.token.type"] == "input"
    ]
    assert [0, 1, 1, *[0] * 11, 1] == list(point.bucket_counts)
    assert (4, 10**9) == (point.min, point.max)


def test_what_is_unknown_is_not_counted() -> None:
    found = metrics_of([replace(ENDED, total_tokens=0, input_tokens=0, cache_read_tokens=0, output_tokens=0)])
    assert ["gen_ai.client.operation.duration"] == list(found)


def test_the_time_to_the_first_chunk_is_that_of_streams() -> None:
    found = metrics_of(items(everything()))
    (point,) = found["gen_ai.client.operation.time_to_first_chunk"].histogram.data_points
    assert 3 == point.count
    assert point.sum == pytest.approx(0.3)


def test_a_failure_is_counted_apart() -> None:
    found = metrics_of([ENDED, replace(ENDED, id="llm-2", status="error", status_code=429)])
    errors = {
        values(each.attributes).get("error.type") for each in found["gen_ai.client.operation.duration"].histogram.data_points
    }
    assert {None, "429"} == errors


@pytest.mark.parametrize(
    ("preference", "temporality"),
    [
        ("cumulative", AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE),
        ("delta", AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA),
    ],
)
def test_the_environment_says_whether_sums_start_anew(
    preference: str, temporality: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", preference)
    assert temporality == metrics_of([ENDED])["gen_ai.client.operation.duration"].histogram.aggregation_temporality


def test_models_without_end_take_a_bounded_number_of_points() -> None:
    rows: list[CallRow] = [replace(ENDED, id=f"llm-{number}", model=f"m-{number}") for number in range(2500)]
    points = metrics_of(rows)["gen_ai.client.operation.duration"].histogram.data_points
    assert 2000 == len(points)


def test_without_calls_nothing_is_sent() -> None:
    assert [] == measured([])
