"""Our envelopes of TlsChunk -> events, decoded in one go: they are nearly all lines of a recording of raw events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from ...core.bounded import Recent
from ...core.errors import CaptureError
from ...core.messages import say
from ...core.stream import Stream, origin
from ...events import Connection, Direction, Event, Origin, TlsChunk, time_of

if TYPE_CHECKING:
    from ...store.spool import Recorded

_FLOWS_MOST = 65_536


class _Chunk(Struct, gc=False, forbid_unknown_fields=True):
    """`data` of the envelope of a TlsChunk."""

    event_type: Literal["tls_chunk"]
    timestamp_ns: int
    time_unix_ns: int
    tid: int
    uid: int
    connection_id: str
    process_start_ns: int
    tls_library: str
    transport_handle: str
    direction: Direction
    function: str
    len: int
    latency_ms: float
    latency_ns: int
    is_handshake: bool
    truncated: bool
    data: str | None
    offset: int
    capture_seq: int
    data_hex: str | None = None
    bytes_lost: int = 0
    filtered: bool = False
    connection_pid: int | UnsetType = UNSET


class _Envelope(Struct, gc=False, forbid_unknown_fields=True):
    timestamp: int
    source: str
    pid: int
    comm: str
    data: _Chunk


class OwnLines:
    """Keeps what the records of one thread on one direction of a connection have in common."""

    def __init__(self) -> None:
        self._origins: Recent[tuple[object, ...], Origin] = Recent(_FLOWS_MOST)

    def usual(self, line: bytes) -> TlsChunk:
        """
        The event of the envelope of a TlsChunk, as `decode_envelope` makes it. Raises msgspec.MsgspecError or ValueError for
        any other line, and for fields that this release does not write.
        """
        envelope = _decode(line)
        chunk = envelope.data
        key = (
            envelope.pid, chunk.tid, chunk.uid, envelope.comm, chunk.transport_handle, chunk.direction, chunk.process_start_ns,
            chunk.tls_library, chunk.connection_pid,
        )  # fmt: skip
        origin = self._origins.get(key)
        if origin is None:
            origin = _origin(envelope)
            self._origins.put(key, origin)
        return TlsChunk(
            replace(origin, time_ns=chunk.timestamp_ns, wall_ns=chunk.time_unix_ns),
            bytes.fromhex(chunk.data_hex) if chunk.data_hex is not None else (chunk.data or "").encode(),
            chunk.offset,
            chunk.capture_seq,
            lost=chunk.bytes_lost,
            latency_ns=chunk.latency_ns,
            marked=chunk.filtered,
        )


def _origin(envelope: _Envelope) -> Origin:
    chunk = envelope.data
    pid = envelope.pid if chunk.connection_pid is UNSET else chunk.connection_pid
    connection = Connection(pid, chunk.process_start_ns, chunk.tls_library, int(chunk.transport_handle, 16))
    return Origin(
        chunk.timestamp_ns, envelope.pid, tid=chunk.tid, uid=chunk.uid, comm=envelope.comm, wall_ns=chunk.time_unix_ns,
        connection=connection, direction=chunk.direction,
    )  # fmt: skip


_decode = msgspec.json.Decoder(_Envelope).decode


# -- spooled -------------------------------------------------------------------------------------------------------
# One recording in a spool -> its events, with the losses between its segments.


def spooled(recorded: Recorded) -> Stream[Event]:
    """
    Every event of the recording in order, with its Ticks. A segment that is cut or wrong is skipped as a whole, counted and
    reported by its name.
    """
    return origin("replay", lambda: _SpoolReader(recorded), time_of=time_of, options=recorded.key)


class _SpoolReader:
    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded
        self._batches: Iterator[list[Event]] = iter(())

    def open(self) -> None:
        for path in self._recorded.paths:
            if not Path(path).is_file():
                raise CaptureError(f"{path} cannot be read: it is no file")
        self._batches = self._events()

    def poll(self, timeout: float, /) -> Sequence[Event] | None:
        return next(self._batches, None)

    def _events(self) -> Iterator[list[Event]]:
        from ...store.spool import SegmentBroken, Track, read_segment, sequence_of

        track = Track(sequence=self._recorded.before)
        for path in map(Path, self._recorded.paths):
            try:
                content = path.read_bytes()
            except OSError as error:
                raise CaptureError(f"{path} cannot be read: {error.strerror}") from error
            try:
                segment = read_segment(content, self._recorded.key, sequence_of(path.name))
            except SegmentBroken as error:
                say(f"{path} is skipped: {error}")
                yield [track.skipped(sequence_of(path.name) or 0, size=len(content), why=str(error))]
                continue
            if gap := track.gap(segment.header):
                yield list(gap)
            yield from segment.batches()
            if cut := track.passed(segment.header, segment.footer):
                yield list(cut)
        following = self._recorded.next
        if track.run and following is not None:
            yield [track.broke_off(following)]

    def lost(self) -> Sequence[Event]:
        return ()

    def close(self) -> Sequence[Event]:
        return ()
