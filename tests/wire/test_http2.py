from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from agentsight_rx.events import Headers
from agentsight_rx.wire import Unparsed
from agentsight_rx.wire.hpack_fields import FieldDecoder
from agentsight_rx.wire.http2 import Control, Data, Fields, GoAway, Http2Decoder, Item, Lost, Reset
from agentsight_rx.wire.http2_frames import looks_like_http2

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, PRIORITISED = 1, 4, 8, 32


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def literal(name: str, value: str, *, indexed: bool = False) -> bytes:
    """A field with a name of its own, both shorter than 127 bytes; put into the table or not."""
    return (b"\x40" if indexed else b"\0") + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


GET = b"\x82\x86\x84"  # three entries of the static table
GOT = ((":method", "GET"), (":scheme", "http"), (":path", "/"))
OK = b"\x88"
NEWEST = b"\xbe"  # index 62
PING_FRAME = frame(PING, 0, 0, b"12345678")
GET_FRAME = frame(HEADERS, END_HEADERS | END_STREAM, 1, GET)
POST_FRAME = frame(HEADERS, END_HEADERS, 1, b"\x83")
POSTED = Fields(1, ((":method", "POST"),), True, False, 10)


class Peer:
    """A decoder and its items; checks that no byte is lost."""

    def __init__(self, *records: bytes, fresh: bool = True) -> None:
        self.decoder = Http2Decoder(fresh)
        self.items: list[Item] = []
        self._owed = 0  # bytes fed and not yet in an item
        self.feed(*records)

    def feed(self, *records: bytes) -> Peer:
        for record in records:
            self._owed += len(record)
            self._take(self.decoder.feed(record))
        return self

    def gap(self, size: int) -> Peer:
        return self._take(self.decoder.gap(size, "lost"))

    def finish(self) -> Peer:
        self._take(self.decoder.finish())
        assert self.decoder.held() == 0
        return self

    def resume(self) -> Peer:
        """Go on in a new decoder from a checkpoint."""
        state: Any = msgspec.msgpack.decode(msgspec.msgpack.encode(self.decoder.snapshot()))
        self.decoder = Http2Decoder()
        self.decoder.restore(state)
        return self

    def _take(self, items: Iterable[Item]) -> Peer:
        self.items += items
        self._owed -= sum(map(size_of, items))
        assert self.decoder.held() == self._owed
        return self

    @property
    def last(self) -> Item:
        return self.items[-1]


def size_of(item: Item) -> int:
    if isinstance(item, Unparsed):
        return len(item.data)
    return 0 if isinstance(item, Lost) else item.size


def client(*records: bytes) -> Peer:
    """A client whose preface was seen."""
    peer = Peer(PREFACE + frame(SETTINGS, 0, 0), *records)
    assert peer.items.pop(0) == Control(33)
    return peer


def in_the_dark(*records: bytes) -> Peer:
    """A client after a gap, with stream 1 open."""
    return client(POST_FRAME).gap(5).feed(*records)


# -- the beginning --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", range(1, len(PREFACE) + 9))
def test_the_preface_is_recognised_over_any_cut(cut: int) -> None:
    raw = PREFACE + frame(SETTINGS, 0, 0) + GET_FRAME
    peer = Peer(raw[:cut], raw[cut:])
    assert peer.decoder.preface
    assert sum(item.size for item in peer.items if isinstance(item, Control)) == 33
    assert peer.last == Fields(1, GOT, True, True, len(GET_FRAME))


def test_a_server_begins_with_its_settings_and_has_no_preface() -> None:
    raw = frame(SETTINGS, 0, 0, bytes(6)) + frame(HEADERS, END_HEADERS, 1, literal("a", "b", indexed=True) + NEWEST)
    for records in ([raw], [raw[:1], raw[1:]], [bytes([byte]) for byte in raw]):
        peer = Peer(*records)
        assert not peer.decoder.preface
        assert peer.last == Fields(1, (("a", "b"), ("a", "b")), True, False, 15)


def test_a_preface_that_breaks_off_is_unparsed() -> None:
    assert Peer(b"PRI * HT", b"TP/2").finish().items == [Unparsed(-12, b"PRI * HTTP/2")]
    assert Peer(b"PRI * HT", b"XX", PING_FRAME).items == [Unparsed(-8, b"PRI * HT"), Unparsed(0, b"XX"), Control(17)]


def test_first_bytes_that_break_off_as_settings_are_unparsed() -> None:
    assert Peer(b"\0\0\0\4", b"\1").finish().items == [Unparsed(-4, b"\0\0\0\4"), Unparsed(0, b"\1")]


def test_in_the_middle_of_a_connection_only_references_to_unseen_fields_are_missing() -> None:
    peer = Peer(b"the end of some frame", fresh=False)
    block = OK + NEWEST + literal("a", "b", indexed=True) + NEWEST + b"\xbf"
    peer.feed(frame(HEADERS, END_HEADERS, 7, block))
    headers = ((":status", "200"), ("a", "b"), ("a", "b"))
    assert peer.items == [Unparsed(0, b"the end of some frame"), Fields(7, headers, False, False, 18)]


def test_in_the_middle_of_a_connection_a_preface_still_begins_one() -> None:
    peer = Peer(
        PREFACE[:5], PREFACE[5:] + frame(HEADERS, END_HEADERS, 1, literal("a", "b", indexed=True) + NEWEST), fresh=False
    )
    assert peer.decoder.preface
    assert peer.last == Fields(1, (("a", "b"), ("a", "b")), True, False, 15)


# -- header blocks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", range(60))
def test_a_request_is_the_same_over_any_cut(cut: int) -> None:
    head = frame(HEADERS, END_HEADERS, 1, GET + literal("x-a", "1"))
    raw = head + frame(DATA, END_STREAM, 1, b"body") + PING_FRAME
    peer = client(raw[:cut], raw[cut:])
    fields, *data, control = peer.items
    assert fields == Fields(1, (*GOT, ("x-a", "1")), True, False, len(head))
    assert b"body" == b"".join(item.data for item in data if isinstance(item, Data))
    assert [isinstance(item, Data) and item.end for item in data][-1]
    assert control == Control(17)
    assert peer.decoder.held() == 0


def test_padding_and_priority_are_not_part_of_a_block() -> None:
    payload = b"\x02" + b"\x80\0\0\3\x10" + GET + b"\0\0"
    peer = client(frame(HEADERS, END_HEADERS | END_STREAM | PADDED | PRIORITISED, 5, payload))
    assert peer.items == [Fields(5, GOT, True, True, 9 + len(payload))]


def test_a_block_goes_on_in_continuations_and_the_end_of_the_stream_is_kept() -> None:
    frames = [
        frame(HEADERS, END_STREAM, 1, b"\x82\x86"),
        frame(CONTINUATION, 0, 1),
        frame(CONTINUATION, END_HEADERS, 1, b"\x84"),
    ]
    peer = client(*frames[:2])
    assert (peer.items, peer.decoder.held()) == ([], 20)
    assert peer.resume().feed(frames[2]).items == [Fields(1, GOT, True, True, 30)]


def test_a_block_without_fields_is_emitted() -> None:
    assert client(frame(HEADERS, END_HEADERS | END_STREAM, 1)).items == [Fields(1, (), True, True, 9)]


def test_a_promise_belongs_to_the_stream_it_came_on_and_adds_to_the_table() -> None:
    promise = frame(PUSH_PROMISE, END_HEADERS | PADDED, 1, b"\1" + b"\0\0\0\2" + literal("a", "b", indexed=True) + b"\0")
    peer = Peer(frame(SETTINGS, 0, 0), promise, frame(HEADERS, END_HEADERS, 1, OK + NEWEST))
    assert peer.items[1:] == [
        Fields(1, (("a", "b"),), True, False, len(promise), promised=2),
        Fields(1, ((":status", "200"), ("a", "b")), True, False, 11),
    ]


def test_names_are_lower_case_and_values_latin_1() -> None:
    head = frame(HEADERS, END_HEADERS, 1, b"\x00\x03X-A\x01\xff")
    assert client(head).items == [Fields(1, (("x-a", "ÿ"),), True, False, len(head))]


RFC_REQUESTS: list[tuple[str, str, str, Headers]] = [  # RFC 7541 C.4: Huffman, and each one refers to those before it
    ("828684418cf1e3c2e5f23a6ba0ab90f4ff", "http", "/", ()),
    ("828684be5886a8eb10649cbf", "http", "/", (("cache-control", "no-cache"),)),
    ("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf", "https", "/index.html", (("custom-key", "custom-value"),)),
]


def test_the_examples_of_the_rfc_are_read() -> None:
    peer = client()
    for block, scheme, path, more in RFC_REQUESTS:
        peer.feed(frame(HEADERS, END_HEADERS, 1, bytes.fromhex(block)))
        head = ((":method", "GET"), (":scheme", scheme), (":path", path), (":authority", "www.example.com"))
        assert isinstance(peer.last, Fields)
        assert (peer.last.headers, peer.last.known) == ((*head, *more), True)


def test_the_examples_of_the_rfc_with_eviction_are_read() -> None:
    """RFC 7541 C.5, whose table has 256 bytes."""
    fields, date = FieldDecoder(), "Mon, 21 Oct 2013 20:13:21 GMT"
    rest = [("cache-control", "private"), ("date", date), ("location", "https://www.example.com")]
    first = "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54"
    first += "6e1768747470733a2f2f7777772e6578616d706c652e636f6d"
    assert fields.decode(b"\x3f\xe1\x01" + bytes.fromhex(first)) == (((":status", "302"), *rest), True)
    assert fields.decode(bytes.fromhex("4803333037c1c0bf")) == (((":status", "307"), *rest), True)
    assert fields.decode(b"\xc2") == ((), False)  # 302 was evicted


def test_an_error_in_a_block_keeps_the_fields_before_it() -> None:
    peer = client(frame(HEADERS, END_HEADERS, 1, literal("old", "1", indexed=True)))
    peer.feed(frame(HEADERS, END_HEADERS, 3, GET + b"\xff\xff\xff\xff\xff\xff\xff"))
    peer.feed(
        frame(HEADERS, END_HEADERS, 5, OK + NEWEST), frame(HEADERS, END_HEADERS, 7, literal("new", "2", indexed=True) + NEWEST)
    )
    assert [(item.headers, item.known) for item in peer.items if isinstance(item, Fields)] == [
        ((("old", "1"),), True),
        (GOT, False),
        (((":status", "200"),), False),
        ((("new", "2"), ("new", "2")), True),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        b"\x80",  # there is no entry 0
        b"\xbe",  # nor one that was not added
        b"\x7f\x80\x80\x80\x80\x80\x01",  # an integer without an end
        b"\x82\x20",  # a change of the size after a field
        b"\x00\x05abc",  # a string that is cut
        b"\x00\x01a\x81\x00",  # Huffman code that ends within a symbol
        b"\x40",
        b"\x7f",
    ],
)
def test_a_block_that_cannot_be_decoded_is_never_complete(wrong: bytes) -> None:
    fields = FieldDecoder()
    assert fields.decode(OK + wrong if wrong != b"\x82\x20" else wrong)[1] is False
    assert fields.decode(OK) == (((":status", "200"),), True)


def test_a_table_that_was_emptied_is_known_again() -> None:
    fields = FieldDecoder(known=False)
    assert fields.decode(NEWEST) == ((), False)
    assert fields.decode(b"\x20\x3f\xe1\x1f" + literal("a", "b", indexed=True)) == ((("a", "b"),), True)
    assert fields.decode(NEWEST) == ((("a", "b"),), True)
    assert fields.decode(OK + b"\xbf" + OK) == (((":status", "200"),), False)  # an error now, not something unseen


def test_an_unseen_name_stays_unknown() -> None:
    fields = FieldDecoder(known=False)
    assert fields.decode(OK + b"\x7e\x01v" + NEWEST) == (((":status", "200"),), False)
    assert fields.decode(NEWEST + literal("a", "b", indexed=True) + NEWEST + b"\xbf") == ((("a", "b"), ("a", "b")), False)


def test_after_a_gap_there_is_room_for_a_table_that_grew_in_it() -> None:
    fields = FieldDecoder(known=False)
    for number in range(200):
        fields.decode(literal(f"n{number}", "v" * 99, indexed=True))
    assert fields.decode(b"\xff\x86\x01") == ((("n0", "v" * 99),), True)


def test_a_table_larger_than_any_is_kept_in_part() -> None:
    fields = FieldDecoder()
    many = [literal(f"n{number}", "v" * 99, indexed=True) for number in range(9000)]
    fields.decode(b"\x3f\xe1\xff\xff\x07")  # 16 MiB
    for start in range(0, 9000, 1000):
        assert fields.decode(b"".join(many[start : start + 1000]))[1]
    assert fields.decode(NEWEST) == ((("n8999", "v" * 99),), True)
    assert fields.decode(OK + b"\xff\xe6\x45") == (((":status", "200"),), False)  # the first entry: not an error
    assert fields.decode(NEWEST) == ((("n8999", "v" * 99),), True)


def test_a_small_block_of_a_large_list_is_cut_and_the_table_stays() -> None:
    fields = FieldDecoder()
    big = b"\x40\x01b\x7f\xd9\x15" + b"v" * 2904
    assert fields.decode(big)[1]
    headers, known = fields.decode(NEWEST * 60_000 + literal("a", "b", indexed=True))
    assert not known
    assert 80 < len(headers) < 90
    assert fields.decode(NEWEST + b"\xbf") == ((("a", "b"), ("b", "v" * 2904)), True)


def test_a_block_that_is_too_long_is_emitted_once_and_its_rest_is_ignored() -> None:
    part = frame(CONTINUATION, 0, 3, bytes(16_000))
    peer = client(frame(HEADERS, END_HEADERS, 1, literal("old", "1", indexed=True)))
    peer.feed(frame(HEADERS, END_STREAM, 3, literal("a", "b", indexed=True)), *[part] * 20)
    assert peer.items[1:] == [Fields(3, (), False, True, 14 + 17 * 16_009), Control(16_009), Control(16_009), Control(16_009)]
    assert peer.decoder.held() == 0
    peer.feed(frame(CONTINUATION, END_HEADERS, 3), frame(HEADERS, END_HEADERS, 5, OK + NEWEST))
    assert peer.last == Fields(5, ((":status", "200"),), False, False, 11)


def test_endless_continuations_are_not_held() -> None:
    peer = client(frame(HEADERS, 0, 3, GET))
    for _ in range(40):
        peer.feed(frame(CONTINUATION, 0, 3) * 1000)
        assert peer.decoder.held() <= 256 << 10
    assert [type(item) for item in peer.items[:2]] == [Fields, Control]


# -- data -----------------------------------------------------------------------------------------------------------------


def test_data_comes_out_as_it_arrives() -> None:
    raw = frame(DATA, END_STREAM, 1, b"abcdef")
    peer = client(raw[:4])
    assert peer.items == []
    assert peer.feed(raw[4:11]).items == [Data(1, b"ab", False, 0, 11)]
    assert peer.feed(raw[11:12], raw[12:]).items[1:] == [Data(1, b"c", False, 0, 1), Data(1, b"def", True, 0, 3)]


def test_padding_is_not_data_and_the_end_waits_for_it() -> None:
    raw = frame(DATA, END_STREAM | PADDED, 1, b"\x03ab\0\0\0")
    assert client(raw).items == [Data(1, b"ab", True, 0, 15)]
    assert client(raw[:12], raw[12:14], raw[14:]).items == [Data(1, b"ab", False, 0, 12), Data(1, b"", True, 0, 3)]
    assert client(frame(DATA, PADDED, 1, b"\0")).items == [Data(1, b"", False, 0, 10)]
    assert client(frame(DATA, PADDED, 1, b"\x02\0\0")).items == [Data(1, b"", False, 0, 12)]


def test_a_frame_without_data_ends_a_stream() -> None:
    assert client(frame(DATA, END_STREAM, 1)).items == [Data(1, b"", True, 0, 9)]
    assert client(frame(DATA, 0, 1), PING_FRAME + frame(DATA, END_STREAM, 1)).last == Data(1, b"", True, 0, 9)


def test_undefined_flags_and_the_reserved_bit_are_ignored() -> None:
    for raw in (frame(DATA, 0xF6, 1 << 31 | 1, b"a"), frame(DATA, 0xF6, 1 << 31 | 1, b"a") + frame(SETTINGS, 0xFE, 1 << 31)):
        assert client(raw).items[0] == Data(1, b"a", False, 0, 10)


def test_streams_do_not_mix() -> None:
    peer = client(frame(DATA, 0, 1, b"a") + frame(DATA, 0, 3, b"b"), frame(DATA, END_STREAM, 1, b"c"))
    assert peer.items == [Data(1, b"a", False, 0, 10), Data(3, b"b", False, 0, 10), Data(1, b"c", True, 0, 10)]


def test_the_longest_frame_is_not_held() -> None:
    peer = client(b"\xff\xff\xff\0\1\0\0\0\1")
    for _ in range(1023):
        assert peer.feed(bytes(16_384)).decoder.held() == 0
    assert peer.feed(bytes(16_383) + PING_FRAME).items[-2:] == [Data(1, bytes(16_383), True, 0, 16_383), Control(17)]


# -- other frames ---------------------------------------------------------------------------------------------------------


def test_resets_and_goodbyes_are_items_and_other_control_frames_become_one() -> None:
    raw = [
        frame(RST_STREAM, 0, 3, b"\0\0\0\x08"),
        frame(SETTINGS, 1, 0),
        PING_FRAME,
        frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1"),
        frame(PRIORITY, 0, 1, b"\0\0\0\0\1"),
        frame(0xEE, 0xFF, 9, b"who knows"),
        frame(GOAWAY, 0, 0, b"\x80\0\0\7\0\0\0\2debug"),
    ]
    assert client(b"".join(raw)).items == [Reset(3, 8, 13), Control(9 + 17 + 13 + 14 + 18), GoAway(7, 2, 22)]


def test_a_frame_is_held_until_it_is_whole() -> None:
    raw = frame(GOAWAY, 0, 0, b"\0\0\0\7\0\0\0\2")
    for cut in range(1, len(raw)):
        peer = client(raw[:cut])
        assert (peer.items, peer.decoder.held()) == ([], cut)
        assert peer.resume().feed(raw[cut:] + PING_FRAME).items == [GoAway(7, 2, 17), Control(17)]


# -- errors ---------------------------------------------------------------------------------------------------------------

OPEN_BLOCK = frame(HEADERS, 0, 1, GET)
WRONG = {
    "continuation of nothing": frame(CONTINUATION, END_HEADERS, 1, GET),
    "data on no stream": frame(DATA, 0, 0, b"a"),
    "head on no stream": frame(HEADERS, END_HEADERS, 0, GET),
    "reset of no stream": frame(RST_STREAM, 0, 0, bytes(4)),
    "settings of a stream": frame(SETTINGS, 0, 1),
    "settings that are no pairs": frame(SETTINGS, 0, 0, bytes(7)),
    "ping of a stream": frame(PING, 0, 1, bytes(8)),
    "short ping": frame(PING, 0, 0, bytes(7)),
    "short reset": frame(RST_STREAM, 0, 1, bytes(3)),
    "long window": frame(WINDOW_UPDATE, 0, 0, bytes(5)),
    "short goodbye": frame(GOAWAY, 0, 0, bytes(7)),
    "padding longer than data": frame(DATA, PADDED, 1, b"\x03ab"),
    "no room for the size of padding": frame(DATA, PADDED, 1),
    "padding longer than a head": frame(HEADERS, END_HEADERS | PADDED, 1, b"\x03ab"),
    "no room for priority": frame(HEADERS, END_HEADERS | PRIORITISED, 1, bytes(4)),
    "no room for both": frame(HEADERS, END_HEADERS | PADDED, 1),
    "promise of nothing": frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\0" + GET),
    "short promise": frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0"),
    "long settings": frame(SETTINGS, 0, 0, bytes(65_538)),
    "long head": frame(HEADERS, END_HEADERS, 1, bytes(262_145)),
    "long frame of no known type": frame(0xEE, 0, 1, bytes(65_537)),
    "data in a block": OPEN_BLOCK + frame(DATA, 0, 1, b"a"),
    "head in a block": OPEN_BLOCK + GET_FRAME,
    "ping in a block": OPEN_BLOCK + PING_FRAME,
    "continuation on another stream": OPEN_BLOCK + frame(CONTINUATION, END_HEADERS, 3, GET),
}


@pytest.mark.parametrize("raw", WRONG.values(), ids=WRONG)
def test_an_invalid_frame_is_unparsed_and_the_next_record_is_read(raw: bytes) -> None:
    old, new = frame(HEADERS, END_HEADERS, 1, literal("a", "b", indexed=True)), frame(HEADERS, END_HEADERS, 3, OK + NEWEST)
    peer = client(old, raw + PING_FRAME, new)
    assert peer.items[1:] == [
        Lost("malformed"),
        Unparsed(0, raw + PING_FRAME),
        Fields(3, ((":status", "200"),), False, False, 11),
    ]


@pytest.mark.parametrize("raw", [raw for raw in WRONG.values() if len(raw) < 100])
def test_an_invalid_frame_is_unparsed_over_any_cut(raw: bytes) -> None:
    for cut in range(1, len(raw)):
        peer = client(raw[:cut], raw[cut:])
        lost, *unparsed = peer.items
        assert lost == Lost("malformed")
        assert raw == b"".join(item.data for item in unparsed if isinstance(item, Unparsed))
        assert isinstance(unparsed[0], Unparsed)
        assert unparsed[0].at in (0, -cut)


# -- gaps ----------------------------------------------------------------------------------------------------------------


def test_a_gap_inside_data_is_exact() -> None:
    raw = frame(DATA, END_STREAM, 1, b"abcdef")
    peer = client(raw[:11]).gap(2).feed(raw[13:] + frame(HEADERS, END_HEADERS, 3, GET))
    assert peer.items == [Data(1, b"ab", False, 0, 11), Data(1, b"ef", True, 2, 2), Fields(3, GOT, True, False, 12)]


def test_a_gap_up_to_the_end_of_data_ends_it() -> None:
    raw = frame(DATA, END_STREAM, 1, b"abcdef")
    assert client(raw[:9]).gap(6).feed(PING_FRAME).items == [Data(1, b"", True, 6, 9), Control(17)]
    padded = frame(DATA, PADDED, 1, b"\x02abc\0\0")
    assert client(padded[:12]).gap(2).feed(padded[14:]).items[1:] == [Data(1, b"", False, 1, 1)]
    assert client(padded[:12]).gap(3).feed(PING_FRAME).items[1:] == [Data(1, b"", False, 1, 0), Control(17)]
    assert client(padded[:13]).gap(1).feed(padded[14:]).items[1:] == [Data(1, b"", False, 0, 1)]


def test_a_gap_beyond_data_ends_it_and_may_contain_any_frame() -> None:
    raw = frame(DATA, END_STREAM, 1, b"abcdef")
    peer = client(frame(HEADERS, END_HEADERS, 1, literal("a", "b", indexed=True)), raw[:10]).gap(6)
    peer.feed(frame(HEADERS, END_HEADERS, 3, OK + NEWEST))
    assert peer.items[1:] == [
        Data(1, b"a", False, 0, 10),
        Data(1, b"", True, 5, 0),
        Lost("lost"),
        Fields(3, ((":status", "200"),), False, False, 11),
    ]


def test_a_gap_inside_the_head_of_data_is_a_gap_between_frames() -> None:
    raw = frame(DATA, PADDED, 1, b"\x02abc\0\0")
    for cut in range(1, 10):
        assert client(raw[:cut]).gap(1).feed(raw[cut + 1 :]).items == [
            Unparsed(-cut, raw[:cut]),
            Lost("lost"),
            Unparsed(0, raw[cut + 1 :]),
        ]


def test_a_gap_in_a_block_makes_its_held_bytes_unparsed() -> None:
    held = OPEN_BLOCK + frame(CONTINUATION, 0, 1, b"ab") + b"\0\0"
    assert client(held).gap(3).items == [Unparsed(-len(held), held), Lost("lost")]


def test_a_gap_at_the_very_beginning_counts() -> None:
    assert Peer().gap(3).feed(PREFACE[3:], PING_FRAME).items == [Lost("lost"), Unparsed(0, PREFACE[3:]), Control(17)]
    assert Peer(PREFACE[:5]).gap(3).items == [Unparsed(-5, PREFACE[:5]), Lost("lost")]


def test_several_gaps_in_a_row_are_one_item() -> None:
    assert in_the_dark(b"???").gap(9).items == [POSTED, Lost("lost"), Unparsed(0, b"???")]


PLAUSIBLE = {
    "data": frame(DATA, 0, 1, b"data: {}"),
    "data of a stream that is new": frame(DATA, 0, 20_001, b"data: {}") + frame(DATA, END_STREAM, 20_001),
    "padded data": frame(DATA, PADDED | END_STREAM, 3, b"\2hello\0\0"),
    "head": GET_FRAME,
    "a block and its rest": frame(HEADERS, 0, 5, GET) + frame(CONTINUATION, END_HEADERS, 5, GET),
    "a promise": frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + GET),
    "control": PING_FRAME + frame(SETTINGS, 1, 0) + frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1") + frame(PRIORITY, 0, 3, bytes(5)),
    "extensions": frame(10, 0, 0, b"\0\1ah") + frame(12, 0, 0) + frame(16, 0, 0, b"\0\0\0\1u=1"),
    "goodbye": frame(RST_STREAM, 0, 1, bytes(4)) + frame(GOAWAY, 0, 0, bytes(8)),
}
GOES_ON = {
    "data of a known stream": frame(DATA, 0, 1, bytes(16_384))[:265],
    "a head on a known stream": frame(HEADERS, END_HEADERS, 1, b"\0\1a\x7f\xa1\1" + bytes(288))[:265],
    "nothing after a frame but the head of one": PING_FRAME + frame(DATA, 0, 5, b"abc")[:9],
    "a head after a frame": PING_FRAME + frame(HEADERS, END_HEADERS, 5, GET)[:10],
    "data after a frame": PING_FRAME + frame(DATA, 0, 5, b"abc")[:10],
}
IMPLAUSIBLE = {
    "text": b"data: {}\n\n",
    "half a head of a frame": PING_FRAME[:8],
    "half a head after a frame": PING_FRAME + GET_FRAME[:5],
    "half a ping": PING_FRAME[:-1],
    "a byte more": PING_FRAME + b"\0",
    "data of an unknown stream that goes on": frame(DATA, 0, 5, bytes(16_384))[:-1],
    "little data that goes on": frame(DATA, 0, 1, bytes(16_384))[:264],
    "little data": frame(DATA, 0, 1, b"data: 1"),
    "no settings": frame(SETTINGS, 0, 0) + PING_FRAME,
    "very long data that goes on": PING_FRAME + frame(DATA, 0, 1, bytes(16_385))[:-1],
    "a window that goes on": PING_FRAME + frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1")[:-1],
    "continuation first": frame(CONTINUATION, END_HEADERS, 1, GET),
    "continuation of another stream": frame(HEADERS, 0, 5, GET) + frame(CONTINUATION, END_HEADERS, 3, GET),
    "a block and no rest": frame(HEADERS, 0, 5, GET) + PING_FRAME,
    "an unknown type": frame(0xEE, 0, 1),
    "an undefined flag": frame(DATA, 2, 1, b"data: {}"),
    "the reserved bit": frame(DATA, 0, 1 << 31 | 1, b"data: {}"),
    "a stream far away": frame(DATA, 0, 20_003, b"data: {}"),
    "the tail of a window": frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1")[4:],
    "the tail of a window and a frame": frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1")[4:] + PING_FRAME,
    "a stream of the server": frame(HEADERS, END_HEADERS, 2, GET),
    "a window on a stream of the server": frame(WINDOW_UPDATE, 0, 2, b"\0\0\0\1"),
    "a block that goes on": frame(HEADERS, 0, 1, GET),
    "a head without a field": frame(HEADERS, END_HEADERS, 1),
    "settings acknowledged with settings": frame(SETTINGS, 1, 0, bytes(6)),
    "a window of nothing": frame(WINDOW_UPDATE, 0, 0, bytes(4)),
    "padding as long as data": frame(DATA, PADDED, 1, b"\x08data: {"),
    "padding of nothing": frame(HEADERS, END_HEADERS | PADDED, 1),
    **{
        name: raw
        for name, raw in WRONG.items()
        if name in ("data on no stream", "ping of a stream", "short ping", "short reset")
    },
}


@pytest.mark.parametrize("raw", (PLAUSIBLE | GOES_ON).values(), ids=PLAUSIBLE | GOES_ON)
def test_after_a_gap_a_record_of_plausible_frames_is_read(raw: bytes) -> None:
    peer = in_the_dark(raw)
    assert peer.items[:2] == [POSTED, Lost("lost")]
    assert not any(isinstance(item, Unparsed | Lost) for item in peer.items[2:])


@pytest.mark.parametrize("raw", IMPLAUSIBLE.values(), ids=IMPLAUSIBLE)
def test_after_a_gap_any_other_record_is_unparsed_as_a_whole(raw: bytes) -> None:
    peer = in_the_dark(raw, PING_FRAME)
    assert peer.items == [POSTED, Lost("lost"), Unparsed(0, raw), Control(17)]


def test_an_ended_stream_does_not_make_a_frame_plausible() -> None:
    goes_on = frame(DATA, 0, 1, bytes(257))[:-1]
    ends = [frame(DATA, END_STREAM, 1), frame(RST_STREAM, 0, 1, bytes(4)), frame(HEADERS, END_HEADERS | END_STREAM, 1, GET)]
    for end in [*ends, *(end + PING_FRAME for end in ends)]:
        assert client(POST_FRAME, end).gap(1).feed(goes_on).last == Unparsed(0, goes_on)


def test_a_sender_that_agreed_on_longer_frames_may_cut_them() -> None:
    long = frame(DATA, 0, 1, bytes(50_000))
    assert client(POST_FRAME, long[:9], long[9:]).gap(1).feed(long[:-1], b"\0", PING_FRAME).last == Control(17)


def test_promised_streams_are_known() -> None:
    promise = frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + GET)
    head = frame(HEADERS, END_HEADERS, 2, OK)
    peer = Peer(frame(SETTINGS, 0, 0), promise).gap(1).feed(head)
    assert peer.last == Fields(2, ((":status", "200"),), True, False, 10)


def test_the_number_of_remembered_streams_is_limited() -> None:
    peer = client(b"".join(frame(HEADERS, END_HEADERS, stream, GET) for stream in range(1, 4099, 2))).gap(1)
    first, last = frame(DATA, 0, 1, bytes(257))[:-1], frame(DATA, 0, 4097, bytes(257))[:-1]
    assert peer.feed(first).last == Unparsed(0, first)
    assert peer.feed(last).last == Data(4097, bytes(256), False, 0, 265)


# -- ends and checkpoints -------------------------------------------------------------------------------------------------


def test_at_the_end_held_bytes_are_emitted() -> None:
    assert client(OPEN_BLOCK + b"\0\0").finish().items == [Unparsed(-14, OPEN_BLOCK + b"\0\0")]
    assert client(frame(DATA, 0, 1, b"abc")[:9]).finish().items == [Data(1, b"", False, 0, 9)]
    assert client(frame(DATA, 0, 1, b"abc")[:10]).gap(1).finish().items[1:] == [Data(1, b"", False, 1, 0)]
    assert client(frame(DATA, 0, 1, b"abc")[:10]).finish().items[1:] == []


def test_a_checkpoint_keeps_the_table() -> None:
    head = (("a", "b"), ("c", "d"))
    peer = client(frame(HEADERS, END_HEADERS, 1, literal("a", "b", indexed=True) + literal("c", "d", indexed=True)))
    peer.resume().feed(frame(HEADERS, END_HEADERS, 3, b"\xbf\xbe"))
    assert peer.last == Fields(3, head, True, False, 11)


def test_a_checkpoint_keeps_the_open_streams() -> None:
    assert in_the_dark().resume().feed(frame(DATA, 0, 1, bytes(257))[:-1]).last == Data(1, bytes(256), False, 0, 265)


def test_a_checkpoint_during_the_search_keeps_what_is_unknown() -> None:
    peer = in_the_dark().resume().feed(frame(HEADERS, END_HEADERS, 3, OK + NEWEST)).resume()
    peer.feed(frame(HEADERS, END_HEADERS, 5, b"\xbf" + OK))
    assert [item for item in peer.items[2:] if isinstance(item, Fields) and item.known] == []


# -- the middle of a connection -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", PLAUSIBLE.values(), ids=PLAUSIBLE)
def test_plausible_frames_look_like_http2(raw: bytes) -> None:
    assert looks_like_http2(raw)


@pytest.mark.parametrize("raw", [b"", PREFACE, *GOES_ON.values(), *IMPLAUSIBLE.values()])
def test_other_bytes_do_not_look_like_http2(raw: bytes) -> None:
    assert looks_like_http2(raw) == (raw == IMPLAUSIBLE["a stream far away"])  # without a known stream, none is far away


def test_a_stream_number_too_high_is_not_plausible() -> None:
    assert looks_like_http2(frame(DATA, 0, (1 << 24) - 1, b"data: {}"))
    assert not looks_like_http2(frame(DATA, 0, (1 << 24) + 1, b"data: {}"))
