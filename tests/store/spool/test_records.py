"""Records in a frame: cut anywhere, too large, and frames that claim more than they have."""

from __future__ import annotations

import pytest
import zstandard

from agentsight_rx.store.spool import SegmentBroken
from agentsight_rx.store.spool.records import compressor, decompressed, record, records, unpacked_records

__all__ = ["bomb"]

CONTENT = b"".join((record(b"H", 1), record(b"E", [2, 3]), record(b"F", None)))


def bomb(begin: bytes, repeated: bytes = b"\0", mib: int = 1024, *, window: int = 0x58) -> bytes:
    """A zstd frame (RFC 8878, section 3.1.1) of `begin` and so much of one byte, in 4 bytes for each 128 KiB."""
    head = zstandard.MAGIC_NUMBER.to_bytes(4, "little") + bytes((0, window))
    first = (len(begin) << 3).to_bytes(3, "little") + begin
    runs = [((131_072 << 3) + 2 + (at == 8 * mib - 1)).to_bytes(3, "little") + repeated for at in range(8 * mib)]
    return head + first + b"".join(runs)


def test_more_than_a_segment_can_hold_is_not_unpacked() -> None:
    with pytest.raises(SegmentBroken, match="larger than"):
        decompressed(zstandard.compress(bytes(5 << 20)), 2 << 20)


def test_records_of_a_frame_are_those_of_its_bytes() -> None:
    frame = compressor().compress(CONTENT)
    assert [(kind, bytes(body)) for kind, body in records(CONTENT)] == list(unpacked_records(frame))
    for length in range(len(frame)):
        with pytest.raises(SegmentBroken):
            list(unpacked_records(frame[:length]))
    with pytest.raises(SegmentBroken, match="bytes stand behind its end"):
        list(unpacked_records(frame + b"x"))
    with pytest.raises(SegmentBroken, match="cut inside a record"):
        list(unpacked_records(compressor().compress(CONTENT[:-1])))


def test_a_record_that_is_too_large_is_refused_by_its_length() -> None:
    long = CONTENT + b"E" + (81 << 20).to_bytes(4, "big")
    with pytest.raises(SegmentBroken, match="81 MiB is larger than 80 MiB"):
        list(unpacked_records(compressor().compress(long)))


def test_a_bomb_that_this_makes_is_a_zstd_frame() -> None:
    found = zstandard.ZstdDecompressor().decompressobj().decompress(bomb(b"begin", b"x", 1))
    assert b"begin" + b"x" * (1 << 20) == found


def test_records_are_cut_alike_whole_and_byte_by_byte() -> None:
    content = b"".join((record(b"H", 1), record(b"E", [2, 3]), record(b"F", None)))
    for length in range(len(content)):
        found = [(kind, bytes(body)) for kind, body in records(content[:length], whole=False)]
        assert found == [(kind, bytes(body)) for kind, body in records(content)][: len(found)]
