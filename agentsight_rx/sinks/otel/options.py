"""Where spans go, and what is in them."""

from __future__ import annotations

from typing import Annotated

from ...core.options import Options, at_least

__all__ = ["OtelOptions"]


class OtelOptions(Options, frozen=True):
    """Where spans go. A field that is None comes from the OTEL_* variables, else from the defaults of OpenTelemetry."""

    endpoint: str | None = None  # of the collector; over HTTP /v1/traces and /v1/metrics are added where they are missing
    service_name: str | None = None
    instance: str | None = None  # `service.instance.id`; without it a new one for each run
    protocol: str | None = None  # http/protobuf or grpc
    capture_content: bool = False  # send prompts, answers, arguments and results of tools too
    deadline_s: Annotated[float, at_least(0)] = 5.0  # for which the end of a run waits for the collector
    patient: bool = False  # wait for the collector, since nothing is lost by it: of a recording
