"""The event log gives back what was written, whole, and each content is in the store once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.events import (
    Connection,
    Event,
    HttpRequest,
    HttpResponse,
    Origin,
    Reply,
    SseEvent,
    SseMessage,
    TlsChunk,
    milliseconds,
)
from agentsight_rx.llm import provider_named
from agentsight_rx.store.log.parts import EVENTS_MOST, SHORTEST, LogWriter, with_contents, without_contents
from agentsight_rx.store.log.reading import (
    Exchange,
    event_at,
    read_event_count,
    read_events,
    read_events_of_now,
    read_exchange,
)
from agentsight_rx.store.log.resuming import CHECKPOINT, Checkpoint, resume
from agentsight_rx.store.log.whole import whole_call
from agentsight_rx.store.rows.ids import call_id
from agentsight_rx.store.rows.tables import EXCHANGES, HEADS, LOG, SEGMENTS, Position, Segment
from agentsight_rx.store.state import PACKS, MemoryStore, Put
from agentsight_rx.view import CallRow, Fold
from tests.samples import OUTPUTS, sample

EVENTS: list[Event] = [each for each in OUTPUTS if hasattr(each, "origin")]
CONNECTION = Connection(7, 700, "/lib/libssl.so.3", 0x7F00)
TEXT = " ".join(f"word{number}{'.' * (number % 7 == 0)}" for number in Random(1).sample(range(100_000), 400))
DELTA = '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}'


def origin(time_ns: int, **fields: Any) -> Origin:
    return Origin(time_ns, 7, wall_ns=1_800_000_000_000_000_000 + time_ns, connection=CONNECTION, **fields)


def request(number: int = 1, body: bytes = b"{}") -> HttpRequest:
    return HttpRequest(origin(number), number, "POST", "/v1/messages", "HTTP/1.1", (("host", "api.anthropic.com"),), body=body)


def stream(number: int = 1, text: str = TEXT) -> SseMessage:
    events = (
        SseEvent("message_start", '{"type":"message_start","message":{"id":"msg_1","model":"m","usage":{"input_tokens":3}}}'),
        *(
            SseEvent("content_block_delta", DELTA % f"{word} ")
            for word in text.split()
        ),
        SseEvent("message_stop", '{"type":"message_stop"}'),
    )  # fmt: skip
    provider = provider_named("anthropic")
    assert provider is not None
    reader = provider.reader()
    reader.feed_all(events)
    return SseMessage(origin(number), number, "anthropic", reader.reply(), events, end_ns=number + 5)


def stored(*batches: Sequence[Event], store: MemoryStore | None = None) -> MemoryStore:
    store = store or MemoryStore()
    log = LogWriter(store)
    for batch in batches:
        store.commit(log.append(batch))
        log.keep()
    return store


def in_packs(store: MemoryStore) -> int:
    return sum(sum(pack.sizes) for _, pack in store.scan(PACKS))


@pytest.mark.parametrize("text", ["text", "täxt " * SHORTEST])
def test_each_kind_of_event_comes_back_as_it_was(text: str) -> None:
    events = [sample(type(each), text=text) for each in EVENTS]
    assert events == list(read_events(stored(events)))


def test_long_contents_are_taken_out_and_short_ones_are_not() -> None:
    long, short = request(body=b"x" * SHORTEST), request(body=b"x" * (SHORTEST - 1))
    rest, contents = without_contents(long)
    assert (replace(long, body=b""), long) == (rest, with_contents(rest, contents))
    assert (short, []) == without_contents(short)


def test_an_answer_is_kept_once_since_its_events_say_it() -> None:
    event = stream()
    rest, contents = without_contents(event)
    assert isinstance(rest, SseMessage)
    assert (Reply(), ()) == (rest.reply, rest.events)
    assert event == with_contents(rest, contents)


def test_a_reply_that_the_events_do_not_give_is_kept() -> None:
    event = replace(stream(), reply=Reply(text="something else"), events_lost=3)
    rest, contents = without_contents(event)
    assert isinstance(rest, SseMessage)
    assert rest.reply == event.reply
    assert event == with_contents(rest, contents)
    unknown = replace(stream(), dialect="none", reply=Reply())
    assert unknown == with_contents(*without_contents(unknown))


def test_however_it_is_committed_the_log_is_the_same() -> None:
    events: list[Event] = [TlsChunk(origin(number), b"%d" % number, 0, number) for number in range(3 * EVENTS_MOST + 7)]
    singly, at_once = stored(*([each] for each in events)), stored(events)
    assert events == list(read_events(singly)) == list(read_events(at_once))
    assert [EVENTS_MOST] * 3 + [7] == [head.events for _, head in singly.scan(HEADS)]
    assert len(events) == read_event_count(singly)


def test_a_conversation_that_is_sent_again_costs_its_new_part() -> None:
    bodies = [(TEXT * number).encode() for number in range(1, 30)]
    store = stored(*([request(number, body)] for number, body in enumerate(bodies, 1)))
    assert bodies == [event.body for event in read_events(store) if isinstance(event, HttpRequest)]
    assert in_packs(store) < 3 * len(bodies[0]) + 8192


def test_a_later_run_goes_on_behind_the_last_segment() -> None:
    store = stored([request(1)])
    stored([request(2)], store=store)
    assert [request(1), request(2)] == list(read_events(store))
    assert [0, 1] == [key[0] for key, _ in store.scan(LOG)]


def test_what_could_not_be_committed_is_not_in_the_log() -> None:
    store = stored([request(1)])
    log = LogWriter(store)
    log.append([request(2, TEXT.encode())] * (EVENTS_MOST + 5))
    log.undo()
    store.commit(log.append([request(3, TEXT.encode())]))
    assert [request(1), request(3, TEXT.encode())] == list(read_events(store))


def test_the_log_of_version_1_is_read_before_what_came_later() -> None:
    store = MemoryStore()
    store.commit([Put(SEGMENTS, 0, Segment((request(1),))), Put(SEGMENTS, 1, Segment((stream(1),)))])
    stored([request(2)], store=store)
    assert [request(1), stream(1), request(2)] == list(read_events(store))
    assert read_event_count(store) == 3


@given(
    st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=4), max_size=5),
    st.lists(st.integers(0, 50), max_size=3),
    st.integers(0, 60),
)
def test_no_event_since_a_time_is_skipped(segments: list[list[int]], of_version_1: list[int], since: int) -> None:
    """Each run begins a segment. Times in ms are not in order, and stores of version 1 have no heads."""

    def events(times: list[int]) -> list[Event]:
        return [TlsChunk(origin(at * 1_000_000), b"x", 0, 1) for at in times]

    def wanted(found: Iterable[Event]) -> list[Event]:
        return [event for event in found if milliseconds(event.origin.wall_ns) >= since_ms]

    since_ms, store = 1_800_000_000_000 + since, MemoryStore()
    if of_version_1:
        store.commit([Put(SEGMENTS, 0, Segment(tuple(events(of_version_1))))])
    for times in segments:
        stored(events(times), store=store)
    assert wanted(read_events(store)) == wanted(read_events_of_now(store, since_ms=since_ms))
    assert list(read_events(store)) == list(read_events_of_now(store))
    if not of_version_1 and all(max(times) < since for times in segments):
        assert [] == list(read_events_of_now(store, since_ms=since_ms))


def test_events_that_come_later_are_not_of_now() -> None:
    store = stored([request(1)])
    found = read_events_of_now(store)
    stored([request(2)], store=store)
    assert [request(1)] == list(found)


def test_a_whole_request_and_answer_are_found_by_the_id_of_the_call() -> None:
    head = HttpResponse(origin(2), 1, 200, "OK", "HTTP/1.1", (), streaming=True)
    first, last = replace(stream(), reason="timeout", complete=False), replace(stream(text=TEXT * 2), revision=1)
    store = stored([request(1, TEXT.encode()), request(2)], [head, first], [last])
    call = call_id(request().origin, 1)
    assert Exchange(request(1, TEXT.encode()), head, last) == read_exchange(store, call)
    assert Exchange(request(2)) == read_exchange(store, call_id(request().origin, 2))
    assert Exchange() == read_exchange(store, "llm-none")
    assert (last, head) == (read_exchange(store, call).answer, Exchange(response=head).answer)


def test_a_row_gives_its_whole_call_and_none_without_messages() -> None:
    body = b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}'
    store = stored([replace(request(1, body), target="/v1/messages")])
    row = CallRow(call_id(request().origin, 1), 0, call_kind="anthropic")
    found = whole_call(store, row)
    assert found is not None
    assert ("m", False) == (found.asked.model, found.complete)
    assert whole_call(store, replace(row, id="llm-none")) is None
    assert whole_call(store, replace(row, call_kind=None)) == found


def test_an_exchange_is_found_in_a_store_without_indexes() -> None:
    class Old(MemoryStore):
        @property
        def indexed(self) -> bool:
            return False

    store = Old()
    store.commit([Put(SEGMENTS, 0, Segment((request(1), request(2), stream(2))))])
    assert Exchange(request(2), None, stream(2)) == read_exchange(store, call_id(request().origin, 2))


def test_a_position_that_is_not_there_gives_nothing() -> None:
    store = stored([request(1)])
    assert store.scan(EXCHANGES) == [((call_id(request().origin, 1), "request"), Position(0, 0))]
    assert [request(1), None, None] == [event_at(store, Position(*each)) for each in ((0, 0), (0, 1), (5, 0))]


def test_the_view_goes_on_from_the_log_and_from_a_checkpoint() -> None:
    events: list[Event] = [request(1), request(2), stream(1)]
    whole = Fold()
    rows = [whole.add(event) for event in events][-1]
    store = stored(events[:2])
    store.commit([Put(CHECKPOINT, 0, Checkpoint(1, resumed.state))] if (resumed := resume(store)) else [])
    stored(events[2:], store=store)
    for segment in (0, 1):  # what is before the checkpoint is not needed any more
        found = resume(store)
        assert found is not None
        whole.settle()
        state = whole.snapshot()
        views = replace(state.views, calls=replace(state.views.calls, done=[]))
        assert (replace(state, views=views), tuple(rows)) == (found.state, found.rows)
        store.commit([]) if segment else store.commit([Put(LOG, 0, b"broken")])


def test_a_store_without_events_has_no_view_to_go_on_from() -> None:
    assert resume(MemoryStore()) is None


def test_a_new_run_may_use_the_numbers_of_calls_that_ended() -> None:
    store = stored([request(1), stream(1)])
    found, fold = resume(store), Fold()
    assert found is not None
    fold.restore(found.state)
    rows = [row for event in (request(1), stream(1)) for row in fold.add(event) if isinstance(row, CallRow)]
    assert ["pending", "complete"] == [row.status for row in rows]
