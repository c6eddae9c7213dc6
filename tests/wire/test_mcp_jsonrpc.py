from __future__ import annotations

import json

import msgspec
import pytest

from agentsight_rx.wire.lines import Line, LineDecoder
from agentsight_rx.wire.mcp import RpcText, decode_line

REQUEST = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add"}}'
RESULT = b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'
NOTIFICATION = b'{"method":"notifications/initialized","jsonrpc":"2.0"}'
ASKED = RpcText("request", '{"name":"add"}', "tools/call", "1")
ANSWERED = RpcText("result", '{"content":[]}', "", "1")
NOTIFIED = RpcText("notification", "", "notifications/initialized")


def decode(*parts: bytes | int, longest: int = 16 << 20) -> list[RpcText]:
    """The messages in pieces of a stream; a number is a gap of that size. All bytes are part of some line."""
    decoder = LineDecoder(longest)
    lines: list[Line] = []
    for part in parts:
        if isinstance(part, bytes):
            lines += decoder.feed(part)
        else:
            decoder.gap(part)
    held = decoder.held()
    rest = decoder.finish()
    assert sum(len(part) for part in parts if isinstance(part, bytes)) == sum(line.size for line in lines) + held
    assert held == sum(line.size for line in rest)
    assert decoder.held() == 0
    return [message for line in lines + rest for message in decode_line(line)]


def text(line: str, lost: int = 0, reason: str | None = None) -> RpcText:
    return RpcText("text", line, lost=lost, reason=reason)


CASES = [
    pytest.param(REQUEST + b"\n", [ASKED], id="request"),
    pytest.param(RESULT + b"\n" + NOTIFICATION + b"\n", [ANSWERED, NOTIFIED], id="two lines"),
    pytest.param(REQUEST + b"\r\n" + RESULT + b"\r\n", [ASKED, ANSWERED], id="crlf"),
    pytest.param(b" \t" + REQUEST + b" \n", [ASKED], id="blanks around it"),
    pytest.param(b"[" + REQUEST + b"," + NOTIFICATION + b"]\n", [ASKED, NOTIFIED], id="batch"),
    pytest.param(
        REQUEST.replace(b":1,", b':"1",') + b"\n", [RpcText("request", ASKED.body, ASKED.method, '"1"')], id="text id"
    ),
    pytest.param(
        RESULT.replace(b":1,", rb':"\u0031",') + b"\n", [RpcText("result", ANSWERED.body, "", '"1"')], id="escaped id"
    ),
    pytest.param(
        b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700}}\n', [RpcText("error", '{"code":-32700}', "", "null")], id="e"
    ),
    pytest.param(b'{"jsonrpc":"2.0","id":2,"result":null}\n', [RpcText("result", "null", "", "2")], id="null result"),
    pytest.param(
        '{"jsonrpc":"2.0","method":"x","params":["a\u2028b\x85c\\n"]}\n'.encode(),
        [RpcText("notification", '["a\u2028b\x85c\\n"]', "x")],
        id="other line ends are text",
    ),
    pytest.param(b"hello\r\n\n", [text("hello"), text("")], id="text and an empty line"),
    pytest.param(b'{"jsonrpc":"1.0","method":"x"}\n', [text('{"jsonrpc":"1.0","method":"x"}')], id="another version"),
    pytest.param(
        b'{"level":"info","method":"GET","id":5}\n', [text('{"level":"info","method":"GET","id":5}')], id="a log in JSON"
    ),
    pytest.param(b"[]\n[1]\n{\n", [text("[]"), text("[1]"), text("{")], id="JSON that is not a message"),
    pytest.param(b"[" + REQUEST + b",5]\n", [text(f"[{REQUEST.decode()},5]")], id="a batch with another value in it"),
    pytest.param(b'{"jsonrpc":"2.0","id":[1],"method":"x"}\n', [text('{"jsonrpc":"2.0","id":[1],"method":"x"}')], id="odd id"),
    pytest.param(
        b'{"jsonrpc":"2.0","id":1,"result":"\xff"}\n', [text(r'{"jsonrpc":"2.0","id":1,"result":"\xff"}')], id="not utf-8"
    ),
    pytest.param(b"a\xffb\n", [text(r"a\xffb")], id="bytes that are not text"),
    pytest.param(b"last", [text("last")], id="without a line end"),
    pytest.param(b"x" * 4099 + b"\r\n", [text("x" * 4096, 3, "text_limit")], id="a long line of text"),
    pytest.param(b"x" * 4096 + b"\r\n", [text("x" * 4096)], id="a line that just fits"),
    pytest.param(b"{" * 5000 + b"\n", [text("{" * 4096, 904, "text_limit")], id="long JSON that is not a message"),
]


@pytest.mark.parametrize(("stream", "expected"), CASES)
def test_a_stream_comes_out_as_its_messages_however_it_is_cut(stream: bytes, expected: list[RpcText]) -> None:
    assert expected == decode(stream)
    assert expected == decode(*(stream[at : at + 1] for at in range(len(stream))))
    assert [*expected, ASKED] == decode(stream, b"" if stream.endswith(b"\n") else b"\n", REQUEST + b"\n")
    for cut in range(0, len(stream), max(1, len(stream) // 200)):
        assert expected == decode(stream[:cut], stream[cut:])


def test_a_snapshot_in_the_middle_of_a_line_goes_on_there() -> None:
    for cut in range(len(REQUEST)):
        decoder = LineDecoder()
        decoder.feed(b"hello\n" + REQUEST[:cut])
        again = msgspec.msgpack.decode(msgspec.msgpack.encode(decoder), type=LineDecoder)
        (line,) = again.feed(REQUEST[cut:] + b"\r\n")
        assert [ASKED] == decode_line(line)


def test_a_line_over_the_limit_is_counted_and_the_next_one_is_read() -> None:
    long = json.dumps({"result": "y" * 9000, "jsonrpc": "2.0", "id": 1}).encode()
    cut = len(long) - 4096
    for size in (1 << 20, 5000, 999):
        parts = [(long + b"\n" + REQUEST + b"\n")[at : at + size] for at in range(0, len(long) + len(REQUEST) + 2, size)]
        first, *rest = decode(*parts, longest=8192)
        assert [ASKED] == rest
        if size < len(long):  # a line in one piece is not cut
            assert (first.kind, len(first.body), first.lost, first.reason) == ("text", 4096, cut, "line_limit")


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param([9, RESULT + b"\n"], [text("", 9, "lost"), ANSWERED], id="before a message"),
        pytest.param([RESULT, 9, b"\n"], [ANSWERED, text("", 9, "lost")], id="after a message"),
        pytest.param([RESULT, 9, REQUEST + b"\n"], [ANSWERED, text("", 9, "lost"), ASKED], id="between two"),
        pytest.param([RESULT, 9, b"7}\n"], [ANSWERED, text("7}", 9, "lost")], id="after one and into the next"),
        pytest.param([RESULT + b"\n", 9, b"}}\n"], [ANSWERED, text("", 11, "lost")], id="the beginning of one"),
        pytest.param([b"hel", 9, b"lo\n" + RESULT + b"\n"], [text("hel", 11, "lost"), ANSWERED], id="in a line of text"),
        pytest.param([RESULT[:20], 9, b"x", 5, b"yz\n"], [text(RESULT[:20].decode(), 17, "lost")], id="two gaps"),
        pytest.param([b"hel", 9], [text("hel", 9, "lost")], id="at the end"),
    ],
)
def test_a_gap_damages_only_the_message_it_is_in(parts: list[bytes | int], expected: list[RpcText]) -> None:
    assert expected == decode(*parts)


PYTHON = b'{"jsonrpc":"2.0","id":7,"result":{"content":[{"id":"no","text":"aaaa"}],"isError":%b}}\n'
NODE = b'{"result":{"content":[{"id":"no","text":"aaaa"}],"isError":%b},"jsonrpc":"2.0","id":7}\n'


@pytest.mark.parametrize("spelled", [PYTHON, NODE], ids=["id first", "id last"])
@pytest.mark.parametrize(("failed", "word"), [(True, b"true"), (False, b"false")])
def test_an_answer_with_a_gap_is_still_an_answer(spelled: bytes, failed: bool, word: bytes) -> None:
    line = spelled % word
    begin, end = line.index(b"aaaa") + 1, line.index(b"aaaa") + 3
    (message,) = decode(line[:begin], end - begin, line[end:])
    assert (message.kind, message.id, message.reason, message.failed) == ("result", "7", "lost", failed)
    assert message.body == line[:begin].decode()
    assert message.lost == len(line) - 1 - begin


def test_an_answer_that_ends_in_a_gap_leaves_the_next_message_whole() -> None:
    line = PYTHON % b"true"
    at = line.index(b"aaaa")
    message, following = decode(line[:at], len(line) - at, REQUEST + b"\n")
    assert (message.kind, message.id, message.lost, message.failed) == ("result", "7", len(line) - at, None)
    assert ASKED == following


def test_a_request_with_a_gap_keeps_its_method() -> None:
    line = b'{"method":"tools/call","params":{"name":"x","arguments":{"text":"aaaa"}},"jsonrpc":"2.0","id":"k"}\n'
    at = line.index(b"aaaa")
    (message,) = decode(line[:at], 4, line[at + 4 :])
    assert (message.kind, message.method, message.id, message.reason) == ("request", "tools/call", '"k"', "lost")


@pytest.mark.parametrize(
    "line",
    [
        b'{"jsonrpc":"2.0","id":7,"res|ult":{}}\n',
        b'{"jsonrpc":"2.0","id":7|,"result":{}}\n',
        b'{"jsonrpc":"2.0","params":{"id":3,"result":1}|}\n',
        b'{"jsonrpc":"2.0","id":"seven|","result":1}\n',
        b'{"a":"x|","result":1}\n',
        b'"jsonrpc":"2.0","id":7,"result":{|}}\n',
    ],
)
def test_an_answer_is_not_guessed_without_its_id_and_kind(line: bytes) -> None:
    begin, _, end = line.partition(b"|")
    assert ["text"] == [message.kind for message in decode(begin, 5, end[-2:])]
