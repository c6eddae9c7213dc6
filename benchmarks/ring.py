"""Records of a BPF ring -> events: what decoding one costs, without a kernel that made it."""

from __future__ import annotations

import mmap
import os
from functools import partial
from struct import Struct as Layout
from typing import Any

from agentsight_rx.sources.kernel.ring import Decode
from agentsight_rx.sources.kernel.shared_ring import SharedRing
from agentsight_rx.sources.process import decode as decode_process
from agentsight_rx.sources.tls.libraries import Library, Probed
from agentsight_rx.sources.tls.records import Records
from agentsight_rx.sources.tls.stacks.finding import Finding
from benchmarks.timing import Case, Row, Work, measure

__all__ = ["rows"]

_RECORDS = 10_000
_BATCH = 256
_SOURCE = 1
_SMALL_DATA, _LARGE_DATA = 150, 4096
_PAGE = mmap.PAGESIZE

# struct chunk_t of bpf/tls.c; head_t, small_t and exec_t of bpf/track.h and bpf/process.c
_CHUNK = Layout("<QQB2xBIII16sQQQQQIIII")
_HEAD = Layout("<QQB2xBIII16s")
_SMALL = Layout("<IIQQQ")
_EXEC = Layout("<IIIIIIII")
_LENGTH = Layout("<II")  # Documentation/bpf/ringbuf.rst: in front of each record
_POSITION = Layout("<Q")


def rows(rounds: int, scale: float = 1.0, /) -> list[Row]:
    count = max(16, int(_RECORDS * scale))
    small, large = _chunk(_SMALL_DATA), _chunk(_LARGE_DATA)
    tls = _tls_decode()
    with _Memory(small, count) as memory:
        floor, large_floor = "unpack a TLS record of 150 bytes", "unpack a TLS record of 4 KiB"
        cases = [
            Case(floor, partial(_decoding, _unpack, small, count), count, _SMALL_DATA * count),
            Case("TLS record of 150 bytes", partial(_decoding, tls, small, count), count, _SMALL_DATA * count, floor),
            Case("the same out of a ring", partial(_reading, tls, memory, count), count, _SMALL_DATA * count, floor),
            Case(large_floor, partial(_decoding, _unpack, large, count), count, _LARGE_DATA * count),
            Case("TLS record of 4 KiB", partial(_decoding, tls, large, count), count, _LARGE_DATA * count, large_floor),
            Case("fork", partial(_decoding, decode_process, _small(1), count), count),
            Case("exec of 5 arguments", partial(_decoding, decode_process, _exec(), count), count),
            Case("exit", partial(_decoding, decode_process, _small(3), count), count),
        ]
        return measure("ring", cases, rounds)


def _chunk(size: int) -> bytes:
    return _CHUNK.pack(*_head_of(1), 0x7F00_0000, 0, 0, 5000, 0, size, 0, 0, 0) + b"x" * size


def _small(kind: int) -> bytes:
    return _HEAD.pack(*_head_of(kind)) + _SMALL.pack(3999, 0, 12_000_000, 5_000_000, 9_000_000)


def _exec() -> bytes:
    filename, argv, cwd = b"/usr/bin/git\0", b"git\0log\0--oneline\0-n\0" + b"20\0", b"project\0user\0home\0"
    sizes = _EXEC.pack(3999, 3999, len(argv), len(filename), len(argv), len(cwd), 0, 0)
    return _HEAD.pack(*_head_of(2)) + sizes + filename + argv + cwd


def _head_of(kind: int) -> tuple[int, int, int, int, int, int, int, bytes]:
    return 3_600_000_000_000, 360_000, kind, _SOURCE, 4000, 4000, 1000, b"claude".ljust(16, b"\0")


def _tls_decode() -> Decode[Any]:
    records = Records(handshakes=False)
    records.add(Probed(Library("/usr/lib/libssl.so.3", (0, 0, 0), ()), Finding("OpenSSL", "exported symbols")))
    return records.decode


def _unpack(view: memoryview, at: int, size: int) -> bytes:
    """The least that a record takes: its fields, and a copy of its data."""
    _CHUNK.unpack_from(view, at)
    return bytes(view[at + _CHUNK.size : at + size])


def _decoding(decode: Decode[Any], record: bytes, count: int) -> Work:
    view, size = memoryview(record), len(record)

    def work() -> None:
        for _ in range(count):
            decode(view, 0, size)

    return work


class _Memory:
    """A file in memory, laid out like a BPF ring that holds `count` records: consumer page, producer page, data."""

    def __init__(self, record: bytes, count: int) -> None:
        slot = _LENGTH.pack(len(record), 0) + record
        slot += bytes(-len(slot) % 8)
        self.size = max(_PAGE, 1 << (len(slot) * count).bit_length())
        self.fd = os.memfd_create("ring")
        os.truncate(self.fd, 2 * _PAGE + 2 * self.size)
        os.pwrite(self.fd, slot * count, 2 * _PAGE)
        self._end = len(slot) * count

    def holds(self, *, records: bool) -> None:
        """From its begin: all records, or none."""
        os.pwrite(self.fd, _POSITION.pack(0), 0)
        os.pwrite(self.fd, _POSITION.pack(self._end if records else 0), _PAGE)

    def __enter__(self) -> _Memory:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)


def _reading(decode: Decode[Any], memory: _Memory, count: int) -> Work:
    memory.holds(records=False)
    ring = SharedRing(os.dup(memory.fd), memory.size, os.dup(memory.fd))  # a new one: a ring knows how far it has read
    share = ring.share(_SOURCE, decode)
    memory.holds(records=True)

    def work() -> None:
        found = 0
        while batch := share.read(_BATCH):
            found += len(batch)
        share.close()
        ring.close()
        assert found == count

    return work
