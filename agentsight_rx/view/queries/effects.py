"""Lines of the audit trail -> what a session did outside itself, in short: files, peers, MCP requests."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from ...store.rows.kinds import AuditRow, NetworkRow
from .file_fates import KINDS, Fate, FateKind, Fates, Lives, number_of

__all__ = ["FilesTouched", "McpUse", "Peer", "files_touched", "is_absent", "mcp_uses", "peers_of"]

# What programs keep for themselves: version control, installed packages, caches
_KEPT = re.compile(
    r"/(?:node_modules|__pycache__|venv|site-packages|\.(?:git|hg|svn|jj|venv|tox|nox|(?:[\w-]+[_-])?cache|hypothesis|npm|yarn"
    r"|pnpm-store|cargo|rustup|gradle|m2|next|turbo|eslintcache|terraform|ipynb_checkpoints))(?=/|\Z)"
)
_HIDDEN = re.compile(r"\A/(?:tmp|var/tmp|run)/|/\.[^/]")
_PATHS_MOST = 200_000  # what is done to more of them is counted together


class FilesTouched(Struct, frozen=True):
    """
    Paths by what became of them, in the order of their first touch; of `written` and `removed` first the files that count: not
    folders, not what programs keep for themselves, and in hidden or temporary places only what a tool changed. `passing` are
    files that were made and removed again within the recording.
    """

    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    passing: tuple[str, ...] = ()
    read: int = 0
    edited: int = 0  # of `written`: how many count
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


def files_touched(rows: Iterable[AuditRow], lives: Lives | None = None, /, *, home: str = "") -> FilesTouched:
    """
    `rows` in the order of time. `lives` where they are a part of a recording, see `file_fates`. `home`: where the agent works,
    which may be a temporary place.
    """
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
    of_kind: dict[FateKind, list[Fate]] = {kind: [] for kind in KINDS}
    for fate in fates:
        of_kind[fate.kind(lives)].append(fate)
    edited, aside = _parted(of_kind["written"], home)
    erased, swept = _parted(of_kind["removed"], home)
    return FilesTouched(
        (*edited, *aside),
        (*erased, *swept),
        moved=tuple(fate.path for fate in of_kind["moved"]),
        refused=tuple(refused),
        passing=tuple(fate.path for fate in of_kind["temporary"]),
        read=len(of_kind["read"]),
        edited=len(edited),
        erased=len(erased),
        uncounted=uncounted,
    )


def _parted(fates: Iterable[Fate], home: str) -> tuple[list[str], list[str]]:
    """The files that count, and the rest."""
    found: tuple[list[str], list[str]] = [], []
    for fate in fates:
        found[fate.folder or _is_aside(fate, home)].append(fate.path)
    return found


def _is_aside(fate: Fate, home: str) -> bool:
    """A tool that names the file means it. What its programs write counts, but for what they keep for themselves."""
    if fate.tie == "path":
        return False
    inner = fate.path.removeprefix(home) if len(home) > 1 else fate.path
    return _KEPT.search(inner) is not None or (not fate.tie and _HIDDEN.search(inner) is not None)


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
