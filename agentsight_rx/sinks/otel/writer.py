"""Rows -> connected OpenTelemetry spans and metrics, handed to the carrier that sends them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from ...core.bounded import Recent
from ...core.errors import SinkError
from ...core.mailbox import Overflow
from ...core.messages import say
from ...events.loss import Ledger, Meter, Reason
from ...view import AlertRow, BlindSpotRow, Output, RowGone
from .agents import planned_alert
from .destination import OtelOptions, destination_of
from .metrics import Metrics
from .sender import Result, Sender
from .spans import Planned, Spans, planned_blind_spot, resource_of
from .tree import Call, Tree

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan


_BLIND_SPOTS_MOST = 1000  # processes
_ALERTS_MOST = 4096  # as the guard has
_QUIET_S = 6.0  # without rows, after which what has ended is sent: as long as the view may amend them


class Carrier(Protocol):
    """Takes spans to where they go."""

    metrics: Metrics | None

    @property
    def where(self) -> str: ...
    def put(self, spans: list[ReadableSpan]) -> Overflow: ...
    def done(self) -> Result | None: ...
    def close(self, deadline_s: float) -> str: ...


def sender(options: OtelOptions) -> Callable[[Resource], Carrier]:
    """The carrier that sends to the collector of `options`."""

    def carrier(resource: Resource) -> Carrier:
        return Sender(destination_of(options.endpoint, options.protocol), resource, patient=options.patient)

    return carrier


class OtelWriter:
    """Makes the spans and counts, on the writer thread; the carrier sends them on a thread of its own."""

    def __init__(self, options: OtelOptions, ledger: Ledger, carrier: Callable[[Resource], Carrier]) -> None:
        try:
            resource = resource_of(options.service_name, options.instance)
            self._spans = Spans(resource)
            self._carrier = carrier(resource)
        except ValueError as error:  # the SDK does not accept a variable
            raise SinkError(f"OpenTelemetry cannot be set up from its OTEL_* variables: {error}") from error
        self._tree = Tree(capture_content=options.capture_content)
        self._deadline_s = options.deadline_s
        self._meter: Meter = ledger.meter("otel")
        self._reported = False
        self._wrote_s = time.monotonic()
        self._blind_spots: Recent[str, BlindSpotRow] = Recent(_BLIND_SPOTS_MOST)
        self._alerts: Recent[str, AlertRow] = Recent(_ALERTS_MOST)
        self._with_content = options.capture_content

    def write(self, batch: Sequence[Output], /) -> None:
        self._wrote_s = time.monotonic()
        for item in batch:
            if isinstance(item, BlindSpotRow):
                self._blind_spots.put(item.id, item)
            elif isinstance(item, AlertRow):
                self._alerts.put(item.id, item)
            elif isinstance(item, RowGone) and isinstance(item.row, AlertRow):
                self._alerts.pop(item.id, None)
            elif ended := self._tree.add(item):
                self._send(ended)
        self._settle()

    def _send(self, ended: Sequence[Planned | Call]) -> None:
        for each in ended:
            planned = each.span if isinstance(each, Call) else each
            if isinstance(each, Call) and self._carrier.metrics is not None:
                self._carrier.metrics.count(planned, each.fields)
            meter = self._meter
            meter.seen += 1
            span = self._spans.span(planned)
            if span is None:
                meter.lose(Reason.SAMPLED, 1)
            elif dropped := self._carrier.put([span]):
                meter.lose(Reason.QUEUE_FULL, dropped.count, dropped.size)

    def flush(self) -> None:
        if time.monotonic() - self._wrote_s >= _QUIET_S:
            self._send(self._tree.idle())
        self._settle()

    def close(self) -> None:
        """Send the rest, until the deadline. Spans that the collector has not taken by then are lost."""
        self._send(self._tree.close())
        # now, since each row includes what earlier ones of its process said
        self._send([planned_blind_spot(row) for row in self._blind_spots.values()])
        for row in self._alerts.values():
            self._send([planned_alert(row, self._tree.trace_of(row), with_content=self._with_content)])
        why = self._carrier.close(self._deadline_s)
        self._settle()
        missing = self._meter.seen - self._meter.passed - self._meter.lost()
        if missing:
            self._meter.lose(Reason.SINK_FAILED, missing)
            self._report(why or f"no answer within {self._deadline_s:g} s")

    def _settle(self) -> None:
        """Count the results of the carrier since the last call."""
        while (result := self._carrier.done()) is not None:
            self._meter.passed += result.taken
            if result.lost:
                self._meter.lose(Reason.SINK_FAILED, result.lost)
            if result.why:
                self._report(result.why)

    def _report(self, why: str) -> None:
        """The first failure, in one line; the summary counts all of them."""
        if not self._reported:
            self._reported = True
            say(f"OpenTelemetry: {self._carrier.where}: {why}; spans that it does not take are counted")
