"""Flags and variables choose the collector and the protocol."""

from __future__ import annotations

import pytest

from agentsight_rx.errors import SinkError
from agentsight_rx.sinks.otel.destination import Destination, Protocol, destination_of

HTTP: Protocol = "http/protobuf"
GRPC: Protocol = "grpc"
GENERAL = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES, METRICS = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
PROTOCOL, TRACES_PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"


@pytest.mark.parametrize(
    ("endpoint", "env", "traces", "metrics"),
    [
        (None, {}, "http://localhost:4318/v1/traces", "http://localhost:4318/v1/metrics"),
        (None, {GENERAL: "http://a:1/x/"}, "http://a:1/x/v1/traces", "http://a:1/x/v1/metrics"),
        (None, {GENERAL: "http://a:1", TRACES: "http://b:2/as-is"}, "http://b:2/as-is", "http://a:1/v1/metrics"),
        (None, {GENERAL: "http://a:1", METRICS: "http://c:3/m"}, "http://a:1/v1/traces", "http://c:3/m"),
        (None, {TRACES: "http://b:2/as-is"}, "http://b:2/as-is", None),
        (None, {GENERAL: "http://a:1", "OTEL_METRICS_EXPORTER": "none"}, "http://a:1/v1/traces", None),
        (
            "http://f:4/v1/traces",
            {GENERAL: "http://a:1", TRACES: "http://b:2"},
            "http://f:4/v1/traces",
            "http://f:4/v1/metrics",
        ),
    ],
)
def test_the_flag_comes_before_a_signal_before_the_general_variable(
    endpoint: str | None, env: dict[str, str], traces: str, metrics: str | None
) -> None:
    assert Destination(HTTP, traces, metrics) == destination_of(endpoint, None, env)


@pytest.mark.parametrize(
    ("flag", "env", "protocol"),
    [
        (None, {}, HTTP),
        (None, {PROTOCOL: GRPC}, GRPC),
        (None, {PROTOCOL: HTTP, TRACES_PROTOCOL: GRPC}, GRPC),
        (HTTP, {PROTOCOL: GRPC}, HTTP),
        (GRPC, {}, GRPC),
    ],
)
def test_the_protocol_is_that_of_the_flag_then_of_the_variables(flag: str | None, env: dict[str, str], protocol: str) -> None:
    assert protocol == destination_of(None, flag, env).protocol


def test_grpc_has_its_own_port_and_no_paths() -> None:
    both = "http://localhost:4317"
    assert Destination(GRPC, both, both) == destination_of(None, GRPC, {})


def test_a_protocol_that_is_not_supported_is_refused() -> None:
    with pytest.raises(SinkError, match=r"'http/json' is not supported; use http/protobuf, .* or grpc"):
        destination_of(None, "http/json", {})


def test_the_address_to_ask_is_that_of_the_url_and_none_behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    https = destination_of("https://collector.example", None, {})
    assert ("collector.example", 443) == https.address
    assert ("127.0.0.1", 4318) == destination_of("http://127.0.0.1:4318", None, {}).address
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    assert https.address is None


def test_a_password_in_the_url_is_not_shown() -> None:
    assert "http://a:1/v1/traces" == destination_of("http://user:secret@a:1", None, {}).shown
