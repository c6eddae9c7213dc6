"""Tracks, slices, instants and counters -> packets of a Perfetto trace."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from ...core.bounded import Recent

# -- protobuf ------------------------------------------------------------------------------------------------------
# Fields -> bytes of a message in the wire format of Protocol Buffers (https://protobuf.dev/programming-guides/encoding).


class Fixed64(int):
    """A number that is written in 8 bytes."""


# (number of the field, its value); None: it is not set
Field: TypeAlias = tuple[int, "int | float | str | bytes | None"]

_VARINT, _EIGHT_BYTES, _LENGTH = 0, 1, 2
_MOST = (1 << 64) - 1


def message(*fields: Field) -> bytes:
    """The message. A nested message is bytes, a float a double, any other number a varint; a negative one takes ten bytes."""
    return b"".join(_encoded(fields))


def _encoded(fields: Iterable[Field]) -> Iterable[bytes]:
    for number, value in fields:
        match value:
            case None:
                continue
            case Fixed64():
                yield _varint(number << 3 | _EIGHT_BYTES) + struct.pack("<Q", value)
            case int():
                yield _varint(number << 3 | _VARINT) + _varint(value & _MOST)
            case float():
                yield _varint(number << 3 | _EIGHT_BYTES) + struct.pack("<d", value)
            case _:
                content = value.encode("utf-8", "backslashreplace") if isinstance(value, str) else value
                yield _varint(number << 3 | _LENGTH) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


# ------------------------------------------------------------------------------------------------------------------------


# Numbers of fields in trace_packet.proto, track_event.proto, track_descriptor.proto, debug_annotation.proto and others of
# https://github.com/google/perfetto/tree/main/protos/perfetto/trace; a test reads them back with the package of Perfetto
_PACKET = 1  # of Trace
_TIMESTAMP, _SEQUENCE, _EVENT, _TRACK = 8, 10, 11, 60  # of TracePacket
_UUID, _NAME, _PROCESS, _PARENT, _COUNTER = 1, 2, 3, 5, 8  # of TrackDescriptor
_PID, _COMMAND, _PROCESS_NAME = 1, 2, 6  # of ProcessDescriptor
_UNIT = 6  # of CounterDescriptor
_ABOUT, _TYPE, _EVENT_TRACK, _CATEGORY, _EVENT_NAME, _VALUE, _FLOWS, _LAST_FLOWS = 4, 9, 11, 22, 23, 44, 47, 48  # of TrackEvent
_BEGIN, _END, _INSTANT, _COUNT = 1, 2, 3, 4  # of TrackEvent.Type
_INT, _TEXT, _LABEL = 4, 6, 10  # of DebugAnnotation

_WRITER = 1  # all packets are of one sequence
_NAME_MOST = 200  # characters
_LANES_MOST = 64
_OWNERS_MOST = 16_384

About = Mapping[str, "str | int | bool | None"]


class Lanes:
    """Things of one owner in time -> a lane for each, so that two in a lane do not overlap; the last lane takes all others."""

    def __init__(self) -> None:
        self._ends: Recent[str, list[int]] = Recent(_OWNERS_MOST)

    def lane(self, owner: str, start: int, end: int) -> int:
        """The number of the lane, from 1."""
        ends: list[int] = self._ends.use(owner) or []
        self._ends.put(owner, ends)
        for place, last in enumerate(ends):
            if last <= start or place == _LANES_MOST - 1:
                ends[place] = max(end, last)
                return place + 1
        ends.append(end)
        return len(ends)


def process_track(own: int, pid: int, *, name: str, command: Sequence[str] = ()) -> bytes:
    """The track of a process, which others are parts of."""
    words = ((_COMMAND, word) for word in command)
    process = message((_PID, pid), *words, (_PROCESS_NAME, _short(name) or "unknown"))
    return _described((_UUID, own), (_PROCESS, process))


def track(own: int, name: str, owner: int) -> bytes:
    """A track inside of the track `owner`."""
    return _described((_UUID, own), (_NAME, name), (_PARENT, owner))


def counter_track(own: int, name: str, unit: str) -> bytes:
    return _described((_UUID, own), (_NAME, name), (_COUNTER, message((_UNIT, unit))))


def slice_of(
    own: int,
    start_ns: int,
    end_ns: int,
    *,
    name: str,
    category: str,
    about: About,
    flows_out: tuple[int, ...] = (),
    flows_in: tuple[int, ...] = (),
) -> Iterator[bytes]:
    """Something that lasted. An arrow leads from a slice with a flow in `flows_out` to a later one with it in `flows_in`."""
    flows = (*((_FLOWS, Fixed64(each)) for each in flows_out), *((_LAST_FLOWS, Fixed64(each)) for each in flows_in))
    fields = (*_named(name, category), *_annotations(about), *flows)
    yield _event(start_ns, _BEGIN, own, *fields)
    yield _event(end_ns, _END, own)


def instant(own: int, time_ns: int, *, name: str, category: str, about: About) -> bytes:
    """Something that happened at one time."""
    fields = (*_named(name, category), *_annotations(about))
    return _event(time_ns, _INSTANT, own, *fields)


def counter(own: int, time_ns: int, value: float) -> bytes:
    """A number at one time."""
    return _event(time_ns, _COUNT, own, (_VALUE, float(value)))


def _described(*fields: Field) -> bytes:
    return _packet((_TRACK, message(*fields)))


def _event(time_ns: int, kind: int, own: int, *fields: Field) -> bytes:
    return _packet((_TIMESTAMP, max(0, time_ns)), (_EVENT, message((_TYPE, kind), (_EVENT_TRACK, own), *fields)))


def _packet(*fields: Field) -> bytes:
    return message((_PACKET, message((_SEQUENCE, _WRITER), *fields)))


def _named(name: str, category: str) -> tuple[Field, ...]:
    return (_CATEGORY, category), (_EVENT_NAME, _short(name))


def _annotations(about: About) -> Iterator[Field]:
    for label, value in about.items():
        if value is None or value == "":
            continue
        written = (_INT, int(value)) if isinstance(value, int) else (_TEXT, value)
        yield _ABOUT, message((_LABEL, label), written)


def _short(text: str) -> str:
    """One line of limited length."""
    line = " ".join(text.split())
    return line if len(line) <= _NAME_MOST else line[: _NAME_MOST - 1] + "…"
