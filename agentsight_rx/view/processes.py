"""ProcessFork, ProcessExec, ProcessExit -> ProcessRow and AuditRow, and which process descends from which."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from ..agents.registry import agent_of
from ..core.bounded import Recent
from ..events import ProcessExec, ProcessExit, ProcessFork, ProcessSeen, milliseconds
from .rows import AuditRow, ProcessRow, Row, process_id

__all__ = ["Processes"]

_DEPTH_MOST = 64  # ancestors that are looked at
_MOST = 65_536  # live processes; a machine has at most 4 million pids and some hundred processes


class Processes:
    """The live processes. One that has ended is forgotten once its row is emitted."""

    def __init__(self) -> None:
        self._live: Recent[int, ProcessRow] = Recent(_MOST)

    def fork(self, event: ProcessFork) -> list[Row]:
        origin = event.origin
        parent = self._live.get(event.ppid)
        row = ProcessRow(
            process_id(origin.pid, event.start_ns),
            origin.pid,
            ppid=event.ppid,
            root_pid=parent.root_pid if parent else event.ppid,
            start_timestamp_ms=milliseconds(origin.wall_ns),
            comm=origin.comm,
            cwd=parent.cwd if parent else None,
            tool_call_id=parent.tool_call_id if parent else None,
        )
        self._keep(row)
        return [row]

    def exec(self, event: ProcessExec, event_id: str) -> list[Row]:
        origin = event.origin
        time_ms = milliseconds(origin.wall_ns)
        known, id = self._live.get(origin.pid), process_id(origin.pid, event.start_ns)
        if known is None or known.id != id:
            parent = self._live.get(event.ppid)
            known = ProcessRow(
                id,
                origin.pid,
                ppid=event.ppid,
                root_pid=parent.root_pid if parent else origin.pid,
                start_timestamp_ms=time_ms,
            )
        row = replace(
            known,
            ppid=event.ppid,
            comm=origin.comm,
            command=event.filename,
            argv=event.argv,
            argv_lost=event.argv_lost,
            cwd=event.cwd,
            agent=agent_of(origin.comm, event.argv),
        )
        self._keep(row)
        audit = AuditRow(
            f"audit-{event_id}",
            time_ms,
            audit_type="process",
            pid=origin.pid,
            comm=origin.comm,
            subject=origin.comm,
            action="exec",
            target=event.filename,
            status="observed",
            summary=f"exec {' '.join(event.argv) or event.filename}",
            details={"cwd": event.cwd, "ppid": event.ppid, "argv_lost": event.argv_lost},
            process_id=row.id,
            tool_id=row.tool_call_id,
            link="lineage" if row.tool_call_id else None,
        )
        return [row, audit]

    def seen(self, event: ProcessSeen) -> list[Row]:
        """A process that ran already. A process whose parent is not watched is a root of the shown tree."""
        origin = event.origin
        parent = self._live.get(event.ppid)
        row = ProcessRow(
            process_id(origin.pid, event.start_ns),
            origin.pid,
            ppid=event.ppid,
            root_pid=parent.root_pid if parent else origin.pid,
            start_timestamp_ms=milliseconds(origin.wall_ns - origin.time_ns + event.start_ns),
            comm=origin.comm,
            command=event.filename or None,
            argv=event.argv,
            cwd=event.cwd or None,
            view_source="seed",
            agent=agent_of(origin.comm, event.argv),
        )
        self._keep(row)
        return [row]

    def exit(self, event: ProcessExit, event_id: str) -> tuple[ProcessRow, list[Row]]:
        origin = event.origin
        time_ms = milliseconds(origin.wall_ns)
        known, id = self._live.pop(origin.pid, None), process_id(origin.pid, event.start_ns)
        if known is None or known.id != id:
            known = ProcessRow(id, origin.pid, ppid=event.ppid, comm=origin.comm)
        ended = "killed" if event.signal else "success" if event.exit_code == 0 else "failure"
        row = replace(
            known,
            end_timestamp_ms=time_ms,
            exit_code=event.exit_code,
            signal=event.signal or None,
            status=ended,
            duration_ms=milliseconds(event.duration_ns),
            cpu_ms=milliseconds(event.cpu_ns) if event.cpu_ns else None,
            peak_bytes=event.peak_bytes or None,
        )
        how = f"killed by signal {event.signal}" if event.signal else f"exit code {event.exit_code}"
        audit = AuditRow(
            f"audit-{event_id}",
            time_ms,
            audit_type="process",
            pid=origin.pid,
            comm=origin.comm,
            subject=origin.comm,
            action="exit",
            target=row.command,
            status="success" if ended == "success" else "failure",
            summary=f"{how} ({row.duration_ms}ms)",
            details={"exit_code": event.exit_code, "signal": event.signal, "core_dumped": event.core_dumped},
            process_id=row.id,
            tool_id=row.tool_call_id,
            link="lineage" if row.tool_call_id else None,
        )
        return row, [row, audit]

    def linked(self, pid: int, tool_call_id: str) -> list[Row]:
        """Remember that this live process runs a tool."""
        known = self._live.get(pid)
        if known is None:
            return []
        row = replace(known, tool_call_id=tool_call_id)
        self._keep(row)
        return [row]

    def get(self, pid: int) -> ProcessRow | None:
        return self._live.get(pid)

    def ancestors(self, pid: int) -> set[int]:
        """The parent, the parent's parent, … of `pid`, as far as they are known."""
        found: set[int] = set()
        for _ in range(_DEPTH_MOST):
            row = self._live.get(pid)
            if row is None or row.ppid is None:
                break
            pid = row.ppid
            found.add(pid)
        return found

    def nearest(self, pid: int, known: Mapping[str, str]) -> str | None:
        """The entry of the process in `known`, else the entry of its nearest ancestor that has one."""
        for _ in range(_DEPTH_MOST if known else 0):
            row = self._live.get(pid)
            if row is None:
                return None
            found = known.get(row.id)
            if found is not None or row.ppid is None:
                return found
            pid = row.ppid
        return None

    def program(self, pid: int) -> ProcessRow | None:
        """
        The process whose session one belongs to: itself where it is a known agent, else the one that the nearest known agent
        above it started, else the first of its tree.
        """
        found: ProcessRow | None = None
        for _ in range(_DEPTH_MOST):
            row = self._live.get(pid)
            if row is None or (row.agent and found is not None):
                return found
            if row.agent or row.ppid is None:
                return row
            found, pid = row, row.ppid
        return found

    def _keep(self, row: ProcessRow) -> None:
        self._live.put(row.pid, row)

    def snapshot(self) -> list[ProcessRow]:
        return list(self._live.values())

    def restore(self, state: list[ProcessRow]) -> None:
        self._live.clear()
        self._live.update({row.pid: row for row in state})
