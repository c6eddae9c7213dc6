"""Calls in the order of time -> the work that each was for, its processes as a tree, and what they did to files and hosts."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter

from msgspec import Struct
from msgspec.structs import asdict, replace

from ....store.rows.kinds import AuditRow, CallRow, NetworkRow, ProcessRow
from ....store.rows.tables import PROCESSES
from ....store.state import Store
from ....store.words import cut
from ..calls.lookup import Cause
from ..reading import selected
from ..selection import Selection
from .causes import Causes
from .file_fates import KINDS, Fate, FateKind, Fates, Lives, effect_of, kinds_of, names_in, number_of

# -- effects -------------------------------------------------------------------------------------------------------
# Lines of the audit trail -> what a session did outside itself, in short: files, peers, MCP requests.


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


_CHANGES = frozenset({"written", "removed", "moved"})


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


def calls_that_changed(rows: Iterable[AuditRow], causes: Causes, lives: Lives | None = None, /) -> frozenset[str]:
    """The ids of the calls whose tools wrote, removed or moved files that are not temporary."""
    kept = [row for row in rows if effect_of(row) in _CHANGES]
    kinds = kinds_of(kept, lives)
    found = (causes.of(row) for row in kept if not _CHANGES.isdisjoint({kinds.get(name) for name in names_in(row)}))
    return frozenset(cause.call_id for cause in found if cause is not None)


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


# -- process tree --------------------------------------------------------------------------------------------------
# The processes of a store -> their tree, from the roots, each with its session and the tool and prompt that started it.


class Process(ProcessRow, frozen=True, tag="process_node", omit_defaults=True):
    """
    One process, with its session as far as it is known. `depth` counts from the roots; `starts`: it is the first of its
    tool: the others are below it.
    """

    depth: int = 0
    children: int = 0
    of_agent: str | None = None  # the nearest known agent: itself, or what started it
    cause: Cause | None = None
    starts: bool = False


def process_tree(rows: Iterable[ProcessRow], causes: Causes) -> Iterator[Process]:
    """The processes, each behind the one that started it. Roots are processes whose parent is not among them."""
    chosen = sorted(rows, key=_began)
    known = {row.id for row in chosen}
    below: dict[str, list[ProcessRow]] = {}
    for row in chosen:
        parent = causes.parent(row)
        below.setdefault(parent.id if parent is not None and parent.id in known else "", []).append(row)
    waiting = [(0, row) for row in reversed(below.get("", ()))]
    while waiting:
        depth, row = waiting.pop()
        children = below.get(row.id, [])
        yield _process(row, causes, depth=depth, children=len(children))
        waiting += [(depth + 1, child) for child in reversed(children)]


def process_list(rows: Iterable[ProcessRow], causes: Causes) -> Iterator[Process]:
    """The processes in the order in which they began."""
    return (_process(row, causes) for row in sorted(rows, key=_began))


def _process(row: ProcessRow, causes: Causes, *, depth: int = 0, children: int = 0) -> Process:
    chain = causes.chain(row.id)
    parent = chain[1] if len(chain) > 1 else None
    return Process(
        **asdict(replace(row, session_id=causes.session_of(row.id))),
        depth=depth,
        children=children,
        of_agent=next((each.agent for each in chain if each.agent), None),
        cause=causes.of_process(row.id),
        starts=row.tool_call_id is not None and (parent is None or parent.tool_call_id != row.tool_call_id),
    )


def _began(row: ProcessRow) -> tuple[int, int]:
    return row.start_timestamp_ms or 0, row.pid


# ------------------------------------------------------------------------------------------------------------------------


_SHOWN = 72  # characters of a prompt or a message
_WITH_VALUE = ("-C", "-c", "--git-dir", "--work-tree", "--namespace")  # options of git in front of its command


def prompted() -> Callable[[CallRow], str]:
    """By the newest prompt of a person in the session of the call; sub-agents work for it too."""
    newest: dict[str | None, str] = {}

    def group(call: CallRow) -> str:
        if call.is_prompted:
            newest[call.session_id] = f"turn {call.turn}: {cut(' '.join(call.prompt.split()), _SHOWN)}"
        return newest.get(call.session_id, "before the first prompt")

    return group


def of_git(store: Store, selection: Selection, what: str, /) -> Callable[[CallRow], str]:
    """
    By the `git commit` that was seen to succeed next, as `what` says, or by the branch that the last `git switch` or `git
    checkout` chose, both in the session of the call. "": no branch was chosen.
    """
    by_session: dict[str | None, list[tuple[int, str]]] = {}
    for row in selected(store, PROCESSES, replace(selection, limit=None)):
        name = _commit(row) if what == "commit" else _branch(row)
        if name and row.exit_code == 0 and row.end_timestamp_ms:
            by_session.setdefault(row.session_id, []).append((row.end_timestamp_ms, name))
    for some in by_session.values():
        some.sort()

    def group(call: CallRow) -> str:
        seen = by_session.get(call.session_id, [])
        at = bisect_right(seen, call.start_timestamp_ms, key=itemgetter(0))
        if what == "commit":
            return seen[at][1] if at < len(seen) else "since the last commit" if seen else "no commit was seen"
        return seen[at - 1][1] if at else ""

    return group


def _words(row: ProcessRow) -> Sequence[str]:
    """The command of git with what follows; empty for another program."""
    argv = list(row.argv)
    if not argv or argv[0].rpartition("/")[2] != "git":
        return ()
    at = 1
    while at < len(argv) and argv[at].startswith("-"):
        at += 2 if argv[at] in _WITH_VALUE else 1
    return argv[at:]


def _commit(row: ProcessRow) -> str:
    words = _words(row)
    if not words or words[0] != "commit" or "--dry-run" in words:
        return ""
    for at, word in enumerate(words):
        if word in ("-m", "-am", "--message") and at + 1 < len(words):
            return cut(words[at + 1].partition("\n")[0], _SHOWN)
        if word.startswith("--message="):
            return cut(word.partition("=")[2].partition("\n")[0], _SHOWN)
    return f"a commit by process {row.pid}"


def _branch(row: ProcessRow) -> str:
    words = _words(row)
    if not words or words[0] not in ("switch", "checkout") or "--" in words:
        return ""
    names = [word for word in words[1:] if not word.startswith("-")]
    makes = any(word in ("-b", "-B", "-c", "-C", "--create", "--orphan") for word in words)
    return names[0] if names and (makes or len(names) == 1) else ""
