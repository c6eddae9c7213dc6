"""Events <-> the bytes of a pipe: records as in a segment of a spool, which may be cut anywhere; the last one says the end."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ....events import Event
from ....store.spool.records import record, whole_records

__all__ = ["END", "Frames", "frame"]

_ANY = 1 << 32  # bytes of a record: the recorder alone writes into the pipe
_EVENTS, _END = b"E", b"Z"
_decode = msgspec.msgpack.Decoder(list[Event]).decode


END = record(_END, ())  # all of it came: without it the pipe was cut


def frame(events: Sequence[Event]) -> bytes:
    """One record with all of these events."""
    return record(_EVENTS, events)


class Frames:
    """Takes bytes as they come, and gives the events of each record that is whole."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self.ended = False  # nothing is missing

    def feed(self, data: bytes) -> list[Event]:
        self._rest += data
        events: list[Event] = []
        for kind, body in whole_records(self._rest, most=_ANY):
            if kind == _END:
                self.ended = True
            else:
                events += _decode(body)
        return events
