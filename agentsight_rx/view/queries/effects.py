"""Lines of the audit trail -> what a session did outside itself, in short: files, peers, MCP requests."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from ..rows.kinds import AuditRow, NetworkRow
from .file_fates import KINDS, FateKind, Fates, Lives, number_of

__all__ = ["FilesTouched", "McpUse", "Peer", "files_touched", "is_absent", "mcp_uses", "peers_of"]

_PATHS_MOST = 200_000  # what is done to more of them is counted together


class FilesTouched(Struct, frozen=True):
    """
    Paths by what became of them, in the order of their first touch; of `written` and `removed` those first that are not in a
    hidden or temporary directory. `passing` are files that were made and removed again within the recording.
    """

    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    passing: tuple[str, ...] = ()
    read: int = 0
    edited: int = 0  # of `written`: how many are not hidden or temporary
    erased: int = 0  # of `removed`: the same
    uncounted: int = 0  # operations on files that are too many


class Peer(Struct, frozen=True):
    """A host, or an address where none is known, and how often it was used."""

    host: str
    count: int
    errors: int = 0

    @property
    def is_absent(self) -> bool:
        """See `is_absent`."""
        return is_absent(self.host, self.count, self.errors)


class McpUse(Struct, frozen=True):
    """Requests to an MCP server, by method or tool."""

    server: str
    counts: dict[str, int]


def files_touched(rows: Iterable[AuditRow], lives: Lives | None = None, /) -> FilesTouched:
    """`rows` in the order of time. `lives` where they are a part of a recording, see `file_fates`."""
    fates = Fates(_PATHS_MOST)
    refused: dict[str, None] = {}
    uncounted = 0
    for row in rows:
        if row.audit_type != "file" or not row.target:
            continue
        found = fates.note(row)
        if found is None:
            uncounted += number_of(row, "count") or 1
        elif found[0].refused:
            refused[found[0].path] = None
    paths: dict[FateKind, list[str]] = {kind: [] for kind in KINDS}
    for fate in fates:
        paths[fate.kind(lives)].append(fate.path)
    edited, aside = _parted(paths["written"])
    erased, swept = _parted(paths["removed"])
    return FilesTouched(
        (*edited, *aside),
        (*erased, *swept),
        moved=tuple(paths["moved"]),
        refused=tuple(refused),
        passing=tuple(paths["temporary"]),
        read=len(paths["read"]),
        edited=len(edited),
        erased=len(erased),
        uncounted=uncounted,
    )


def _parted(paths: Iterable[str]) -> tuple[list[str], list[str]]:
    found: tuple[list[str], list[str]] = [], []
    for path in paths:
        found[_is_aside(path)].append(path)
    return found


def _is_aside(path: str) -> bool:
    """Hidden, temporary, or made by a tool for itself."""
    parts = path.split("/")
    return path.startswith(("/tmp/", "/var/tmp/", "/run/")) or any(
        (part.startswith(".") and len(part) > 1) or part in ("__pycache__", "node_modules") for part in parts
    )


def peers_of(rows: Iterable[NetworkRow], /) -> tuple[Peer, ...]:
    """Hosts by name first, those used most first; then addresses, then sockets of this machine, then absent ones."""
    counts: dict[str, tuple[int, int]] = {}
    for row in rows:
        count, errors = counts.get(row.host, (0, 0))
        counts[row.host] = (count + row.count, errors + row.error_count)
    peers = [Peer(host, count, errors) for host, (count, errors) in counts.items()]
    return tuple(sorted(peers, key=lambda peer: (peer.is_absent, _distance(peer.host), -peer.count, peer.host)))


def is_absent(peer: str, count: int, errors: int) -> bool:
    """
    A unix socket to which no connection succeeded: programs ask for services such as nscd or a session bus, which are not on
    most machines, and go on without. It comes last.
    """
    return _is_unix(peer) and errors >= count > 0


def _is_unix(peer: str) -> bool:
    return peer.startswith(("/", "@"))


def _distance(host: str) -> int:
    """A name, an address, a socket of this machine."""
    if _is_unix(host):
        return 2
    return host.startswith("[") or host.replace(".", "").replace(":", "").isdigit()


def mcp_uses(rows: Iterable[AuditRow], /) -> tuple[McpUse, ...]:
    """Of lines about MCP: each server, and its requests."""
    servers: dict[str, dict[str, int]] = {}
    for row in rows:
        counts = servers.setdefault(row.subject or "unknown server", {})
        what = row.target or row.action or "unknown"
        counts[what] = counts.get(what, 0) + 1
    return tuple(McpUse(server, counts) for server, counts in servers.items())
