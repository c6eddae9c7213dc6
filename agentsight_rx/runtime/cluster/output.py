"""
The graph of a segment between two states, and its events and rows <-> the bytes of its output, numbered, with the losses.

The frame is the frame of a segment; its records are H (header), B (items), L (losses), R (a recording ended here), F (footer).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from ...core.engine import Engine, EngineState
from ...core.errors import SpoolError
from ...core.machine import Node
from ...core.stream import origin
from ...events import Event, time_of
from ...events.loss import Entry
from ...graphs import TraceOptions, recorded
from ...store.rows.tables import StageCount
from ...store.spool import SegmentBroken
from ...store.spool.records import compressor, decompressed, record, records
from ...view import AnyRow, Output, Row

_FORMAT = 1
_BLOCK = 512
_LARGEST = 8 << 30


class OutputHeader(Struct, frozen=True, kw_only=True):
    """`first` is the number of its first item: the id of an item is (key, number)."""

    format: int = _FORMAT
    key: str
    sequence: int
    before: int
    first: int


class _Footer(Struct, frozen=True):
    items: int


class _Block(Struct, frozen=True, array_like=True):
    """Consecutive items; `is_row` has a byte for each: which list it is in."""

    is_row: bytes
    events: list[Event]
    rows: list[Row]


class Losses(Struct, frozen=True):
    """The losses of the recording, and the counts that its stages took in and handed on, since its last Losses."""

    entries: tuple[Entry, ...]
    stages: tuple[StageCount, ...] = ()


class Ended(Struct, frozen=True):
    """What follows is of another recording."""


Piece: TypeAlias = list[Output] | Losses | Ended

_block = msgspec.msgpack.Decoder(_Block)
_losses = msgspec.msgpack.Decoder(Losses)
_header = msgspec.msgpack.Decoder(OutputHeader)
_footer = msgspec.msgpack.Decoder(_Footer)


class OutputWriter:
    def __init__(self, header: OutputHeader) -> None:
        self._records = [record(b"H", header)]
        self._waiting: list[Output] = []
        self._count = 0

    def add(self, items: Sequence[Output], /) -> None:
        self._waiting += items
        self._count += len(items)
        at = 0
        while len(self._waiting) - at >= _BLOCK:
            self._put(self._waiting[at : at + _BLOCK])
            at += _BLOCK
        del self._waiting[:at]

    def losses(self, losses: Losses) -> None:
        self._flush()
        self._records.append(record(b"L", losses))

    def ended(self) -> None:
        self._flush()
        self._records.append(record(b"R", Ended()))

    @property
    def count(self) -> int:
        return self._count

    def content(self) -> bytes:
        """All of it, before it is compressed."""
        self._flush()
        return b"".join((*self._records, record(b"F", _Footer(self._count))))

    def _flush(self) -> None:
        if self._waiting:
            self._put(self._waiting)
            self._waiting = []

    def _put(self, items: Sequence[Output]) -> None:
        rows = [item for item in items if isinstance(item, AnyRow)]
        events = [item for item in items if not isinstance(item, AnyRow)] if len(rows) < len(items) else []
        is_row = bytes(isinstance(item, AnyRow) for item in items)
        self._records.append(record(b"B", _Block(is_row, events, rows)))


def pack_output(content: bytes) -> bytes:
    return compressor().compress(content)


def read_output(packed: bytes, name: str) -> tuple[OutputHeader, Iterator[Piece]]:
    """Its header, and its pieces in order. Raises SpoolError where the bytes are not a whole output."""
    try:
        found = list(records(decompressed(packed, _LARGEST)))
        if len(found) < 2 or found[0][0] != b"H" or found[-1][0] != b"F":
            raise SegmentBroken("its begin or its end is missing")
        _footer.decode(found[-1][1])
        return _header.decode(found[0][1]), _pieces(found[1:-1])
    except (SegmentBroken, msgspec.MsgspecError) as error:
        raise SpoolError(f"the output {name} cannot be read: {error}. Remove its .done file, and run again") from error


def _pieces(found: Sequence[tuple[bytes, memoryview]]) -> Iterator[Piece]:
    for kind, body in found:
        if kind == b"B":
            block = _block.decode(body)
            events, rows = iter(block.events), iter(block.rows)
            yield [next(rows) if is_row else next(events) for is_row in block.is_row]
        elif kind == b"L":
            yield _losses.decode(body)
        elif kind == b"R":
            yield Ended()


# -- analysis ------------------------------------------------------------------------------------------------------
# Batches of events -> events and rows, by the graph of `replay` on this thread; its state between two batches.


class Analysis:
    """
    One recording, or a stretch of it. Time is the time of its own events, whatever other hosts do. `emit` gets what the graph
    emits.
    """

    singles = 0

    def __init__(
        self, options: TraceOptions, emit: Callable[[Sequence[Output]], None], state: EngineState | None = None
    ) -> None:
        self._emit = emit
        self._engine = Engine(strict=False)
        graph = recorded(origin("replay", _Nothing, time_of=time_of), options)
        if not _is_ours(graph.node()):
            raise SpoolError("the graph has operators of RxPY itself, whose state cannot be kept between segments")
        with self._engine:
            graph.attach(self._engine, self)
        (self._hub,) = self._engine.hubs
        if state is not None:
            self._engine.restore(state)

    def push(self, batch: Sequence[Event], /) -> None:
        self._engine.push(self._hub, batch)

    def end(self) -> None:
        """The input has ended: open items come out as partial."""
        self._engine.end(self._hub)
        self._engine.linger()

    def snapshot(self) -> EngineState:
        return self._engine.snapshot()

    def losses(self) -> Losses:
        """The losses that were counted here; in a stretch that continues from a state, only its own."""
        ledger = self._engine.ledger
        return Losses(tuple(ledger.entries()), tuple(StageCount(meter.stage, meter.seen, meter.passed) for meter in ledger))

    # -- the end of the graph ------------------------------------------------------------------------------------------

    def on_batch(self, batch: Sequence[Any], /) -> None:
        self._emit(batch)

    def on_completed(self) -> None:
        pass

    def on_error(self, error: Exception, /) -> None:
        raise error


class _Nothing:
    """A source that is never read: its events are pushed."""

    def open(self) -> None:
        pass

    def poll(self, timeout: float, /) -> Sequence[Event] | None:
        return None

    def lost(self) -> Sequence[Event]:
        return ()

    def close(self) -> Sequence[Event]:
        return ()


def _is_ours(node: Node) -> bool:
    return node.ours and all(map(_is_ours, node.inputs))
