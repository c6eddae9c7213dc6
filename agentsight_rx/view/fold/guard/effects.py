"""What processes did: files, programs, requests, connections -> deeds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from ....events import BlindSpot, FileEvent, HttpRequest, ProcessExec, TcpTraffic
from ....rules.guard.danger import danger_of
from ....rules.guard.deeds import FileDeed, LeftDeed, NetDeed, ProcessDeed, UnreadDeed
from ....wire.http1 import field
from ...rows.ids import call_id, http_id
from ...rows.kinds import AuditRow, ProcessRow, Row, process_id
from .chain import Link
from .context import Context, Proof
from .state import Read

__all__ = ["LABEL", "Effects"]

LABEL = re.compile(r"\[redacted:([a-z-]{1,40}):[0-9a-f]{8}\]")
_LABEL_BYTES = re.compile(LABEL.pattern.encode())
_WRITES, _ONLY_PATH, _DIRECTORY = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000, 0o10000000, 0o200000  # O_* of fcntl.h
_OPS = {"rename": "rename", "unlink": "remove", "rmdir": "remove", "mkdir": "mkdir", "truncate": "write"}
_LOCAL = re.compile(r"(?:127\.[\d.]+|::1|localhost|ip6-localhost|.*\.localhost|0\.0\.0\.0|)\Z", re.IGNORECASE)
_PORT = re.compile(r":\d+\Z")
_DNS = 53
_NOBODY: Any = None  # the chain of a deed of which only the kind is asked
_GIT = "/.git"
_PATHS_MOST = 8192  # of which it is remembered whether a rule may be about them
_DEEP_LEAST = 2  # names in the root of a repository: the home of a person is none


class Effects:
    """Behind the views, which have read the event."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._judge, self._memory, self._known = context.judge, context.memory, context.known
        self._keeps_reads = self._judge.judges(LeftDeed)
        self._may_matter = lru_cache(_PATHS_MOST)(self._matters)  # it depends on the rules alone

    def file(self, event: FileEvent, rows: list[Row]) -> Iterable[Row]:
        """Nearly every file is of no interest to any rule: then that costs one look-up."""
        op = _op_of(event)
        path = self._memory.names.get(event.path, event.path) if self._memory.names else event.path
        if op is None or not (self._may_matter(path, op, event.error) or _GIT in path):
            return ()
        audit = rows[0]
        return self._file(event, op, path, audit) if isinstance(audit, AuditRow) else ()

    def _matters(self, path: str, op: str, error: int) -> bool:
        deed = FileDeed(_NOBODY, path, op, error=error)
        return self._judge.possible(deed) or (not error and self._judge.possible(LeftDeed(_NOBODY, path, "", by_content=True)))

    def _file(self, event: FileEvent, op: str, path: str, audit: AuditRow) -> Iterator[Row]:
        by_name, succeeded = audit.link == "path", not event.error
        link = Link(
            self._known,
            pid=audit.pid,
            process_id=audit.process_id,
            session_id=audit.session_id,
            tool_id=audit.tool_id,
            by_name=by_name,
        )
        if succeeded and _GIT in event.path:
            self._root(event.path, link)
        if succeeded and op in ("read", "rename") and self._may_leave(path, link):
            if op == "rename":
                self._memory.names.put(event.target, path)
            elif link.owner is not None:
                read = Read(path, audit.id, by_name=by_name)
                self._memory.read(link.tool_id, read)
                self._memory.read(None if link.own else link.process_id, read)
        deed = FileDeed(link, path, op, error=event.error, target=event.target)
        proof = Proof(event.origin, (audit.id,), count=event.count, whole=not event.lexical)
        yield from self._context.judged(deed, link, proof)

    def _may_leave(self, path: str, link: Link) -> bool:
        """May a rule ask later whether it left?"""
        return self._keeps_reads and bool(self._judge.broken(LeftDeed(link, path, "", by_content=True)))

    def _root(self, path: str, link: Link) -> None:
        """git found its folder there: in the folder of the agent, or above it."""
        root, _, rest = path.partition(_GIT)
        owner = link.owner
        if owner is None or rest[:1] not in ("", "/") or root.count("/") <= _DEEP_LEAST:
            return
        cwd = link.agent_cwd
        is_above = cwd == root or cwd.startswith(root + "/")
        if is_above and len(root) > len(self._memory.roots.get(owner, "")):
            self._memory.roots.put(owner, root)

    def program(self, event: ProcessExec, rows: list[Row]) -> Iterator[Row]:
        row = next((row for row in rows if isinstance(row, ProcessRow)), None)
        if row is None or not self._judge.judges(ProcessDeed):
            return
        link = Link(self._known, pid=row.pid, process_id=row.id)
        danger = danger_of(event.argv, event.cwd, link.outside, is_agent=row.agent is not None)
        if danger is not None and danger.kind == "sandbox-off" and not self._is_of_agent(row.ppid or 0):
            danger = None
        deed = ProcessDeed(link, *danger) if danger else ProcessDeed(link)
        audit = next((each.id for each in rows if isinstance(each, AuditRow)), row.id)
        yield from self._context.judged(deed, link, Proof(event.origin, (audit,), whole=not event.argv_lost))

    def _is_of_agent(self, pid: int) -> bool:
        return self._known.sessions.of(pid) is not None or self._known.processes.agent(pid) is not None

    # -- what leaves ---------------------------------------------------------------------------------------------------

    def request(self, event: HttpRequest, *, is_call: bool) -> Iterator[Row]:
        """A request that a client sent."""
        origin, connection = event.origin, event.origin.connection
        id = process_id(connection.pid, connection.start_ns) if connection else None
        if id is not None:
            self._memory.spoke.put(id, None)
        host = _PORT.sub("", field(event.headers, "host") or "").strip("[]").lower()
        link = Link(self._known, pid=origin.pid, process_id=id)
        if _LOCAL.match(host) or link.owner is None:
            return
        proof = Proof(origin, (http_id(call_id(origin, event.exchange)),))
        sent = event.size or len(event.body)
        if not (is_call and link.own):
            yield from self._left(link, host, proof, sent=sent, body=event.body)
        yield from self._spoken(link, host, proof, sent=sent)

    def traffic(self, event: TcpTraffic, rows: list[Row]) -> Iterator[Row]:
        """All bytes of a connection. Its requests were judged by themselves."""
        id = process_id(event.origin.pid, event.start_ns)
        if not event.sent or event.port == _DNS or _LOCAL.match(event.peer) or id in self._memory.spoke:
            return
        link = Link(self._known, pid=event.origin.pid, process_id=id)
        if link.owner is None:
            return
        proof = Proof(event.origin, tuple(row.id for row in rows if isinstance(row, AuditRow)))
        yield from self._left(link, event.peer, proof, sent=event.sent)
        yield from self._spoken(link, event.peer, proof, sent=event.sent)

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

    def _spoken(self, link: Link, host: str, proof: Proof, *, sent: int) -> Iterator[Row]:
        if not self._judge.judges(NetDeed):
            return
        key, owner = f"{link.workspace}\n{host}", link.owner or ""
        first = self._memory.hosts.use(key)
        if first is None:
            self._memory.hosts.put(key, owner)
        is_new = first is None or first == owner
        deed = NetDeed(link, host, new=is_new, sent=sent, named=is_new and link.own and self._is_named(link, host))
        yield from self._context.judged(deed, link, proof)

    def _is_named(self, link: Link, host: str) -> bool:
        """The agent itself speaks to a host that the input of one of its open tools names."""
        tools = self._known.tools.open_of({link.pid} if link.pid is not None else set())
        return any(host in needle for tool in tools for needle in tool.needles)

    def unread(self, event: BlindSpot, rows: list[Row]) -> Iterator[Row]:
        link = Link(self._known, pid=event.origin.pid, process_id=process_id(event.origin.pid, event.start_ns))
        deed = UnreadDeed(link, event.size, " and ".join(dict.fromkeys(event.looks_like)))
        proof = Proof(event.origin, tuple(row.id for row in rows), count=0, total=1)
        yield from self._context.judged(deed, link, proof)


def _op_of(event: FileEvent) -> str | None:
    if event.action != "open":
        return _OPS.get(event.action)
    if event.flags & (_ONLY_PATH | _DIRECTORY):
        return None
    return "write" if event.flags & _WRITES else "read"
