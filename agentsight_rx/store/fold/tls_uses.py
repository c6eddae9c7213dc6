"""TlsUse -> TlsUseRow: whose TLS was read, and how it was found, in the words of a report."""

from __future__ import annotations

from ...events import TlsUse, milliseconds
from ..rows.kinds import TlsUseRow, process_id
from ..words import count, plural

__all__ = ["row_of_use", "use_line"]


def row_of_use(event: TlsUse) -> TlsUseRow:
    """The row of a process, a file and a stack; it comes again under the same id as more is read."""
    origin = event.origin
    return TlsUseRow(
        f"tls-{origin.pid}-{event.start_ns:x}-{event.stack}-{event.path}",
        milliseconds(origin.wall_ns),
        pid=origin.pid,
        comm=origin.comm,
        process_id=process_id(origin.pid, event.start_ns),
        path=event.path,
        stack=event.stack,
        method=event.method,
        proven=event.proven,
        connections=event.connections,
        size=event.size,
        midway=event.midway,
    )


def use_line(row: TlsUseRow) -> str:
    """Which process, through what, and whether it is certain: `claude (71): BoringSSL in …, by …: proven, 3 connections, …`."""
    connections = plural(row.connections, "connection") + (f" ({count(row.midway)} joined midway)" if row.midway else "")
    certain, size = "proven" if row.proven else "not proven", plural(row.size, "byte")
    return f"{row.comm} ({row.pid}): {row.stack} in {row.path}, by {row.method}: {certain}, {connections}, {size}"
