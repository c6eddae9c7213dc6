"""Encoded bodies are decoded however they are cut, damaged ones are never complete, and output and memory are bounded."""

from __future__ import annotations

import random
import tracemalloc

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentsight_rx.wire.coding import ContentDecoder
from property_tests.coding_strategies import CHAINS, CHECKED, CODINGS, Coded, Coder, coded_bodies, damaged
from property_tests.strategies import pieces_of

EVERY = CODINGS + CHAINS
MIB = 1 << 20

checked = settings(max_examples=100, deadline=None)


def header(codings: str) -> str:
    return codings.replace("raw", "deflate")


class Outcome(msgspec.Struct):
    body: bytes
    reason: str | None
    lost: int


def decoded(codings: str, *pieces: bytes, limit: int = 64 * MIB) -> Outcome:
    decoder = ContentDecoder(header(codings), limit=limit)
    assert decoder.known
    body = b"".join(map(decoder.feed, pieces))
    decoder.finish()
    return Outcome(body, decoder.reason, decoder.lost)


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@checked
@given(coded_bodies(), st.data())
def test_what_was_encoded_comes_back_however_it_is_cut(made: Coded, data: st.DataObject) -> None:
    whole = Outcome(made.body, None, 0)
    assert whole == decoded(made.codings, made.coded)
    assert whole == decoded(made.codings, *data.draw(pieces_of(made.coded, most=20)))
    assert whole == decoded(made.codings, *bytewise(made.coded))


@checked
@given(st.sampled_from(EVERY), st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.data())
def test_flushed_bytes_come_out_at_once(codings: str, said: list[bytes], data: st.DataObject) -> None:
    coder, decoder = Coder(codings), ContentDecoder(header(codings))
    for words in said:
        pieces = data.draw(pieces_of(coder.flushed(words)))
        assert words == b"".join(map(decoder.feed, pieces))
    assert b"" == decoder.feed(coder.end())
    decoder.finish()
    assert decoder.reason is None


@pytest.mark.parametrize("codings", EVERY)
@given(body=st.binary(max_size=60), level=st.integers(1, 9))
@settings(max_examples=15, deadline=None)
def test_a_body_cut_off_at_any_byte_is_a_prefix_and_is_reported(codings: str, body: bytes, level: int) -> None:
    coder = Coder(codings, level)
    coded = coder.flushed(body) + coder.end()
    before = b""
    for size in range(1, len(coded)):
        outcome = decoded(codings, coded[:size])
        assert (outcome.reason, outcome.lost) == ("coding_truncated", 0)
        assert body.startswith(outcome.body)
        assert outcome.body.startswith(before)
        before = outcome.body
    assert before == body, "the last byte carries none of it"


@pytest.mark.parametrize("codings", CHECKED)
@given(made=st.data(), flip=st.integers(1, 255))
@settings(max_examples=100, deadline=None)
def test_with_a_checksum_a_changed_byte_is_never_complete(codings: str, made: st.DataObject, flip: int) -> None:
    one = made.draw(coded_bodies(st.just(codings)))
    place = made.draw(st.integers(0, len(one.coded) - 1))
    changed = bytearray(one.coded)
    changed[place] ^= flip
    outcome = decoded(codings, bytes(changed))
    assert outcome.reason is not None or outcome.body == one.body


@checked
@given(coded_bodies(), st.data(), st.sampled_from([64 * MIB, 64 * MIB, 100, 70_000]))
@example(Coded("br", b"", b"\x3b\0\0"), None, 100)
def test_the_output_of_a_damaged_body_does_not_depend_on_the_cut(made: Coded, data: st.DataObject | None, limit: int) -> None:
    coded = data.draw(damaged(made.coded)) if data else made.coded
    whole = decoded(made.codings, coded, limit=limit)
    assert whole == decoded(made.codings, *bytewise(coded), limit=limit)
    if data:
        assert whole == decoded(made.codings, *data.draw(pieces_of(coded, most=20)), limit=limit)
    assert len(whole.body) <= limit
    assert 0 <= whole.lost <= len(coded)
    if whole.reason is None:
        assert whole.lost == 0


@checked
@given(coded_bodies(), st.data())
def test_a_snapshot_anywhere_changes_nothing(made: Coded, data: st.DataObject) -> None:
    coded = data.draw(damaged(made.coded))
    straight, resumed = ContentDecoder(made.codings), ContentDecoder(made.codings)
    gap = data.draw(st.integers(0, 9))
    for number, piece in enumerate(data.draw(pieces_of(coded, most=8))):
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(resumed.snapshot()))
        resumed = ContentDecoder(made.codings)
        resumed.restore(state)
        if number == gap:
            straight.gap()
            resumed.gap()
        assert straight.feed(piece) == resumed.feed(piece)
    straight.finish()
    resumed.finish()
    assert (straight.reason, straight.lost) == (resumed.reason, resumed.lost)


@pytest.mark.parametrize("codings", EVERY)
@given(noise=st.binary(max_size=300), data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_bytes_are_decoded_without_an_error(codings: str, noise: bytes, data: st.DataObject) -> None:
    start = data.draw(st.sampled_from([b"", Coder(codings).flushed(b"so far so good")]))
    outcome = decoded(codings, *data.draw(pieces_of(start + noise)))
    assert outcome == decoded(codings, start + noise)
    if start:
        assert outcome.body.startswith(b"so far so good")


def peak_of(decoder: ContentDecoder, coded: bytes) -> tuple[int, int]:
    """The size of the output, and the peak of Python's own memory for it."""
    tracemalloc.start()
    try:
        made = len(decoder.feed(coded))
        return made, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("codings", ["gzip", "deflate", "raw", "br", "zstd", "br, gzip", "gzip, gzip", "zstd, zstd"])
def test_a_bomb_stops_at_its_limit(codings: str) -> None:
    bomb = Coder(codings).all(bytes(100 * MIB))
    by_limit = ContentDecoder(header(codings), limit=3 * MIB, ratio=10_000_000)
    made, peak = peak_of(by_limit, bomb)
    assert (made, by_limit.reason) == (3 * MIB, "coding_limit")
    assert peak < 3 * 3 * MIB
    by_ratio = ContentDecoder(header(codings), ratio=100)
    made, peak = peak_of(by_ratio, bomb)
    assert by_ratio.reason == "coding_limit"
    assert made <= max(MIB, 100 * (len(bomb) + 1024))
    assert made <= max(MIB, 100 * (len(bomb) - by_ratio.lost + 1024))
    assert peak < 3 * made + MIB


@given(st.integers(0, 3000), st.data())
@settings(max_examples=15, deadline=None)
def test_a_bomb_after_normal_data_stops_at_the_same_byte_however_it_is_cut(size: int, data: st.DataObject) -> None:
    codings = data.draw(st.sampled_from(["gzip", "br", "zstd", "br, gzip", "zstd, br"]))
    coder = Coder(codings)
    coded = coder.flushed(random.Random(size).randbytes(size)) + coder.write(bytes(3 * MIB)) + coder.end()

    def cut(*pieces: bytes) -> Outcome:
        decoder = ContentDecoder(codings, ratio=300)
        return Outcome(b"".join(map(decoder.feed, pieces)), decoder.reason, decoder.lost)

    whole = cut(coded)
    assert whole.reason == "coding_limit"
    assert whole == cut(*data.draw(pieces_of(coded, most=20)))
    assert whole == cut(*bytewise(coded))
