"""ProcessFork, ProcessExec, ProcessExit -> ProcessRow and AuditRow, and which process descends from which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from msgspec.structs import replace

from ...core.bounded import Recent
from ...events import ProcessExec, ProcessExit, ProcessFork, ProcessSeen, milliseconds
from ...llm.agents.answers import ends_with_answer, is_answer, passes_on
from ...llm.agents.programs import is_client, is_launcher, is_prompt, is_worker
from ...llm.agents.registry import agent_of
from ..rows.kinds import AuditRow, ProcessRow, Row, process_id

_DEPTH_MOST = 64  # ancestors that are looked at
_PARENTS_MOST = 4096  # of which a child did not end with 0
_MOST = 65_536  # live processes; a machine has at most 4 million pids and some hundred processes

# The code of the last child that did not end with 0, and whether it is an answer
ChildCode: TypeAlias = tuple[int, bool]


class Processes:
    """The live processes. One that has ended is forgotten once its row is emitted."""

    def __init__(self) -> None:
        self._live: Recent[int, ProcessRow] = Recent(_MOST)
        self._of_child: Recent[int, ChildCode] = Recent(_PARENTS_MOST)  # by the process

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
            container=event.container or None,
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
            container=event.container or None,
        )
        self._keep(row)
        return [row]

    def exit(self, event: ProcessExit, event_id: str) -> tuple[ProcessRow, list[Row]]:
        origin = event.origin
        time_ms = milliseconds(origin.wall_ns)
        known, id = self._live.pop(origin.pid, None), process_id(origin.pid, event.start_ns)
        if known is None or known.id != id:
            known = ProcessRow(id, origin.pid, ppid=event.ppid, comm=origin.comm)
        ended = "killed" if event.signal else "success" if self._has_answered(event, known.argv) else "failure"
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

    def _has_answered(self, event: ProcessExit, argv: Sequence[str]) -> bool:
        """It ended with 0, or with a code that is an answer: its own, or the code of a child that a shell passes on."""
        code, child = event.exit_code, self._of_child.pop(event.origin.pid, None)
        if not code:
            return not event.signal
        passed = child is not None and passes_on(argv, code, child[0])
        answered = child[1] if child is not None and passed else is_answer(argv, code) or ends_with_answer(argv, code)
        self._of_child.put(event.ppid, (code, answered))
        return answered

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
        return {row.ppid for row in self._lineage(pid) if row.ppid is not None}

    def nearest(self, pid: int, known: Mapping[str, str]) -> str | None:
        """The entry of the process in `known`, else the entry of its nearest ancestor that has one."""
        for _ in range(_DEPTH_MOST if known else 0):  # a loop, since it is asked for with each event
            row = self._live.get(pid)
            if row is None:
                return None
            found = known.get(row.id)
            if found is not None or row.ppid is None:
                return found
            pid = row.ppid
        return None

    def agent(self, pid: int) -> ProcessRow | None:
        """The known agent that the process is, or the nearest one that it descends from."""
        return next((row for row in self._lineage(pid) if row.agent), None)

    def program(self, pid: int) -> ProcessRow | None:
        """
        The process whose session the calls of a process belong to: the one that started the program that calls, as `itself`
        says. Of a client such as curl it is the program or script that started it, where no known agent stands in between.
        """
        found = self.itself(pid)
        if found is None or found.agent or not is_client(found.argv):
            return found
        for row in self._lineage(found.ppid or 0):
            if row.agent or is_prompt(row.argv):
                break
            if not _is_fork(row) and not is_launcher(row.argv):
                return self.program(row.pid)
        return found

    def itself(self, pid: int) -> ProcessRow | None:
        """The process, or the one of whose program it is a worker: it forked from it, or was started by the same program."""
        found: ProcessRow | None = None
        for row in self._lineage(pid):
            if found is not None and (found.agent or not (_is_fork(found) or is_worker(row.argv, found.argv))):
                break
            found = row
        return found

    def _lineage(self, pid: int) -> Iterator[ProcessRow]:
        """The process, its parent, the parent's parent, … as far as they are known."""
        for _ in range(_DEPTH_MOST):
            row = self._live.get(pid)
            if row is None:
                return
            yield row
            if row.ppid is None:
                return
            pid = row.ppid

    def _keep(self, row: ProcessRow) -> None:
        self._live.put(row.pid, row)

    def snapshot(self) -> tuple[list[ProcessRow], list[tuple[int, ChildCode]]]:
        return list(self._live.values()), list(self._of_child.items())

    def restore(self, live: list[ProcessRow], of_child: list[tuple[int, ChildCode]], /) -> None:
        self._live.clear()
        self._live.update({row.pid: row for row in live})
        self._of_child.clear()
        self._of_child.update(of_child)


def _is_fork(row: ProcessRow) -> bool:
    """It runs the program of its parent."""
    return not row.command and not row.argv
