"""JSON objects that the original's probes print, with or without its envelope -> our events."""

from __future__ import annotations

import shlex
from typing import Any

import msgspec

from ...events import (
    Connection,
    Direction,
    Event,
    Origin,
    ProcessExec,
    ProcessExit,
    TlsChunk,
    TlsClose,
    TlsHandshake,
)

__all__ = ["OriginalLines"]

_DIRECTIONS: dict[str, Direction] = {"READ/RECV": "in", "WRITE/SEND": "out", "READ": "in", "WRITE": "out"}


class OriginalLines:
    """
    Keeps what these lines lack: the position of each connection and direction, a substitute for the connection where they have
    none (the thread), and for the start of a process (its first EXEC).
    """

    def __init__(self) -> None:
        self._offsets: dict[tuple[Connection, str], tuple[int, int]] = {}
        self._starts: dict[int, int] = {}

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
            ends = (self._offsets.pop((connection, side), (0, 0))[0] for side in ("in", "out"))
            return [TlsClose(origin, *ends)]
        if direction is None:
            raise ValueError(f"unknown function {function!r}")
        content = _content(data)
        whole = int(data.get("len", len(content)))
        lost = max(0, int(data.get("bytes_lost", whole - len(content) if data.get("truncated") else 0)))
        offset, seq = self._offsets.get((connection, direction), (0, 0))
        self._offsets[connection, direction] = (offset + len(content) + lost, seq + 1)
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
    return b"".join(bytes([ord(char)]) if ord(char) <= 0xFF else char.encode() for char in text)


def _words(command: str) -> tuple[str, ...]:
    """The probe joined the arguments by spaces, so an argument with a space may be split."""
    try:
        return tuple(shlex.split(command))
    except ValueError:
        return tuple(command.split())
