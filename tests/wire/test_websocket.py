from __future__ import annotations

import random
import zlib
from collections.abc import Iterable
from typing import Any, NamedTuple, SupportsIndex

import msgspec
import pytest

from agentsight_rx.wire import Unparsed
from agentsight_rx.wire.websocket import SocketMessage, WebSocketDecoder
from agentsight_rx.wire.websocket_frames import Deflate, agreed

KEY = b"\x37\xfa\x21\x3d"
TAKEOVER, ALONE = Deflate(), Deflate(takeover=False)


class Peer:
    """A decoder and its items; checks that no byte is lost."""

    def __init__(self, deflate: Deflate | None = None, *, masked: bool | None = False, limit: int = 8 << 20) -> None:
        self._made = (deflate, masked, limit)
        self.decoder = WebSocketDecoder(deflate, masked=masked, limit=limit)
        self.items: list[SocketMessage | Unparsed] = []
        self._fed = 0

    def feed(self, *records: bytes) -> Peer:
        for record in records:
            self._take(self.decoder.feed(record), record)
        return self

    def gap(self, size: int, reason: str = "lost") -> Peer:
        return self._take(self.decoder.gap(size, reason))

    def finish(self, reason: str | None = None) -> Peer:
        self._take(self.decoder.finish(reason))
        assert self.decoder.held() == 0
        return self

    def resume(self) -> Peer:
        """Go on in a new decoder from a checkpoint."""
        state: Any = msgspec.msgpack.decode(msgspec.msgpack.encode(self.decoder.snapshot()))
        deflate, masked, limit = self._made
        self.decoder = WebSocketDecoder(deflate, masked=masked, limit=limit)
        self.decoder.restore(state)
        return self

    def _take(self, items: Iterable[SocketMessage | Unparsed], record: bytes = b"") -> Peer:
        self.items += items
        self._fed += len(record)
        given = sum(len(item.data) if isinstance(item, Unparsed) else item.size for item in self.items)
        assert given + self.decoder.held() == self._fed
        return self


def frame(first: int, payload: bytes, key: bytes = b"") -> bytes:
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big") if size < 1 << 16 else b""
    length = length or b"\x7f" + size.to_bytes(8, "big")
    head = bytes([first, length[0] | (0x80 if key else 0)]) + length[1:]
    return head + key + (masked(payload, key) if key else payload)


def masked(payload: bytes, key: bytes) -> bytes:
    """RFC 6455 section 5.3, as one number: a payload may have megabytes."""
    size = len(payload)
    mask = (key * (size // len(key) + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")


def packed(*messages: bytes) -> list[bytes]:
    """The payloads of messages that refer to each other."""
    packer = zlib.compressobj(wbits=-15)
    return [(packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4] for data in messages]


def text(data: bytes, size: int) -> SocketMessage:
    return SocketMessage("text", data, size=size)


# -- whole frames -----------------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    raw: bytes
    messages: list[SocketMessage]
    masked: bool | None = False
    deflate: Deflate | None = None


HELLO = bytes.fromhex("810548656c6c6f")
MASKED_HELLO = bytes.fromhex("818537fa213d7f9f4d5158")
PACKED_HELLO = bytes.fromhex("c107f248cdc9c90700")
NOISE = random.Random(5).randbytes(70_000)

# Those marked 5.7 are the examples of RFC 6455 5.7, the others with numbers those of RFC 7692 7.2.3
CASES = {
    "5.7 text": Case(HELLO, [text(b"Hello", 7)]),
    "5.7 masked text": Case(MASKED_HELLO, [text(b"Hello", 11)], masked=True),
    "5.7 fragments": Case(bytes.fromhex("010348656c80026c6f"), [text(b"Hello", 9)]),
    "5.7 ping": Case(bytes.fromhex("890548656c6c6f"), [SocketMessage("ping", b"Hello", size=7)]),
    "5.7 masked pong": Case(bytes.fromhex("8a8537fa213d7f9f4d5158"), [SocketMessage("pong", b"Hello", size=11)], masked=True),
    "5.7 256 bytes": Case(bytes.fromhex("827e0100") + NOISE[:256], [SocketMessage("binary", NOISE[:256], size=260)]),
    "5.7 64 KiB": Case(
        bytes.fromhex("827f0000000000010000") + NOISE[:65536], [SocketMessage("binary", NOISE[:65536], size=65546)]
    ),
    "125 bytes": Case(frame(0x82, NOISE[:125]), [SocketMessage("binary", NOISE[:125], size=127)]),
    "126 bytes": Case(frame(0x82, NOISE[:126]), [SocketMessage("binary", NOISE[:126], size=130)]),
    "65535 bytes": Case(frame(0x82, NOISE[:65535]), [SocketMessage("binary", NOISE[:65535], size=65539)]),
    "masked 64 KiB": Case(frame(0x82, NOISE[:65537], KEY), [SocketMessage("binary", NOISE[:65537], size=65551)], masked=True),
    "empty": Case(b"\x81\x00\x82\x00", [text(b"", 2), SocketMessage("binary", b"", size=2)]),
    "empty and masked": Case(b"\x81\x80" + KEY, [text(b"", 6)], masked=True),
    "empty fragments": Case(b"\x01\x00\x00\x00\x00\x01x\x80\x00", [text(b"x", 9)]),
    "a key for each frame": Case(
        frame(0x01, b"Hel", KEY) + frame(0x00, b"lo", b"abcd") + frame(0x80, b"!", bytes(4)),
        [text(b"Hello!", 24)],
        masked=True,
    ),
    "control frames between fragments": Case(
        b"\x01\x01H" + b"\x89\x01p" + b"\x00\x01i" + b"\x8a\x00" + b"\x80\x01!",
        [SocketMessage("ping", b"p", size=3), SocketMessage("pong", b"", size=2), text(b"Hi!", 9)],
    ),
    "close": Case(frame(0x88, b"\x03\xe8bye"), [SocketMessage("close", b"bye", 1000, size=7)]),
    "close without a code": Case(b"\x88\x00", [SocketMessage("close", b"", size=2)]),
    "close with a code alone": Case(b"\x88\x02\x03\xf1", [SocketMessage("close", b"", 1009, size=4)]),
    "frames after a close": Case(b"\x88\x00" + HELLO, [SocketMessage("close", b"", size=2), text(b"Hello", 7)]),
    "text that is no UTF-8": Case(b"\x81\x01\xff", [text(b"\xff", 3)]),
    "unknown sender": Case(HELLO + MASKED_HELLO, [text(b"Hello", 7), text(b"Hello", 11)], masked=None),
    "7.2.3.1 one block": Case(PACKED_HELLO, [text(b"Hello", 9)], deflate=TAKEOVER),
    "7.2.3.1 fragments": Case(bytes.fromhex("4103f248cd8004c9c90700"), [text(b"Hello", 11)], deflate=ALONE),
    "7.2.3.2 the window taken over": Case(
        PACKED_HELLO + bytes.fromhex("c105f200110000"), [text(b"Hello", 9), text(b"Hello", 7)], deflate=TAKEOVER
    ),
    "the window not taken over": Case(PACKED_HELLO * 2, [text(b"Hello", 9)] * 2, deflate=ALONE),
    "7.2.3.3 no compression": Case(bytes.fromhex("c10b000500faff48656c6c6f00"), [text(b"Hello", 13)], deflate=TAKEOVER),
    "7.2.3.4 final block": Case(bytes.fromhex("c108f348cdc9c9070000"), [text(b"Hello", 10)], deflate=TAKEOVER),
    "final block without the empty one after it": Case(bytes.fromhex("c107f348cdc9c90700"), [text(b"Hello", 9)], deflate=ALONE),
    "the window after a final block": Case(
        bytes.fromhex("c108f348cdc9c9070000") + bytes.fromhex("c105f200110000"),
        [text(b"Hello", 10), text(b"Hello", 7)],
        deflate=TAKEOVER,
    ),
    "7.2.3.5 two blocks": Case(bytes.fromhex("c10df248050000 00ffffcac9c90700"), [text(b"Hello", 15)], deflate=ALONE),
    "7.2.3.6 empty": Case(b"\xc1\x01\x00" + PACKED_HELLO, [text(b"", 3), text(b"Hello", 9)], deflate=TAKEOVER),
    "empty payload for an empty message": Case(b"\xc1\x00" + PACKED_HELLO, [text(b"", 2), text(b"Hello", 9)], deflate=TAKEOVER),
    "masked and compressed": Case(frame(0xC1, PACKED_HELLO[2:], KEY), [text(b"Hello", 13)], masked=True, deflate=TAKEOVER),
    "not compressed among compressed": Case(
        PACKED_HELLO + HELLO + bytes.fromhex("c105f200110000"),
        [text(b"Hello", 9), text(b"Hello", 7), text(b"Hello", 7)],
        deflate=TAKEOVER,
    ),
    "a ping between compressed fragments": Case(
        bytes.fromhex("4103f248cd") + b"\x89\x01p" + bytes.fromhex("8004c9c90700"),
        [SocketMessage("ping", b"p", size=3), text(b"Hello", 11)],
        deflate=TAKEOVER,
    ),
}
SMALL = {name: case for name, case in CASES.items() if len(case.raw) < 300}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_frames_in_one_record(case: Case) -> None:
    peer = Peer(case.deflate, masked=case.masked).feed(case.raw)
    assert case.messages == peer.items
    assert peer.decoder.held() == 0
    assert not peer.decoder.begun
    assert peer.finish().items == case.messages


@pytest.mark.parametrize("case", SMALL.values(), ids=SMALL)
def test_frames_byte_by_byte_and_from_a_checkpoint_at_each(case: Case) -> None:
    peer = Peer(case.deflate, masked=case.masked)
    for at in range(len(case.raw)):
        peer.feed(case.raw[at : at + 1]).resume()
    assert case.messages == peer.items


@pytest.mark.parametrize("case", SMALL.values(), ids=SMALL)
def test_frames_cut_in_two_anywhere(case: Case) -> None:
    for at in range(len(case.raw)):
        assert Peer(case.deflate, masked=case.masked).feed(case.raw[:at], case.raw[at:]).items == case.messages


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_bytes_after_the_last_frame_are_held(case: Case) -> None:
    more = b"\x81\xfe" if case.masked else b"\x81\x7e"
    peer = Peer(case.deflate, masked=case.masked).feed(case.raw + more)
    assert case.messages == peer.items
    assert peer.decoder.held() == 2
    assert peer.decoder.begun
    assert peer.finish().items == [*case.messages, Unparsed(-2, more)]


def test_the_window_of_the_next_message_reaches_32_kib_back() -> None:
    sent = [NOISE[:30_000], NOISE[20_000:32_000], NOISE[10_000:12_000] + NOISE[:2_000], NOISE[:30_000] * 3, NOISE[:30_000]]
    payloads = packed(*sent)
    assert len(payloads[1]) < 3_000  # it does refer back
    peer = Peer(TAKEOVER)
    for payload in payloads:
        peer.feed(frame(0xC2, payload)).resume()
    assert [item.data for item in peer.items] == sent
    assert all(isinstance(item, SocketMessage) and item.reason is None for item in peer.items)


def test_begun_says_whether_bytes_of_a_message_are_held() -> None:
    peer = Peer()
    seen: list[bool] = []
    for byte in b"\x01\x01H" + b"\x89\x01p" + b"\x80\x00" + b"\x8a\x01p":
        peer.feed(bytes([byte]))
        seen.append(peer.decoder.begun)
    assert seen == [True] * 7 + [False] * 4


# -- invalid frames ---------------------------------------------------------------------------------------------------------

OPEN = b"\x01\x01H"
WRONG = {
    "reserved opcode": b"\x83\x00",
    "reserved control opcode": b"\x8b\x00",
    "RSV2": b"\xa1\x00",
    "RSV3": b"\x91\x00",
    "RSV1 without compression": b"\xc1\x00",
    "control frame in fragments": b"\x09\x00",
    "long control frame": b"\x89\x7e\x00\x7e",
    "half a status code": b"\x88\x01\x03",
    "length of 16 bits that is not needed": b"\x82\x7e\x00\x7d",
    "length of 64 bits that is not needed": b"\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff",
    "length of more than 63 bits": b"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00",
    "a mask": MASKED_HELLO,
    "continuation of nothing": b"\x80\x01x",
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_an_invalid_frame_and_the_rest_of_its_record_are_unparsed(wrong: bytes) -> None:
    assert Peer().feed(HELLO + wrong + HELLO).items == [text(b"Hello", 7), Unparsed(7, wrong + HELLO)]


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_the_next_record_can_begin_a_frame(wrong: bytes) -> None:
    assert Peer().feed(wrong, HELLO).items == [Unparsed(0, wrong), text(b"Hello", 7)]


@pytest.mark.parametrize("wrong", [*WRONG.values(), HELLO], ids=[*WRONG, "another message"])
def test_an_invalid_frame_ends_the_open_message(wrong: bytes) -> None:
    if wrong[0] == 0x80:
        return
    broken = SocketMessage("text", b"H", reason="malformed", size=3)
    assert Peer().feed(OPEN + wrong).items == [broken, Unparsed(3, wrong)]


def test_held_bytes_of_an_invalid_frame_are_unparsed_at_a_negative_place() -> None:
    peer = Peer().feed(OPEN + b"\x80\x7e", b"\x00", b"\x01rest")
    assert peer.items == [SocketMessage("text", b"H", reason="malformed", size=3), Unparsed(-3, b"\x80\x7e\x00\x01rest")]


def test_a_frame_that_must_be_masked_and_is_not_is_invalid() -> None:
    assert Peer(masked=True).feed(HELLO).items == [Unparsed(0, HELLO)]


def test_only_the_first_frame_of_a_message_says_that_it_is_compressed() -> None:
    peer = Peer(ALONE).feed(bytes.fromhex("4103f248cd") + bytes.fromhex("c004c9c90700"))
    assert peer.items == [
        SocketMessage("text", b"He", reason="malformed", size=5),
        Unparsed(5, bytes.fromhex("c004c9c90700")),
    ]


def test_control_frames_are_never_compressed() -> None:
    assert Peer(ALONE).feed(b"\xc9\x00").items == [Unparsed(0, b"\xc9\x00")]


# -- compressed data that is damaged, or too much -----------------------------------------------------------------------------


def test_data_before_damage_is_kept_and_the_frames_go_on() -> None:
    data = NOISE[:50] + b"abc" * 3000
    (payload,) = packed(data)
    damaged = payload[:40] + b"\xff\xff\xff" + payload[43:]
    peer = Peer(ALONE).feed(frame(0xC2, damaged) + PACKED_HELLO)
    first, second = peer.items
    assert isinstance(first, SocketMessage)
    assert first.reason == "malformed"
    assert 0 < first.lost < len(payload)
    assert first.size == len(payload) + 2
    assert second == text(b"Hello", 9)


@pytest.mark.parametrize("raw", [b"\xc1\x02\x07\x00", b"\x41\x01\x07\x80\x01\x00"], ids=["whole", "in fragments"])
def test_a_block_type_that_does_not_exist_is_damage(raw: bytes) -> None:
    (item,) = Peer(ALONE).feed(raw).items
    assert item == SocketMessage("text", b"", lost=2, reason="malformed", size=len(raw))


def test_a_message_that_ends_inside_a_block_is_incomplete() -> None:
    stored = b"\x00\x06\x00\xf9\xff" + b"ab"  # says six bytes: the tail of four would fill it
    cut = packed(b"Hello, Hello, World!")[0][:-6]
    for payload in (stored, cut):
        first, second = Peer(ALONE).feed(frame(0xC1, payload) + PACKED_HELLO).items
        assert isinstance(first, SocketMessage)
        assert first.reason == "malformed"
        assert b"Hello, Hello, World!".startswith(first.data) or first.data == b"ab"
        assert second == text(b"Hello", 9)
        assert Peer(TAKEOVER).feed(frame(0xC1, payload) + PACKED_HELLO).items == [
            first,
            SocketMessage("text", b"", lost=7, reason="context", size=9),
        ]


def test_after_damage_no_message_can_use_the_window() -> None:
    peer = Peer(TAKEOVER).feed(b"\xc1\x01\x07" + PACKED_HELLO + HELLO).resume().feed(PACKED_HELLO)
    assert peer.items == [
        SocketMessage("text", b"", lost=1, reason="malformed", size=3),
        SocketMessage("text", b"", lost=7, reason="context", size=9),
        text(b"Hello", 7),
        SocketMessage("text", b"", lost=7, reason="context", size=9),
    ]


def test_a_reference_to_before_the_beginning_is_damage() -> None:
    (item,) = Peer(TAKEOVER).feed(bytes.fromhex("c105f200110000")).items
    assert item == SocketMessage(
        "text", b"H", lost=item.lost if isinstance(item, SocketMessage) else 0, reason="malformed", size=7
    )


@pytest.mark.parametrize("size", [9, 10, 11, 1000])
def test_of_a_long_message_the_beginning_is_kept(size: int) -> None:
    peer = Peer(limit=10).feed(frame(0x82, NOISE[:size]) + HELLO)
    reason = "limit" if size > 10 else None
    assert peer.items[0] == SocketMessage(
        "binary", NOISE[:10][:size], 0, max(0, size - 10), reason, len(frame(0x82, NOISE[:size]))
    )
    assert peer.items[1] == text(b"Hello", 7)


def test_the_limit_is_for_all_fragments_together() -> None:
    (item,) = Peer(limit=4).feed(b"\x01\x03abc\x00\x03def\x80\x03ghi").items
    assert item == SocketMessage("text", b"abcd", lost=5, reason="limit", size=15)


def test_after_the_limit_the_window_is_still_known() -> None:
    sent = [b"x" * 100 + b"Hello" * 20, b"HelloHello"]
    first, second = Peer(TAKEOVER, limit=100).feed(b"".join(frame(0xC1, payload) for payload in packed(*sent))).items
    assert first == SocketMessage(
        "text", b"x" * 100, lost=100, reason="limit", size=first.size if isinstance(first, SocketMessage) else 0
    )
    assert isinstance(second, SocketMessage)
    assert (second.data, second.reason) == (b"HelloHello", None)


def test_a_bomb_is_not_inflated_far_beyond_the_limit() -> None:
    sent = [b"\0" * 500_000, b"\0\0\0\0"]
    payloads = packed(*sent)
    first, second = Peer(TAKEOVER, limit=1000).feed(b"".join(frame(0xC2, payload) for payload in payloads)).items
    assert isinstance(first, SocketMessage)
    assert (first.data, first.reason) == (b"\0" * 1000, "inflate")
    assert 3000 < first.lost < 10_000
    assert second == SocketMessage("binary", b"", lost=len(payloads[1]), reason="context", size=len(payloads[1]) + 2)


def test_without_takeover_nothing_after_the_limit_is_inflated() -> None:
    (payload,) = packed(b"\0" * 500_000)
    first, second = Peer(ALONE, limit=1000).feed(frame(0xC2, payload) + PACKED_HELLO).items
    assert isinstance(first, SocketMessage)
    assert (first.data, first.reason) == (b"\0" * 1000, "limit")
    assert 0 < first.lost < len(payload)
    assert second == text(b"Hello", 9)


@pytest.mark.parametrize("deflate", [TAKEOVER, ALONE], ids=["takeover", "alone"])
def test_a_message_of_exactly_the_limit_is_complete(deflate: Deflate) -> None:
    (payload,) = packed(b"\0" * 1000)
    (item,) = Peer(deflate, limit=1000).feed(frame(0xC2, payload)).items
    assert item == SocketMessage("binary", b"\0" * 1000, size=len(payload) + 2)


# -- gaps ------------------------------------------------------------------------------------------------------------------


def test_a_gap_inside_a_payload_is_skipped_exactly() -> None:
    peer = Peer().feed(HELLO[:4]).gap(2).feed(HELLO[6:] + HELLO)
    assert peer.items == [SocketMessage("text", b"Heo", lost=2, reason="lost", size=5), text(b"Hello", 7)]


def test_the_mask_goes_on_after_a_gap() -> None:
    for start in range(11, 16):
        for size in range(1, min(6, 17 - start)):
            raw = frame(0x82, b"0123456789", KEY)
            peer = Peer(masked=True).feed(raw[:start]).resume().gap(size).resume().feed(raw[start + size :])
            left = b"0123456789"[: start - 6] + b"0123456789"[start - 6 + size :]
            assert peer.items == [SocketMessage("binary", left, lost=size, reason="lost", size=16 - size)]


def test_a_gap_up_to_the_end_of_a_frame_ends_it() -> None:
    assert Peer().feed(HELLO[:4]).gap(3, "truncated").items == [
        SocketMessage("text", b"He", lost=3, reason="truncated", size=4)
    ]
    peer = Peer().feed(b"\x01\x05He").gap(3).feed(b"\x80\x01!")
    assert peer.items == [SocketMessage("text", b"He!", lost=3, reason="lost", size=7)]


def test_a_gap_beyond_a_frame_ends_what_is_open_and_the_next_record_can_begin_one() -> None:
    peer = Peer().feed(b"\x01\x02Hi" + b"\x89\x04pi").gap(3, "lost").feed(HELLO)
    assert peer.items == [
        SocketMessage("ping", b"pi", lost=2, reason="lost", size=4),
        SocketMessage("text", b"Hi", reason="lost", size=4),
        text(b"Hello", 7),
    ]


def test_a_gap_between_frames_ends_the_open_message() -> None:
    assert Peer().feed(OPEN).gap(1).items == [SocketMessage("text", b"H", reason="lost", size=3)]


@pytest.mark.parametrize("size", [0, -1])
def test_a_gap_of_unknown_size_is_never_inside_a_frame(size: int) -> None:
    assert Peer().feed(HELLO[:4]).gap(size).items == [SocketMessage("text", b"He", lost=3, reason="lost", size=4)]


def test_a_gap_inside_a_head_makes_it_unparsed() -> None:
    assert Peer().feed(b"\x82\x7e\x01").gap(1).items == [Unparsed(-3, b"\x82\x7e\x01")]
    peer = Peer().feed(OPEN + b"\x80").gap(1)
    assert peer.items == [SocketMessage("text", b"H", reason="lost", size=3), Unparsed(-1, b"\x80")]


def test_a_gap_in_a_ping_leaves_the_message_around_it_whole() -> None:
    peer = Peer().feed(OPEN + b"\x89\x03p").gap(2).feed(b"\x80\x01i")
    assert peer.items == [SocketMessage("ping", b"p", lost=2, reason="lost", size=3), text(b"Hi", 6)]


def test_of_a_close_with_a_gap_what_came_before_is_kept() -> None:
    raw = frame(0x88, b"\x03\xe8bye")
    assert Peer().feed(raw[:5]).gap(1).feed(raw[6:]).items == [
        SocketMessage("close", b"b", 1000, lost=2, reason="lost", size=6)
    ]
    assert Peer().feed(raw[:3]).gap(1).feed(raw[4:]).items == [SocketMessage("close", b"", 0, lost=5, reason="lost", size=6)]
    assert Peer().feed(raw[:2]).gap(1).feed(raw[3:]).items == [SocketMessage("close", b"", 0, lost=5, reason="lost", size=6)]


def test_after_a_gap_a_compressed_message_cannot_be_inflated() -> None:
    raw = b"\xc1\x07" + PACKED_HELLO[2:]
    peer = Peer(ALONE).feed(raw[:5]).gap(1).feed(raw[6:] + PACKED_HELLO)
    assert peer.items == [SocketMessage("text", b"He", lost=4, reason="lost", size=8), text(b"Hello", 9)]


def test_after_a_gap_in_the_window_no_compressed_message_can_be_read() -> None:
    unknown = SocketMessage("text", b"", lost=7, reason="context", size=9)
    peer = Peer(TAKEOVER).feed(PACKED_HELLO[:5]).gap(1).feed(PACKED_HELLO[6:] + PACKED_HELLO + HELLO)
    assert peer.items == [SocketMessage("text", b"He", lost=4, reason="lost", size=8), unknown, text(b"Hello", 7)]
    assert Peer(TAKEOVER).gap(9).feed(PACKED_HELLO + b"\x41\x01\xf2\x80\x00").items == [
        unknown,
        SocketMessage("text", b"", lost=1, reason="context", size=5),
    ]


def test_a_gap_in_what_is_not_compressed_leaves_the_window_known() -> None:
    peer = Peer(TAKEOVER).feed(PACKED_HELLO + HELLO[:4]).gap(2).feed(HELLO[6:] + bytes.fromhex("c105f200110000"))
    assert peer.items[2] == text(b"Hello", 7)


FRAMES = {
    "a frame": HELLO,
    "frames": HELLO + b"\x89\x00" + HELLO,
    "a frame that goes on": frame(0x82, NOISE[:300])[:50],
    "a head alone": b"\x81\x7e\x01\x00",
    "a large frame that goes on": b"\x82\x7f\x00\x00\x00\x00\x01\x00\x00\x00",
    "fragments": OPEN + b"\x89\x00" + b"\x80\x01i" + OPEN,
    "text cut inside a character": b"\x81\x02\xc3",
    "a character in two fragments": b"\x01\x01\xc3\x80\x01\xa9",
    "binary in fragments": b"\x02\x01\xff\x80\x01\xff",
    "a large frame that is all here": frame(0x82, NOISE * 250),
}
NO_FRAMES = {
    **WRONG,
    "something after a frame": HELLO + b"x",
    "half a head after a frame": HELLO + b"\x81",
    "half a head": b"\x81",
    "half a length": b"\x81\x7e\x01",
    "a frame that is far too long": b"\x82\x7f\x00\x00\x00\x00\x01\x00\x00\x01x",
    "text that is no UTF-8": b"\x81\x02\xff\xff",
    "text that ends inside a character": b"\x81\x01\xc3",
    "fragments of text that end inside a character": b"\x01\x01\xc3\x80\x00",
    "fragments of text that are no UTF-8": b"\x01\x01\xc3\x80\x01a",
    "text of which the beginning is no UTF-8": b"\x81\x05\xff",
    "a message inside a message": OPEN + HELLO,
}


@pytest.mark.parametrize("record", FRAMES.values(), ids=FRAMES)
def test_a_record_that_reads_as_frames_ends_the_search(record: bytes) -> None:
    peer = Peer().gap(1).feed(b"tail of a frame", record)
    assert peer.items[0] == Unparsed(0, b"tail of a frame")
    assert not any(isinstance(item, Unparsed) for item in peer.items[1:])
    assert peer.items[1:] == Peer().feed(record).items


@pytest.mark.parametrize("record", NO_FRAMES.values(), ids=NO_FRAMES)
def test_a_record_that_does_not_read_as_frames_is_unparsed(record: bytes) -> None:
    peer = Peer().gap(1).feed(record).resume().feed(HELLO)
    assert peer.items == [Unparsed(0, record), text(b"Hello", 7)]


def test_after_a_gap_frames_must_be_masked_as_before() -> None:
    assert Peer(masked=True).gap(1).feed(HELLO, MASKED_HELLO).items == [Unparsed(0, HELLO), text(b"Hello", 11)]
    bad = frame(0x81, b"\xff\xff", KEY)
    assert Peer(masked=True).gap(1).feed(bad).items == [Unparsed(0, bad)]


def test_after_a_gap_compressed_text_need_not_be_utf8() -> None:
    assert Peer(ALONE).gap(1).feed(PACKED_HELLO).items == [text(b"Hello", 9)]


def test_after_the_search_frames_may_be_cut_again() -> None:
    assert Peer().gap(1).feed(HELLO, HELLO[:1], HELLO[1:]).items == [text(b"Hello", 7)] * 2


def test_an_empty_record_does_not_end_the_search() -> None:
    assert Peer().gap(1).feed(b"", b"\x01", HELLO).items == [Unparsed(0, b"\x01"), text(b"Hello", 7)]


# -- ends -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("given", "reason"), [(None, "closed"), ("capture_end", "capture_end")])
def test_a_message_that_is_open_at_the_end_is_incomplete(given: str | None, reason: str) -> None:
    peer = Peer().feed(b"\x01\x02Hi" + b"\x89\x02p").finish(given)
    assert peer.items == [
        SocketMessage("ping", b"p", reason=reason, size=3),
        SocketMessage("text", b"Hi", reason=reason, size=4),
    ]


def test_the_data_of_an_open_compressed_message_is_kept() -> None:
    assert Peer(TAKEOVER).feed(PACKED_HELLO[:5]).finish().items == [SocketMessage("text", b"He", reason="closed", size=5)]


def test_a_reason_from_before_the_end_stays() -> None:
    assert Peer().feed(HELLO[:4]).gap(1).finish().items == [SocketMessage("text", b"He", lost=1, reason="lost", size=4)]


def test_a_close_that_ends_inside_its_code_has_no_code() -> None:
    assert Peer().feed(b"\x88\x02\x03").finish().items == [SocketMessage("close", b"", lost=1, reason="closed", size=3)]


def test_an_end_between_messages_emits_nothing() -> None:
    assert Peer().feed(HELLO).finish().finish().items == [text(b"Hello", 7)]


# -- cost -------------------------------------------------------------------------------------------------------------------


class Counted(bytes):
    """Counts the bytes that are copied out of it."""

    copied = 0

    def __getitem__(self, key: SupportsIndex | slice) -> Any:
        found = super().__getitem__(key)
        if isinstance(found, bytes):
            self.copied += len(found)
        return found


@pytest.mark.parametrize(
    "stream", [b"\x89\x00" * 9000, HELLO * 3000, OPEN + b"\x00\x00" * 9000, b"\x81\x00" * 5000 + b"\xff" * 9000]
)
def test_each_byte_of_a_record_is_copied_at_most_twice(stream: bytes) -> None:
    for dark in (False, True):
        record = Counted(stream)
        peer = Peer()
        if dark:
            peer.gap(1)
        peer.feed(record).finish()
        assert record.copied <= 2 * len(record) * (1 + dark)


class Meter:
    """Stands for zlib.decompressobj: counts the objects, the bytes they are given, and the most they may give at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.objects = self.given = self.most = 0
        make = zlib.decompressobj
        meter = self

        class Metered:
            def __init__(self, *arguments: Any, **named: Any) -> None:
                meter.objects += 1
                self._zlib = make(*arguments, **named)

            def decompress(self, data: bytes, most: int) -> bytes:
                meter.given += len(data)
                meter.most = max(meter.most, most)
                return self._zlib.decompress(data, most)

            def __getattr__(self, name: str) -> Any:
                return getattr(self._zlib, name)

        monkeypatch.setattr(zlib, "decompressobj", Metered)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"\x03\x00" * 50_000 + b"\x00", "inflate"),
        (b"\x00\x00\x00\xff\xff" * 20_000 + b"\x00", None),
        (packed(NOISE)[0][:69_000] + b"\xff" * 40_000, "malformed"),
        (packed(bytes(15 << 20))[0], "limit"),
        (packed(bytes(30 << 20))[0], "inflate"),
    ],
    ids=["final blocks", "empty blocks", "damage", "far over the limit", "bomb"],
)
def test_payloads_built_to_be_slow_are_not(payload: bytes, reason: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Meter(monkeypatch)
    (item,) = Peer(TAKEOVER, limit=6 << 20).feed(frame(0xC2, payload)).items
    assert isinstance(item, SocketMessage)
    assert item.reason == reason
    assert meter.objects <= 2010
    assert meter.most <= 64 << 10
    assert meter.given <= 80 * len(payload) + 100_000


def test_a_message_without_output_has_a_limit_too() -> None:
    (item,) = Peer(TAKEOVER, limit=1000).feed(frame(0xC2, b"\x00\x00\x00\xff\xff" * 2000)).items
    assert item == SocketMessage("binary", b"", lost=10_000 - 4000 - 4096, reason="inflate", size=10_004)


# -- the handshake ----------------------------------------------------------------------------------------------------------

AGREED: dict[str, tuple[Deflate | None, Deflate | None]] = {
    "": (None, None),
    "x-webkit-deflate-frame": (None, None),
    "permessage-deflate": (Deflate(), Deflate()),
    "Permessage-Deflate ": (Deflate(), Deflate()),
    "permessage-deflate; client_no_context_takeover": (Deflate(takeover=False), Deflate()),
    "permessage-deflate;server_no_context_takeover": (Deflate(), Deflate(takeover=False)),
    "permessage-deflate; client_max_window_bits=10; server_max_window_bits=9": (Deflate(True, 10), Deflate(True, 9)),
    'permessage-deflate; server_max_window_bits = "1\\0"; server_no_context_takeover': (Deflate(), Deflate(False, 10)),
    "permessage-deflate; client_max_window_bits=8": (Deflate(True, 8), Deflate()),
    "permessage-deflate; client_max_window_bits; server_max_window_bits=16": (Deflate(), Deflate()),
    "permessage-deflate; client_max_window_bits=\u0661\u0660": (Deflate(), Deflate()),
    "permessage-deflate; x-other=1": (Deflate(), Deflate()),
    'x-other; a="b"; c, permessage-deflate; server_no_context_takeover, y': (Deflate(), Deflate(takeover=False)),
    "permessage-deflate; client_no_context_takeover, permessage-deflate": (Deflate(takeover=False), Deflate()),
    "x; permessage-deflate": (None, None),
    ',;=,",': (None, None),
}


@pytest.mark.parametrize("extensions", AGREED)
def test_what_the_handshake_says_about_compression(extensions: str) -> None:
    assert (agreed(extensions, "client"), agreed(extensions, "server")) == AGREED[extensions]
