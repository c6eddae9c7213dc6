"""
Header, blocks of events, footer <-> the bytes of one segment: a zstd frame with a checksum.

Inside the frame stand records: a letter (H header, E events, F footer), the length of the rest (4 bytes, big-endian), msgpack.
The header is the first record and the footer the last, so a segment that was cut is known by what it lacks.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec
import zstandard
from msgspec import Struct
from msgspec.structs import replace

from ...core.errors import SpoolError
from ...events import Event
from .records import LARGEST, SegmentBroken, compressor, record, records, unpacked_records, unpacker

T = TypeVar("T")

FORMAT = 1  # of the frame and its records
SCHEMA = 1  # of the events: counts up where an older release would read an event wrongly
BLOCK = 512  # events in one record
_HEADERS = 4096  # bytes that a header surely fits in
_HEADER, _EVENTS, _FOOTER = b"H", b"E", b"F"


class Header(Struct, frozen=True, kw_only=True):
    """
    Who wrote a segment. `run` is one for each recording, and `first` the sequence of its first segment. `wall_offset_ns` is
    Unix time minus the kernel's time when the segment began.
    """

    format: int = FORMAT
    schema: int = SCHEMA
    host: str
    part: int = 0
    parts: int = 1
    sequence: int
    first: int
    run: str
    product: str
    python: str
    redacted: bool = True
    wall_offset_ns: int = 0


class Footer(Struct, frozen=True, kw_only=True):
    """
    The content of a segment; `events` includes the Ticks. `ended`: the recording ended behind it. `cut`: its recorder was
    killed, and the next one closed it.
    """

    events: int
    first_ns: int = 0
    last_ns: int = 0
    ended: bool = False
    cut: bool = False


class _Format(Struct):
    format: int
    schema: int = 0
    product: str = "an unknown version"


_header = msgspec.msgpack.Decoder(Header)
_footer = msgspec.msgpack.Decoder(Footer)
_format = msgspec.msgpack.Decoder(_Format)
_events: msgspec.msgpack.Decoder[list[Event]] = msgspec.msgpack.Decoder(list[Event])


class Segment:
    """A segment that was read and found whole. It keeps the bytes as they are, and unpacks a block of events at a time."""

    def __init__(self, header: Header, content: bytes, footer: Footer) -> None:
        self.header = header
        self.footer = footer
        self._content = content

    def batches(self) -> Iterator[list[Event]]:
        """Its events in order. An event without a wall-clock time gets the one of the header."""
        for kind, body in unpacked_records(self._content):
            if kind == _EVENTS:
                yield [_timed(event, self.header.wall_offset_ns) for event in _events.decode(body)]


def key_of(host: str, part: int, parts: int) -> str:
    """The name of a host's folder: each part has one of its own. It is the key of all that is made of it."""
    return host if parts == 1 else f"{host}+{part}of{parts}"


def header_record(header: Header) -> bytes:
    return record(_HEADER, header)


def events_record(events: Sequence[Event]) -> bytes:
    return record(_EVENTS, events)


def footer_record(footer: Footer) -> bytes:
    return record(_FOOTER, footer)


def encode_segment(header: Header, events: Sequence[Event], *, ended: bool = False, block: int = BLOCK) -> bytes:
    """A whole segment, for what has all events at once. The header is a zstd block of its own, to be read alone."""
    blocks = [events_record(events[at : at + block]) for at in range(0, len(events), block)]
    frame = compressor().compressobj()
    begin = frame.compress(header_record(header)) + frame.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    rest = frame.compress(b"".join((*blocks, footer_record(footer_of(events, len(events), ended=ended)))))
    return begin + rest + frame.flush()


def footer_of(events: Sequence[Event], count: int, *, ended: bool) -> Footer:
    first, last = (events[0], events[-1]) if events else (None, None)
    return Footer(
        events=count,
        first_ns=first.origin.time_ns if first is not None else 0,
        last_ns=last.origin.time_ns if last is not None else 0,
        ended=ended,
    )


def read_segment(content: bytes, /, key: str = "", sequence: int | None = None) -> Segment:
    """
    The segment of these bytes, every event checked, of this folder and number where they are given. Raises SegmentBroken where
    they are cut, wrong or of another segment, SpoolError where a newer release wrote them.
    """
    found = unpacked_records(content)
    kind, body = next(found, (b"", b""))
    if kind != _HEADER:
        raise SegmentBroken("it does not begin with a header")
    header = _read_header(body)
    _check_place(header, key, sequence)
    footer: Footer | None = None
    count = 0
    for kind, body in found:
        if kind not in (_EVENTS, _FOOTER) or footer is not None:
            raise SegmentBroken(f"a record of the kind {kind!r} stands among its events")
        if kind == _FOOTER:
            footer = _decoded(_footer, body, "footer")
        else:
            count += len(_decoded(_events, body, "events"))
    if footer is None:
        raise SegmentBroken("it is cut: the record at its end is missing")
    if count != footer.events:
        raise SegmentBroken(f"it has {count} events, and {footer.events} were written")
    return Segment(header, content, footer)


def _check_place(header: Header, key: str, sequence: int | None) -> None:
    own = key_of(header.host, header.part, header.parts)
    if key and own != key:
        raise SegmentBroken(f"its header says that it is of {own}, and it is in the folder of {key}")
    if sequence is not None and header.sequence != sequence:
        raise SegmentBroken(f"its header says that it is number {header.sequence}")


def read_header(content: bytes, /) -> Header:
    """The header alone, of the first bytes of a segment. Raises as `read_segment`."""
    try:
        begin = unpacker().stream_reader(io.BytesIO(content)).read(_HEADERS)
    except zstandard.ZstdError as error:
        raise SegmentBroken(f"it is no zstd frame ({error})") from error
    for kind, body in records(begin, whole=False):
        if kind == _HEADER:
            return _read_header(body)
        break
    raise SegmentBroken("it does not begin with a header")


def salvaged(content: bytes, /) -> tuple[Header, list[list[Event]]]:
    """The whole records of a segment that was never closed. Raises SegmentBroken where there is not even a header."""
    reader = unpacker().stream_reader(io.BytesIO(content))
    found = bytearray()
    try:
        while len(found) < LARGEST and (piece := reader.read(1 << 20)):
            found += piece
    except zstandard.ZstdError:
        pass  # what came before is usable
    header: Header | None = None
    batches: list[list[Event]] = []
    for kind, body in records(bytes(found), whole=False):
        if header is None:
            if kind != _HEADER:
                break
            header = _read_header(body)
        elif kind == _EVENTS:
            batches.append(_decoded(_events, body, "events"))
    if header is None:
        raise SegmentBroken("it has no header")
    return header, batches


def _read_header(body: bytes | memoryview) -> Header:
    found = _decoded(_format, body, "header")
    if found.format > FORMAT or found.schema > SCHEMA:
        raise SpoolError(
            f"a segment was written by agentsight-rx {found.product} in a newer format ({found.format}.{found.schema}, and "
            f"{FORMAT}.{SCHEMA} is known here): use that release to read it"
        )
    return _decoded(_header, body, "header")


def _decoded(decoder: msgspec.msgpack.Decoder[T], body: bytes | memoryview, name: str) -> T:
    try:
        return decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise SegmentBroken(f"its {name} cannot be read ({error})") from error


def _timed(event: Event, offset_ns: int) -> Event:
    """With a wall-clock time in any case: without one, an analysis would take its own clock."""
    origin = event.origin
    if origin.wall_ns:
        return event
    return replace(event, origin=replace(origin, wall_ns=origin.time_ns + offset_ns or 1))
