"""Whole HTTP/2 connections, cut anywhere and with gaps: each item was sent, at its place, and every byte is accounted for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from h2.config import H2Configuration
from h2.connection import H2Connection
from hpack import Decoder, Encoder, HPACKError
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsight_rx.events import Direction, Headers
from agentsight_rx.wire import Unparsed
from agentsight_rx.wire.hpack_fields import FieldDecoder
from agentsight_rx.wire.http2 import Control, Data, Fields, Http2Decoder, Item, Lost
from agentsight_rx.wire.http2_frames import looks_like_http2
from property_tests.http2_strategies import PREFACE, Conversation, conversations, field_lists, frame, joined
from property_tests.strategies import pieces_of

DIRECTIONS: tuple[Direction, Direction] = ("out", "in")


class Seen(NamedTuple):
    """All items, and `at` the place of each in the bytes fed."""

    items: list[Item]
    at: list[int]
    left: int


def size_of(item: Item) -> int:
    if isinstance(item, Unparsed):
        return len(item.data)
    return 0 if isinstance(item, Lost) else item.size


def decoded(records: Iterable[bytes | int], *, fresh: bool = True, resumed: bool = False, finished: bool = False) -> Seen:
    """The items for records and gaps (a number: so many bytes); checks at each step that no byte is lost."""
    decoder = Http2Decoder(fresh)
    items: list[Item] = []
    fed = given = 0
    for record in records:
        if resumed:
            state: Any = msgspec.msgpack.decode(msgspec.msgpack.encode(decoder.snapshot()))
            decoder = Http2Decoder(not fresh)
            decoder.restore(state)
        if isinstance(record, int):
            new = decoder.gap(record, "lost")
        else:
            new = decoder.feed(record)
            for item in new:
                if isinstance(item, Unparsed) and item.at >= 0:
                    assert record[item.at :].startswith(item.data)
            fed += len(record)
        items += new
        given += sum(map(size_of, new))
        assert given + decoder.held() == fed
    if finished:
        items += decoder.finish()
        assert decoder.held() == 0
        assert sum(map(size_of, items)) == fed
    places, at = list[int](), 0
    for item in items:
        places.append(at)
        at += size_of(item)
    return Seen(items, places, decoder.held())


# -- every cut ------------------------------------------------------------------------------------------------------------


@given(conversations(), st.data())
@settings(max_examples=100, deadline=None)
def test_any_cut_gives_what_was_sent(conversation: Conversation, data: st.DataObject) -> None:
    for direction in DIRECTIONS:
        sent, raw = joined(conversation.items(direction)), conversation.raw(direction)
        steps = [step.data for step in conversation.steps if step.direction == direction]
        for records in (steps, [raw], data.draw(pieces_of(raw, 8))):
            seen = decoded(records)
            assert seen.left == 0
            assert joined(seen.items) == sent


@given(conversations(most=2))
@settings(max_examples=60, deadline=None)
def test_byte_by_byte_gives_what_was_sent(conversation: Conversation) -> None:
    for direction in DIRECTIONS:
        raw = conversation.raw(direction)
        seen = decoded(bytes([byte]) for byte in raw)
        assert (joined(seen.items), seen.left) == (joined(conversation.items(direction)), 0)


@given(conversations(most=2), st.data())
@settings(max_examples=60, deadline=None)
def test_bytes_that_end_anywhere_give_the_items_so_far_and_the_rest_unparsed(
    conversation: Conversation, data: st.DataObject
) -> None:
    raw = conversation.raw("out")
    raw = raw[: data.draw(st.integers(0, len(raw)))]
    *whole, last = joined(decoded(data.draw(pieces_of(raw))).items) or [Control(0)]
    sent = joined(conversation.items("out"))
    assert whole == sent[: len(whole)]
    assert type(last) is type(sent[len(whole)])
    decoded(data.draw(pieces_of(raw)), finished=True)


@given(conversations(most=2), st.data())
@settings(max_examples=60, deadline=None)
def test_a_checkpoint_anywhere_changes_nothing(conversation: Conversation, data: st.DataObject) -> None:
    for direction in DIRECTIONS:
        records = data.draw(with_gaps(conversation.raw(direction)))
        assert decoded(records, finished=True) == decoded(records, resumed=True, finished=True)


# -- gaps ----------------------------------------------------------------------------------------------------------------


@st.composite
def with_gaps(draw: st.DrawFn, raw: bytes) -> list[bytes | int]:
    records: list[bytes | int] = []
    for piece in draw(pieces_of(raw, 8)):
        kept = draw(st.sampled_from([len(piece), len(piece), len(piece), 0, draw(st.integers(0, len(piece)))]))
        records += [piece[:kept]] if kept else []
        records += [len(piece) - kept] if kept < len(piece) else []
    return records


def on_the_wire(records: list[bytes | int]) -> list[int]:
    """The place on the wire of each byte that was fed, and the end."""
    places, at = list[int](), 0
    for record in records:
        size = record if isinstance(record, int) else len(record)
        places += [] if isinstance(record, int) else range(at, at + size)
        at += size
    return [*places, at]


def is_part_of(some: Headers, all_of_them: Headers) -> bool:
    left = iter(all_of_them)
    return all(field in left for field in some)


def check_against(sent: list[Item], raw: bytes, records: list[bytes | int], seen: Seen) -> None:
    """Each item is at the place of one that was sent, with the same content."""
    begins, at = dict[int, Item](), 0
    for item in sent:
        begins[at] = item
        at += size_of(item)
    places = on_the_wire(records)
    for item, fed in zip(seen.items, seen.at, strict=True):
        one = begins.get(places[fed])
        if isinstance(item, Fields):
            assert isinstance(one, Fields)
            assert (item.stream, item.end, item.size, item.promised) == (one.stream, one.end, one.size, one.promised)
            assert item.headers == one.headers if item.known else is_part_of(item.headers, one.headers)
        elif isinstance(item, Data):
            wire = places[fed : fed + item.size]
            frames = [one for begin, one in begins.items() if begin <= (wire or places[fed - 1 :])[0] < begin + size_of(one)]
            assert [type(one) for one in frames] == [Data]
            assert item.data in bytes(raw[place] for place in wire)
            assert isinstance(frames[0], Data)
            assert item.stream == frames[0].stream
            assert not item.end or frames[0].end
        elif not isinstance(item, Control | Unparsed | Lost):
            assert item == one


@given(conversations(), st.data())
@settings(max_examples=150, deadline=None)
def test_with_gaps_every_item_was_sent_at_its_place(conversation: Conversation, data: st.DataObject) -> None:
    for direction in DIRECTIONS:
        raw = conversation.raw(direction)
        records = data.draw(with_gaps(raw))
        seen = decoded(records, finished=True)
        check_against(conversation.items(direction), raw, records, seen)
        if not any(isinstance(record, int) for record in records):
            assert not any(isinstance(item, Lost | Unparsed) for item in seen.items)


@given(conversations(), st.data())
@settings(max_examples=60, deadline=None)
def test_in_the_middle_of_a_connection_every_item_was_sent_at_its_place(
    conversation: Conversation, data: st.DataObject
) -> None:
    for direction in DIRECTIONS:
        first, *steps = [step for step in conversation.steps if step.direction == direction]
        start = data.draw(st.integers(0, len(steps)))
        left_out = first.data + b"".join(step.data for step in steps[:start])
        records = [step.data for step in steps[start:]]
        seen = decoded(records, fresh=False, finished=True)
        check_against(conversation.items(direction), conversation.raw(direction), [len(left_out), *records], seen)


@given(conversations(), st.data())
@settings(max_examples=100, deadline=None)
def test_gaps_inside_data_are_counted_and_nothing_else_is_damaged(conversation: Conversation, data: st.DataObject) -> None:
    for direction in DIRECTIONS:
        records: list[bytes | int] = []
        sent: list[Item] = []
        for item, raw in one_by_one(conversation, direction):
            gap = 0
            if isinstance(item, Data) and item.data and data.draw(st.booleans()):
                start = raw.index(item.data, 9 + (raw[4] >> 3 & 1))
                first = data.draw(st.integers(0, len(item.data) - 1))
                gap = data.draw(st.integers(1, len(item.data) - first))
                rest = raw[start + first + gap :]
                records += [raw[: start + first], gap, *([rest] if rest else [])]
                kept = item.data[:first] + item.data[first + gap :]
                item = Data(item.stream, kept, item.end, gap, item.size - gap)
            else:
                records.append(raw)
            sent.append(item)
        assert joined(decoded(records, finished=True).items) == joined(sent)


def one_by_one(conversation: Conversation, direction: Direction) -> list[tuple[Item, bytes]]:
    """Each item that was sent, and its bytes."""
    raw, at, pairs = conversation.raw(direction), 0, list[tuple[Item, bytes]]()
    for item in conversation.items(direction):
        pairs.append((item, raw[at : at + size_of(item)]))
        at += size_of(item)
    return pairs


@given(conversations(), field_lists, st.data())
@settings(max_examples=100, deadline=None)
def test_after_a_gap_fields_without_references_are_known(
    conversation: Conversation, more: list[tuple[str, str]], data: st.DataObject
) -> None:
    records = data.draw(with_gaps(conversation.raw("out")))
    headers = ((":method", "POST"), (":path", "/v1/next"), *more, *more)
    block = b"\x3f\xe1\x1f" + Encoder().encode([(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers])
    stream = max(exchange.stream for exchange in conversation.exchanges) + 2
    asked = frame(1, 4, stream, block)
    body = frame(0, 1, stream, b"{}")
    seen = decoded([*records, asked + body])
    assert seen.items[-2:] == [Fields(stream, headers, True, False, len(asked)), Data(stream, b"{}", True, 0, len(body))]


# -- another implementation -----------------------------------------------------------------------------------------------


class OnStream(NamedTuple):
    """The content that one side sent on one stream."""

    heads: list[list[tuple[str, str]]]
    body: bytes
    ended: bool


def by_stream(items: list[Item]) -> dict[int, OnStream]:
    streams: dict[int, OnStream] = {}
    for item in items:
        if isinstance(item, Fields | Data):
            so_far = streams.get(item.stream, OnStream([], b"", False))
            assert not so_far.ended
            if isinstance(item, Fields):
                assert item.known
                streams[item.stream] = so_far._replace(heads=[*so_far.heads, list(item.headers)], ended=item.end)
            else:
                assert item.lost == 0
                streams[item.stream] = so_far._replace(body=so_far.body + item.data, ended=item.end)
    return streams


class Talk:
    """A client and a server of h2 that talk to each other, and the content that each of them sent."""

    def __init__(self) -> None:
        ends = {
            "out": H2Connection(H2Configuration(client_side=True, header_encoding=False)),
            "in": H2Connection(H2Configuration(client_side=False, header_encoding=False)),
        }
        self.ends: dict[Direction, H2Connection] = {"out": ends["out"], "in": ends["in"]}
        self.said: dict[Direction, list[bytes]] = {"out": [], "in": []}
        self.sent: dict[Direction, dict[int, OnStream]] = {"out": {}, "in": {}}
        for end in self.ends.values():
            end.initiate_connection()
        self.flush()

    def flush(self) -> None:
        while any([self._carry("out", "in"), self._carry("in", "out")]):
            pass

    def _carry(self, source: Direction, target: Direction) -> bool:
        raw = self.ends[source].data_to_send()
        if raw:
            self.said[source].append(raw)
            self.ends[target].receive_data(raw)
        return bool(raw)

    def say(self, direction: Direction, stream: int, headers: list[tuple[str, str]], *, end: bool = False) -> None:
        self.ends[direction].send_headers(stream, headers, end_stream=end)
        so_far = self.sent[direction].get(stream, OnStream([], b"", False))
        self.sent[direction][stream] = so_far._replace(heads=[*so_far.heads, headers], ended=end)

    def send(self, direction: Direction, stream: int, body: bytes, padding: int | None, *, end: bool) -> None:
        self.ends[direction].send_data(stream, body, end_stream=end, pad_length=padding)
        so_far = self.sent[direction][stream]
        self.sent[direction][stream] = so_far._replace(body=so_far.body + body, ended=end)


PLAIN = st.lists(
    st.tuples(st.sampled_from(["accept", "x-a", "user-agent", "authorization"]), st.sampled_from(["a", "Bearer b", "c" * 90])),
    max_size=4,
)


@st.composite
def talks(draw: st.DrawFn) -> Talk:
    talk = Talk()
    asked = [(":method", "POST"), (":scheme", "https"), (":authority", "a"), (":path", "/")]
    streams = [2 * number + 1 for number in range(draw(st.integers(1, 3)))]
    for stream in streams:
        talk.say("out", stream, asked + draw(PLAIN))
    left: list[tuple[Direction, int]] = draw(st.permutations([(way, stream) for way in DIRECTIONS for stream in streams]))
    for direction, stream in left:
        if draw(st.booleans()) or direction == "in":
            talk.flush()
        if direction == "in":
            if draw(st.booleans()):
                talk.say("in", stream, [(":status", "103"), ("link", "</a>")])
            talk.say("in", stream, [(":status", "200"), *draw(PLAIN)])
        if draw(st.booleans()):
            talk.ends["in" if direction == "out" else "out"].ping(b"12345678")
        trailers = draw(st.booleans())
        bodies = draw(st.lists(st.binary(max_size=30), min_size=1, max_size=3))
        for place, body in enumerate(bodies, 1):
            talk.send(direction, stream, body, draw(st.none() | st.integers(0, 3)), end=place == len(bodies) and not trailers)
        if trailers:
            talk.say(direction, stream, [("x-sum", "1")], end=True)
    talk.flush()
    return talk


@given(talks(), st.data())
@settings(max_examples=80, deadline=None)
def test_what_h2_sends_is_received(talk: Talk, data: st.DataObject) -> None:
    for direction in DIRECTIONS:
        raw = b"".join(talk.said[direction])
        for records in (talk.said[direction], data.draw(pieces_of(raw, 8))):
            seen = decoded(records)
            assert seen.left == 0
            assert by_stream(seen.items) == talk.sent[direction]
            assert not any(isinstance(item, Lost | Unparsed) for item in seen.items)


# -- bytes that are not HTTP/2 --------------------------------------------------------------------------------------------


SMALL = st.integers(0, 5)
ODD_FRAMES = st.builds(
    frame, st.integers(0, 17), st.sampled_from([0, 1, 4, 5, 8, 12, 13, 32, 44, 255]), SMALL, st.binary(max_size=12)
)


def a_head(length: int, kind: int, flags: int, stream: int) -> bytes:
    """The head of a frame whose payload may be anything, or missing."""
    return length.to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")


def concatenated(first: bytes, rest: list[bytes]) -> bytes:
    return first + b"".join(rest)


LIES = st.builds(
    a_head,
    st.sampled_from([0, 1, 7, 20, 16_384, 65_537, 262_145, (1 << 24) - 1]),
    st.integers(0, 11),
    st.sampled_from([0, 1, 4, 8, 9, 44]),
    st.sampled_from([0, 1, 2, 3, 1 << 31]),
)
PREFACES = st.sampled_from([b"", PREFACE, PREFACE[:8], frame(4, 0, 0), frame(4, 0, 0, b"123456")])
NOISE = st.builds(concatenated, PREFACES, st.lists(st.one_of(ODD_FRAMES, LIES, st.binary(max_size=20)), max_size=8))


@given(NOISE, st.booleans(), st.data())
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_accounted_for(raw: bytes, fresh: bool, data: st.DataObject) -> None:
    records = data.draw(with_gaps(raw))
    seen = decoded(records, fresh=fresh, finished=True)
    assert seen == decoded(records, fresh=fresh, finished=True, resumed=True)
    looks_like_http2(raw)


@given(conversations(), st.data())
@settings(max_examples=60, deadline=None)
def test_whole_frames_look_like_http2_and_a_byte_more_or_less_does_not(conversation: Conversation, data: st.DataObject) -> None:
    steps = [step.data for step in conversation.steps[2:] if b"\xee" not in step.data and all(map(ordinary, step.items))]
    start = data.draw(st.integers(0, len(steps)))
    ping = frame(6, 0, 0, b"23456789")  # from its second byte on: 2054 bytes of DATA, on a stream of no client
    raw = ping + b"".join(steps[start : start + 3])
    assert looks_like_http2(raw)
    for spoilt in (raw + b"\0", raw[:-1], raw[1:]):
        assert not looks_like_http2(spoilt)


def ordinary(item: Item) -> bool:
    """Is the item on a stream of the client, and not an empty header block?"""
    if isinstance(item, Fields):
        return item.stream % 2 == 1 and item.size > 9
    return not isinstance(item, Data) or item.stream % 2 == 1


# -- fields ---------------------------------------------------------------------------------------------------------------


def by_hpack(decoder: Decoder, block: bytes) -> list[tuple[bytes, bytes]] | None:
    try:
        return [(name, value) for name, value in decoder.decode(block, raw=True)]
    except (HPACKError, IndexError):
        return None


def a_decoder() -> Decoder:
    decoder = Decoder(max_header_list_size=1 << 20)
    decoder.max_allowed_table_size = 1 << 20
    return decoder


def a_literal(beginning: bytes, mark: int, value: bytes) -> bytes:
    return beginning + bytes([mark | len(value)]) + value


# indexed, of either table or of none; a change of the table's size; integers in several octets
INDEXES = [b"\x82", b"\x88", b"\xbe", b"\xbf", b"\xc0", b"\x80", b"\xff\x80\x01"]
RESIZES = [b"\x20", b"\x3e", b"\x3f\xe1\x1f", b"\x3f\xe1\x7f"]
BEGINNINGS = [b"\x41", b"\x7e", b"\x0e", b"\x14", b"\x0f\x2f", b"\x40\x01x", b"\x00\x01Y", b"\x40\x82\xa0\xe4"]
OPS = st.one_of(
    st.binary(max_size=4),
    st.sampled_from(INDEXES + RESIZES),
    st.builds(a_literal, st.sampled_from(BEGINNINGS), st.just(0), st.binary(max_size=60)),
    st.builds(a_literal, st.sampled_from(BEGINNINGS), st.just(0x80), st.sampled_from([b"", b"\x07", b"\x1c\x64", b"\xff" * 4])),
)


@given(st.lists(st.lists(OPS, max_size=6).map(b"".join), max_size=6))
@settings(max_examples=150, deadline=None)
def test_any_blocks_are_decoded_as_by_hpack(blocks: list[bytes]) -> None:
    ours, theirs = FieldDecoder(), a_decoder()
    for block in blocks:
        fields, complete = ours.decode(block)
        expected = by_hpack(theirs, block)
        if expected is None:
            assert not complete
            return
        named = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in expected if name]
        assert list(fields) == named
        assert complete == (len(named) == len(expected))


@st.composite
def blocks_with_a_gap(draw: st.DrawFn) -> tuple[list[bytes], list[bytes]]:
    """Blocks of one sender in two lists; the first ones of the second list are lost."""
    encoder, blocks = Encoder(), list[bytes]()
    for _ in range(draw(st.integers(2, 8))):
        if draw(st.sampled_from([False, False, True])):
            encoder.header_table_size = draw(st.sampled_from([0, 80, 4096, 65_536]))
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in draw(field_lists)]
        blocks.append(encoder.encode(headers, huffman=draw(st.booleans())))
    place = draw(st.integers(0, len(blocks)))
    return blocks[:place], blocks[place:]


@given(blocks_with_a_gap(), st.integers(0, 2))
@settings(max_examples=150, deadline=None)
def test_after_a_gap_exactly_the_references_across_it_are_left_out(blocks: tuple[list[bytes], list[bytes]], lost: int) -> None:
    ours, theirs = FieldDecoder(), a_decoder()
    for block in blocks[0]:
        ours.decode(block)
        by_hpack(theirs, block)
    for block in blocks[1][:lost]:
        by_hpack(theirs, block)
    ours.lose()
    entries = theirs.header_table.dynamic_entries  # the same sizes, so that decoding goes on as before
    marked = [(b"\0" * len(name), value) for name, value in entries]
    entries.clear()
    entries.extend(marked)
    for block in blocks[1][lost:]:
        fields, complete = ours.decode(block)
        expected = by_hpack(theirs, block) or []
        certain = [(name.decode(), value.decode("latin-1")) for name, value in expected if not name.startswith(b"\0")]
        assert list(fields) == certain
        assert complete == (len(certain) == len(expected))
