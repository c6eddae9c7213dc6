"""Planned -> the span of the SDK, with the sampler, the limits and the resource of the environment."""

from __future__ import annotations

import socket
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from ...store.rows.gaps import sentence_of
from ...view import BlindSpotRow
from .chat import INT_MOST
from .names import SCHEMA, SPANS, Attributes, attributes_of

if TYPE_CHECKING:
    from opentelemetry.attributes import BoundedAttributes
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.util.types import AttributeValue


# -- planned -------------------------------------------------------------------------------------------------------
# What a span will be: its place in the tree, its times, its attributes. Ids are hashes of the ids of rows.


class PlannedEvent(Struct, frozen=True):
    """Something that happened within a span."""

    name: str
    time_ns: int
    attributes: Attributes


class Planned(Struct, frozen=True):
    """A span that has ended. `parent` 0: the root of its trace. `failure`: the description where it failed."""

    name: str
    kind: Literal["client", "internal"]
    trace: int
    id: int
    parent: int
    start_ns: int = 0
    end_ns: int = 0
    attributes: Attributes = {}
    failure: str | None = None
    events: tuple[PlannedEvent, ...] = ()


def trace_id(of: str) -> int:
    """The same in every replay and export. Never 0, which is not an id."""
    return int.from_bytes(blake2b(of.encode(), digest_size=16).digest()) or 1


def span_id(of: str) -> int:
    return int.from_bytes(blake2b(of.encode(), digest_size=8).digest()) or 1


# ------------------------------------------------------------------------------------------------------------------------


# The SDK and the exporter are imported where they are used: they take 0.1 s, which a run without an export must not pay.


class Spans:
    """Planned -> span. Raises ValueError where the SDK does not accept a variable."""

    def __init__(self, resource: Resource) -> None:
        from opentelemetry.sdk.trace import SpanLimits, TracerProvider
        from opentelemetry.trace import SpanKind, TraceFlags, TraceState

        self._resource = resource
        self._limits = SpanLimits()
        self._sampler = TracerProvider(resource=resource, shutdown_on_exit=False).sampler
        self._scope = scope()
        self._kinds = {"client": SpanKind.CLIENT, "internal": SpanKind.INTERNAL}
        self._flags, self._state = TraceFlags(TraceFlags.SAMPLED), TraceState()

    def span(self, planned: Planned) -> ReadableSpan | None:
        """
        None if the sampler drops it. It is asked as for a root each time, so that the id of the trace decides: a parent may be
        sent after its children.
        """
        from opentelemetry.sdk.trace import Event, ReadableSpan
        from opentelemetry.sdk.trace.sampling import Decision
        from opentelemetry.trace import SpanContext, Status, StatusCode

        kind, limits = self._kinds[planned.kind], self._limits
        decided: Any = self._sampler.should_sample(None, planned.trace, planned.name, kind, planned.attributes)
        if decided.decision is not Decision.RECORD_AND_SAMPLE:
            return None
        attributes = {**planned.attributes, **decided.attributes} if decided.attributes else planned.attributes
        return ReadableSpan(
            planned.name,
            SpanContext(planned.trace, planned.id, False, self._flags, self._state),
            parent=SpanContext(planned.trace, planned.parent, False, self._flags, self._state) if planned.parent else None,
            resource=self._resource,
            attributes=_bounded(attributes, limits.max_span_attributes, limits.max_span_attribute_length),
            events=[
                Event(
                    event.name,
                    _bounded(event.attributes, limits.max_event_attributes, limits.max_attribute_length),
                    event.time_ns,
                )
                for event in planned.events[: limits.max_events]
            ],
            kind=kind,
            status=Status(StatusCode.ERROR, planned.failure) if planned.failure is not None else Status(),
            start_time=planned.start_ns,
            end_time=planned.end_ns,
            instrumentation_scope=self._scope,
        )


def _bounded(attributes: Attributes, most: int | None, longest: int | None) -> Attributes | BoundedAttributes:
    """
    The SDK's own mapping only where a limit of the environment cuts something: it checks every value again and is slow to read,
    20 us of a span with 20 attributes.
    """
    if longest is None and (most is None or len(attributes) <= most):
        return attributes
    from opentelemetry.attributes import BoundedAttributes

    return BoundedAttributes(most, attributes, max_value_len=longest)


def planned_blind_spot(row: BlindSpotRow) -> Planned:
    """A span without duration for a process of which traffic was not read, in the trace of the process."""
    fields: dict[str, AttributeValue | None] = {
        "error": "unreadable",
        "pid": row.pid,
        "comm": row.comm,
        "connections": row.connections,
        "among": row.among or None,
        "size": min(row.size, INT_MOST),
        "peers": row.peers,
        "files": row.files,
        "looks_like": row.looks_like,
        "complete": False,
    }
    name, at_ns = "agentsight.blind_spot", row.timestamp_ms * 1_000_000
    return Planned(
        name,
        "internal",
        trace_id(row.process_id),
        span_id(row.id),
        0,
        start_ns=at_ns,
        end_ns=at_ns,
        attributes=attributes_of(SPANS[name], fields, with_content=False),
        failure=f"could not be read: {sentence_of(row)}",
    )


def scope() -> InstrumentationScope:
    """What all of our spans and metrics are made by."""
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    return InstrumentationScope("agentsight_rx", _version(), SCHEMA)


def resource_of(service_name: str | None, instance: str | None = None) -> Resource:
    """
    `service_name` before OTEL_SERVICE_NAME before OTEL_RESOURCE_ATTRIBUTES before our own defaults. Without an `instance` the
    SDK makes up an id for this run.
    """
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

    ours = {
        "service.name": "agentsight-rx",
        "service.version": _version(),
        "host.name": socket.gethostname(),
        "os.type": "linux",
        **({"service.instance.id": instance} if instance else {}),
    }
    theirs = dict(OTELResourceDetector().detect().attributes)
    asked = {"service.name": service_name} if service_name else {}
    whole = Resource.create({**ours, **theirs, **asked})

    class Hashed(Resource):
        """The encoder looks the resource up for each span, and the SDK writes all of it as JSON for that, in 10 us."""

        def __init__(self) -> None:
            super().__init__(whole.attributes, whole.schema_url)
            self._hash = super().__hash__()

        def __hash__(self) -> int:
            return self._hash

        __eq__ = Resource.__eq__

    return Hashed()


def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("agentsight-rx")
    except metadata.PackageNotFoundError:  # run from a directory where it is not installed
        return "unknown"
