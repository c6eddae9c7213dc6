from __future__ import annotations

import msgspec
import pytest

from agentsight_rx.events import SseEvent
from agentsight_rx.wire.json_stream import JsonStreamDecoder


def decode(*parts: bytes) -> list[str]:
    decoder = JsonStreamDecoder()
    return [event.data for part in parts for event in decoder.feed(part)]


GOOGLE = b'[{\n  "candidates": [\n    {\n      "index": 0\n    }\n  ]\n}\n,\r\n{\n  "a": "]}"\n}\n]\n'
CASES = [
    pytest.param(GOOGLE, ['{\n  "candidates": [\n    {\n      "index": 0\n    }\n  ]\n}', '{\n  "a": "]}"\n}'], id="google"),
    pytest.param(b'[{"a":1},{"b":2}]', ['{"a":1}', '{"b":2}'], id="compact array"),
    pytest.param(b'{"a":1}\n{"b":2}\r\n', ['{"a":1}', '{"b":2}'], id="lines"),
    pytest.param(b'{"a":1}{"b":2}', ['{"a":1}', '{"b":2}'], id="nothing between"),
    pytest.param(b'\x1e{"a":1}\n\x1e[]\n', ['{"a":1}'], id="record separators"),
    pytest.param(b'\xef\xbb\xbf{"a":1}', ['{"a":1}'], id="bom"),
    pytest.param(b"[[1,[2]],[],{}]", ["[1,[2]]", "[]", "{}"], id="arrays in the array"),
    pytest.param(b'[1,-2.5e+3,"x",true,false,null]', ["1", "-2.5e+3", '"x"', "true", "false", "null"], id="plain values"),
    pytest.param(b'1 "a""b"true{}\n', ["1", '"a"', '"b"', "true", "{}"], id="plain values in a row"),
    pytest.param(rb'{"a":"\"}{\\","\\":"\\\\\""}', [r'{"a":"\"}{\\","\\":"\\\\\""}'], id="escapes"),
    pytest.param(rb'"\\" "\"" "\u005c"  ', [r'"\\"', r'"\""', r'"\u005c"'], id="escapes in plain strings"),
    pytest.param('{"é€😀":"\u2028\x85"}'.encode(), ['{"é€😀":"\u2028\x85"}'], id="utf-8"),
    pytest.param(b'{"a":"\xff\xe2\x82"}{}', ['{"a":"��"}', "{}"], id="broken utf-8"),
    pytest.param(b'{"a":{"b":[{"c":[[[[{}]]]]}]}}{}', ['{"a":{"b":[{"c":[[[[{}]]]]}]}}', "{}"], id="deep"),
    pytest.param(b" \n[ ]\n", [], id="empty array"),
    pytest.param(b"", [], id="nothing"),
]


@pytest.mark.parametrize(("stream", "expected"), CASES)
def test_a_stream_comes_out_as_its_values_however_it_is_cut(stream: bytes, expected: list[str]) -> None:
    assert decode(stream) == expected
    assert decode(*(stream[i : i + 1] for i in range(len(stream)))) == expected
    assert decode(stream, b'\n{"last":1}') == [*expected, '{"last":1}']
    for cut in range(len(stream)):
        assert decode(stream[:cut], b"", stream[cut:]) == expected


@pytest.mark.parametrize(("stream", "expected"), CASES)
def test_nothing_of_a_whole_stream_is_lost(stream: bytes, expected: list[str]) -> None:
    decoder = JsonStreamDecoder()
    decoder.feed(stream)
    assert (decoder.held(), decoder.finish(), decoder.lost) == (0, False, 0)


def test_a_value_is_emitted_as_an_event_with_its_last_byte() -> None:
    decoder = JsonStreamDecoder()
    assert decoder.feed(b'[{"a":{}') == []
    assert decoder.held() == 7
    assert decoder.feed(b"}") == [SseEvent("message", '{"a":{}}')]


@pytest.mark.parametrize(
    ("stream", "lost"), [(b'[{"a":1', 6), (b'{"a":"}', 7), (b'[{"a":1},', 0), (b'"x\\', 3), (b"12", 2), (b"[", 0)]
)
def test_finish_reports_that_the_stream_ended_too_early(stream: bytes, lost: int) -> None:
    decoder = JsonStreamDecoder()
    decoder.feed(stream)
    assert decoder.held() == lost
    assert decoder.finish()
    assert (decoder.held(), decoder.lost) == (0, lost)


@pytest.mark.parametrize(
    ("stream", "expected", "lost"),
    [
        (b'hello {"a":1}\n{"b":2}', ['{"b":2}'], 14),
        (b'data: {"a":1}\n\ndata: {"b":2}\n\n', [], 30),
        (b'{"a":1}}\n{"b":2}\n', ['{"a":1}', '{"b":2}'], 2),
        (b'[{"a":1},\nnope,\n{"b":2}]', ['{"a":1}', '{"b":2}'], 6),
        (b'01\n[{"b":2}]', ['{"b":2}'], 3),
        (b"<html>\n  {}\n</html>\n", [], 20),
        (b"nul\ntrue\n", [], 9),
        (b":", [], 1),
    ],
)
def test_bytes_that_are_not_json_are_skipped_up_to_a_line_that_begins_with_a_bracket(
    stream: bytes, expected: list[str], lost: int
) -> None:
    for size in (1, 3, len(stream)):
        decoder = JsonStreamDecoder()
        parts = [stream[i : i + size] for i in range(0, len(stream), size)]
        assert [event.data for part in parts for event in decoder.feed(part)] == expected
        assert (decoder.lost, decoder.held()) == (lost, 0)


def test_after_a_gap_only_whole_elements_are_taken() -> None:
    for cut in range(1, len(GOOGLE)):
        decoder = JsonStreamDecoder()
        decoder.feed(GOOGLE[:1])
        decoder.finish()
        after = [event.data for event in decoder.feed(GOOGLE[cut:])]
        assert after == (['{\n  "a": "]}"\n}'] if cut < GOOGLE.index(b"\n{") + 1 else [])


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_value_that_is_too_long_is_dropped_and_counted_and_the_next_one_is_not(size: int) -> None:
    decoder = JsonStreamDecoder(longest=20)
    exactly = '{"a":"0123456789ab"}'
    too_long = [b'{"a":"0123456789abc"}', b'{"a":[{},{},"}",{},{},{}]}', b'"0123456789012345678\\""', b"[" * 30 + b"]" * 30]
    stream = b"[" + b",".join([exactly.encode(), *too_long, b'{"b":2}']) + b"]"
    events = [event.data for i in range(0, len(stream), size) for event in decoder.feed(stream[i : i + size])]
    assert events == [exactly, '{"b":2}']
    assert decoder.lost == sum(map(len, too_long))
    assert (decoder.held(), decoder.finish()) == (0, False)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_endless_value_is_not_kept(size: int) -> None:
    decoder = JsonStreamDecoder(longest=20)
    for piece in [b'{"a":"' + b"x" * size] * 5:
        decoder.feed(piece)
        assert decoder.held() <= 20
    assert decoder.lost + decoder.held() == 5 * (size + 6)
    assert decoder.finish()


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_number_that_is_too_long_is_dropped(size: int) -> None:
    decoder = JsonStreamDecoder(longest=20)
    stream = b"1" * 20 + b" " + b"2" * 21 + b" 3\n{}"
    assert [e.data for i in range(0, len(stream), size) for e in decoder.feed(stream[i : i + size])] == ["1" * 20, "{}"]
    assert decoder.lost == 24


def test_a_snapshot_goes_on_where_the_stream_was() -> None:
    stream = b'\xef\xbb\xbf[{"a":"\\"\xc3\xa9"},12,"x\\\\"]nope\n{"b":2}'
    for cut in range(len(stream)):
        first, second = JsonStreamDecoder(), JsonStreamDecoder()
        before = first.feed(stream[:cut])
        second.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(first.snapshot())))
        both = before + second.feed(stream[cut:])
        assert [event.data for event in both] == ['{"a":"\\"é"}', "12", '"x\\\\"', '{"b":2}']
        assert second.lost == 5
