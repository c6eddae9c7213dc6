"""What processes did: files, programs, requests, connections -> deeds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from ....core.start import regex
from ....events import BlindSpot, FileEvent, HttpRequest, ProcessExec, TcpTraffic
from ....policy.rules.guard.danger import Danger, danger_of, worktree_of
from ....policy.rules.guard.deeds import FileDeed, LeftDeed, NetDeed, ProcessDeed, UnreadDeed
from ....wire.address import host_of
from ....wire.http1_head import field
from ...rows.ids import call_id, http_id
from ...rows.kinds import AuditRow, ProcessRow, Row, process_id
from .chain import Link, is_below
from .context import Context, Proof
from .state import Read, host_key

LABEL = regex(r"\[redacted:([a-z-]{1,40}):[0-9a-f]{8}\]")
_LABEL_BYTES = regex(LABEL.pattern.encode())
# O_* of fcntl.h: O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND; O_PATH, O_DIRECTORY
_WRITES, _NO_CONTENT = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000, 0o10000000 | 0o200000
_NOT_READ = _WRITES | _NO_CONTENT
_RENAMES = ("rename", "link")
_LEAVES = ("read", *_RENAMES)  # what of a file may leave after it
_OPS = {"rename": "rename", "link": "link", "unlink": "remove", "rmdir": "remove", "mkdir": "mkdir", "truncate": "write"}
_LOCAL = regex(r"(?:127\.[\d.]+|::1|localhost|ip6-localhost|.*\.localhost|0\.0\.0\.0|)\Z", re.IGNORECASE)
_DNS = 53
_NOBODY: Any = None  # the chain of a deed of which only the kind is asked
_GIT = "/.git"
_PATHS_MOST, _HOSTS_MOST = 8192, 1024  # of which it is remembered whether a rule may be about them
_DEEP_LEAST = 2  # names in the root of a repository: the home of a person is none


class _Use(NamedTuple):
    """What an event of a file may be to the rules, whoever it was. `root`: of the repository whose folder `.git` it is in."""

    op: str
    judged: bool
    root: str


class Effects:
    """
    Behind the views, which have read the event. Nearly all that programs do is of no interest to any rule, whoever does it:
    that is found first, from the rules alone, and remembered for files and hosts, so that it costs one look-up.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._judge, self._memory, self._known = context.judge, context.memory, context.known
        self._keeps_reads = self._judge.judges(LeftDeed)
        self._judges_programs = self._judge.possible(ProcessDeed)(ProcessDeed(_NOBODY))  # those without a danger too
        self._may_touch, self._may_have_left = self._judge.possible(FileDeed), self._judge.possible(LeftDeed)
        self._use_of = lru_cache(_PATHS_MOST)(self._used)
        self._is_of_interest = lru_cache(_HOSTS_MOST)(self._may_be_judged)

    def reading_files(self, read: Callable[[FileEvent], list[Row]]) -> Callable[[FileEvent], list[Row]]:
        """`read`, and behind its rows the alerts of the event: one look-up for nearly every file."""
        names, use_of = self._memory.names, self._use_of

        @lru_cache(_PATHS_MOST)
        def use_of_read(path: str) -> _Use | None:  # most are read, and with success
            return self._used(path, "read", 0)

        def both(event: FileEvent) -> list[Row]:
            rows, path, op = read(event), event.path, "read"
            if event.action != "open":
                op = _OPS.get(event.action, "")
                if not op:
                    return rows
            elif flags := event.flags & _NOT_READ:
                if flags & _NO_CONTENT:
                    return rows
                op = "write"
            if event.known_as:
                path = event.known_as
            if names:
                path = names.get(path, path)
            use = use_of(path, op, event.error) if event.error or op != "read" else use_of_read(path)
            return rows if use is None else [*rows, *self._file(event, use, path, rows[0])]

        return both

    def _used(self, path: str, op: str, error: int) -> _Use | None:
        judged = self._may_touch(FileDeed(_NOBODY, path, op, error=error)) or (
            not error and op in _LEAVES and self._may_have_left(LeftDeed(_NOBODY, path, "", by_content=True))
        )
        root = _root_of(path) if _GIT in path and not error else ""
        return _Use(op, judged, root) if judged or root else None

    def _is_known_root(self, root: str, audit: AuditRow) -> bool:
        """Is it known already where the repository of this session is? Then one more file of it says nothing."""
        session = self._known.sessions.get(audit.session_id) if audit.session_id else None
        if session is None or not session.cwd:
            return False
        return not is_below(session.cwd, root) or len(root) <= len(self._memory.roots.get(session.id, ""))

    def _file(self, event: FileEvent, use: _Use, path: str, audit: Row) -> Iterable[Row]:
        if not isinstance(audit, AuditRow) or (not use.judged and self._is_known_root(use.root, audit)):
            return ()
        by_name, op = audit.link == "path", use.op
        link = Link(
            self._known,
            audit.pid,
            audit.process_id,
            by_session=audit.session_id,
            by_tool=audit.tool_id,
            by_name=by_name,
        )
        if use.root:
            self._root(use.root, link)
        if not use.judged:
            return ()
        if not event.error and op in _LEAVES and self._may_leave(path, link):
            if op in _RENAMES:
                self._memory.names.put(event.target, path)
            elif link.owner is not None:
                read = Read(path, audit.id, by_name=by_name)
                self._memory.read(link.tool_id, read)
                self._memory.read(None if link.own else link.process_id, read)
        by = event.path if event.known_as else ""
        deed = FileDeed(link, path, op, error=event.error, target=event.target, by=by)
        broken = self._judge.broken(deed)
        if not broken:
            return ()
        proof = Proof(event.origin, (audit.id,), count=event.count, whole=not event.lexical)
        return self._context.alerts(broken, deed, link, proof)

    def _may_leave(self, path: str, link: Link) -> bool:
        """May a rule ask later whether it left?"""
        return self._keeps_reads and bool(self._judge.broken(LeftDeed(link, path, "", by_content=True)))

    def _root(self, root: str, link: Link) -> None:
        """git found its folder there: in the folder of the agent, or above it."""
        owner = link.owner
        if owner is not None and is_below(link.agent_cwd, root) and len(root) > len(self._memory.roots.get(owner, "")):
            self._memory.roots.put(owner, root)

    def program(self, event: ProcessExec, rows: list[Row]) -> Iterable[Row]:
        row = rows[0]
        if not isinstance(row, ProcessRow):
            return ()
        if tree := worktree_of(event.argv, event.cwd):
            owner = Link(self._known, row.pid, row.id).owner
            if owner is not None:
                self._memory.works_in(owner, tree)
        if not self._judge.judges(ProcessDeed):
            return ()
        danger = danger_of(
            event.argv, event.cwd, lambda path: Link(self._known, row.pid, row.id).outside(path), is_agent=row.agent is not None
        )
        if danger is not None and danger.kind == "sandbox-off" and not self._chose(row, danger):
            danger = None
        if danger is None and not self._judges_programs:
            return ()
        link = Link(self._known, row.pid, row.id)
        deed = ProcessDeed(link, *danger) if danger else ProcessDeed(link)
        audit = next((each.id for each in rows if type(each) is AuditRow), row.id)
        return self._context.judged(deed, link, Proof(event.origin, (audit,), whole=not event.argv_lost))

    def _chose(self, row: ProcessRow, danger: Danger) -> bool:
        """Did an agent choose it? An agent that a person started so starts itself again, with the same words at the end."""
        pid, flag = row.ppid or 0, danger.target.rpartition(" ")[2]
        parent = self._known.processes.get(pid)
        for words in (parent.argv[1:], parent.argv[2:]) if parent is not None else ():  # behind the runtime of a script
            if flag in words and row.argv[-len(words) :] == words:
                return False
        return self._known.sessions.of(pid) is not None or self._known.processes.agent(pid) is not None

    # -- what leaves ---------------------------------------------------------------------------------------------------

    def request(self, event: HttpRequest, *, is_call: bool) -> Iterable[Row]:
        """A request that a client sent."""
        origin, connection, spoke = event.origin, event.origin.connection, self._memory.spoke
        id = process_id(connection.pid, connection.start_ns) if connection else None
        host = _host_of(field(event.headers, "host") or "")
        before = None
        if id is not None:
            before = spoke.get(id)
            if before != host:
                spoke.put(id, host)
        if _is_local(host) or (host == before and not self._memory.reads and not self._is_of_interest(host)):
            return ()
        link = Link(self._known, origin.pid, id)
        if link.owner is None:
            return ()
        sent, proof = event.size or len(event.body), Proof(origin, (http_id(call_id(origin, event.exchange)),))
        if is_call and link.own:
            return self._spoken(link, host, proof, sent=sent)
        left = self._left(link, host, proof, sent=sent, body=event.body)
        return [*left, *self._spoken(link, host, proof, sent=sent)]

    def traffic(self, event: TcpTraffic, rows: list[Row]) -> Iterable[Row]:
        """All bytes of a connection. Its requests were judged by themselves."""
        if not event.sent or event.port == _DNS or _is_local(event.peer):
            return ()
        id = process_id(event.origin.pid, event.start_ns)
        if id in self._memory.spoke:
            return ()
        link = Link(self._known, event.origin.pid, id)
        if link.owner is None:
            return ()
        proof = Proof(event.origin, tuple(row.id for row in rows if type(row) is AuditRow))
        left = self._left(link, event.peer, proof, sent=event.sent)
        return [*left, *self._spoken(link, event.peer, proof, sent=event.sent)]

    def _left(self, link: Link, host: str, proof: Proof, *, sent: int, body: bytes = b"") -> Iterator[Row]:
        """Bytes left from a process: behind the files that it, or its command, had read before."""
        if not self._memory.reads:
            return
        keys = (link.tool_id, None if link.own else link.process_id)
        reads = {read.path: read for key in keys if key for read in self._memory.reads.get(key, ())}
        by_content = bool(reads) and _LABEL_BYTES.search(body) is not None
        for read in reads.values():
            deed = LeftDeed(link, read.path, host, sent=max(sent, 1), by_content=by_content)
            by = Proof(proof.origin, (read.event, *proof.evidence), sure=by_content)
            yield from self._context.judged(deed, link, by)

    def _spoken(self, link: Link, host: str, proof: Proof, *, sent: int) -> Iterable[Row]:
        key, owner = host_key(link.workspace, host), link.owner or ""
        first = self._memory.hosts.use(key)
        if first is None:
            self._memory.hosts.put(key, owner)
        if not self._is_of_interest(host):
            return ()
        is_new = first is None or first == owner
        deed = NetDeed(link, host, new=is_new, sent=sent, named=is_new and link.own and self._is_named(link, host))
        return self._context.judged(deed, link, proof)

    def _may_be_judged(self, host: str) -> bool:
        return self._judge.possible(NetDeed)(NetDeed(_NOBODY, host, new=True))

    def _is_named(self, link: Link, host: str) -> bool:
        """The agent itself speaks to a host that the input of one of its open tools names."""
        tools = self._known.tools.open_of({link.pid} if link.pid is not None else set())
        return any(host in needle for tool in tools for needle in tool.needles)

    def unread(self, event: BlindSpot, rows: list[Row]) -> Iterator[Row]:
        link = Link(self._known, event.origin.pid, process_id(event.origin.pid, event.start_ns))
        deed = UnreadDeed(link, event.size, " and ".join(dict.fromkeys(event.looks_like)))
        proof = Proof(event.origin, tuple(row.id for row in rows), count=0, total=1)
        yield from self._context.judged(deed, link, proof)


def _root_of(path: str) -> str:
    """The root of a repository, from a path in its folder `.git`; empty for another path."""
    root, _, rest = path.partition(_GIT)
    return root if rest[:1] in ("", "/") and root.count("/") > _DEEP_LEAST else ""


_host_of = lru_cache(_HOSTS_MOST)(host_of)


@lru_cache(_HOSTS_MOST)
def _is_local(host: str) -> bool:
    return _LOCAL.match(host) is not None
