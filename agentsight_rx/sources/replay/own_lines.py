"""Our envelopes of TlsChunk -> events, decoded in one go: they are nearly all lines of a recording of raw events."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from ...core.bounded import Recent
from ...events import Connection, Direction, Origin, TlsChunk

__all__ = ["OwnLines"]

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
