from __future__ import annotations

import gzip
import random
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any, cast

import brotli  # type: ignore[import-untyped]  # it has no types
import msgspec
import pytest
import zstandard

from agentsight_rx.wire.coding import ContentDecoder, codings_of

MIB = 1 << 20
KEPT = 256 << 10  # bytes in a snapshot
TEXT = b'data: {"delta":{"text":"Hello"}}\n\n' * 3
UNTYPED = cast("Any", brotli)
NOISE = random.Random(1).randbytes(3 * MIB)


def raw_deflate(data: bytes) -> bytes:
    return zlib.compress(data, wbits=-15)


def br(data: bytes) -> bytes:
    return cast("bytes", UNTYPED.compress(data, quality=5))


def flushed(codings: str, *pieces: bytes) -> list[bytes]:
    """The pieces, each one encoded and flushed, and the end of the body."""
    out = [*pieces, b""]
    for name in codings.split(", "):
        if name == "gzip":
            zipper = zlib.compressobj(wbits=31)
            out = [zipper.compress(piece) + zipper.flush(zlib.Z_SYNC_FLUSH) for piece in out]
            out[-1] += zipper.flush()
        elif name == "br":
            encoder = UNTYPED.Compressor(quality=5)
            out = [encoder.process(piece) + encoder.flush() for piece in out]
            out[-1] += encoder.finish()
        else:
            framer = zstandard.ZstdCompressor(write_checksum=True).compressobj()
            out = [framer.compress(piece) + framer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) for piece in out]
            out[-1] += framer.flush()
    return out


def zstd(data: bytes, **options: Any) -> bytes:
    return zstandard.ZstdCompressor(**options).compress(data)


def window_of(log: int) -> bytes:
    """A zstd frame that says it needs a window of 2 ** log bytes."""
    parameters = zstandard.ZstdCompressionParameters(window_log=log)
    encoder = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return encoder.compress(TEXT) + encoder.flush()


def skippable(data: bytes, number: int = 0) -> bytes:
    return bytes([0x50 + number]) + b"\x2a\x4d\x18" + len(data).to_bytes(4, "little") + data


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": br,
    "brotli": br,
    "zstd": zstd,
    "zstandard": zstd,
}


def outcome(codings: str, *pieces: bytes, **options: int) -> tuple[bytes, str | None, int]:
    """What comes out, why it ended early, and how many coded bytes were not decoded."""
    decoder = ContentDecoder(codings, **options)
    assert decoder.known
    body = b"".join(map(decoder.feed, pieces))
    decoder.finish()
    return body, decoder.reason, decoder.lost


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def every_cut(data: bytes) -> list[list[bytes]]:
    return [[data], bytewise(data), *([data[:cut], data[cut:]] for cut in range(1, len(data)))]


def restored(decoder: ContentDecoder) -> ContentDecoder:
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(decoder.snapshot()))
    other = ContentDecoder(decoder.codings)
    other.restore(state)
    return other


# -- decoding -------------------------------------------------------------------------------------------------------------

ZSTD_BIG = zstd(NOISE[:1000], write_checksum=True)
CASES = [
    *(pytest.param(name, encode(TEXT), TEXT, id=name) for name, encode in ENCODERS.items()),
    pytest.param("deflate", raw_deflate(TEXT), TEXT, id="deflate without its frame"),
    pytest.param("deflate", b"\x03\x00", b"", id="the shortest deflate"),
    pytest.param("gzip", gzip.compress(TEXT) + gzip.compress(b"") + gzip.compress(b"end"), TEXT + b"end", id="gzip members"),
    pytest.param("gzip", gzip.compress(b"a") + b"\0" * 3 + gzip.compress(b"b"), b"ab", id="zeros between gzip members"),
    pytest.param("zstd", zstd(TEXT) + zstd(b"") + zstd(b"end"), TEXT + b"end", id="zstd frames"),
    pytest.param("zstd", skippable(b"?" * 40) + zstd(b"a") + skippable(b"", 15) + zstd(b"b"), b"ab", id="frames to be skipped"),
    pytest.param("zstd", skippable(b"only that"), b"", id="nothing but a frame to be skipped"),
    pytest.param("zstd", zstd(TEXT, write_content_size=False), TEXT, id="zstd without the size"),
    pytest.param("zstd", ZSTD_BIG, NOISE[:1000], id="zstd with a stored block and a checksum"),
    pytest.param("zstd", zstd(b"a" * 3000), b"a" * 3000, id="zstd with a repeated byte"),
    pytest.param("gzip, br", br(gzip.compress(TEXT)), TEXT, id="gzip, then br"),
    pytest.param("BR,GZIP", gzip.compress(br(TEXT)), TEXT, id="br, then gzip"),
    pytest.param("zstd, identity , gzip,", gzip.compress(zstd(TEXT)), TEXT, id="empty items"),
    pytest.param(", ".join(["gzip"] * 5), gzip.compress(gzip.compress(gzip.compress(gzip.compress(gzip.compress(TEXT))))), TEXT,
                 id="five"),
]  # fmt: skip


@pytest.mark.parametrize(("codings", "coded", "body"), CASES)
def test_a_body_comes_out_however_it_is_cut(codings: str, coded: bytes, body: bytes) -> None:
    for pieces in every_cut(coded):
        assert outcome(codings, *pieces) == (body, None, 0)


@pytest.mark.parametrize(("codings", "coded", "body"), CASES)
def test_after_the_end_zeros_are_padding_and_other_bytes_are_corrupt(codings: str, coded: bytes, body: bytes) -> None:
    for pieces in every_cut(coded + bytes(5)):
        assert outcome(codings, *pieces) == (body, None, 0)
    for pieces in every_cut(coded + b"\0\0no"):
        assert outcome(codings, *pieces) == (body, "coding_malformed", 2)


@pytest.mark.parametrize("codings", ENCODERS)
def test_a_coding_that_ends_early_is_truncated_and_gives_a_prefix(codings: str) -> None:
    coded = ENCODERS[codings](TEXT)
    for size in range(1, len(coded)):
        body, reason, lost = outcome(codings, coded[:size])
        assert (reason, lost) == ("coding_truncated", 0)
        assert TEXT.startswith(body)
    for size in range(1, len(gzip.compress(coded)) - 1):
        assert outcome(f"{codings}, gzip", gzip.compress(coded)[:size])[1] == "coding_truncated"
    outer = gzip.compress(coded[:-1])
    assert outcome(f"{codings}, gzip", outer)[1] == "coding_truncated", "the outer coding is whole, the inner one is not"


def test_an_empty_body_is_complete() -> None:
    assert outcome("gzip") == outcome("br", b"", b"") == (b"", None, 0)


@pytest.mark.parametrize("codings", ["", "identity", "identity, identity"])
def test_identity_changes_nothing(codings: str) -> None:
    assert outcome(codings, b"as ", b"is") == (b"as is", None, 0)


@pytest.mark.parametrize("codings", ["gzip", "br", "zstd", "gzip, br"])
def test_flushed_bytes_come_out_at_once(codings: str) -> None:
    events = [b"data: %d\n\n" % number for number in range(200)]
    decoder = ContentDecoder(codings)
    assert [decoder.feed(piece) for piece in flushed(codings, *events)] == [*events, b""]
    decoder.finish()
    assert decoder.reason is None


@pytest.mark.parametrize("codings", ENCODERS)
@pytest.mark.parametrize("size", [1023, 1024, 1025, 65_535, 65_536, 65_537, 131_072, 300_000])
def test_bodies_around_the_sizes_of_buffers_come_out(codings: str, size: int) -> None:
    for body in (bytes(size), b"abcdefg" * (size // 7), NOISE[:size]):
        coded = ENCODERS[codings](body)
        assert outcome(codings, coded) == (body, None, 0)
        assert outcome(codings, coded[:30], coded[30:33], coded[33:]) == (body, None, 0)


def test_output_that_waits_for_room_comes_out_without_more_input() -> None:
    for size in range(65_500, 67_500, 41):
        body = bytes(size)  # a byte of it stands for up to a thousand of these
        assert outcome("deflate", raw_deflate(body)) == (body, None, 0)


@pytest.mark.parametrize("codings", ["gzip", "br", "zstd"])
def test_a_few_coded_bytes_give_all_of_their_output_at_once(codings: str) -> None:
    """Brotli's library returns 32 KiB, says that it accepts more input, and loses the rest of the output if it gets any."""
    said = [b"abcdefg" * (size // 7) for size in (40_000, 131_755, 36_061, 300_000)]
    pieces = flushed(codings, *said)
    decoder = ContentDecoder(codings)
    assert [decoder.feed(piece) for piece in pieces] == [*said, b""]
    decoder.finish()
    assert decoder.reason is None
    coded = b"".join(pieces)
    for cut in range(1, len(coded), 7):
        assert outcome(codings, coded[:cut], coded[cut:]) == (b"".join(said), None, 0)


# -- errors ----------------------------------------------------------------------------------------------------------------


def test_an_invalid_head_gives_no_bytes() -> None:
    for codings in ("gzip", "br", "zstd", "deflate"):
        body, reason, lost = outcome(codings, b"<html>this was never encoded</html>")
        assert (body, reason) == (b"", "coding_malformed")
        assert 0 < lost <= 35
    assert outcome("gzip", b"\0" + gzip.compress(TEXT))[:2] == (b"", "coding_malformed"), (
        "padding is allowed only after the end"
    )


BROKEN = [
    pytest.param("gzip", flushed("gzip", TEXT)[0], b"\x07and more", 9, id="gzip: a kind of block that is none"),
    pytest.param("gzip", gzip.compress(TEXT)[:-8], b"\0\0\0\0and more", 9, id="gzip: the checksum"),
    pytest.param("gzip", gzip.compress(TEXT)[:-4], b"\0\0\0\0", 1, id="gzip: the size"),
    pytest.param("deflate", zlib.compress(TEXT)[:-1], b"\0", 1, id="zlib: the checksum"),
    pytest.param("br", flushed("br", TEXT)[0], b"\xff\xff\xff\xff", 4, id="br: bits that mean nothing"),
    pytest.param("zstd", flushed("zstd", TEXT)[0], b"\x07\0\0more", 5, id="zstd: a kind of block that is none"),
    pytest.param("zstd", flushed("zstd", TEXT)[0], b"\x02\0\x20more", 5, id="zstd: a block that is too large"),
    pytest.param("zstd", zstd(TEXT, write_checksum=True)[:-4], b"\0\0\0\0", 1, id="zstd: the checksum"),
    pytest.param("gzip, br", flushed("br", gzip.compress(TEXT)[:-4])[0], flushed("br", b"\0\0\0\0")[0], None, id="inside"),
    pytest.param("br, gzip", flushed("gzip", br(TEXT))[0], b"\x07and more", 9, id="outside"),
]


@pytest.mark.parametrize(("codings", "good", "bad", "lost"), BROKEN)
def test_everything_before_the_corrupt_byte_is_returned(codings: str, good: bytes, bad: bytes, lost: int | None) -> None:
    whole = outcome(codings, good + bad)
    assert whole[:2] == (TEXT, "coding_malformed")
    assert whole[2] == lost or lost is None
    for pieces in every_cut(good + bad):
        assert outcome(codings, *pieces) == whole


def test_after_an_error_everything_is_lost() -> None:
    decoder = ContentDecoder("gzip")
    assert decoder.feed(gzip.compress(TEXT) + b"garbage") == TEXT
    assert (decoder.reason, decoder.lost) == ("coding_malformed", 7)
    assert decoder.feed(gzip.compress(TEXT)) == b""
    decoder.finish()
    assert (decoder.reason, decoder.lost) == ("coding_malformed", 7 + len(gzip.compress(TEXT)))


def test_after_a_gap_everything_is_lost() -> None:
    first, *rest = flushed("gzip", TEXT, TEXT)
    decoder = ContentDecoder("gzip")
    assert decoder.feed(first) == TEXT
    decoder.gap()
    assert [decoder.feed(piece) for piece in rest] == [b"", b""]
    decoder.finish()
    assert (decoder.reason, decoder.lost) == ("lost", len(rest[0] + rest[1]))


def test_identity_goes_on_after_a_gap() -> None:
    decoder = ContentDecoder("identity")
    decoder.gap()
    assert decoder.feed(TEXT) == TEXT
    assert (decoder.reason, decoder.lost) == (None, 0)


def test_a_zstd_window_over_8_mib_is_refused() -> None:
    assert outcome("zstd", window_of(23)) == (TEXT, None, 0)
    assert outcome("zstd", window_of(24))[:2] == (b"", "coding_malformed")


def test_zstd_with_a_dictionary_is_refused() -> None:
    dictionary = zstandard.train_dictionary(1000, [TEXT[at:] for at in range(90)])
    coded = zstd(TEXT, dict_data=dictionary)
    assert outcome("zstd", coded)[:2] == (b"", "coding_malformed")


def test_zlib_with_a_dictionary_is_refused() -> None:
    compressor = zlib.compressobj(zdict=TEXT)
    assert outcome("deflate", compressor.compress(TEXT) + compressor.flush())[:2] == (b"", "coding_malformed")


@pytest.mark.parametrize("codings", ["compress", "gzip, aes128gcm", "dcb", "*", ", ".join(["gzip"] * 6)])
def test_an_unknown_coding_is_not_decoded(codings: str) -> None:
    assert not ContentDecoder(codings).known


def test_a_long_stream_in_pieces_loses_at_most_1_kib_before_the_corrupt_byte() -> None:
    for codings in ("gzip", "br", "zstd"):
        good, bad = flushed(codings, NOISE)[0], b"\xff\xff\xff\xff\xff"
        body, reason, lost = outcome(codings, *(good[at : at + 5000] for at in range(0, len(good), 5000)), bad)
        assert (body, reason) == (NOISE, "coding_malformed")
        assert lost <= len(bad)
        body, reason, lost = outcome(codings, good[: 2 * MIB], good[2 * MIB :] + bad)
        assert reason == "coding_malformed"
        assert NOISE.startswith(body)
        assert len(body) > len(NOISE) - 2000
        assert lost < 1024 + len(bad)


def test_in_one_piece_a_body_of_any_size_is_returned_up_to_the_corrupt_byte() -> None:
    for codings in ("gzip", "br", "zstd"):
        assert outcome(codings, flushed(codings, NOISE)[0] + b"\xff\xff\xff\xff\xff")[0] == NOISE


# -- bounds -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codings", ENCODERS)
def test_a_body_of_exactly_the_limit_is_complete(codings: str) -> None:
    for body in (NOISE[:5000], bytes(200_000)):
        coded = ENCODERS[codings](body)
        assert outcome(codings, coded, limit=len(body)) == (body, None, 0)
        made, reason, lost = outcome(codings, coded, limit=len(body) - 1)
        assert (made, reason) == (body[:-1], "coding_limit")
        assert 0 < lost <= len(coded)
        assert outcome(codings, *bytewise(coded), limit=len(body) - 1) == (made, reason, lost)


@pytest.mark.parametrize("codings", ENCODERS)
def test_the_ratio_does_not_limit_the_first_mib(codings: str) -> None:
    coded = ENCODERS[codings](bytes(MIB))
    assert outcome(codings, coded, ratio=1) == (bytes(MIB), None, 0)
    coded = ENCODERS[codings](bytes(MIB + 1))
    assert outcome(codings, coded, ratio=1)[:2] == (bytes(MIB), "coding_limit")


@pytest.mark.parametrize("codings", ENCODERS)
def test_after_the_first_mib_the_ratio_limits_the_output(codings: str) -> None:
    coded = ENCODERS[codings](NOISE[: 2 * MIB])
    assert outcome(codings, coded, ratio=2) == (NOISE[: 2 * MIB], None, 0)
    coded += ENCODERS[codings](bytes(8 * MIB)) if codings[0] in "gxz" else b""
    body, reason, _ = outcome(codings, coded, ratio=2)
    assert len(body) <= 2 * len(coded) + 2048
    assert (reason == "coding_limit") == (codings[0] in "gxz")


def test_the_limit_between_two_codings_is_lower() -> None:
    start, many = gzip.compress(NOISE[:4000]), gzip.compress(b"") * 100_000
    coded = br(start + many)
    assert len(start) < len(coded) < 8000
    assert outcome("gzip, br", coded)[:2] == (NOISE[:4000], "coding_limit")
    assert outcome("gzip", start + many) == (NOISE[:4000], None, 0)


def test_blocks_of_four_bytes_cannot_fill_the_memory() -> None:
    head = b"\x28\xb5\x2f\xfd\x00\x58"
    block = ((128 << 10 << 3) | 2).to_bytes(3, "little") + b"a"
    tracemalloc.start()
    try:
        body, reason, lost = outcome("zstd", head + block * 20_000, limit=4 * MIB, ratio=1_000_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (body, reason, lost) == (b"a" * 4 * MIB, "coding_limit", 4 * (20_000 - 32) - 3)
    assert peak < 16 * MIB


# -- snapshots ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("codings", "coded", "body"), CASES)
def test_it_goes_on_from_a_snapshot_anywhere(codings: str, coded: bytes, body: bytes) -> None:
    for rest, expected in ((b"", (None, 0)), (b"\0\0", (None, 0)), (b"\0no", ("coding_malformed", 2))):
        decoder, made = ContentDecoder(codings), b""
        for piece in bytewise(coded + rest):
            decoder = restored(decoder)
            made += decoder.feed(piece)
        decoder = restored(decoder)
        decoder.finish()
        assert (made, decoder.reason, decoder.lost) == (body, *expected)
        assert (restored(decoder).reason, restored(decoder).lost) == expected


def test_padding_in_one_piece_with_the_end_survives_a_snapshot() -> None:
    coded = br(TEXT) + bytes(20)
    decoder = ContentDecoder("br")
    assert decoder.feed(coded) == TEXT
    decoder = restored(decoder)
    assert decoder.feed(b"\0no") == b""
    assert (decoder.reason, decoder.lost) == ("coding_malformed", 2)


def test_a_snapshot_is_bounded_and_a_longer_stream_cannot_be_restored() -> None:
    coded = gzip.compress(NOISE)
    decoder = ContentDecoder("gzip")
    assert decoder.feed(coded[:KEPT])
    assert len(msgspec.msgpack.encode(decoder.snapshot())) < KEPT + 100
    assert restored(decoder).reason is None
    assert decoder.feed(coded[KEPT : KEPT + 100])
    assert len(msgspec.msgpack.encode(decoder.snapshot())) < 100
    other = restored(decoder)
    assert other.feed(b"more") == b""
    assert (other.reason, other.lost) == ("coding_unrestorable", 4)
    assert NOISE.endswith(decoder.feed(coded[KEPT + 100 :])), "the first one goes on"
    decoder.finish()
    assert decoder.reason is None


# -- headers ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], ""),
        (["gzip"], "gzip"),
        (["GZip "], "gzip"),
        (["identity"], ""),
        (["Identity, ", ""], ""),
        (["gzip, br"], "gzip, br"),
        (["gzip", "identity,ZSTD"], "gzip, zstd"),
        ([" x-gzip ,, foo"], "x-gzip, foo"),
    ],
)
def test_codings_of_reads_all_headers(values: list[str], expected: str) -> None:
    headers = (("server", "gzip"), *(("content-encoding", value) for value in values), ("transfer-encoding", "gzip"))
    assert codings_of(headers) == expected
