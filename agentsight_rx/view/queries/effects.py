"""Lines of the audit trail -> what a session did outside itself, in short: files, peers, MCP requests."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

from msgspec import Struct

from ...core.bounded import Recent
from ..rows import AuditRow, NetworkRow

__all__ = ["Effect", "FilesTouched", "McpUse", "Peer", "effect_of", "files_touched", "mcp_uses", "peers_of"]

Effect: TypeAlias = Literal["written", "removed", "refused", "read"]

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_REFUSED = (1, 13, 30)  # EPERM, EACCES, EROFS
_PATHS_MOST = 20_000


class FilesTouched(Struct, frozen=True):
    """
    Paths by what became of them, in the order of their first touch. What was made and removed again is `passing`; of `written`
    the first ones are those that are not in a hidden or temporary directory.
    """

    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    passing: tuple[str, ...] = ()
    read: int = 0
    edited: int = 0  # of `written`: how many are not hidden or temporary


class Peer(Struct, frozen=True):
    """A host, or an address where none is known, and how often it was used."""

    host: str
    count: int
    errors: int = 0


class McpUse(Struct, frozen=True):
    """Requests to an MCP server, by method or tool."""

    server: str
    counts: dict[str, int]


def effect_of(row: AuditRow, /) -> Effect | None:
    """What a line about a file did to it; None where it did nothing that counts, such as a failed look-up."""
    if row.status == "failure":
        return "refused" if row.details.get("errno") in _REFUSED else None
    match row.action:
        case "unlink" | "rmdir":
            return "removed"
        case "rename" | "truncate":
            return "written"
        case "close":
            return "written" if row.details.get("written_bytes") else None
        case "open":
            flags = row.details.get("flags")
            return "written" if isinstance(flags, int) and flags & _WRITES else "read"
        case _:
            return None


def files_touched(rows: Iterable[AuditRow], /) -> FilesTouched:
    """`rows` in the order of time. A rename removes the old name and writes the new one."""
    first: Recent[str, Effect] = Recent(_PATHS_MOST)
    last: Recent[str, Effect] = Recent(_PATHS_MOST)
    refused: Recent[str, None] = Recent(_PATHS_MOST)
    reads: Recent[str, None] = Recent(_PATHS_MOST)
    for path, effect in (each for row in rows for each in _changes(row)):
        if effect == "refused":
            refused.put(path, None)
        elif effect == "read":
            reads.put(path, None)
        else:
            last.put(path, effect)
            if path not in first:
                first.put(path, effect)
    written = [path for path in first if last.get(path) == "written"]
    removed = [path for path in first if last.get(path) == "removed"]
    edited = [path for path in written if not _is_aside(path)]
    return FilesTouched(
        (*edited, *(path for path in written if _is_aside(path))),
        tuple(path for path in removed if first.get(path) == "removed"),
        refused=tuple(refused),
        passing=tuple(path for path in removed if first.get(path) == "written"),
        read=len(reads),
        edited=len(edited),
    )


def _changes(row: AuditRow) -> Iterator[tuple[str, Effect]]:
    path, effect, moved = row.target, effect_of(row), row.details.get("target")
    if effect is None or not path or path.startswith(("/dev/", "/proc/")):
        return
    if row.action == "rename" and effect == "written" and isinstance(moved, str):
        yield path, "removed"
        yield moved, "written"
    else:
        yield path, effect


def _is_aside(path: str) -> bool:
    """Hidden, temporary, or made by a tool for itself."""
    parts = path.split("/")
    return path.startswith(("/tmp/", "/var/tmp/", "/run/")) or any(
        (part.startswith(".") and len(part) > 1) or part in ("__pycache__", "node_modules") for part in parts
    )


def peers_of(rows: Iterable[NetworkRow], /) -> tuple[Peer, ...]:
    """Hosts by name first, those used most first; then the addresses of connections."""
    counts: dict[str, tuple[int, int]] = {}
    for row in rows:
        count, errors = counts.get(row.host, (0, 0))
        counts[row.host] = (count + row.count, errors + row.error_count)
    peers = [Peer(host, count, errors) for host, (count, errors) in counts.items()]
    return tuple(sorted(peers, key=lambda peer: (_is_address(peer.host), -peer.count, peer.host)))


def _is_address(host: str) -> bool:
    return host.startswith("[") or host.replace(".", "").replace(":", "").isdigit()


def mcp_uses(rows: Iterable[AuditRow], /) -> tuple[McpUse, ...]:
    """Of lines about MCP: each server, and what was asked of it."""
    servers: dict[str, dict[str, int]] = {}
    for row in rows:
        counts = servers.setdefault(row.subject or "unknown server", {})
        what = row.target or row.action or "unknown"
        counts[what] = counts.get(what, 0) + 1
    return tuple(McpUse(server, counts) for server, counts in servers.items())
