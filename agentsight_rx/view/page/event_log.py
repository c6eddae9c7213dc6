"""
The event log of a recording, a rule -> a page of its lines: all, the lines of a session, or the lines that the rule matches.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from msgspec import Struct

from ...events import Event, HttpRequest, HttpResponse, SessionEntry, WebSocketMessage, milliseconds
from ...events.envelope import encode_envelope
from ...policy.rules.http import compile_http
from ...store.log.parts import LogReader
from ...store.log.reading import event_at, read_events
from ...store.rows.tables import HEADS, LOG, PROCESSES, Position
from ...store.state import pages
from .event_words import SOURCES, line_of, source_of
from .picture import WHOLE, Picture

_SEGMENTS_MOST = 200  # that one page looks at: 100,000 events, about a second; the page then goes on from there
_WORD = re.compile(r"(source|pid|comm)=(\S+)\s*&?\s*")
_NAMES = tuple(SOURCES)
_RULE = re.compile(r"[=~<>]")


class RuleError(ValueError):
    """The typed text is not a rule; the message says why."""


class Line(Struct, frozen=True, omit_defaults=True):
    """One event. `at` is its place in the log, `segment.place`."""

    at: str
    n: int
    time_ms: int
    source: str
    text: str
    who: str = ""
    pid: int = 0
    bad: bool = False


class Lines(Struct, frozen=True, omit_defaults=True):
    """
    A page of the log. `total` counts the events of the recording. `next` is the place to go on from, "" at the end; with a rule
    a page may have few lines, or none, and go on all the same.
    """

    total: int
    lines: tuple[Line, ...]
    next: str = ""
    seen: int = 0
    sources: tuple[str, ...] = ()


def lines_of(picture: Picture, session: str, /, *, rule: str = "", start: str = "", count: int = 200) -> Lines:
    """`start`: a number of an event, or a place that `next` named. Raises RuleError, and KeyError for an unknown session."""
    test = _test(picture, session, rule)
    heads = [(int(key[0]), head.events) for key, head in pages(picture.store, HEADS)]
    total = sum(events for _, events in heads)
    if not heads:
        return _old(picture, test, start=start, count=count)
    segment, place, number = _place(heads, start)
    reader, found, seen, looked = LogReader(picture.store), list[Line](), 0, 0
    for at, events in heads:
        if at < segment:
            continue
        if looked >= _SEGMENTS_MOST:
            return Lines(total, tuple(found), f"{at}.0", seen, _NAMES)
        part = picture.store.get(LOG, at)
        looked += 1
        for index, event in enumerate(reader.segment(part) if part is not None else ()):
            if at == segment and index < place:
                continue
            seen += 1
            if test(event):
                found.append(_line(event, f"{at}.{index}", number))
            number += 1
            if len(found) >= count:
                is_last = (at, index + 1) == (heads[-1][0], events)
                return Lines(total, tuple(found), "" if is_last else f"{at}.{index + 1}", seen, _NAMES)
    return Lines(total, tuple(found), "", seen, _NAMES)


def _place(heads: list[tuple[int, int]], start: str) -> tuple[int, int, int]:
    """(segment, place in it, number of the event)."""
    first, dot, second = start.partition(".")
    if dot and first.isdecimal() and second.isdecimal():
        return int(first), int(second), sum(events for at, events in heads if at < int(first)) + int(second)
    left = number = int(first) if first.isdecimal() and len(first) < 16 else 0
    for at, events in heads:
        if left < events:
            return at, left, number
        left -= events
    return heads[-1][0] + 1, 0, number


def _old(picture: Picture, test: Callable[[Event], bool], *, start: str, count: int) -> Lines:
    """Of a store that keeps its events in another way."""
    skipped = int(start) if start.isdecimal() and len(start) < 16 else 0
    events: Iterator[tuple[int, Event]] = islice(enumerate(read_events(picture.store)), skipped, None)
    found, last = list[Line](), skipped
    for number, event in events:
        last = number + 1
        if test(event):
            found.append(_line(event, f"0.{number}", number))
            if len(found) >= count:
                break
    return Lines(last, tuple(found), str(last) if len(found) >= count else "", last - skipped, _NAMES)


def _line(event: Event, at: str, number: int) -> Line:
    text, bad = line_of(event)
    origin = event.origin
    return Line(at, number, milliseconds(origin.wall_ns), source_of(event), text, who=origin.comm, pid=origin.pid, bad=bad)


def _test(picture: Picture, session: str, rule: str) -> Callable[[Event], bool]:
    """All conditions hold: the session; source=, pid=, comm= in front; then a rule about HTTP, or words of the line."""
    tests: list[Callable[[Event], bool]] = []
    if session != WHOLE:
        pids = {row.pid for row in picture.rows(PROCESSES, session)}
        tests.append(lambda event: event.session == session if isinstance(event, SessionEntry) else event.origin.pid in pids)
    rest = rule.strip()
    while found := _WORD.match(rest):
        tests.append(_condition(found[1], found[2]))
        rest = rest[found.end() :]
    if rest and _RULE.search(rest):
        tests.append(_compiled(rest))
    elif rest:
        words = rest.casefold()
        tests.append(lambda event: words in f"{event.origin.comm} {event.origin.pid} {line_of(event)[0]}".casefold())
    return lambda event: all(test(event) for test in tests)


def _condition(name: str, value: str) -> Callable[[Event], bool]:
    if name == "pid":
        return lambda event: str(event.origin.pid) == value
    if name == "comm":
        return lambda event: event.origin.comm == value
    if value not in SOURCES:
        raise RuleError(f"source={value} does not exist: give one of {', '.join(SOURCES)}")
    return lambda event: source_of(event) == value


def _compiled(rule: str) -> Callable[[Event], bool]:
    """The rules of --http-filter; they show here the events that they drop there."""
    try:
        rules = compile_http([rule])
    except Exception as error:
        raise RuleError(str(error)) from error
    judged = (HttpRequest, HttpResponse, WebSocketMessage)
    exchanges = rules.exchanges

    def matches(event: Any) -> bool:
        if not isinstance(event, judged):
            return False
        if not rules.keeps(event):
            return True
        if exchanges is None or isinstance(event, WebSocketMessage):
            return False
        return exchanges.alone(event) if isinstance(event, HttpRequest) else exchanges.answered(event)

    return matches


def short_events_of(picture: Picture, places: Iterable[str], /, *, most: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of events at places of the log, in its order, the envelopes of events with at most `most` bytes of content."""
    reader, segment, events = LogReader(picture.store), -1, list[Event | None]()
    for at in places:
        number, _, place = at.partition(".")
        if int(number) != segment:
            segment = int(number)
            part = picture.store.get(LOG, segment)
            events = [] if part is None else reader.shorter(part, most)
        event = events[int(place)] if int(place) < len(events) else None
        if event is not None:
            yield at, encode_envelope(event)


def event_of(picture: Picture, at: str, /) -> dict[str, Any]:
    """The event at a place of the log, as its envelope. Raises KeyError where there is none."""
    segment, _, place = at.partition(".")
    if not (segment.isdecimal() and place.isdecimal() and len(at) < 40):
        raise KeyError(at)
    event = event_at(picture.store, Position(int(segment), int(place)))
    if event is None:
        raise KeyError(at)
    return encode_envelope(event)
