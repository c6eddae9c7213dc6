"""Store, id of a call -> its request and its answer, with all of their content."""

from __future__ import annotations

from msgspec import Struct

from ...events import HttpRequest, HttpResponse, SseMessage
from ...state import Store
from ..ids import call_id
from ..report import read_events

__all__ = ["Exchange", "read_exchange"]


class Exchange(Struct, frozen=True):
    """The messages of one exchange, as far as they were seen. An answer that was streamed is in `stream`."""

    request: HttpRequest | None = None
    response: HttpResponse | None = None
    stream: SseMessage | None = None


def read_exchange(store: Store, call: str, /) -> Exchange:
    """The messages of the call of that id."""
    request: HttpRequest | None = None
    response: HttpResponse | None = None
    stream: SseMessage | None = None
    for event in read_events(store):
        if not isinstance(event, HttpRequest | HttpResponse | SseMessage) or call_id(event.origin, event.exchange) != call:
            continue
        match event:
            case HttpRequest():
                request = event
            case HttpResponse():
                response = event
            case SseMessage():
                stream = event
    return Exchange(request, response, stream)
