"""BlindSpot -> BlindSpotRow: traffic that was not read, in the words of a report."""

from __future__ import annotations

from collections.abc import Sequence

from ...core.messages import program
from ...events import NO_CODE, NO_FILES, SEARCHED, UNOPENED, BlindSpot, milliseconds
from ..words import count, plural
from .kinds import BlindSpotRow, process_id

__all__ = ["advice_of", "connections_of", "reason_of", "row_of", "sentence_of"]

_PEERS_SHOWN = 3


def row_of(event: BlindSpot) -> BlindSpotRow:
    """The row of a process; it comes again under the same id as more is known."""
    origin = event.origin
    return BlindSpotRow(
        f"blind-{origin.pid}-{event.start_ns:x}",
        milliseconds(origin.wall_ns),
        pid=origin.pid,
        comm=origin.comm,
        process_id=process_id(origin.pid, event.start_ns),
        connections=event.connections,
        size=event.size,
        peers=event.peers,
        files=event.files,
        looks_like=event.looks_like,
        among=event.among,
        why=event.why,
    )


def reason_of(row: BlindSpotRow, /) -> str:
    """Why it was not read, as far as that is known."""
    return " and ".join(dict.fromkeys(row.looks_like)) or row.why or "the reason is not known"


def sentence_of(row: BlindSpotRow) -> str:
    """The process, its unread traffic, and why: `uv (rustls with aws-lc), process 71: 3 connections, 15,018 bytes to …`."""
    size = f", {plural(row.size, 'byte')}" if row.size else ""  # breakpoints count no bytes
    size = f", which carried {plural(row.size, 'byte')} in all," if row.among and row.size else size
    return f"{row.comm} ({reason_of(row)}), process {row.pid}: {connections_of(row)}{size} to {_some(row.peers)}"


def connections_of(spot: BlindSpot | BlindSpotRow) -> str:
    """How many connections were not read, and of how many where it is not known which ones."""
    if spot.among:
        return f"{count(spot.connections)} of {plural(spot.among, 'connection')}"
    return plural(spot.connections, "connection")


def _some(peers: Sequence[str]) -> str:
    more = len(peers) - _PEERS_SHOWN
    return ", ".join(peers[:_PEERS_SHOWN]) + (f" and {more} more" if more > 0 else "")


_ADVICE = {
    NO_CODE: "it may speak without TLS, which --plain-http reads, or with a TLS library that is not known",
    NO_FILES: "it was too short to be looked at; name its program or library, and it is read from its start",
    UNOPENED: "the recorder may not open files of its container or user; name its library",
}


def advice_of(row: BlindSpotRow) -> str:
    """What to do about it."""
    if SEARCHED in row.looks_like:
        return "the program was new here, and was searched while it connected; its later connections are read"
    if row.files:
        ways = ", ".join(f"{program()} doctor --probe {file}" for file in row.files)
        return f"the TLS functions of {', '.join(row.files)} are not found or cannot be probed; why: {ways}"
    return f"{_ADVICE.get(row.why, 'it may use a TLS library that is not known')}; its connections are in the audit trail"
