"""Events <-> the bytes of a pipe: records as in a segment of a spool, which may be cut anywhere; the last one says the end."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ...events import Event
from ...spool.records import record

__all__ = ["END", "Frames", "frame"]

_HEAD = 5  # bytes: a letter, and the length of the rest
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
        at = 0
        while len(self._rest) - at >= _HEAD:
            end = at + _HEAD + int.from_bytes(self._rest[at + 1 : at + _HEAD], "big")
            if end > len(self._rest):
                break
            if self._rest.startswith(_END, at):
                self.ended = True
            else:
                events += _decode(self._rest[at + _HEAD : end])
            at = end
        del self._rest[:at]
        return events
