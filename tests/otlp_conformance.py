"""Spans as a collector received them -> what in them is not as the conventions, and the table of names, want it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from agentsight_rx.sinks.otel.names import SPANS, Name

__all__ = ["kind_of", "missing_recommended", "problems", "registered", "shape_of", "values"]

_PARENTS = {"chat": ("invoke_agent",), "execute_tool": ("chat",), "process": ("execute_tool", "process")}
_REGISTRY = ("error", "file", "gen_ai", "http", "network", "openai", "process", "server", "url")
_ROLES = ("system", "user", "assistant", "tool")
_FINISHED = ("stop", "length", "content_filter", "tool_call", "error")
_PARTS = ("text", "reasoning", "tool_call", "tool_call_response", "server_tool_call", "uri", "file", "blob", "image", "audio")


def values(attributes: Iterable[KeyValue]) -> dict[str, object]:
    return {attribute.key: _value(attribute.value) for attribute in attributes}


def _value(of: AnyValue) -> object:
    kind = of.WhichOneof("value")
    assert kind is not None
    return [_value(each) for each in of.array_value.values] if kind == "array_value" else getattr(of, kind)


def registered() -> set[str]:
    """The names of attributes that OpenTelemetry's own package of the conventions has."""
    found: set[str] = set()
    for place in ("opentelemetry.semconv._incubating.attributes", "opentelemetry.semconv.attributes"):
        for group in _REGISTRY:
            try:
                module = import_module(f"{place}.{group}_attributes")
            except ModuleNotFoundError:  # a stable group is in the one, an experimental one in the other
                continue
            found |= {value for name, value in vars(module).items() if name.isupper() and isinstance(value, str)}
    return found


def kind_of(span: Span) -> str:
    """The row of the table that a span is checked against."""
    said = values(span.attributes)
    operation = said.get("gen_ai.operation.name")
    if operation in ("invoke_agent", "execute_tool"):
        return str(operation)
    if operation is not None:
        return "chat"
    return "process" if "process.pid" in said else span.name


def shape_of(spans: Sequence[Span]) -> dict[str, Any]:
    """The tree by names, children in the order of their start: what a person sees."""
    below: dict[bytes, list[Span]] = {}
    for span in sorted(spans, key=lambda span: (span.start_time_unix_nano, span.name)):
        below.setdefault(span.parent_span_id, []).append(span)

    def tree(parent: bytes) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for span in below.get(parent, []):
            name = span.name
            while name in found:
                name += "'"
            found[name] = tree(span.span_id)
        return found

    return tree(b"")


def missing_recommended(spans: Sequence[Span], kind: str) -> set[str]:
    """Of the recommended attributes of a kind of span, those that none of them has."""
    seen = {name for span in spans if kind_of(span) == kind for name in values(span.attributes)}
    return {name.attribute for name in SPANS[kind] if name.level == "recommended"} - seen


def problems(spans: Sequence[Span], *, with_content: bool) -> list[str]:
    """Empty where each span is as it should be. `spans`: all of their traces."""
    by_id = {span.span_id: span for span in spans}
    found = [] if len(by_id) == len(spans) else ["two spans have one id"]
    for span in spans:
        found += [f"{span.name}: {problem}" for problem in _of_span(span, by_id, with_content=with_content)]
    return found


def _of_span(span: Span, by_id: dict[bytes, Span], *, with_content: bool) -> Iterator[str]:
    kind, said = kind_of(span), values(span.attributes)
    names = SPANS.get(kind)
    if names is None:
        yield f"is of no known kind, {kind}"
        return
    yield from _of_ids(span, kind, by_id)
    yield from _of_attributes(said, names, with_content=with_content)
    yield from _of_content(said)
    if (span.kind == Span.SPAN_KIND_CLIENT) != (kind == "chat"):
        yield f"has the kind {span.kind}"
    wanted = {"chat": "gen_ai.request.model", "invoke_agent": "gen_ai.agent.name", "execute_tool": "gen_ai.tool.name"}.get(kind)
    named = said.get(wanted) if wanted else None
    if named is not None and span.name != f"{said['gen_ai.operation.name']} {named}":
        yield "has a name that the conventions do not make"
    if kind == "process" and span.name != said.get("process.executable.name"):
        yield "has a name that the conventions do not make"
    failed = span.status.code == Status.STATUS_CODE_ERROR
    if failed != ("error.type" in said) or (failed and not span.status.message):
        yield f"has the status {span.status} and the error type {said.get('error.type')}"
    if span.status.code == Status.STATUS_CODE_OK:
        yield "has the status OK, which is for applications to set"
    for event in span.events:
        yield from _of_attributes(values(event.attributes), SPANS[event.name], with_content=with_content)


def _of_ids(span: Span, kind: str, by_id: dict[bytes, Span]) -> Iterator[str]:
    if (len(span.trace_id), len(span.span_id)) != (16, 8) or not any(span.trace_id) or not any(span.span_id):
        yield "has an invalid id"
    if not 0 < span.start_time_unix_nano <= span.end_time_unix_nano:
        yield "ends before it starts"
    parent = by_id.get(span.parent_span_id)
    if span.parent_span_id and parent is None:
        yield "has a parent that was not sent"
    if parent is not None and parent.trace_id != span.trace_id:
        yield "is in another trace than its parent"
    if parent is not None and kind_of(parent) not in _PARENTS.get(kind, ("execute_tool", "invoke_agent")):
        yield f"is below a {kind_of(parent)}"
    if parent is None and kind in _PARENTS:
        yield "has no parent"


def _of_attributes(said: dict[str, object], names: tuple[Name, ...], *, with_content: bool) -> Iterator[str]:
    table = {name.attribute: name for name in names}
    for attribute in said.keys() - table.keys():
        yield f"has {attribute}, which is not in the table"
    for name in names:
        if name.level == "required" and name.attribute not in said and said.get("agentsight.complete") is not False:
            yield f"lacks {name.attribute}"
        if name.level == "content" and name.attribute in said and not with_content:
            yield f"has {name.attribute}, which is content"
    if "server.address" in said and "server.port" not in said:
        yield "has server.address without server.port"


def _of_content(said: dict[str, object]) -> Iterator[str]:
    """The JSON schemas of the messages."""
    for side in ("input", "output"):
        for message in json.loads(str(said.get(f"gen_ai.{side}.messages", "[]"))):
            if message["role"] not in _ROLES or any(part["type"] not in _PARTS for part in message["parts"]):
                yield f"has a message that is not of the schema, {message}"
            if side == "output" and message["finish_reason"] not in _FINISHED:
                yield f"has the finish reason {message['finish_reason']}"
    for tool in json.loads(str(said.get("gen_ai.tool.definitions", "[]"))):
        if not {"type", "name"} <= tool.keys():
            yield f"has a tool that is not of the schema, {tool}"
