"""Files, network, JSON-RPC, typed lines, resources, HTTP exchanges -> audit trail, network targets, resource samples."""

from __future__ import annotations

import os

from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Recent
from ...events import FileEvent, HttpResponse, NetEvent, Origin, Readline, RpcMessage, SystemSample, TcpTraffic, milliseconds
from ...wire.address import endpoint
from ...wire.mcp import is_mcp
from ..rows.kinds import AuditRow, NetworkRow, ResourceRow, Row, process_id
from .mcp_tools import sent_for
from .processes import Processes
from .sessions import Sessions
from .tools import Tools

_RPC_MOST = 4096  # characters of the input and of the result of a request; the event log has all
_CALL = "tools/call"
_SWITCHED = 101  # to a WebSocket: there is no other answer
_TARGETS_MOST = 4096  # (process, host, path) triples with a running count; an older one starts a new count


class _Cause(Struct, frozen=True):
    process_id: str | None = None
    session_id: str | None = None
    tool_id: str | None = None
    link: str | None = None


class Effects:
    """What processes did outside themselves. Keeps only the counts of each network target."""

    def __init__(self, processes: Processes, sessions: Sessions, tools: Tools) -> None:
        self._processes = processes
        self._sessions = sessions
        self._tools = tools
        self._targets: Recent[str, NetworkRow] = Recent(_TARGETS_MOST)

    def _cause(self, origin: Origin, start_ns: int = 0, path: str | None = None) -> _Cause:
        """
        Whose effect it is: the process, its session, and the tool that it ran for. With the start of the process it is known
        also behind its end, as what a connection carried comes: the tool and the ancestors are then known to a report alone.
        """
        pid = origin.pid
        process, id = self._processes.get(pid), process_id(pid, start_ns) if start_ns else None
        if id is not None and (process is None or process.id != id):
            return _Cause(id, self._sessions.of_process(id))
        tool = process.tool_call_id if process else None
        link = "lineage" if tool else None
        if tool is None and path is not None:
            tool = self._tools.of_path(pid, path)
            link = "path" if tool else None
        return _Cause(process.id if process else None, self._sessions.of(pid), tool, link)

    def _cause_of_request(self, event: RpcMessage) -> _Cause:
        """A request is sent by the agent itself, so no process leads to its tool."""
        cause, client = self._cause(event.origin), event.writer_pid or event.origin.pid
        if event.method != _CALL:
            return cause
        open_tools = self._tools.open_of({client, *self._processes.ancestors(client)})
        found = sent_for(event.tool, event.params, open_tools) if open_tools else None
        if found is None:
            return cause
        tool, link = found
        self._tools.sent(tool)
        return _Cause(cause.process_id, tool.row.session_id or cause.session_id, tool.row.id, link)

    def file(self, event: FileEvent) -> list[Row]:
        return [
            _audit(
                event.origin,
                "file",
                self._cause(event.origin, event.start_ns, event.path),
                action=event.action,
                target=event.path,
                error=event.error,
                summary=f"{event.action} {event.path} {event.target}" if event.target else f"{event.action} {event.path}",
                details={
                    "target": event.target or None,
                    "flags": event.flags,
                    "count": event.count,
                    "read_bytes": event.read_bytes,
                    "written_bytes": event.written_bytes,
                    "lexical": event.lexical,
                    **({"existed": True} if event.existed else {}),
                },
            )
        ]

    def net(self, event: NetEvent) -> list[Row]:
        where = endpoint(event.peer or event.local, event.port)
        cause = self._cause(event.origin, event.start_ns)
        rows: list[Row] = [
            _audit(
                event.origin,
                "network",
                cause,
                action=event.action,
                target=where,
                error=event.error,
                summary=f"{event.action} {event.protocol} {where}",
                details={
                    "family": event.family,
                    "protocol": event.protocol,
                    "local": event.local,
                    "count": event.count,
                    "bytes": event.size,
                    **_local_port(event),
                },
            )
        ]
        if event.action in ("connect", "send"):
            rows.append(self._target(event.origin, where, "", event.count, cause=cause, failed=event.error != 0))
        return rows

    def traffic(self, event: TcpTraffic) -> list[Row]:
        """All bytes of a connection: one line, at its end or at the end of the capture."""
        where = endpoint(event.peer, event.port)
        return [
            _audit(
                event.origin,
                "network",
                self._cause(event.origin, event.start_ns),
                action="carried",
                target=where,
                error=0,
                summary=f"carried tcp {where}, {event.sent} bytes out, {event.received} bytes in",
                details={
                    "family": "ipv6" if ":" in event.peer else "ipv4",
                    "protocol": "tcp",
                    "bytes": event.sent,
                    "received_bytes": event.received,
                    "ended": event.ended,
                    **_local_port(event),
                },
            )
        ]

    def exchange(self, event: HttpResponse) -> list[Row]:
        """A response whose request was seen: the request has the host and the path. None at the server: it was asked."""
        if (
            event.origin.direction == "out"
            or event.host is None
            or event.target is None
            or (event.status < 200 and event.status != _SWITCHED)
        ):
            return []
        path = event.target.partition("?")[0]
        connection = event.origin.connection
        cause = self._cause(event.origin, connection.start_ns if connection else 0)
        return [self._target(event.origin, event.host, path, 1, cause=cause, failed=event.status >= 400)]

    def _target(self, origin: Origin, host: str, path: str, count: int, *, cause: _Cause, failed: bool) -> NetworkRow:
        key = f"net-{origin.pid}-{len(host)}-{host}-{path}"
        now_ms = milliseconds(origin.wall_ns)
        known = self._targets.get(key)
        if known is None:
            known = NetworkRow(key, origin.pid, host=host, path=path, comm=origin.comm, first_timestamp_ms=now_ms)
        row = replace(
            known,
            count=known.count + count,
            error_count=known.error_count + (count if failed else 0),
            last_timestamp_ms=now_ms,
            process_id=cause.process_id,
            session_id=cause.session_id,
        )
        self._targets.put(key, row)
        return row

    def rpc(self, event: RpcMessage) -> list[AuditRow]:
        if event.kind != "request":
            return []
        origin = event.origin
        cause = self._cause_of_request(event)
        what = f"{event.method} {event.tool}".strip()
        return [
            AuditRow(
                f"audit-rpc-{event.channel.inode}-{origin.time_ns:x}-{event.id}",
                milliseconds(origin.wall_ns),
                audit_type="mcp" if is_mcp(event.method, event.params) else "rpc",
                pid=origin.pid,
                comm=origin.comm,
                subject=event.server or None,
                action=event.method,
                target=event.tool or None,
                status={"ok": "success", "no_answer": "partial", "unknown": "partial"}.get(event.outcome, "failure"),
                summary=f"{what}: {event.outcome}",
                details={
                    "params": event.params[:_RPC_MOST],
                    "result": event.result[:_RPC_MOST],
                    "outcome": event.outcome,
                    "duration_ms": milliseconds(event.end_ns - origin.time_ns) if event.end_ns else None,
                    "client_pid": event.writer_pid,
                    "server_pid": event.reader_pid,
                },
                process_id=cause.process_id,
                session_id=cause.session_id,
                tool_id=cause.tool_id,
                link=cause.link,
            )
        ]

    def readline(self, event: Readline) -> list[Row]:
        return [
            _audit(
                event.origin,
                "process",
                self._cause(event.origin),
                action="readline",
                target=event.command,
                error=0,
                summary=f"typed {event.command}",
                details={},
            )
        ]

    def sample(self, event: SystemSample) -> list[Row]:
        origin = event.origin
        return [
            ResourceRow(
                f"resource-{origin.pid}-{origin.time_ns:x}",
                milliseconds(origin.wall_ns),
                pid=origin.pid,
                comm=origin.comm,
                cpu_percent=event.cpu_percent,
                rss_mb=event.rss_bytes >> 20,
                processes=event.processes,
                alert=event.alert,
            )
        ]

    def get(self, id: str) -> NetworkRow | None:
        """The row of a network target."""
        return self._targets.get(id)

    def snapshot(self) -> list[NetworkRow]:
        return list(self._targets.values())

    def restore(self, state: list[NetworkRow]) -> None:
        self._targets.clear()
        self._targets.update({row.id: row for row in state})


def _audit(
    origin: Origin,
    kind: str,
    cause: _Cause,
    *,
    action: str,
    target: str,
    error: int,
    summary: str,
    details: dict[str, str | int | bool | None],
) -> AuditRow:
    return AuditRow(
        # the time in front: a store sorts what happened in one millisecond by its id
        f"audit-{kind}-{origin.time_ns:016x}-{action}-{origin.pid}-{target[-64:]}",
        milliseconds(origin.wall_ns),
        audit_type=kind,
        pid=origin.pid,
        comm=origin.comm,
        subject=origin.comm,
        action=action,
        target=target,
        status="failure" if error else "success",
        summary=f"{summary}: {os.strerror(error)}" if error else summary,
        details={**details, "errno": error} if error else details,
        process_id=cause.process_id,
        session_id=cause.session_id,
        tool_id=cause.tool_id,
        link=cause.link,
    )


def _local_port(event: NetEvent | TcpTraffic) -> dict[str, str | int | bool | None]:
    return {"local_port": event.local_port} if event.local_port else {}
