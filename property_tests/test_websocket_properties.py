"""Messages of an encoder of our own and of wsproto, cut anywhere, with gaps: a complete message was sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.extensions import PerMessageDeflate

from agentsight_rx.wire import Unparsed
from agentsight_rx.wire.websocket import SocketMessage, WebSocketDecoder
from agentsight_rx.wire.websocket_frames import Deflate, agreed
from property_tests.websocket_strategies import (
    DEFLATES,
    Conversation,
    Packer,
    Sent,
    Spelling,
    Way,
    clear_ways,
    conversations,
    cuts_of,
    frame,
    ways,
)

Item: TypeAlias = SocketMessage | Unparsed


def messages(items: Iterable[Item]) -> list[SocketMessage]:
    return [item for item in items if isinstance(item, SocketMessage)]


def complete(items: Iterable[Item]) -> list[Sent]:
    return [Sent(item.kind, item.data, item.code) for item in messages(items) if item.reason is None]


def weight(items: Iterable[Item]) -> int:
    return sum(len(item.data) if isinstance(item, Unparsed) else item.size for item in items)


def all_of(decoder: WebSocketDecoder, parts: Iterable[bytes]) -> list[Item]:
    return [item for part in parts for item in decoder.feed(part)]


def resumed(decoder: WebSocketDecoder, fresh: WebSocketDecoder) -> WebSocketDecoder:
    """`fresh`, restored from a checkpoint of `decoder` that went over msgpack."""
    fresh.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(decoder.snapshot())))
    return fresh


def is_part_of(found: Sequence[Sent], sent: Sequence[Sent]) -> bool:
    """Is `found` in `sent`, in the same order, perhaps with others between?"""
    rest = iter(sent)
    return all(one in rest for one in found)


# -- without gaps ----------------------------------------------------------------------------------------------------------


@given(st.booleans(), DEFLATES, st.data())
@settings(max_examples=150, deadline=None)
def test_what_was_sent_is_received_however_it_is_cut(masked: bool, deflate: Deflate | None, data: st.DataObject) -> None:
    way = data.draw(ways(masked, deflate))
    expected = data.draw(st.sampled_from([masked, None]))
    decoder = WebSocketDecoder(deflate, masked=expected)
    items = all_of(decoder, data.draw(cuts_of(way.raw)))
    assert [(*sent, 0, None) for sent in way.sent] == [
        (item.kind, item.data, item.code, item.lost, item.reason) for item in messages(items)
    ]
    assert len(items) == len(way.sent)
    sizes = [sum(len(piece.raw) for piece in way.frames if piece.number == number) for number in way.numbers]
    assert [item.size for item in messages(items)] == sizes
    assert decoder.held() == 0
    assert not decoder.begun


@given(conversations())
@settings(max_examples=80, deadline=None)
def test_both_directions_of_a_conversation_are_received_as_they_were_agreed(conversation: Conversation) -> None:
    decoders = {
        way: WebSocketDecoder(agreed(conversation.extensions, "client" if client else "server"), masked=client)
        for way in conversation.sent
        for client in (way == conversation.client,)
    }
    items: dict[str, list[Item]] = {"in": [], "out": []}
    for way, record in conversation.records:
        items[way] += decoders[way].feed(record)
    for way, sent in conversation.sent.items():
        assert complete(items[way]) == sent
        assert len(items[way]) == len(sent)


@given(st.booleans(), DEFLATES, st.sampled_from([1, 10, 100, 5000]), st.data())
@settings(max_examples=150, deadline=None)
def test_damage_and_limits_do_not_depend_on_the_cut(
    masked: bool, deflate: Deflate | None, limit: int, data: st.DataObject
) -> None:
    way = data.draw(ways(masked, deflate, most=3))
    damaged = bytearray(way.raw)
    start = 0
    for piece in way.frames:  # damage only payloads, so that the frames keep their places
        payload = len(piece.raw) - piece.head
        if payload and data.draw(st.sampled_from([True, False, False])):
            damaged[start + piece.head + data.draw(st.integers(0, payload - 1))] ^= data.draw(st.integers(1, 255))
        start += len(piece.raw)
    stream = bytes(damaged)
    whole = WebSocketDecoder(deflate, masked=masked, limit=limit)
    expected = whole.feed(stream)
    assert [item.kind for item in messages(expected)] == [sent.kind for sent in way.sent]
    cut = WebSocketDecoder(deflate, masked=masked, limit=limit)
    assert all_of(cut, data.draw(cuts_of(stream, most=12))) == expected
    if len(stream) < 2000:
        bytewise = WebSocketDecoder(deflate, masked=masked, limit=limit)
        assert all_of(bytewise, (stream[at : at + 1] for at in range(len(stream)))) == expected
    for item in messages(expected):
        assert len(item.data) <= max(limit, 125)


@given(st.booleans(), DEFLATES, st.sampled_from([1, 10, 100, 5000]), st.data())
@settings(max_examples=100, deadline=None)
def test_of_a_message_over_the_limit_the_beginning_is_emitted_and_the_next_is_complete(
    masked: bool, deflate: Deflate | None, limit: int, data: st.DataObject
) -> None:
    way = data.draw(ways(masked, deflate, most=3))
    found = messages(WebSocketDecoder(deflate, masked=masked, limit=limit).feed(way.raw))
    bomb = False
    for item, sent in zip(found, way.sent, strict=True):
        if item.reason == "context":
            assert bomb
            assert item.data == b""
        elif item.kind in ("text", "binary"):
            bomb = bomb or item.reason == "inflate"
            assert item.data == sent.data[:limit]
            assert (item.reason is None) == (len(sent.data) <= limit)
            assert (item.lost > 0) == (item.reason is not None)
        else:
            assert (item.reason, item.data) == (None, sent.data)


# -- wsproto ----------------------------------------------------------------------------------------------------------------

Sender: TypeAlias = Literal["client", "server"]


def wsproto_peer(role: ConnectionType, sender: Sender, deflate: Deflate | None) -> Connection:
    if deflate is None:
        return Connection(role)
    extension = PerMessageDeflate()
    parameters = f"permessage-deflate; {sender}_max_window_bits={deflate.window_bits}"
    extension.finalize(parameters + ("" if deflate.takeover else f"; {sender}_no_context_takeover"))
    return Connection(role, [extension])


def spelled_by_wsproto(peer: Connection, sent: Sent, parts: list[bytes]) -> bytes:
    if sent.kind == "ping":
        return peer.send(Ping(payload=sent.data))
    if sent.kind == "pong":
        return peer.send(Pong(payload=sent.data))
    raw = b""
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        raw += peer.send(
            TextMessage(data=part.decode("latin-1"), message_finished=last)
            if sent.kind == "text"
            else BytesMessage(data=part, message_finished=last)
        )
    return raw


ASCII = st.one_of(st.binary(max_size=30).map(lambda data: bytes(byte & 127 for byte in data)), st.just(b"Hello" * 9000))


@given(st.sampled_from(["client", "server"]), DEFLATES, st.data())
@settings(max_examples=100, deadline=None)
def test_what_wsproto_sends_is_received(sender: Sender, deflate: Deflate | None, data: st.DataObject) -> None:
    peer = wsproto_peer(ConnectionType.CLIENT if sender == "client" else ConnectionType.SERVER, sender, deflate)
    kinds: st.SearchStrategy[Literal["text", "binary", "ping", "pong"]] = st.sampled_from(["text", "binary", "ping", "pong"])
    sent: list[Sent] = []
    stream = b""
    for _ in range(data.draw(st.integers(1, 5))):
        kind = data.draw(kinds)
        payload = data.draw(ASCII if kind in ("text", "binary") else st.binary(max_size=125))
        sent.append(Sent(kind, payload))
        stream += spelled_by_wsproto(peer, sent[-1], data.draw(cuts_of(payload, most=2)))
    stream += peer.send(CloseConnection(code=1000, reason="done"))
    sent.append(Sent("close", b"done", 1000))
    decoder = WebSocketDecoder(deflate, masked=sender == "client")
    items = all_of(decoder, data.draw(cuts_of(stream)))
    assert complete(items) == sent
    assert len(items) == len(sent)


def received_by_wsproto(peer: Connection) -> list[Sent]:
    found: list[Sent] = []
    parts = b""
    for event in peer.events():
        match event:
            case Ping():
                found.append(Sent("ping", bytes(event.payload)))
            case Pong():
                found.append(Sent("pong", bytes(event.payload)))
            case CloseConnection():
                found.append(Sent("close", (event.reason or "").encode(), 0 if event.code == 1005 else event.code))
            case TextMessage():
                parts += event.data.encode()
            case BytesMessage():
                parts += event.data
            case _:
                raise AssertionError(event)
        if isinstance(event, TextMessage | BytesMessage) and event.message_finished:
            found.append(Sent("text" if isinstance(event, TextMessage) else "binary", parts))
            parts = b""
    return found


@given(st.sampled_from(["client", "server"]), DEFLATES, st.data())
@settings(max_examples=100, deadline=None)
def test_wsproto_reads_the_same(sender: Sender, deflate: Deflate | None, data: st.DataObject) -> None:
    """Without what wsproto cannot read: final blocks, and control frames inside compressed messages."""
    way = data.draw(ways(sender == "client", deflate, Spelling(final=False, between=deflate is None)))
    peer = wsproto_peer(ConnectionType.SERVER if sender == "client" else ConnectionType.CLIENT, sender, deflate)
    peer.receive_data(way.raw)
    found = complete(WebSocketDecoder(deflate, masked=sender == "client").feed(way.raw))
    assert found == received_by_wsproto(peer)


# -- gaps ------------------------------------------------------------------------------------------------------------------


@given(st.booleans(), st.data())
@settings(max_examples=150, deadline=None)
def test_with_records_missing_a_complete_message_was_sent(masked: bool, data: st.DataObject) -> None:
    way = data.draw(clear_ways(masked))
    decoder = WebSocketDecoder(None, masked=masked)
    items: list[Item] = []
    fed = 0
    for record in data.draw(cuts_of(way.raw, most=12)):
        if record and data.draw(st.sampled_from([True, False, False])):
            items += decoder.gap(len(record), "lost")
        else:
            fed += len(record)
            items += decoder.feed(record)
        assert weight(items) + decoder.held() == fed
    items += decoder.finish(None)
    assert weight(items) == fed
    assert is_part_of(complete(items), way.sent)


Fate: TypeAlias = Literal["seen", "lost", "gap"]


def travel(decoder: WebSocketDecoder, way: Way, fates: Sequence[Fate], data: st.DataObject) -> list[Item]:
    """The items when each frame is in a record of its own: seen, lost, or with a gap in its payload."""
    items: list[Item] = []
    fed = 0
    for piece, fate in zip(way.frames, fates, strict=True):
        if fate == "lost":
            items += decoder.gap(len(piece.raw), "lost")
        else:
            start = end = len(piece.raw)
            if fate == "gap":
                start = data.draw(st.integers(piece.head, len(piece.raw) - 1))
                end = data.draw(st.integers(start + 1, len(piece.raw)))
            items += decoder.feed(piece.raw[:start])
            items += decoder.gap(end - start, "truncated") if end > start else []
            items += decoder.feed(piece.raw[end:])
            fed += len(piece.raw) - (end - start)
        assert weight(items) + decoder.held() == fed
    items += decoder.finish("capture_end")
    assert weight(items) == fed
    assert decoder.held() == 0
    return items


def fates_of(data: st.DataObject, way: Way, *, gaps_after_losses: bool) -> list[Fate]:
    fates: list[Fate] = []
    for piece in way.frames:
        fate: Fate = data.draw(st.sampled_from(["seen", "seen", "seen", "lost", "gap"]))
        if fate == "gap" and (len(piece.raw) == piece.head or ("lost" in fates and not gaps_after_losses)):
            fate = "seen"
        fates.append(fate)
    return fates


@given(st.booleans(), st.data())
@settings(max_examples=150, deadline=None)
def test_after_a_gap_every_undamaged_message_is_emitted(masked: bool, data: st.DataObject) -> None:
    way = data.draw(clear_ways(masked))
    fates = fates_of(data, way, gaps_after_losses=True)
    damaged = {piece.number for piece, fate in zip(way.frames, fates, strict=True) if fate != "seen"}
    items = travel(WebSocketDecoder(None, masked=masked), way, fates, data)
    assert complete(items) == [sent for sent, number in zip(way.sent, way.numbers, strict=True) if number not in damaged]
    for item in messages(items):
        assert (item.lost > 0) <= (item.reason is not None)


@given(st.booleans(), st.sampled_from([Deflate(), Deflate(), Deflate(False)]), st.data())
@settings(max_examples=150, deadline=None)
def test_a_gap_costs_compressed_messages_no_more_than_their_context(
    masked: bool, deflate: Deflate, data: st.DataObject
) -> None:
    way = data.draw(ways(masked, deflate))
    fates = fates_of(data, way, gaps_after_losses=False)
    spans: dict[int, list[int]] = {}
    for index, piece in enumerate(way.frames):
        spans.setdefault(piece.number, []).append(index)
    packed = {number for number, span in spans.items() if way.frames[span[0]].raw[0] & 0x40}
    damaged: set[int] = set()
    unknown = len(fates)  # from this frame on
    for index, (piece, fate) in enumerate(zip(way.frames, fates, strict=True)):
        if fate == "lost":
            damaged |= {number for number, span in spans.items() if span[0] <= index <= span[-1]}
        elif fate == "gap":
            damaged.add(piece.number)
        if deflate.takeover and (fate == "lost" or (fate == "gap" and piece.number in packed)):
            unknown = min(unknown, index)
    forgotten = {number for number in packed if spans[number][0] > unknown}
    items = travel(WebSocketDecoder(deflate, masked=masked), way, fates, data)
    expected = [sent for sent, number in zip(way.sent, way.numbers, strict=True) if number not in damaged | forgotten]
    assert complete(items) == expected
    for item in messages(items):
        assert item.reason != "context" or (item.data == b"" and forgotten)
        assert any(sent.kind == item.kind and sent.data.startswith(item.data) for sent in way.sent) or "gap" in fates


# -- checkpoints, noise -----------------------------------------------------------------------------------------------------


@given(st.booleans(), DEFLATES, st.sampled_from([10, 1000, 8 << 20]), st.data())
@settings(max_examples=150, deadline=None)
def test_a_checkpoint_anywhere_changes_nothing(masked: bool, deflate: Deflate | None, limit: int, data: st.DataObject) -> None:
    way = data.draw(ways(masked, deflate))
    decoder = WebSocketDecoder(deflate, masked=masked, limit=limit)
    other = WebSocketDecoder(deflate, masked=masked, limit=limit)
    for record in data.draw(cuts_of(way.raw, most=10)):
        other = resumed(other, WebSocketDecoder(deflate, masked=masked, limit=limit))
        if record and data.draw(st.sampled_from([True] + [False] * 9)):
            assert other.gap(len(record), "lost") == decoder.gap(len(record), "lost")
        else:
            assert other.feed(record) == decoder.feed(record)
        assert (other.held(), other.begun) == (decoder.held(), decoder.begun)
        assert other.snapshot() == decoder.snapshot()
    assert other.finish(None) == decoder.finish(None)


HELLO = Packer(Deflate(takeover=False)).pack(b"Hello")
TOKENS = [
    frame(0x81, b"Hello"),
    frame(0x81, b"Hello", b"\x37\xfa\x21\x3d"),
    frame(0x01, b"Hel"),
    frame(0x00, b"lo"),
    frame(0x80, b"lo"),
    frame(0x80, b""),
    frame(0x89, b"ping"),
    frame(0x8A, b"", b"abcd"),
    frame(0x88, b"\x03\xe8bye"),
    frame(0x88, b"x"),
    frame(0xC1, HELLO),
    frame(0xC2, HELLO[:4]),
    frame(0x41, HELLO[:3]),
    frame(0xC1, b""),
    frame(0x82, bytes(200)),
    b"\x81\x7e\x00\x05Hello",
    b"\x82\x7f" + bytes(7),
    b"\x82\x7f\x7f" + b"\xff" * 7,
    b"\x82",
    b"\x00",
    b"\x83\x00",
]
NOISE = st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(TOKENS), max_size=12).map(b"".join))
STEPS = st.lists(st.one_of(NOISE, NOISE, st.integers(-1, 300), st.none()), max_size=8)


@given(STEPS, st.sampled_from([True, False, None]), DEFLATES, st.sampled_from([3, 100]))
@settings(max_examples=300, deadline=None)
def test_any_bytes_and_gaps_are_accounted_for(
    steps: list[bytes | int | None], masked: bool | None, deflate: Deflate | None, limit: int
) -> None:
    decoder = WebSocketDecoder(deflate, masked=masked, limit=limit)
    other = WebSocketDecoder(deflate, masked=masked, limit=limit)
    fed = given_out = 0
    for step in steps:
        other = resumed(other, WebSocketDecoder(deflate, masked=masked, limit=limit))
        if isinstance(step, bytes):
            fed += len(step)
            items, again = decoder.feed(step), other.feed(step)
        elif step is None:
            items, again = decoder.finish(None), other.finish(None)
        else:
            items, again = decoder.gap(step, "lost"), other.gap(step, "lost")
        assert again == items
        given_out += weight(items)
        assert given_out + decoder.held() == fed
        assert decoder.held() >= decoder.begun
        for item in items:
            if isinstance(item, Unparsed) and item.at >= 0:
                assert isinstance(step, bytes)
                assert step[item.at :].startswith(item.data)
            elif isinstance(item, SocketMessage):
                assert len(item.data) <= max(limit, 125)
                assert item.lost == 0 or item.reason is not None
    assert given_out + weight(decoder.finish("capture_end")) == fed


@given(NOISE, st.sampled_from([True, False, None]), DEFLATES, st.data())
@settings(max_examples=200, deadline=None)
def test_up_to_the_first_invalid_frame_noise_is_read_the_same_however_it_is_cut(
    noise: bytes, masked: bool | None, deflate: Deflate | None, data: st.DataObject
) -> None:
    """A cut moves the place where the search for the next frame begins."""
    whole, cut = (WebSocketDecoder(deflate, masked=masked, limit=50) for _ in range(2))
    expected = [*whole.feed(noise), *whole.finish(None)]
    found = [*all_of(cut, data.draw(cuts_of(noise))), *cut.finish(None)]
    unparsed = [index for index, item in enumerate(expected) if isinstance(item, Unparsed)]
    end = unparsed[0] if unparsed else len(expected)
    assert found[:end] == expected[:end]
    assert unparsed or len(found) == end
