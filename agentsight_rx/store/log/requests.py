"""Ids of calls -> their requests, in the order of the log. What many of them have in common is read once."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ...events import HttpRequest
from ..rows.tables import EXCHANGES, LOG
from ..state import Store
from .parts import LogReader, message_key
from .reading import read_events

__all__ = ["read_requests"]

_REQUEST = "request"


def read_requests(store: Store, calls: Collection[str], /) -> Iterator[tuple[str, HttpRequest]]:
    """The id of each call whose request is in the log, and the request, whole."""
    if not store.indexed:
        wanted = frozenset(calls)
        for event in read_events(store):
            key = message_key(event) if isinstance(event, HttpRequest) else None
            if key is not None and key[0] in wanted and isinstance(event, HttpRequest):
                yield key[0], event
        return
    places = sorted(
        (position.segment, position.place, call)
        for call in calls
        for key, position in store.scan(EXCHANGES, prefix=call)
        if key[1] == _REQUEST
    )
    reader, at = LogReader(store), 0
    while at < len(places):
        number = places[at][0]
        here: list[tuple[int, str]] = []
        while at < len(places) and places[at][0] == number:
            here.append(places[at][1:])
            at += 1
        part = store.get(LOG, number)
        if part is None:
            continue
        for (_, call), request in zip(here, reader.some(part, [place for place, _ in here]), strict=True):
            if isinstance(request, HttpRequest):
                yield call, request
