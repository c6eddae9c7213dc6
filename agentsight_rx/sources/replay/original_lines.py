"""JSON objects that the original's probes print, with or without its envelope -> our events."""

from __future__ import annotations

import codecs
import shlex
from collections.abc import Callable
from typing import Any, Literal, cast

import msgspec
from msgspec import MsgspecError, Struct
from msgspec.structs import replace

from ...events import Connection, Direction, Event, Origin, ProcessExec, ProcessExit, TlsChunk, TlsClose, TlsHandshake

_OTHERS = "agentsight_rx.as_utf8"
_FLOWS_MOST = 65_536
_UNKNOWN = -1

_DIRECTIONS: dict[str, Direction] = {"READ/RECV": "in", "WRITE/SEND": "out", "READ": "in", "WRITE": "out"}


class _Record(Struct, gc=False, forbid_unknown_fields=True):
    """The usual line of a probe: bytes that were read or written, with the fields of any version."""

    function: Literal["READ/RECV", "WRITE/SEND", "READ", "WRITE"]
    timestamp_ns: int
    comm: str
    pid: int
    data: str | None = None
    data_hex: str | None = None
    len: int = 0
    tid: int = 0
    uid: int = 0
    latency_ms: float = 0
    truncated: bool = False
    bytes_lost: int = _UNKNOWN
    transport_handle: str = ""
    connection_id: int = 0
    process_start_ns: int = 0
    tls_library: str = ""
    buf_size: int = 0
    is_handshake: bool = False
    capture_seq: int = 0
    ringbuf_reserve_failures: int = 0
    connection_closed: bool = False
    container_id: str = ""
    ns_pid: int = 0


class _Envelope(Struct, gc=False, forbid_unknown_fields=True):
    timestamp: int
    source: str
    pid: int
    comm: str
    data: _Record


class _Side(Struct):
    """Where one direction of a connection stands."""

    offset: int = 0
    seq: int = 0


class _Flow(Struct, gc=False):
    """A thread that reads or writes on a connection: all that its records have in common."""

    origin: Origin
    side: _Side


class OriginalLines:
    """
    Keeps what these lines lack: the position of each connection and direction, a substitute for the connection where they have
    none (the thread), and for the start of a process (its first EXEC).
    """

    def __init__(self) -> None:
        self._sides: dict[tuple[Connection, str], _Side] = {}
        self._flows: dict[tuple[object, ...], _Flow] = {}
        self._starts: dict[int, int] = {}
        self._usual: Callable[[bytes], _Envelope | _Record] = _decode_envelope  # how the last usual line was decoded

    def usual(self, line: bytes) -> TlsChunk:
        """
        The event of a usual line, decoded in one go. Raises msgspec.MsgspecError or ValueError for any other line, also for a
        good one: `events` reads it.
        """
        try:
            found = self._usual(line)
        except MsgspecError:
            self._usual = _decode_record if self._usual is _decode_envelope else _decode_envelope
            found = self._usual(line)
        if type(found) is _Envelope:
            return self._chunk(found.data, found.timestamp * 1_000_000)
        return self._chunk(cast("_Record", found), 0)

    def _chunk(self, record: _Record, wall_ns: int) -> TlsChunk:
        text = record.data or ""
        content = bytes.fromhex(record.data_hex) if record.data_hex else text.encode("latin-1", _OTHERS)
        lost = max(0, record.bytes_lost)
        if record.truncated and record.bytes_lost == _UNKNOWN:
            lost = max(0, record.len - len(content))
        key = (
            record.pid, record.tid, record.transport_handle, record.connection_id, record.function, record.process_start_ns,
            record.tls_library, record.comm, record.uid,
        )  # fmt: skip
        flow = self._flows.get(key)
        if flow is None:
            flow = self._new_flow(key, record)
        side = flow.side
        made = TlsChunk(
            replace(flow.origin, time_ns=record.timestamp_ns, wall_ns=wall_ns),
            content,
            side.offset,
            side.seq,
            lost=lost,
            latency_ns=round(record.latency_ms * 1e6) if record.latency_ms else 0,
        )
        side.offset += len(content) + lost
        side.seq += 1
        return made

    def _new_flow(self, key: tuple[object, ...], record: _Record) -> _Flow:
        handle = record.transport_handle
        number = int(handle, 16) if handle else record.connection_id or record.tid
        connection = Connection(record.pid, record.process_start_ns, record.tls_library, number)
        direction = _DIRECTIONS[record.function]
        origin = Origin(
            record.timestamp_ns, record.pid, tid=record.tid, uid=record.uid, comm=record.comm, connection=connection,
            direction=direction,
        )  # fmt: skip
        if len(self._flows) >= _FLOWS_MOST:
            self._flows.clear()
        flow = self._flows[key] = _Flow(origin, self._side(connection, direction))
        return flow

    def _side(self, connection: Connection, direction: Direction) -> _Side:
        side = self._sides.get((connection, direction))
        if side is None:
            side = self._sides[connection, direction] = _Side()
        return side

    def events(self, line: dict[str, Any]) -> list[Event]:
        """The events of one line; none for unknown kinds. Raises KeyError, ValueError or msgspec.ValidationError."""
        wall_ns, data = 0, line
        if isinstance(line.get("data"), dict) and "source" in line:
            wall_ns, data = int(line["timestamp"]) * 1_000_000, line["data"]
        if "function" in data:
            return self._tls(data, wall_ns)
        if data.get("event") in ("EXEC", "EXIT"):
            return [self._process(data, wall_ns)]
        if "event" in data or "source" in line or "fd_role" in data:
            return []
        raise ValueError("neither an event of ours nor a line of a probe")

    def _tls(self, data: dict[str, Any], wall_ns: int) -> list[Event]:
        function: str = data["function"]
        connection = _connection(data)
        direction = _DIRECTIONS.get(function)
        origin = msgspec.convert(
            {
                "time_ns": data["timestamp_ns"],
                "pid": data["pid"],
                "tid": data.get("tid", 0),
                "uid": data.get("uid", 0),
                "comm": data["comm"],
                "wall_ns": wall_ns,
                "connection": connection,
                "direction": direction,
            },
            Origin,
        )
        if function == "HANDSHAKE":
            return [TlsHandshake(origin, round(data.get("latency_ms", 0) * 1e6))]
        if function == "CLOSE":
            self._flows.clear()  # they hold sides that end here
            ends = (self._sides.pop((connection, side), _Side()).offset for side in ("in", "out"))
            return [TlsClose(origin, *ends)]
        if direction is None:
            raise ValueError(f"unknown function {function!r}")
        content = _content(data)
        whole = int(data.get("len", len(content)))
        lost = max(0, int(data.get("bytes_lost", whole - len(content) if data.get("truncated") else 0)))
        side = self._side(connection, direction)
        offset, seq = side.offset, side.seq
        side.offset, side.seq = offset + len(content) + lost, seq + 1
        return [TlsChunk(origin, content, offset=offset, seq=seq, lost=lost, latency_ns=round(data.get("latency_ms", 0) * 1e6))]

    def _process(self, data: dict[str, Any], wall_ns: int) -> Event:
        time_ns, pid, ppid = int(data["timestamp"]), int(data["pid"]), int(data.get("ppid", 0))
        origin = Origin(time_ns, pid, tid=pid, uid=0, comm=str(data["comm"]), wall_ns=wall_ns)
        if data["event"] == "EXEC":
            filename = str(data["filename"])
            start_ns = self._starts.setdefault(pid, time_ns)
            return ProcessExec(
                origin, ppid, start_ns=start_ns, filename=filename, argv=_words(str(data.get("full_command", filename))), cwd=""
            )
        start_ns, duration_ns = self._starts.pop(pid, 0), int(data.get("duration_ms", 0)) * 1_000_000
        return ProcessExit(origin, ppid, start_ns, int(data.get("exit_code", 0)), duration_ns=duration_ns)


def _connection(data: dict[str, Any]) -> Connection:
    handle = data.get("transport_handle") or data.get("connection_id") or data.get("tid", 0)
    number = int(handle, 16) if isinstance(handle, str) else int(handle)
    return Connection(int(data["pid"]), int(data.get("process_start_ns", 0)), str(data.get("tls_library", "")), number)


def _content(data: dict[str, Any]) -> bytes:
    """`data_hex` if there is one, else the text: each character up to U+00FF is one byte."""
    if data.get("data_hex"):
        return bytes.fromhex(data["data_hex"])
    text: str | None = data.get("data")
    if not text:
        return b""
    return text.encode("latin-1", _OTHERS)


def _as_utf8(error: UnicodeError) -> tuple[bytes, int]:
    """Characters beyond U+00FF were whole in the record: they have their bytes in UTF-8."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return error.object[error.start : error.end].encode(), error.end


codecs.register_error(_OTHERS, _as_utf8)
_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_record = msgspec.json.Decoder(_Record).decode


def _words(command: str) -> tuple[str, ...]:
    """The probe joined the arguments by spaces, so an argument with a space may be split."""
    try:
        return tuple(shlex.split(command))
    except ValueError:
        return tuple(command.split())
