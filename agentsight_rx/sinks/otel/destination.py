"""Flags and OTEL_* variables -> where spans and metrics go, and over which protocol."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from ...core.errors import SinkError

__all__ = ["Destination", "Protocol", "destination_of"]

Protocol = Literal["http/protobuf", "grpc"]

_HTTP: Protocol = "http/protobuf"
_GRPC: Protocol = "grpc"
_DEFAULTS = {_HTTP: "http://localhost:4318", _GRPC: "http://localhost:4317"}
_PATHS = {"traces": "/v1/traces", "metrics": "/v1/metrics"}


class Destination(Struct, frozen=True):
    """A collector. A field that is None is not sent."""

    protocol: Protocol
    traces: str
    metrics: str | None

    @property
    def shown(self) -> str:
        """The URL without the user and password in it."""
        return re.sub(r"//[^/@]*@", "//", self.traces)

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port, to ask whether anything listens there; None where a proxy stands between."""
        parts = urlsplit(self.traces)
        host = parts.hostname or ""
        from urllib.request import getproxies, proxy_bypass  # takes 10 ms, which a run without an export must not pay

        if parts.scheme in getproxies() and not proxy_bypass(host):
            return None
        return host, parts.port or (443 if parts.scheme == "https" else 80)


def destination_of(endpoint: str | None, protocol: str | None, env: Mapping[str, str] = os.environ) -> Destination:
    """
    The flags before the variables of a signal before the general ones before the defaults of OpenTelemetry.

    A variable that names only the endpoint of traces means that metrics have no endpoint. Raises SinkError where an endpoint is
    not a URL or the protocol is not supported.
    """
    chosen = _protocol(protocol, env)
    general = endpoint or env.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    traces = _url("traces", chosen, endpoint, env)
    only_traces = not general and bool(env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))
    has_metrics = env.get("OTEL_METRICS_EXPORTER", "otlp") != "none"
    if not has_metrics or (only_traces and not env.get("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")):
        return Destination(chosen, traces, None)
    return Destination(chosen, traces, _url("metrics", chosen, endpoint, env))


def _protocol(protocol: str | None, env: Mapping[str, str]) -> Protocol:
    names = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    asked = protocol or next(filter(None, map(env.get, names)), _HTTP)
    if asked == _GRPC:
        return _GRPC
    if asked != _HTTP:
        raise SinkError(
            f"OpenTelemetry protocol {asked!r} is not supported; use {_HTTP}, which is on port 4318, or {_GRPC}, on port 4317"
        )
    return _HTTP


def _url(signal: str, protocol: Protocol, endpoint: str | None, env: Mapping[str, str]) -> str:
    verbatim = None if endpoint else env.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
    url = verbatim or endpoint or env.get("OTEL_EXPORTER_OTLP_ENDPOINT") or _DEFAULTS[protocol]
    if not _is_usable(url):
        raise SinkError(
            f"the OpenTelemetry endpoint {url!r} is not the URL of a collector; give one like {_DEFAULTS[protocol]}"
        )
    if verbatim or protocol == _GRPC:
        return url
    for path in _PATHS.values():
        url = url.removesuffix(path)
    return url.removesuffix("/") + _PATHS[signal]


def _is_usable(url: str) -> bool:
    try:
        parts: SplitResult = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
