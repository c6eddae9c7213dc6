"""E7, E8: content codings, and many exchanges on one HTTP/1.1 connection."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterable
from typing import cast

import brotli  # type: ignore[import-untyped]  # it has no types
import pytest
import zstandard

from agentsight_rx.events import HttpRequest, HttpResponse, SseMessage, TlsChunk, TlsEvent
from tests.golden import ANSWER, ASKED, JSON, SIZES, SSE, Talk, answer, chunked, messages, only, request, said, traced
from tests.golden.streams import ANTHROPIC, ANTHROPIC_REPLY


def bodies(made: Iterable[object]) -> list[tuple[int, bytes, bool, str | None]]:
    return [(each.status, each.body, each.complete, each.reason) for each in only(HttpResponse, made)]


# -- E7: content codings -----------------------------------------------------------------------------------------------


def _raw_deflate(text: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(text) + packer.flush()


_brotli = cast("Callable[[bytes], bytes]", brotli.compress)  # pyright: ignore[reportUnknownMemberType]


def _zstd(text: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(text)


CODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "br": ("br", _brotli),
    "zstd": ("zstd", _zstd),
    "deflate_zlib": ("deflate", zlib.compress),
    "deflate_raw": ("deflate", _raw_deflate),
    "gzip_then_br": ("gzip, br", lambda text: _brotli(gzip.compress(text))),
    "zstd_then_gzip": ("zstd, gzip", lambda text: gzip.compress(_zstd(text))),
}
LONG = json.dumps({"content": [{"type": "text", "text": "模型 " * 3000}], "n": list(range(9000))}).encode()


def coded_call(name: str, body: bytes, *, record: int = 512) -> list[TlsEvent]:
    talk = Talk(record=record)
    talk.asks(request("/v1/messages", ASKED))
    talk.answers(answer(body, JSON, b"Content-Encoding: " + CODINGS[name][0].encode()))
    talk.asks(request("/v1/messages", ASKED))
    talk.answers(answer(ANSWER, JSON))
    return talk.records


@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize("record", [7, 16_384])
def test_e7_a_coded_body_is_emitted_decoded(name: str, record: int) -> None:
    coding, pack = CODINGS[name]
    made = traced(coded_call(name, pack(LONG), record=record))
    assert bodies(made) == [(200, LONG, True, None), (200, ANSWER, True, None)]
    first = only(HttpResponse, made)[0]
    assert (first.encoding, first.headers) == (coding, (("content-type", "application/json"),))


@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize("record", [1, 512])
def test_e7_a_coded_stream_gives_the_same_reply(name: str, record: int) -> None:
    coding, pack = CODINGS[name]
    packed = pack(b"".join(ANTHROPIC))
    pieces = [packed[at : at + 100] for at in range(0, len(packed), 100)]
    talk = Talk(record=record)
    talk.asks(request("/v1/messages", ASKED))
    talk.answers(chunked(pieces, SSE, b"Content-Encoding: " + coding.encode()))
    assert said(traced(talk.records)) == [(ANTHROPIC_REPLY, True)]


@pytest.mark.parametrize("name", CODINGS)
def test_e7_a_cut_coding_is_partial_and_keeps_what_was_decoded(name: str) -> None:
    packed = CODINGS[name][1](LONG)
    cut, after = only(HttpResponse, traced(coded_call(name, packed[: len(packed) * 2 // 3])))
    assert (cut.complete, cut.reason) == (False, "coding_truncated")
    assert LONG.startswith(cut.body)
    assert (after.body, after.complete) == (ANSWER, True)


def test_e7_the_body_before_the_cut_is_not_dropped() -> None:
    for name in ("gzip", "deflate_zlib", "deflate_raw", "br"):
        packed = CODINGS[name][1](LONG)
        cut = only(HttpResponse, traced(coded_call(name, packed[: len(packed) * 2 // 3])))[0]
        assert len(cut.body) > len(LONG) // 3, name


@pytest.mark.parametrize("name", ["gzip", "zstd", "deflate_zlib", "gzip_then_br", "zstd_then_gzip"])
@pytest.mark.parametrize("place", [0.01, 0.5, 0.999])
def test_e7_a_corrupt_coding_is_flagged(name: str, place: float) -> None:
    """Only codings with a checksum: with the others, a corrupt body may decode to another valid one."""
    packed = bytearray(CODINGS[name][1](LONG))
    packed[int(len(packed) * place)] ^= 0x55
    broken, after = only(HttpResponse, traced(coded_call(name, bytes(packed))))
    assert (broken.complete, broken.reason is None) == (False, False)
    assert (after.body, after.complete) == (ANSWER, True)


@pytest.mark.parametrize("name", ["gzip", "br", "zstd", "deflate_zlib", "deflate_raw", "gzip_then_br"])
def test_e7_a_bomb_is_cut_at_a_thousand_times_its_size(name: str) -> None:
    bomb = CODINGS[name][1](bytes(32 << 20))
    blown, after = only(HttpResponse, traced(coded_call(name, bomb, record=16_384)))
    assert len(blown.body) <= max(1 << 20, 1000 * len(bomb))
    assert (blown.complete, blown.reason) == (False, "coding_limit")
    assert blown.body_lost > 0
    assert (after.body, after.complete) == (ANSWER, True)


def test_e7_a_bomb_in_a_stream_is_cut_too() -> None:
    talk = Talk()
    talk.asks(request("/v1/messages", ASKED))
    bomb = _zstd(b"data: x\n\n" * (4 << 20))
    talk.answers(chunked([bomb], SSE, b"Content-Encoding: zstd"))
    (message,) = only(SseMessage, traced(talk.records))
    assert not message.complete
    assert 0 < sum(len(each.data) for each in message.events) <= 8 << 20


# -- E8: one connection, many exchanges --------------------------------------------------------------------------------


@pytest.mark.parametrize("record", SIZES)
def test_e8_a_kept_alive_connection_carries_all_kinds_of_exchanges(record: int) -> None:
    talk = Talk(record=record)
    for number in range(3):
        talk.asks(request(f"/v1/messages?{number}", ASKED))
        talk.answers(answer(b"%d" % number))
    talk.asks(request("/head", b"", method="HEAD"))
    talk.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
    talk.asks(request("/expect", ASKED, b"Expect: 100-continue"))
    talk.answers(b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"continued"))
    talk.asks(request("/empty", b"", method="DELETE"))
    talk.answers(b"HTTP/1.1 204 No Content\r\n\r\n")
    talk.asks(request("/same", b"", b'If-None-Match: "1"', method="GET"))
    talk.answers(b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nContent-Length: 700\r\n\r\n')
    talk.asks(request("/trailers", b"", method="GET"))
    talk.answers(chunked([b"ab", b"c" * 300], trailers=[b"Digest: sha-256=x", b"X-Took: 5"]))
    talk.asks(request("/closes", b"", method="GET"))
    talk.answers(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end, 0\r\n\r\nand on")
    talk.closes()
    made = traced(talk.records)
    targets = ["/v1/messages?0", "/v1/messages?1", "/v1/messages?2", "/head", "/expect", "/empty", "/same", "/trailers",
               "/closes"]  # fmt: skip
    assert [each.target for each in only(HttpRequest, made)] == targets
    assert [(each.status, each.target, each.body) for each in only(HttpResponse, made)] == [
        (200, "/v1/messages?0", b"0"),
        (200, "/v1/messages?1", b"1"),
        (200, "/v1/messages?2", b"2"),
        (200, "/head", b""),
        (100, "/expect", b""),
        (200, "/expect", b"continued"),
        (204, "/empty", b""),
        (304, "/same", b""),
        (200, "/trailers", b"ab" + b"c" * 300),
        (200, "/closes", b"to the end, 0\r\n\r\nand on"),
    ]
    assert all(each.complete for each in messages(made))
    exchanges = {each.target: each.exchange for each in only(HttpRequest, made)}
    assert all(exchanges[each.target or ""] == each.exchange for each in only(HttpResponse, made))
    assert only(HttpResponse, made)[8].trailers == (("digest", "sha-256=x"), ("x-took", "5"))
    assert only(TlsChunk, made) == []


def test_e8_pipelined_requests_are_answered_in_their_order() -> None:
    talk = Talk(record=7)
    talk.asks(b"".join(request(f"/{number}", b"", method="HEAD" if number == 1 else "GET") for number in range(4)))
    for number in (0, 1, 2, 3):
        if number == 1:
            talk.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        else:
            talk.answers(answer(b"%d" % number))
    made = traced(talk.records)
    assert [(each.target, each.body) for each in only(HttpResponse, made)] == [
        ("/0", b"0"), ("/1", b""), ("/2", b"2"), ("/3", b"3"),
    ]  # fmt: skip


def test_e8_a_body_whose_end_was_not_seen_is_incomplete() -> None:
    talk = Talk()
    talk.asks(request("/closes", b"", method="GET"))
    talk.answers(b"HTTP/1.1 200 OK\r\n\r\nto the e")
    assert bodies(traced(talk.records)) == [(200, b"to the e", False, "capture_end")]
