from __future__ import annotations

import struct
from zlib import crc32

import msgspec
import pytest

from agentsight_rx.events import SseEvent
from agentsight_rx.wire.aws_event_stream import AwsEventStreamDecoder
from property_tests.aws_frames import chunk, event, failure, frame


def decode(*parts: bytes) -> list[SseEvent]:
    decoder = AwsEventStreamDecoder()
    return [event for part in parts for event in decoder.feed(part)]


EVERY_TYPE = (
    ("t", 0, b""),
    ("f", 1, b""),
    ("b", 2, b"\x01"),
    ("s", 3, b"\x01\x02"),
    ("i", 4, bytes(4)),
    ("l", 5, bytes(8)),
    ("y", 6, b"\x00\x03abc"),
    ("z", 7, b"\x00\x00"),
    ("d", 8, bytes(8)),
    ("u", 9, bytes(16)),
)
INNER = '{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":9,"outputTokenCount":3}}'
CASES = [
    pytest.param(event("messageStart", '{"role":"x"}'), SseEvent("messageStart", '{"role":"x"}'), id="converse"),
    pytest.param(chunk(INNER), SseEvent("chunk", INNER), id="the event inside a chunk"),
    pytest.param(event("chunk", '{"bytes":1}'), SseEvent("chunk", '{"bytes":1}'), id="a chunk with nothing inside"),
    pytest.param(event("chunk", '{"bytes":"?"}'), SseEvent("chunk", '{"bytes":"?"}'), id="a chunk that is not base64"),
    pytest.param(
        failure("throttlingException", "slow down"),
        SseEvent("throttlingException", '{"message": "slow down"}'),
        id="exception",
    ),
    pytest.param(
        frame(b"", (":message-type", "error"), (":error-code", "InternalError"), (":error-message", "no")),
        SseEvent("error", '{"code":"InternalError","message":"no"}'),
        id="error without a payload",
    ),
    pytest.param(frame(b"no", (":message-type", "error")), SseEvent("error", "no"), id="error with a payload"),
    pytest.param(frame(b""), SseEvent("message", ""), id="the shortest frame"),
    pytest.param(frame(b"x", (":event-type", "e"), raw=EVERY_TYPE), SseEvent("e", "x"), id="headers of every type"),
    pytest.param(frame(b"x", (":event-type", "e"), raw=(("a", 10, b""),)), SseEvent("message", "x"), id="unknown type"),
    pytest.param(frame(b"x", raw=((":event-type", 7, b"\xff\xffe"),)), SseEvent("message", "x"), id="value over the end"),
    pytest.param(frame("é".encode() + b"\xff"), SseEvent("message", "é�"), id="broken utf-8"),
]


@pytest.mark.parametrize(("stream", "expected"), CASES)
def test_a_frame_is_an_event_however_it_is_cut(stream: bytes, expected: SseEvent) -> None:
    last = frame(b"last")
    assert decode(stream) == [expected]
    assert decode(*(stream[i : i + 1] for i in range(len(stream)))) == [expected]
    assert decode(stream + last) == [expected, SseEvent("message", "last")]
    for cut in range(len(stream)):
        assert decode(stream[:cut], b"", stream[cut:] + last) == [expected, SseEvent("message", "last")]


@pytest.mark.parametrize(("stream", "expected"), CASES)
def test_nothing_of_a_whole_stream_is_lost(stream: bytes, expected: SseEvent) -> None:
    decoder = AwsEventStreamDecoder()
    assert decoder.feed(stream * 2) == [expected] * 2
    assert (decoder.held(), decoder.finish(), decoder.lost) == (0, False, 0)


ONE, TWO, THREE = event("a", '{"n":1}'), event("b", '{"n":2}'), event("c", '{"n":3}')


def test_a_flipped_bit_anywhere_is_counted_and_the_frames_behind_it_are_read() -> None:
    for bit in range(8 * len(TWO)):
        broken = bytearray(TWO)
        broken[bit // 8] ^= 1 << bit % 8
        decoder = AwsEventStreamDecoder()
        made = decoder.feed(ONE + bytes(broken) + THREE)
        assert [event.event for event in made] == ["a", "c"]
        assert (decoder.lost, decoder.held()) == (len(TWO), 0)


def test_bytes_that_are_no_frame_are_skipped_up_to_the_next_valid_prelude() -> None:
    garbage = b"HTTP/1.1 500" + bytes(40) + ONE[:11] + b"\x00\x00\x00\x20" * 5
    for size in (1, 5, 1000):
        decoder = AwsEventStreamDecoder()
        stream = garbage + TWO
        made = [event for at in range(0, len(stream), size) for event in decoder.feed(stream[at : at + size])]
        assert (made, decoder.lost, decoder.held()) == ([SseEvent("b", '{"n":2}')], len(garbage), 0)


@pytest.mark.parametrize("lengths", [(15, 0), (40, 25), (200_000, 131_073), (0, 0)])
def test_lengths_that_cannot_be_are_no_prelude_even_with_a_right_checksum(lengths: tuple[int, int]) -> None:
    prelude = struct.pack(">II", *lengths)
    prelude += struct.pack(">I", crc32(prelude))
    decoder = AwsEventStreamDecoder()
    assert decoder.feed(prelude + ONE) == [SseEvent("a", '{"n":1}')]
    assert decoder.lost == len(prelude)


def test_a_frame_is_emitted_with_its_last_byte() -> None:
    decoder = AwsEventStreamDecoder()
    assert decoder.feed(ONE[:-1]) == []
    assert decoder.held() == len(ONE) - 1
    assert decoder.feed(ONE[-1:]) == [SseEvent("a", '{"n":1}')]


@pytest.mark.parametrize("cut", [1, 11, 12, 30])
def test_finish_reports_that_the_stream_ended_in_a_frame_and_decoding_goes_on_behind_it(cut: int) -> None:
    decoder = AwsEventStreamDecoder()
    decoder.feed(ONE + TWO[:cut])
    assert decoder.finish()
    assert (decoder.lost, decoder.held()) == (cut, 0)
    assert decoder.feed(TWO[cut + 1 :] + THREE) == [SseEvent("c", '{"n":3}')]
    assert decoder.lost == len(TWO) - 1


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_frame_that_is_too_long_is_dropped_and_counted_and_the_next_one_is_not(size: int) -> None:
    decoder = AwsEventStreamDecoder(longest=len(ONE))
    long = event("a", '{"n":12}')
    stream = ONE + long + long + TWO
    made = [event for at in range(0, len(stream), size) for event in decoder.feed(stream[at : at + size])]
    assert [event.data for event in made] == ['{"n":1}', '{"n":2}']
    assert (decoder.lost, decoder.held()) == (2 * len(long), 0)


def test_a_frame_that_is_too_long_is_not_kept() -> None:
    decoder = AwsEventStreamDecoder(longest=20)
    long = frame(bytes(1000))
    decoder.feed(long[:500])
    assert (decoder.held(), decoder.lost) == (0, 500)
    assert decoder.finish()


def test_a_snapshot_goes_on_where_the_stream_was() -> None:
    stream = ONE + b"garbage" + chunk("{}") + TWO[:-1] + b"\x00" + event("long", "x" * 200) + THREE
    whole = AwsEventStreamDecoder(longest=150)
    expected = whole.feed(stream)
    assert [event.event for event in expected] == ["a", "chunk", "c"]
    for cut in range(len(stream)):
        first, second = AwsEventStreamDecoder(longest=150), AwsEventStreamDecoder(longest=150)
        before = first.feed(stream[:cut])
        second.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(first.snapshot())))
        assert before + second.feed(stream[cut:]) == expected
        assert second.lost == whole.lost
