"""Any legal encoding of events, cut anywhere, gives the events back; any bytes give the events of the standard."""

from __future__ import annotations

import re

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsight_rx.events import SseEvent
from agentsight_rx.wire.sse import SseDecoder

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=12)
LINES = st.one_of(st.just('{"type":"x"}'), st.lists(TEXT, min_size=1, max_size=3).map("\n".join))
KINDS = st.one_of(st.just("message"), st.just("content_block_delta"), TEXT.filter(bool))
IDS = TEXT.filter(lambda text: "\0" not in text).map(lambda text: text or None)
EVENTS = st.lists(st.builds(SseEvent, KINDS, LINES, IDS), max_size=6)
NOISE = st.sampled_from([":", ": ping", "retry: 10", "retry: soon", "unknown: x", "unknown", "id: a\0b", "Data: x"])


def field(draw: st.DrawFn, name: str, value: str) -> str:
    spellings = [f"{name}: {value}"]
    if not value.startswith(" "):
        spellings.append(f"{name}:{value}")
    if not value:
        spellings.append(name)
    return draw(st.sampled_from(spellings))


def spell(draw: st.DrawFn, event: SseEvent, last_id: str | None) -> list[str]:
    """The lines of one event: data in order, other fields anywhere between."""
    lines = [field(draw, "data", line) for line in event.data.split("\n")]
    others: list[str] = draw(st.lists(NOISE, max_size=2))
    if event.event != "message" or draw(st.booleans()):
        others.append(field(draw, "event", event.event))
    if event.id != last_id or draw(st.booleans()):
        others.append(field(draw, "id", event.id or ""))
    for other in others:
        lines.insert(draw(st.integers(0, len(lines))), other)
    return lines + [""] * draw(st.sampled_from([1, 1, 1, 2]))


@st.composite
def spelled(draw: st.DrawFn) -> tuple[list[SseEvent], bytes]:
    events = draw(EVENTS)
    lines: list[str] = draw(st.sampled_from([[], [""], [": hello", ""]]))
    for last, event in zip([None, *(event.id for event in events)], events, strict=False):
        lines = lines + spell(draw, event, last)
    text = draw(st.sampled_from(["", "\ufeff"]))
    line_ends = st.sampled_from(draw(st.sampled_from([["\n"], ["\r\n"], ["\r"], ["\n", "\r\n", "\r"]])))
    for line in lines:
        end = draw(line_ends)
        cr_lf = not line and text.endswith("\r") and end == "\n"  # it would be the second half of the previous line end
        text += line + ("\r\n" if cr_lf else end)
    return events, text.encode()


@st.composite
def pieces(draw: st.DrawFn, stream: bytes) -> list[bytes]:
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    return [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


def decode(parts: list[bytes], decoder: SseDecoder) -> list[SseEvent]:
    return [event for part in parts for event in decoder.feed(part)]


@given(spelled(), st.data())
def test_decoding_gives_back_what_was_encoded(case: tuple[list[SseEvent], bytes], data: st.DataObject) -> None:
    events, stream = case
    decoder = SseDecoder()
    assert decode(data.draw(pieces(stream)), decoder) == events
    assert not decoder.finish()
    assert (decoder.held(), decoder.lost) == (0, 0)


MARKS = [b":", b" ", b"\n", b"\r", b"\n\n", b"\r\n", b"\0", b"\xef\xbb\xbf", b"\xe2\x82", b"\xc3\xa9", b"\xff"]
TOKENS = [*MARKS, b"data", b"event", b"id", b"retry", b"x", b"9", b"data: {}\n\n", b"event: a\ndata: {}\n\n"]
STREAMS = st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(TOKENS), max_size=30).map(b"".join))


def by_the_book(stream: bytes, longest: int = 1000) -> list[SseEvent]:
    """The algorithm of WHATWG HTML 9.2.6, word for word, over the whole stream; and our limit."""
    events: list[SseEvent] = []
    data = kind = last_id = ""
    size = 0
    for number, raw in enumerate(re.split(b"\r\n|\r|\n", stream)[:-1]):
        line = (raw if number else raw.removeprefix(b"\xef\xbb\xbf")).decode("utf-8", "replace")
        size += len(raw)
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                events.append(SseEvent(kind or "message", data.removesuffix("\n"), last_id or None))
            data = kind = ""
            size = -1  # this line end is not part of the next event
        elif size > longest:
            data = ""  # and for the rest of the event up to the empty line
        elif name == "data":
            data += value + "\n"
        elif name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            last_id = value
        size += 1
    return events


@given(STREAMS, st.data())
@settings(max_examples=400)
def test_any_bytes_cut_anywhere_give_the_events_of_the_standard(stream: bytes, data: st.DataObject) -> None:
    assert decode(data.draw(pieces(stream)), SseDecoder()) == by_the_book(stream)


@given(STREAMS, st.integers(4, 40), st.data())
@settings(max_examples=400)
def test_events_that_are_too_long_are_dropped_and_counted_however_they_are_cut(
    stream: bytes, longest: int, data: st.DataObject
) -> None:
    whole, cut = SseDecoder(longest=longest), SseDecoder(longest=longest)
    expected = by_the_book(stream, longest)
    assert whole.feed(stream) == expected
    assert decode(data.draw(pieces(stream)), cut) == expected
    assert (cut.held(), cut.lost, cut.retry_ms) == (whole.held(), whole.lost, whole.retry_ms)
    assert whole.held() <= longest + 1
    assert (whole.finish(), whole.lost) == (cut.finish(), cut.lost)
    assert whole.lost <= len(stream)


@given(STREAMS, st.data())
def test_a_snapshot_anywhere_changes_nothing(stream: bytes, data: st.DataObject) -> None:
    straight, resumed = SseDecoder(longest=40), SseDecoder(longest=40)
    for part in data.draw(pieces(stream)):
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(resumed.snapshot()))
        resumed = SseDecoder(longest=40)
        resumed.restore(state)
        assert resumed.feed(part) == straight.feed(part)
    assert (resumed.finish(), resumed.lost) == (straight.finish(), straight.lost)
