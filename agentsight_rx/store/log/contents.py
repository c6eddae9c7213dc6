"""An event <-> the event without its long contents, and those contents, so that a store keeps each of them once."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ...events import Event, Reply, SseEvent, SseMessage
from ...llm import provider_named

__all__ = ["SHORTEST", "Content", "with_contents", "without_contents"]

SHORTEST = 512  # bytes or characters; what is shorter stays in the event
_EVENTS, _ANSWER = "events", "answer"  # of an SseMessage: its events; its events, which say all of its reply

_Stream = list[tuple[str, str, str | None]]


@cache
def _fields(kind: type[Struct]) -> dict[str, type]:
    """The fields with captured text of a kind, and bytes or str. Asking for all kinds takes 4 ms of a start."""
    return {field.name: field.type for field in msgspec.structs.fields(kind) if field.type in (bytes, str)}


class Content(Struct, frozen=True, array_like=True):
    """What stood in one field of an event."""

    field: str
    content: bytes


def without_contents(event: Event, /) -> tuple[Event, list[Content]]:
    """The event with its long contents taken out."""
    if type(event) is SseMessage:
        return _without_stream(event)
    fields = [name for name in _fields(type(event)) if len(getattr(event, name)) >= SHORTEST]
    if not fields:
        return event, []
    contents = [Content(name, _bytes(getattr(event, name))) for name in fields]
    empty: dict[str, Any] = {name: type(getattr(event, name))() for name in fields}
    return replace(event, **empty), contents


def with_contents(event: Event, contents: list[Content], /) -> Event:
    """What `without_contents` was given."""
    if isinstance(event, SseMessage):
        (stream,) = contents
        events = tuple(SseEvent(*each) for each in msgspec.msgpack.decode(stream.content, type=_Stream))
        return replace(event, events=events, reply=_said(event, events) if stream.field == _ANSWER else event.reply)
    kinds = _fields(type(event))
    values: dict[str, Any] = {
        each.field: each.content.decode() if kinds.get(each.field) is str else each.content for each in contents
    }
    return replace(event, **values)


def _without_stream(event: SseMessage) -> tuple[Event, list[Content]]:
    """The reply is put together again from the events, where that gives the same one."""
    if not event.events:
        return event, []
    stream = msgspec.msgpack.encode([(each.event, each.data, each.id) for each in event.events])
    if _said(event, event.events) == event.reply:
        return replace(event, events=(), reply=Reply()), [Content(_ANSWER, stream)]
    return replace(event, events=()), [Content(_EVENTS, stream)]


def _said(event: SseMessage, events: tuple[SseEvent, ...]) -> Reply:
    provider = provider_named(event.dialect)
    if provider is None:
        return Reply()
    reader = provider.reader()
    reader.feed_all(events)
    return reader.reply()


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()
