"""The interface of a protocol on a connection, as parse_http uses it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from ...events import BodyPart, Direction, HttpEvent, Origin, TlsChunk, TlsEvent
from ...wire import Unparsed


class Side(Struct):
    """One direction of a connection: where the capture stands in its bytes."""

    direction: Direction
    offset: int = 0
    seq: int = 0
    first: Origin | None = None  # of the first byte that is held
    last: Origin | None = None
    marked: bool = False  # a filter marked every record of the bytes that are held
    unasked: int = 0  # responses to requests that were not seen


class Context(Struct, frozen=True):
    """What the protocols of one connection share."""

    body_limit: int
    new_exchange: Callable[[], int]
    sides: dict[Direction, Side]


class Session:
    """
    One protocol on one connection. It appends the events that it makes to `out`.

    Where another protocol takes over, that is the `successor`, and `handed` are the bytes that already belong to it.
    """

    name: str

    def __init__(self, context: Context) -> None:
        self.context = context
        self.successor: Session | None = None
        self.handed: list[TlsChunk] = []
        self.work = 0  # of frames and fields, since the caller last set it to 0: see flood.py
        self.unread = 0  # bytes of the last record that were not read, since what is in front of them is a flood

    def whole_parts(self, side: Side, chunks: Sequence[TlsEvent], start: int) -> tuple[int, BodyPart | None]:
        """
        A fast path: the part of a streamed body that the chunks from `start` on hold, as long as each holds exactly one and no
        byte is missing; and where that stopped. None where the first one does not.
        """
        return start, None

    def feed(self, side: Side, chunk: TlsChunk, out: list[HttpEvent]) -> None:
        """Take the bytes of one record."""
        raise NotImplementedError

    def gap(self, side: Side, size: int, reason: str, out: list[HttpEvent]) -> None:
        """`size` bytes are missing here."""
        raise NotImplementedError

    def finish(self, reason: str | None, out: list[HttpEvent]) -> None:
        """No more bytes come. `reason` says why; None: the connection was closed in order."""
        raise NotImplementedError

    def held(self) -> int:
        """Bytes taken in that no event stands for yet."""
        raise NotImplementedError

    def kept(self) -> int:
        """Bytes of memory that are held."""
        return self.held()

    def snapshot(self) -> bytes:
        """All that `restored` needs, as msgpack."""
        raise NotImplementedError

    def unparsed(self, item: Unparsed, source: TlsChunk | Origin, side: Side, out: list[HttpEvent]) -> None:
        """Bytes that this protocol cannot parse."""
        chunk = raw(item, source, side)
        if self.successor is None:
            out.append(chunk)
        else:
            self.handed.append(chunk)


def origin_of(source: TlsChunk | Origin) -> Origin:
    """When and where: of a record, or where none came, of the last one."""
    return source.origin if isinstance(source, TlsChunk) else source


def raw(item: Unparsed, source: TlsChunk | Origin, side: Side) -> TlsChunk:
    """Unparsed bytes, as the chunk they came in where that is possible."""
    if isinstance(source, Origin):
        return TlsChunk(side.first or source, item.data, side.offset + item.at, side.seq, marked=side.marked)
    if item.data is source.data:
        return source
    if item.at < 0:  # held from before
        first = side.first or source.origin
        return TlsChunk(first, item.data, source.offset + item.at, source.seq, marked=side.marked)
    return TlsChunk(
        source.origin,
        item.data,
        offset=source.offset + item.at,
        seq=source.seq,
        lost=0,
        latency_ns=source.latency_ns,
        marked=source.marked,
    )
