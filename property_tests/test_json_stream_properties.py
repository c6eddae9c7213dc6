"""JSON values in any spelling and layout, cut anywhere, come back unchanged; any bytes give the same however they are cut."""

from __future__ import annotations

import json

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsight_rx.wire.json_stream import JsonStreamDecoder

_TEXT = st.text(st.one_of(st.sampled_from('"\\{}[],:\n\u2028'), st.characters(exclude_categories=["Cs"])), max_size=8)
_PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), _TEXT)
_VALUES = st.recursive(
    _PLAIN, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_TEXT, inner, max_size=3)), max_leaves=12
)


@st.composite
def _streams(draw: st.DrawFn) -> tuple[list[str], bytes]:
    """The spelling of each value, and the stream of all of them."""
    values = draw(st.lists(_VALUES, max_size=5))
    spelled = [json.dumps(value, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 2]))) for value in values]
    if draw(st.booleans()):
        between = draw(st.sampled_from([",", "\n,\r\n", " , "]))
        stream = f"[{between.join(spelled)}]"
    else:
        spelled = [text for text in spelled if not text.startswith("[")]  # alone on a line it is the array itself
        stream = "".join(text + draw(st.sampled_from(["\n", "\r\n", " ", ",\n"])) for text in spelled)
    return spelled, stream.encode()


@st.composite
def _pieces(draw: st.DrawFn, stream: bytes) -> list[bytes]:
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    return [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


def _decode(parts: list[bytes], decoder: JsonStreamDecoder) -> list[str]:
    return [event.data for part in parts for event in decoder.feed(part)]


@given(_streams(), st.data())
@settings(max_examples=150, deadline=None)
def test_decoding_gives_back_what_was_encoded(case: tuple[list[str], bytes], data: st.DataObject) -> None:
    spelled, stream = case
    decoder = JsonStreamDecoder()
    assert _decode(data.draw(_pieces(stream)), decoder) == spelled
    assert (decoder.held(), decoder.finish(), decoder.lost) == (0, False, 0)


_MARKS = [b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"\n", b" ", b"\xef\xbb\xbf", b"\xe2\x82", b"\xff"]
_TOKENS = [*_MARKS, b"1", b"-", b"true", b"x", b'{"a":"}"}', b'[["\\""]]', b"\n{", b"\n["]
_ANY = st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(_TOKENS), max_size=40).map(b"".join))


@given(_ANY, st.integers(1, 30), st.data())
@settings(max_examples=150, deadline=None)
def test_any_bytes_give_the_same_however_they_are_cut(stream: bytes, longest: int, data: st.DataObject) -> None:
    whole, cut = JsonStreamDecoder(longest=longest), JsonStreamDecoder(longest=longest)
    values = _decode([stream], whole)
    assert _decode(data.draw(_pieces(stream)), cut) == values
    assert (cut.held(), cut.lost) == (whole.held(), whole.lost)
    assert whole.held() <= longest
    assert all(len(value) <= longest for value in values)
    assert (cut.finish(), cut.lost) == (whole.finish(), whole.lost)
    assert whole.held() == 0


@given(_ANY)
@settings(max_examples=150, deadline=None)
def test_every_byte_is_a_value_or_lost_or_between_values(stream: bytes) -> None:
    decoder = JsonStreamDecoder()
    stream = stream.replace(b"\xff", b"").replace(b"\xe2\x82", b"").decode("ascii", "ignore").encode()
    values = _decode([stream], decoder)
    decoder.finish()
    between = sum(stream.count(byte) for byte in (b" ", b"\t", b"\r", b"\n", b",", b"[", b"]", b"\x1e"))
    said = sum(map(len, values)) + decoder.lost
    assert said <= len(stream) <= said + between


@given(_ANY, st.data())
@settings(max_examples=100, deadline=None)
def test_a_snapshot_anywhere_changes_nothing(stream: bytes, data: st.DataObject) -> None:
    straight, resumed = JsonStreamDecoder(longest=20), JsonStreamDecoder(longest=20)
    for part in data.draw(_pieces(stream)):
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(resumed.snapshot()))
        resumed = JsonStreamDecoder(longest=20)
        resumed.restore(state)
        assert resumed.feed(part) == straight.feed(part)
    assert (resumed.finish(), resumed.lost) == (straight.finish(), straight.lost)
