from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, SupportsIndex

import msgspec
import pytest

from agentsight_rx.wire import Unparsed
from agentsight_rx.wire.http1 import Http1Decoder, Item
from agentsight_rx.wire.http1_framing import Body, End
from agentsight_rx.wire.http1_head import RequestHead, ResponseHead, field


class Message(NamedTuple):
    """One message as it came out of a decoder."""

    line: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    lost: int = 0
    reason: str | None = None
    ended: bool = True


class Peer:
    """A decoder and its items; checks that no byte is lost."""

    def __init__(self, *methods: str | None) -> None:
        self._methods = list(methods)
        self.decoder = Http1Decoder(self._method)
        self.items: list[Item] = []
        self._fed = 0

    def _method(self, status: int) -> str | None:
        if not self._methods:
            return "GET"
        return self._methods[0] if status < 200 and status != 101 else self._methods.pop(0)

    def feed(self, *records: bytes) -> Peer:
        for record in records:
            self._take(self.decoder.feed(record), record)
        return self

    def gap(self, size: int) -> Peer:
        return self._take(self.decoder.gap(size, "lost"))

    def finish(self, reason: str | None = None) -> Peer:
        self._take(self.decoder.finish(reason))
        assert self.decoder.held() == 0
        return self

    def resume(self) -> None:
        """Go on in a new decoder from a checkpoint."""
        state: Any = msgspec.msgpack.decode(msgspec.msgpack.encode(self.decoder.snapshot()))
        self.decoder = Http1Decoder(self._method)
        self.decoder.restore(state)

    def _take(self, items: Iterable[Item], record: bytes = b"") -> Peer:
        self.items += items
        self._fed += len(record)
        given = sum(len(item.data) if isinstance(item, Unparsed) else item.size for item in self.items)
        assert given + self.decoder.held() == self._fed
        for item in items:
            if isinstance(item, Unparsed) and item.at >= 0:
                assert record[item.at :].startswith(item.data)
        return self

    @property
    def messages(self) -> list[Message]:
        found: list[Message] = []
        for item in self.items:
            match item:
                case RequestHead():
                    found.append(Message(f"{item.method} {item.target} {item.version}", item.headers, ended=False))
                case ResponseHead():
                    found.append(Message(f"{item.version} {item.status} {item.phrase}", item.headers, ended=False))
                case Body():
                    before = found[-1]
                    found[-1] = before._replace(body=before.body + item.data, lost=before.lost + item.lost)
                case End():
                    assert not found[-1].ended
                    found[-1] = found[-1]._replace(reason=item.reason, ended=True)
                case Unparsed():
                    pass
        return found

    @property
    def unparsed(self) -> bytes:
        return b"".join(item.data for item in self.items if isinstance(item, Unparsed))


class Case(NamedTuple):
    stream: bytes
    expected: list[Message]
    methods: tuple[str | None, ...] = ()
    unparsed: bytes = b""
    goes_on: bool = True  # another message can follow


HOST = ("host", "a")
OK = "HTTP/1.1 200 OK"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
GOT = Message("GET / HTTP/1.1", (HOST,))
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
SAID_HELLO = Message(OK, (("content-length", "5"),), b"hello")
CHUNKED = (("transfer-encoding", "chunked"),)
CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LONG = b"x" * 3000


def request(text: str, *headers: tuple[str, str], body: bytes = b"", reason: str | None = None) -> Message:
    return Message(text, headers, body, reason=reason)


REQUESTS = {
    "no body": Case(GET, [GOT]),
    "content-length": Case(
        b"POST /v1/messages?beta=true HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n{}\r\n",
        [request("POST /v1/messages?beta=true HTTP/1.1", HOST, ("content-length", "4"), body=b"{}\r\n")],
    ),
    "content-length 0": Case(
        b"POST / HTTP/1.1\r\nContent-Length: 0\r\nHost: a\r\n\r\n",
        [request("POST / HTTP/1.1", ("content-length", "0"), HOST)],
    ),
    "chunked": Case(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
        [request("POST / HTTP/1.1", HOST, *CHUNKED, body=b"abc0123456789")],
    ),
    "pipelined": Case(GET + GET + GET, [GOT] * 3),
    "body that looks like a request": Case(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 27\r\n\r\n" + GET,
        [request("POST / HTTP/1.1", HOST, ("content-length", "27"), body=GET)],
    ),
    "unknown method": Case(
        b"!#$%&'*+.^_`|~-9aZ * HTTP/1.1\r\nHost: a\r\n\r\n", [request("!#$%&'*+.^_`|~-9aZ * HTTP/1.1", HOST)]
    ),
    "proppatch": Case(b"PROPPATCH /x HTTP/1.1\r\nHost: a\r\n\r\n", [request("PROPPATCH /x HTTP/1.1", HOST)]),
    "connect": Case(b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", [request("CONNECT a:443 HTTP/1.1", HOST)]),
    "absolute form": Case(b"GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n", [request("GET http://a/b HTTP/1.1", HOST)]),
    "no host": Case(b"GET / HTTP/1.1\r\n\r\n", [request("GET / HTTP/1.1")]),
    "two hosts": Case(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", [request("GET / HTTP/1.1", HOST, ("host", "b"))]),
    "http/1.0": Case(b"GET / HTTP/1.0\r\n\r\n", [request("GET / HTTP/1.0")]),
    "bare lf": Case(
        b"POST / HTTP/1.1\nHost: a\nContent-Length: 2\n\nhi",
        [request("POST / HTTP/1.1", HOST, ("content-length", "2"), body=b"hi")],
    ),
    "bare lf between chunks": Case(
        b"POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n2\nhi\n0\n\n",
        [request("POST / HTTP/1.1", HOST, *CHUNKED, body=b"hi")],
    ),
    "folded lines": Case(
        b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n  2\r\n\t3 \r\n\r\n", [request("GET / HTTP/1.1", HOST, ("x", "1 2 3"))]
    ),
    "folded lines, without host": Case(b"GET / HTTP/1.1\r\nX: 1\r\n  2\r\n\r\n", [request("GET / HTTP/1.1", ("x", "1 2"))]),
    "a folded first header": Case(b"GET / HTTP/1.1\r\n X: 1\r\n\r\n", [request("GET / HTTP/1.1", ("x", "1"))]),
    "space before a colon": Case(
        b"GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\nY:\r\n\r\n", [request("GET / HTTP/1.1", HOST, ("x", "1"), ("y", ""))]
    ),
    "header without a colon": Case(b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", [request("GET / HTTP/1.1", HOST, ("x", ""))]),
    "bytes that are not ascii": Case(
        b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\nX: \xa0\xff\x85\r\n\r\n", [request("GET /Ã© HTTP/1.1", HOST, ("x", "\xa0ÿ\x85"))]
    ),
    "coding and length": Case(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        [request("POST / HTTP/1.1", HOST, ("content-length", "100"), *CHUNKED)],
    ),
    "two codings in two headers": Case(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        [request("POST / HTTP/1.1", HOST, ("transfer-encoding", "gzip"), ("transfer-encoding", "Chunked"), body=b"x")],
    ),
    "the same length twice": Case(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2, 2\r\n\r\nhi",
        [request("POST / HTTP/1.1", HOST, ("content-length", "2"), ("content-length", "2, 2"), body=b"hi")],
    ),
    "empty lines between": Case(GET + b"\r\n\n" + GET, [GOT, GOT], unparsed=b"\r\n\n"),
    "long": Case(
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + LONG + b"\r\n\r\n", [request("GET / HTTP/1.1", HOST, ("x", LONG.decode()))]
    ),
}

RESPONSES = {
    "content-length": Case(HELLO, [SAID_HELLO]),
    "pipelined": Case(HELLO + HELLO, [SAID_HELLO] * 2),
    "chunk extensions and trailers": Case(
        CHUNKED_HEAD + b'4;a=b;c="d"\r\nwiki\r\n5 ; x\r\npedia\r\n000;last\r\nX-Sum: 1\r\nSet-Cookie: a=b\r\n\r\n',
        [Message(OK, CHUNKED, b"wikipedia")],
    ),
    "chunk sizes in either case with leading zeros": Case(
        CHUNKED_HEAD + b"0000a\r\n0123456789\r\nA\r\n0123456789\r\n00\r\n\r\n", [Message(OK, CHUNKED, b"0123456789" * 2)]
    ),
    "chunks that hold line ends": Case(CHUNKED_HEAD + b"5\r\n\r\n0\r\n\r\n0\r\n\r\n", [Message(OK, CHUNKED, b"\r\n0\r\n")]),
    "set-cookie twice": Case(
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX: y\r\nset-cookie: b=2\r\nContent-Length: 0\r\n\r\n",
        [Message(OK, (("set-cookie", "a=1"), ("x", "y"), ("set-cookie", "b=2"), ("content-length", "0")))],
    ),
    "head": Case(
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", [Message(OK, (("content-length", "5"),))], methods=("HEAD", "GET")
    ),
    "head, chunked": Case(CHUNKED_HEAD, [Message(OK, CHUNKED)], methods=("HEAD", "GET")),
    "head, no length": Case(b"HTTP/1.1 200 OK\r\n\r\n", [Message(OK)], methods=("HEAD", "GET")),
    "continue": Case(
        b"HTTP/1.1 100 Continue\r\n\r\n" + HELLO, [Message("HTTP/1.1 100 Continue"), SAID_HELLO], methods=("POST", "GET")
    ),
    "early hints before the answer to head": Case(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        [Message("HTTP/1.1 103 Early Hints", (("link", "</a>"),)), Message(OK, (("content-length", "5"),))],
        methods=("HEAD", "GET"),
    ),
    "204": Case(
        b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
        [Message("HTTP/1.1 204 No Content", (("content-length", "5"),))],
    ),
    "304": Case(
        b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", [Message("HTTP/1.1 304 Not Modified", CHUNKED)]
    ),
    "no phrase": Case(b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", [Message("HTTP/1.1 200 ", (("content-length", "0"),))]),
    "phrase in utf-8": Case(
        "HTTP/1.1 404 não encontrado 模\r\nContent-Length: 0\r\n\r\n".encode(),
        [Message("HTTP/1.1 404 não encontrado 模", (("content-length", "0"),))],
    ),
    "phrase in latin-1": Case(
        "HTTP/1.1 404 não encontrado\r\nContent-Length: 0\r\n\r\n".encode("latin-1"),
        [Message("HTTP/1.1 404 não encontrado", (("content-length", "0"),))],
    ),
    "phrase in utf-8 that h11 refuses": Case(
        "HTTP/1.1 200 é\x07\r\nContent-Length: 0\r\n\r\n".encode(),
        [Message("HTTP/1.1 200 é\x07", (("content-length", "0"),))],
    ),
    "empty phrase": Case(b"HTTP/1.0 200 \r\nContent-Length: 0\r\n\r\n", [Message("HTTP/1.0 200 ", (("content-length", "0"),))]),
    "status that no server should send": Case(b"HTTP/1.1 099 X\r\n\r\n", [Message("HTTP/1.1 99 X")], methods=("GET",)),
    "refused connect": Case(
        b"HTTP/1.1 407 Who\r\nContent-Length: 2\r\n\r\nno",
        [Message("HTTP/1.1 407 Who", (("content-length", "2"),), b"no")],
        methods=("CONNECT", "GET"),
    ),
    "connect": Case(b"HTTP/1.1 200 OK\r\n\r\n\x16\x03" + GET, [Message(OK)], ("CONNECT",), b"\x16\x03" + GET, goes_on=False),
    "upgrade": Case(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x02hi" + HELLO,
        [Message("HTTP/1.1 101 Switching Protocols", (("upgrade", "websocket"),))],
        unparsed=b"\x81\x02hi" + HELLO,
        goes_on=False,
    ),
    "until close": Case(b"HTTP/1.1 200 OK\r\n\r\nhello" + HELLO, [Message(OK, (), b"hello" + HELLO)], goes_on=False),
    "coding other than chunked, until close": Case(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\nhello",
        [Message(OK, (("transfer-encoding", "gzip"), ("content-length", "1")), b"hello")],
        goes_on=False,
    ),
}

CASES = [pytest.param(case, id=name) for table in (REQUESTS, RESPONSES) for name, case in table.items()]


def next_message(case: Case) -> tuple[bytes, list[Message]]:
    if not case.goes_on:
        return b"", []
    return (HELLO, [SAID_HELLO]) if case.stream.startswith(b"HTTP/") else (GET, [GOT])


def one_by_one(stream: bytes) -> Sequence[bytes]:
    return [stream[i : i + 1] for i in range(len(stream))]


@pytest.mark.parametrize("case", CASES)
def test_messages_come_out_of_one_record(case: Case) -> None:
    peer = Peer(*case.methods).feed(case.stream)
    assert peer.finish().messages == case.expected
    assert peer.unparsed == case.unparsed


@pytest.mark.parametrize("case", CASES)
def test_messages_come_out_byte_by_byte(case: Case) -> None:
    peer = Peer(*case.methods).feed(*one_by_one(case.stream)).finish()
    assert peer.messages == case.expected
    assert peer.unparsed == case.unparsed


@pytest.mark.parametrize("case", CASES)
def test_the_next_message_follows_in_the_same_record_or_in_another(case: Case) -> None:
    following, expected = next_message(case)
    for records in ([case.stream + following], [case.stream, following], one_by_one(case.stream + following)):
        peer = Peer(*case.methods).feed(*records).finish()
        assert peer.messages == case.expected + expected
        assert peer.unparsed == case.unparsed


@pytest.mark.parametrize("case", CASES)
def test_a_cut_and_a_checkpoint_anywhere_change_nothing(case: Case) -> None:
    following, expected = next_message(case)
    stream = case.stream + following
    for cut in range(0, len(stream), 1 + len(stream) // 400):
        peer = Peer(*case.methods).feed(stream[:cut])
        peer.resume()
        peer.feed(stream[cut:]).finish()
        assert peer.messages == case.expected + expected
        assert peer.unparsed == case.unparsed


def test_the_size_of_an_item_counts_its_bytes_on_the_wire() -> None:
    items = Peer().feed(CHUNKED_HEAD + b"3\r\nabc\r\n0\r\n\r\n").items
    assert [(type(item), item.size) for item in items if not isinstance(item, Unparsed)] == [
        (ResponseHead, len(CHUNKED_HEAD)),
        (Body, len(b"3\r\nabc\r\n")),
        (End, len(b"0\r\n\r\n")),
    ]


EVENTS = [b"data: %d %b\n\n" % (number, b"x" * (24 + 9 * number)) for number in range(6)]
EVENT_CHUNKS = [b"%x\r\n%b\r\n" % (len(event), event) for event in EVENTS]


@pytest.mark.parametrize(
    "before", [CHUNKED_HEAD, CHUNKED_HEAD + EVENT_CHUNKS[0], CHUNKED_HEAD + EVENT_CHUNKS[0] + EVENT_CHUNKS[1][:9]]
)
def test_a_record_of_one_chunk_is_read_the_fast_way_whatever_shares_a_record_with_the_head(before: bytes) -> None:
    peer = Peer().feed(before)
    peer.feed(b"".join([CHUNKED_HEAD, *EVENT_CHUNKS[:2]])[len(before) :])
    assert [peer.decoder.whole_chunk(chunk) for chunk in EVENT_CHUNKS[2:]] == EVENTS[2:]


def test_the_chunks_of_one_record_are_one_body() -> None:
    items = Peer().feed(CHUNKED_HEAD, b"".join(EVENT_CHUNKS)).items
    assert [item for item in items if isinstance(item, Body)] == [Body(b"".join(EVENTS), size=len(b"".join(EVENT_CHUNKS)))]


def test_chunks_are_the_same_body_whatever_their_cut() -> None:
    stream = CHUNKED_HEAD + b"".join(EVENT_CHUNKS) + b"0\r\n\r\n"
    for cut in range(len(stream) + 1):
        for other in {cut, min(cut + 1, len(stream)), min(cut + 40, len(stream)), len(stream)}:
            peer = Peer().feed(stream[:cut])
            peer.resume()
            peer.feed(stream[cut:other], stream[other:]).finish()
            assert [message.body for message in peer.messages] == [b"".join(EVENTS)]
            assert [message.reason for message in peer.messages] == [None]


@pytest.mark.parametrize("bad", [b"zz\r\n", b"-28\r\n", b"+28\r\n", b" \r\n", b"\r\n", b"2_8\r\n"])
def test_a_broken_size_behind_whole_chunks_ends_the_message_there(bad: bytes) -> None:
    peer = Peer().feed(CHUNKED_HEAD + b"".join(EVENT_CHUNKS[:3]) + bad + b"x" * 40 + b"\r\n").finish()
    assert [(message.body, message.reason) for message in peer.messages] == [(b"".join(EVENTS[:3]), "malformed")]


@pytest.mark.parametrize(
    ("stream", "body"),
    [(HELLO, True), (CHUNKED_HEAD, True), (b"HTTP/1.1 200 OK\r\n\r\n", True), (b"HTTP/1.1 204 N\r\n\r\n", False)],
)
def test_a_head_says_whether_a_body_follows(stream: bytes, body: bool) -> None:
    head = Peer().feed(stream).items[0]
    assert isinstance(head, ResponseHead)
    assert head.body is body


def test_headers_of_one_name_are_joined_by_commas() -> None:
    headers = (("a", "1"), ("b", "2"), ("a", "3"))
    assert (field(headers, "a"), field(headers, "c")) == ("1, 3", None)


# -- ends ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [None, "closed"])
def test_a_body_until_close_is_complete_only_if_the_close_was_seen(reason: str | None) -> None:
    peer = Peer().feed(b"HTTP/1.1 200 OK\r\n\r\nhel").finish(reason)
    assert peer.messages == [Message(OK, (), b"hel", reason=reason)]


@pytest.mark.parametrize(
    "stream", [HELLO[:-1], CHUNKED_HEAD, CHUNKED_HEAD + b"3\r\nab", CHUNKED_HEAD + b"0\r\n", CHUNKED_HEAD + b"0\r\nX"]
)
def test_a_message_that_ends_too_early_is_incomplete(stream: bytes) -> None:
    (message,) = Peer().feed(stream).finish().messages
    assert message.reason == "closed"
    (message,) = Peer().feed(stream).finish("capture_end").messages
    assert message.reason == "capture_end"


@pytest.mark.parametrize("part", [GET[:1], GET[:9], GET[:-1], b"\r", HELLO[:4], HELLO[:20]])
def test_a_head_that_never_ends_is_unparsed(part: bytes) -> None:
    peer = Peer().feed(part).finish()
    assert (peer.messages, peer.unparsed) == ([], part)


def test_after_its_end_a_decoder_begins_again() -> None:
    assert Peer().feed(HELLO[:-1]).finish().feed(HELLO).messages[1:] == [SAID_HELLO]


# -- bytes that are not HTTP, or malformed ------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [*range(1, 24)])
def test_the_preface_of_http_2_begins_a_tunnel(cut: int) -> None:
    stream = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04"
    peer = Peer().feed(stream[:cut], stream[cut:], GET).finish()
    assert (peer.messages, peer.unparsed) == ([], stream + GET)


@pytest.mark.parametrize(
    "junk",
    [
        b"\0",
        b"{}",
        b"hello\n",
        b"GET\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
    ],
)
def test_bytes_that_are_not_http_are_unparsed_and_the_next_record_may_begin_a_message(junk: bytes) -> None:
    for records in ([junk + GET], [junk], one_by_one(junk)):
        peer = Peer().feed(*records)
        assert peer.messages == []
        peer.feed(GET + GET).finish()
        assert peer.messages == [GOT, GOT]
        assert peer.unparsed == b"".join(records)


@pytest.mark.parametrize("size", [b"x", b"", b"-1", b"0x5", b"5 5", b"1" * 17, b"\xb2", b";a", b"3\0", b"a" * 4095])
def test_a_broken_chunk_size_ends_the_message_and_the_next_record_begins_another(size: bytes) -> None:
    stream = CHUNKED_HEAD + b"2\r\nhi\r\n" + size + b"\r\nabc\r\n0\r\n\r\n"
    for cut in range(len(CHUNKED_HEAD), len(stream), 1 + len(size) // 40):
        peer = Peer().feed(stream[:cut], stream[cut:], HELLO).finish()
        assert peer.messages == [Message(OK, CHUNKED, b"hi", reason="malformed"), SAID_HELLO]


@pytest.mark.parametrize("end", [b"x\r\n", b"xx", b"3\r\n", b" \n"])
def test_a_chunk_without_its_end_is_broken(end: bytes) -> None:
    for records in ([CHUNKED_HEAD + b"2\r\nhi" + end], [CHUNKED_HEAD, b"2\r\nhi", end]):
        peer = Peer().feed(*records).finish()
        assert peer.messages == [Message(OK, CHUNKED, b"hi", reason="malformed" if b"\n" in end else "closed")]
        assert peer.unparsed == end


@pytest.mark.parametrize("at", [0, 1, 2000, 4095, 4096, 4097, 4999])
def test_a_line_between_chunks_has_a_limit_however_it_is_cut(at: int) -> None:
    for size, reason in ((4096, None), (4097, "malformed"), (5000, "malformed")):
        line = b"3;" + b"x" * (size - 4) + b"\r\n"
        stream = line + b"abc\r\n0\r\n\r\n"
        (message,) = Peer().feed(CHUNKED_HEAD, stream[:at], stream[at:]).finish().messages
        assert (message.reason, message.body) == (reason, b"" if reason else b"abc")


@pytest.mark.parametrize("length", ["5, 6", "x", "-5", "+5", "5.0", "0x5", "", "²", "9" * 19, "5\r\nContent-Length: 6"])
def test_an_unreadable_length_makes_the_message_malformed(length: str) -> None:
    field_lines = f"Content-Length: {length}\r\n\r\n".encode("latin-1")
    for head in (b"POST / HTTP/1.1\r\nHost: a\r\n", b"HTTP/1.1 200 OK\r\n"):
        peer = Peer().feed(head + field_lines + b"hello", GET + HELLO).finish()
        assert [message.reason for message in peer.messages] == ["malformed", None, None]
        assert peer.unparsed == b"hello"


def test_a_request_in_a_coding_other_than_chunked_is_malformed() -> None:
    peer = Peer().feed(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n\x1f\x8b", GET)
    assert [message.reason for message in peer.messages] == ["malformed", None]


@pytest.mark.parametrize("piece", [1 << 14, 1 << 20])
def test_a_head_has_a_limit_however_it_is_cut(piece: int) -> None:
    line = b"GET / HTTP/1.1\r\nHost: a\r\nX: "
    most = 256 << 10
    for more, fits in ((0, True), (1, False), (100_000, False)):
        head = line + b"x" * (most - len(line) - 4 + more) + b"\r\n\r\n"
        peer = Peer().feed(*(head[at : at + piece] for at in range(0, len(head), piece)))
        assert len(peer.messages) == fits
        assert peer.feed(GET).finish().messages[fits:] == [GOT]


def test_a_line_without_an_end_is_not_held_without_limit() -> None:
    peer = Peer().feed(*[b"GET /" + b"x" * 9995] * 40)
    assert peer.decoder.held() <= 256 << 10


# -- beginning in the middle ---------------------------------------------------------------------------------------------------

TAILS = [
    b"hello",
    b"abc def",
    b"x y z ",
    b"GE",
    b"HTTP/1.1 2",
    b"HTTP/",
    b"}",
    b"data: x\n\n",
    b"\r\n0\r\n\r\n",
    b"0\r\n\r\n",
    b"\0\xff",
    b"\r",
]


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize(("stream", "expected"), [(GET + GET, [GOT] * 2), (HELLO + HELLO, [SAID_HELLO] * 2)])
def test_after_the_tail_of_a_body_the_next_record_begins_a_message(tail: bytes, stream: bytes, expected: list[Message]) -> None:
    peer = Peer().feed(tail, stream).finish()
    assert (peer.messages, peer.unparsed) == (expected, tail)


def test_a_method_may_be_cut_before_a_part_that_is_a_method_itself() -> None:
    stream = b"PROPPATCH /x HTTP/1.1\r\nHost: a\r\n\r\n"
    assert [message.line for message in Peer().feed(stream[:4], stream[4:]).messages] == ["PROPPATCH /x HTTP/1.1"]
    assert [message.line for message in Peer().feed(GET, b"X", GET).messages] == ["GET / HTTP/1.1", "XGET / HTTP/1.1"]


def test_a_response_to_an_unseen_request_has_no_body_if_another_response_follows_at_once() -> None:
    for head in (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n", CHUNKED_HEAD, b"HTTP/1.1 200 OK\r\n\r\n"):
        for records in ([head + HELLO], [head, HELLO]):
            peer = Peer(None, "GET").feed(*records).finish()
            assert peer.messages[0]._replace(headers=()) == Message(OK)
            assert peer.messages[1:] == [SAID_HELLO]


def test_a_response_to_an_unseen_request_has_a_body_otherwise() -> None:
    assert Peer(None, "GET").feed(HELLO, HELLO).messages == [SAID_HELLO] * 2


@pytest.mark.parametrize("held", [b"H", b"HTTP/1.1 2"])
def test_bytes_that_may_be_the_body_or_the_next_response_are_the_body_if_the_connection_closes_after_them(held: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(held)
    closed, cut, lost = (Peer(None, "GET").feed(head, held) for _ in range(3))
    (message,) = closed.finish().messages
    assert (message.body, message.reason) == (held, None)
    (message,) = cut.finish("capture_end").messages
    assert (message.body, message.reason, cut.unparsed) == (b"", "capture_end", held)
    message, following = lost.gap(9).feed(HELLO).messages
    assert (message.body, message.reason, following) == (b"", "lost", SAID_HELLO)
    assert Peer(None, "GET").feed(head, held, HELLO).messages[1:] == [SAID_HELLO]


# -- gaps ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seen", "size"), [(0, 1), (0, 4), (2, 2), (4, 1)])
def test_a_gap_inside_a_counted_body_is_flagged_and_the_framing_goes_on(seen: int, size: int) -> None:
    head, body = HELLO[:-5], HELLO[-5:]
    peer = Peer().feed(head + body[:seen]).gap(size).feed(body[seen + size :] + HELLO)
    left = body[:seen] + body[seen + size :]
    assert peer.messages == [Message(OK, SAID_HELLO.headers, left, size, "lost"), SAID_HELLO]
    assert peer.unparsed == b""


@pytest.mark.parametrize("seen", [0, 3])
def test_a_gap_up_to_the_end_of_a_counted_body_leaves_the_next_message_whole(seen: int) -> None:
    peer = Peer().feed(HELLO[:-5] + b"hello"[:seen]).gap(5 - seen).feed(HELLO[:3], HELLO[3:])
    assert peer.messages == [Message(OK, SAID_HELLO.headers, b"hello"[:seen], 5 - seen, "lost"), SAID_HELLO]


def test_a_gap_beyond_a_counted_body_ends_it_and_the_next_record_begins_a_message() -> None:
    peer = Peer().feed(HELLO[:-3]).gap(20).feed(b"llo", HELLO)
    assert peer.messages == [Message(OK, SAID_HELLO.headers, b"he", 3, "lost"), SAID_HELLO]
    assert peer.unparsed == b"llo"


def test_two_gaps_in_a_body_add_up() -> None:
    peer = Peer().feed(HELLO[:-5]).gap(1).gap(1).feed(b"l").gap(2)
    assert peer.messages == [Message(OK, SAID_HELLO.headers, b"l", 4, "lost")]


CHUNKS = CHUNKED_HEAD + b"5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n"
FIRST = len(CHUNKED_HEAD) + 3


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_gap_inside_a_chunk_is_flagged_and_the_framing_goes_on(size: int) -> None:
    peer = Peer().feed(CHUNKS[: FIRST + 2]).gap(size).feed(CHUNKS[FIRST + 2 + size :] + HELLO)
    assert peer.messages == [Message(OK, CHUNKED, b"he" + b"llo"[size:] + b"world", size, "lost"), SAID_HELLO]


@pytest.mark.parametrize("at", range(len(CHUNKED_HEAD), len(CHUNKS)))
@pytest.mark.parametrize("size", [1, 3, 6, 14])
def test_a_gap_anywhere_in_a_chunked_body_is_flagged_and_the_next_message_parses_again(at: int, size: int) -> None:
    peer = Peer().feed(CHUNKS[:at]).gap(size).feed(CHUNKS[at + size :], HELLO)
    first, *others = peer.messages
    assert first.reason == "lost"
    assert others == [SAID_HELLO]


def test_a_gap_in_a_head_loses_that_message_only() -> None:
    for cut in range(1, len(HELLO) - 5):
        peer = Peer().feed(HELLO[:cut]).gap(1).feed(HELLO[cut + 1 :], HELLO)
        assert peer.messages == [SAID_HELLO]
        assert peer.unparsed == HELLO[:cut] + HELLO[cut + 1 :]


def test_a_gap_between_messages_loses_nothing_that_was_seen() -> None:
    peer = Peer().feed(HELLO).gap(100).feed(HELLO + HELLO)
    assert peer.messages == [SAID_HELLO] * 3


def test_after_a_gap_only_the_beginning_of_a_record_begins_a_message() -> None:
    peer = Peer().feed(HELLO).gap(100).feed(b"lo" + HELLO, b"\r\n" + HELLO)
    assert peer.messages == [SAID_HELLO] * 2
    assert peer.unparsed == b"lo" + HELLO + b"\r\n"


def test_after_a_gap_a_message_may_be_cut_anywhere() -> None:
    for cut in range(1, len(HELLO)):
        assert Peer().feed(HELLO).gap(100).feed(HELLO[:cut], HELLO[cut:]).messages == [SAID_HELLO] * 2
    assert Peer().feed(HELLO).gap(100).feed(*one_by_one(HELLO)).messages == [SAID_HELLO] * 2


def test_a_gap_in_a_body_until_close_is_flagged_at_close() -> None:
    peer = Peer().feed(b"HTTP/1.1 200 OK\r\n\r\nhe").gap(2).feed(b"o").finish()
    assert peer.messages == [Message(OK, (), b"heo", 2, "lost")]


def test_a_gap_at_the_close_is_flagged() -> None:
    for stream in (HELLO[:-2], CHUNKS[:-2], CHUNKS[: FIRST + 2], b"HTTP/1.1 200 OK\r\n\r\nhe"):
        (message,) = Peer().feed(stream).gap(2).finish().messages
        assert message.reason == "lost"


def test_a_gap_in_a_tunnel_changes_nothing() -> None:
    peer = Peer("CONNECT").feed(b"HTTP/1.1 200 OK\r\n\r\n").gap(10).feed(HELLO)
    assert (peer.messages, peer.unparsed) == ([Message(OK)], HELLO)


def test_tunnel_makes_the_rest_unparsed_unless_a_message_is_open() -> None:
    peer = Peer().feed(GET, b"GET")
    assert peer.decoder.tunnel() == [Unparsed(-3, b"GET")]
    assert peer.decoder.feed(GET) == [Unparsed(0, GET)]
    peer = Peer().feed(HELLO[:-1])
    assert peer.decoder.tunnel() == []
    assert peer.feed(b"o", HELLO).messages == [SAID_HELLO] * 2


# -- cost -------------------------------------------------------------------------------------------------------------------


class Counted(bytes):
    """Bytes that count how many of them were copied."""

    copied = 0

    def __getitem__(self, key: SupportsIndex | slice) -> Any:
        found = super().__getitem__(key)
        if isinstance(found, bytes):
            self.copied += len(found)
        return found


@pytest.mark.parametrize("stream", [GET * 3000, HELLO * 3000, CHUNKED_HEAD + b"1\r\nx\r\n" * 9000, b"\r\n" * 9000, b"x" * 9000])
def test_each_byte_of_a_record_is_copied_at_most_twice(stream: bytes) -> None:
    record = Counted(GET + stream)
    Peer().feed(record).finish()
    assert record.copied <= 2 * len(record)


@pytest.mark.parametrize(
    "stream",
    [
        b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"\r" * 200_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: a" + b"\n b" * 60_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nX:" + b" " * 200_000 + b"a\r\n\r\n",
        b"GET / HTTP/1.1" + b"\r\ncontent-length: 5" * 10_000 + b"\r\n\r\nhello",
    ],
    ids=["target", "carriage returns", "folded lines", "spaces", "lengths"],
)
def test_heads_built_to_be_slow_are_not(stream: bytes) -> None:
    assert len(Peer().feed(stream).messages) == 1
    assert len(Peer().feed(*one_by_one(stream)).messages) == 1


TRAILERS = b"a: %b\r\n" % (b"x" * 20_000)


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r\r\n"])
@pytest.mark.parametrize("size", [1000, 16_384, 1 << 20])
def test_trailers_over_the_limit_are_left_out_up_to_the_empty_line(size: int, end: bytes) -> None:
    """From the first that does not fit, none is kept, however they are cut."""
    short = b"b: y\r\n" * 1000
    text = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + TRAILERS * 14 + short + end
    peer = Peer("GET", "GET").feed(*[text[at : at + size] for at in range(0, len(text), size)])
    peer.feed(b"HTTP/1.1 204 No Content\r\n\r\n").finish()
    first, second = [item for item in peer.items if isinstance(item, End)]
    assert (first.reason, first.trailers) == ("trailer_limit", (("a", "x" * 20_000),) * 13)
    assert second == End()
