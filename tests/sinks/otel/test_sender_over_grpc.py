"""gRPC: what a collector answers is kept, and a missing package is reported."""

from __future__ import annotations

import sys

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from agentsight_rx.errors import SinkError
from agentsight_rx.events.loss import Ledger
from agentsight_rx.sinks import OtelOptions, otel
from agentsight_rx.sinks.otel.answers import Answer
from agentsight_rx.sinks.otel.sender import KeepingStub

UNAVAILABLE = "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:9: Connection refused"


class Code:
    name = "UNAVAILABLE"


class Refused(Exception):
    def code(self) -> Code:
        return Code()

    def details(self) -> str:
        return UNAVAILABLE


class Service:
    """A stub that gives one answer."""

    def __init__(self, answer: ExportTraceServiceResponse | Exception) -> None:
        self.answer = answer

    def Export(self, *, request: object, **_: object) -> ExportTraceServiceResponse:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def kept(answer: ExportTraceServiceResponse | Exception) -> Answer:
    found = Answer()
    stub = KeepingStub(Service(answer), found, "rejected_spans")
    try:
        stub.Export(request=None, metadata=(), timeout=1)
    except Refused:
        assert isinstance(answer, Refused)
    return found


def test_a_part_that_was_rejected_is_kept() -> None:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 2
    answer.partial_success.error_message = "too\nold"
    found = kept(answer)
    assert (False, 2, "too old") == (found.failed, found.rejected, found.why)


def test_a_failure_is_kept_in_the_words_of_the_system() -> None:
    found = kept(Refused())
    assert (True, "gRPC UNAVAILABLE: Connection refused") == (found.failed, found.why)


def test_an_answer_that_takes_all_is_no_failure() -> None:
    found = kept(ExportTraceServiceResponse())
    assert (False, 0, "") == (found.failed, found.rejected, found.why)


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.grpc.trace_exporter", None)
    with pytest.raises(SinkError, match=r"pip install 'agentsight-rx\[grpc\]'"):
        otel(OtelOptions(protocol="grpc")).open(Ledger())
