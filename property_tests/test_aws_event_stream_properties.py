"""Frames of any content, cut anywhere, come back unchanged; damage is counted to the byte; any bytes give the same."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsight_rx.events import SseEvent
from agentsight_rx.wire.aws_event_stream import AwsEventStreamDecoder
from property_tests.aws_frames import chunk, event, failure, frame

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_NAMES = st.sampled_from(["messageStart", "contentBlockDelta", "metadata", "é"])
_FRAMES = st.one_of(
    st.tuples(_NAMES, _TEXT).map(lambda pair: (event(*pair), SseEvent(*pair))),
    _TEXT.map(lambda text: (chunk(text), SseEvent("chunk", text))),
    st.just((failure("xException", "no"), SseEvent("xException", '{"message": "no"}'))),
    st.just((frame(b""), SseEvent("message", ""))),
)
_ANY = st.lists(
    st.one_of(st.binary(max_size=20), _FRAMES.map(lambda pair: pair[0]), st.just(bytes(20)), st.just(frame(b"abc")[:13])),
    max_size=5,
).map(b"".join)


@st.composite
def _pieces(draw: st.DrawFn, stream: bytes) -> list[bytes]:
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    return [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


def _decode(parts: list[bytes], decoder: AwsEventStreamDecoder) -> list[SseEvent]:
    return [event for part in parts for event in decoder.feed(part)]


@given(st.lists(_FRAMES, max_size=5), st.data())
@settings(max_examples=150, deadline=None)
def test_decoding_gives_back_what_was_encoded(frames: list[tuple[bytes, SseEvent]], data: st.DataObject) -> None:
    decoder = AwsEventStreamDecoder()
    stream = b"".join(each for each, _ in frames)
    assert _decode(data.draw(_pieces(stream)), decoder) == [expected for _, expected in frames]
    assert (decoder.held(), decoder.finish(), decoder.lost) == (0, False, 0)


@given(st.lists(_FRAMES, min_size=1, max_size=4), st.data())
@settings(max_examples=150, deadline=None)
def test_a_flipped_bit_costs_its_frame_and_no_other(frames: list[tuple[bytes, SseEvent]], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(frames) - 1))
    broken = bytearray(frames[place][0])
    bit = data.draw(st.integers(0, 8 * len(broken) - 1))
    broken[bit // 8] ^= 1 << bit % 8
    stream = b"".join(bytes(broken) if at == place else each for at, (each, _) in enumerate(frames))
    decoder = AwsEventStreamDecoder()
    made = _decode(data.draw(_pieces(stream)), decoder)
    decoder.finish()
    assert made == [expected for at, (_, expected) in enumerate(frames) if at != place]
    assert decoder.lost == len(broken)


@given(_ANY, st.sampled_from([1 << 20, 16, 60]), st.data())
@settings(max_examples=150, deadline=None)
def test_any_bytes_give_the_same_however_they_are_cut(stream: bytes, longest: int, data: st.DataObject) -> None:
    whole, cut = AwsEventStreamDecoder(longest=longest), AwsEventStreamDecoder(longest=longest)
    events = _decode([stream], whole)
    assert _decode(data.draw(_pieces(stream)), cut) == events
    assert (cut.held(), cut.lost) == (whole.held(), whole.lost)
    assert whole.held() <= max(longest, 11)
    assert whole.lost + whole.held() <= len(stream)
    assert (cut.finish(), cut.lost) == (whole.finish(), whole.lost)
    assert whole.held() == 0


@given(_ANY, st.data())
@settings(max_examples=100, deadline=None)
def test_a_snapshot_anywhere_changes_nothing(stream: bytes, data: st.DataObject) -> None:
    straight, resumed = AwsEventStreamDecoder(longest=60), AwsEventStreamDecoder(longest=60)
    for part in data.draw(_pieces(stream)):
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(resumed.snapshot()))
        resumed = AwsEventStreamDecoder(longest=60)
        resumed.restore(state)
        assert resumed.feed(part) == straight.feed(part)
    assert (resumed.finish(), resumed.lost) == (straight.finish(), straight.lost)
