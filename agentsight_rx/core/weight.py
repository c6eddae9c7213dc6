"""An event or a row -> the bytes of captured content in it, which is what takes memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Struct

from ..events import BodyPart, Headers, HttpRequest, HttpResponse, SseMessage, StdioChunk, TlsChunk

_PLACE = frozenset({"origin", "connection", "channel"})  # who and where: many events share these
_ITEM = 100  # bytes of memory of an item in a tuple or dict, besides its text
_FIELD = 160  # and of a header field
_TEXTS = frozenset({str(str), str(str | None)})  # types of fields
_WEIGHTLESS = frozenset({int, bool, float, type(None)})
_LITTLE = 1024  # bytes of text that any event may have and still be metadata


def weight(event: object, /) -> int:
    """
    Bytes of content that an event carries, heads and decoded values included; 0 for metadata, which is dropped last.

    An event with at most 1 KiB of text, and no bytes, is metadata.
    """
    weigher = _weighers[type(event)]
    return 0 if weigher is None else weigher(event)


def weight_of_all(events: Sequence[object], /) -> int:
    """The sum of their weights. Where all are metadata by their types, each costs 10 ns."""
    if not any(_weighers[kind] for kind in set(map(type, events))):
        return 0
    return sum([weigher(event) for event in events if (weigher := _weighers[type(event)]) is not None])


def weights_of(events: Sequence[object], /) -> list[int]:
    """The weight of each. Where all are of one type, as the events of a source mostly are, it costs a fourth."""
    kinds = set(map(type, events))
    if len(kinds) == 1:
        weigher = _weighers[kinds.pop()]
        return [0] * len(events) if weigher is None else list(map(weigher, events))
    return list(map(weight, events))


def weight_of_headers(headers: Headers) -> int:
    """Bytes of memory of the fields, about."""
    return sum([_FIELD + len(name) + len(value) for name, value in headers])


def _message(event: HttpRequest | HttpResponse) -> int:
    head = weight_of_headers(event.headers) + (len(event.target) if event.target else 0)
    if event.trailers:
        head += weight_of_headers(event.trailers)
    return len(event.body) + (head if head >= _LITTLE else 0)


def _sse_message(event: SseMessage) -> int:
    """It repeats what earlier revisions said, so it may hold more than its `size`."""
    events = sum([_ITEM + len(each.data) + len(each.event) for each in event.events])
    return max(event.size, events + _size(event.reply) + weight_of_headers(event.trailers))


def _part(event: BodyPart) -> int:
    return len(event.data) + weight_of_headers(event.trailers) if event.trailers else len(event.data)


def _chunk(event: TlsChunk | StdioChunk) -> int:
    return len(event.data)


def _nothing(_: object) -> int:
    return 0


# The most frequent ones, and those with many parts
_OWN: dict[type, Callable[[Any], int]] = {
    TlsChunk: _chunk,
    StdioChunk: _chunk,
    BodyPart: _part,
    HttpRequest: _message,
    HttpResponse: _message,
    SseMessage: _sse_message,
}


class _Weighers(dict[type[Any], Callable[[Any], int] | None]):
    """By type; None for one that never has content."""

    def __missing__(self, kind: type[Any], /) -> Callable[[Any], int] | None:
        weigher = _weigher(kind)
        found = self[kind] = None if weigher is _nothing else weigher
        return found


_weighers = _Weighers()


def _weigher(kind: type[Any]) -> Callable[[Any], int]:
    own = _OWN.get(kind)
    if own is not None or not issubclass(kind, Struct):
        return own or _nothing
    fields = [(field.name, str(field.type)) for field in msgspec.structs.fields(kind) if field.name not in _PLACE]
    content = [name for name, of in fields if of == str(bytes)]
    others = [name for name, of in fields if name not in content and ("str" in of or "events." in of)]
    if not content and not others:
        return _nothing
    texts = [name for name, of in fields if name in others and of in _TEXTS]
    contents_of, texts_of, rest_of = _values(content), _values(texts), _values([name for name in others if name not in texts])

    def weighed(event: Any) -> int:
        size = sum([len(text) for text in texts_of(event) if text])
        for part in rest_of(event):
            size += _size(part) if part else 0
        return sum(map(len, contents_of(event))) + (size if size >= _LITTLE else 0)

    return weighed


def _values(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """The values of these fields of an event; `attrgetter` gives a tuple only of two and more."""
    if len(names) > 1:
        return attrgetter(*names)
    if not names:
        return lambda _: ()
    getter = attrgetter(names[0])
    return lambda event: (getter(event),)


def _size(value: Any) -> int:
    """Bytes of the text in a value of any depth."""
    kind = type(value)  # pyright: ignore[reportUnknownVariableType]  # of an Any
    if kind is str or kind is bytes:
        return len(value)
    if kind in _WEIGHTLESS:
        return 0
    if kind is tuple or kind is list:
        return sum(map(_size, value)) + _ITEM * len(value)
    if kind is dict:
        return sum(map(_size, value.values())) + _ITEM * len(value)
    if isinstance(value, Struct):
        return sum(map(_size, msgspec.structs.astuple(value)))
    return 0
