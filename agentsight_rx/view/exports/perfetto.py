"""Store -> a trace for https://ui.perfetto.dev: calls, tools and programs as slices, effects as instants, load as counters."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from ...core.bounded import Recent
from ...store.rows.kinds import AlertRow, AuditRow, CallRow, ProcessRow, ResourceRow, ToolRow
from ...store.rows.tables import ALERTS, AUDIT, CALLS, PROCESSES, RESOURCES, TOOLS
from ...store.rows.tool_words import outcome_of
from ...store.state import Store, pages
from ..queries.calls.mcp import tools_of
from ..queries.effects.file_fates import effect_of
from .perfetto_packets import Lanes, counter, counter_track, instant, process_track, slice_of, track

_TRACKS_MOST = 65_536  # of which it is remembered that they were described
_MS = 1_000_000  # ns


def perfetto(store: Store) -> Iterator[bytes]:
    """
    Packets of a Trace (https://perfetto.dev/docs/reference/trace-packet-proto), any number of which one after the other are a
    file. Each process is a track with one for its program, its calls, its tools, its alerts, and what it did to
    files and the network.

    An arrow leads from a call to each tool that it asked for, and on to the process that ran for it. Times are Unix time. What
    has no end yet lasts for a millisecond and is marked as open.
    """
    writer = _Writer()
    for _, process in pages(store, PROCESSES):
        yield from writer.process(process)
    for _, call in pages(store, CALLS):
        if call.twin is None:
            yield from writer.call(call, tools_of(store, call.id))
    for _, process in pages(
        store, PROCESSES
    ):  # behind tools: what began in the same millisecond is read in the order of the file
        tool = store.get(TOOLS, process.tool_call_id) if process.tool_call_id else None
        yield from writer.program(process, tool)
    for _, line in pages(store, AUDIT):
        yield from writer.effect(line)
    for _, alert in pages(store, ALERTS):
        yield from writer.alert(alert)
    for _, sample in pages(store, RESOURCES):
        yield from writer.sample(sample)


class _Writer:
    def __init__(self) -> None:
        self._described: Recent[int, None] = Recent(_TRACKS_MOST)
        self._lanes = Lanes()

    def process(self, row: ProcessRow) -> Iterator[bytes]:
        """The track of a process."""
        yield from self._process(_number("process", row.id), row.pid, row.comm or row.command or "", row.argv)

    def program(self, row: ProcessRow, tool: ToolRow | None) -> Iterator[bytes]:
        """A slice of the track of its process. The arrow of its tool ends at the process that ran it, not at those below."""
        if not row.command or not row.start_timestamp_ms:
            return
        yield from self.process(row)
        owner = _number("process", row.id)
        yield from self._track(own := _number("program", row.id), "program", owner)
        yield from slice_of(
            own,
            row.start_timestamp_ms * _MS,
            _end(row.start_timestamp_ms, row.end_timestamp_ms),
            name=" ".join(row.argv) or row.command,
            category="program",
            about={"id": row.id, "status": row.status, "exit_code": row.exit_code, "signal": row.signal, "cwd": row.cwd},
            flows_in=(_number("program of", tool.id),) if tool is not None and tool.process_id == row.id else (),
        )

    def call(self, row: CallRow, tools: tuple[ToolRow, ...]) -> Iterator[bytes]:
        """Calls, and tools, that overlap are on tracks of their own."""
        owner = _number("process", row.process_id or f"pid-{row.pid}")
        yield from self._process(owner, row.pid or 0, row.comm or row.agent or "")
        start, end = row.start_ns or row.start_timestamp_ms * _MS, row.end_ns
        end = end if end > start else _end(row.start_timestamp_ms, row.end_timestamp_ms)
        lane = self._lanes.lane(f"{owner} calls", start, max(end, start + 1))
        yield from self._track(own := _number(f"calls {lane}", f"{owner}"), f"calls {lane}", owner)
        yield from slice_of(
            own,
            start,
            max(end, start + 1),
            name=row.model or "unknown model",
            category="call",
            about={
                "id": row.id, "status": row.status, "reason": row.reason, "turn": row.turn, "session": row.session_id,
                "input_tokens": row.input_tokens, "cache_read_tokens": row.cache_read_tokens,
                "cache_creation_tokens": row.cache_creation_tokens, "output_tokens": row.output_tokens,
                "time_to_first_chunk_ms": row.time_to_first_chunk_ms, "prompt": row.prompt, "text": row.text,
            },
            flows_out=tuple(_number("tool", tool.id) for tool in tools),
        )  # fmt: skip
        for tool in tools:
            yield from self._tool(tool, owner)

    def _tool(self, row: ToolRow, owner: int) -> Iterator[bytes]:
        start_ms = row.start_timestamp_ms or row.timestamp_ms
        start, end = start_ms * _MS, _end(start_ms, row.end_timestamp_ms)
        lane = self._lanes.lane(f"{owner} tools", start, end)
        yield from self._track(own := _number(f"tools {lane}", f"{owner}"), f"tools {lane}", owner)
        status = "open" if row.end_timestamp_ms is None else outcome_of(row)
        yield from slice_of(
            own,
            start,
            end,
            name=row.tool_name,
            category="tool",
            about={"id": row.id, "status": status, "input": row.input, "output": row.output, "pid": row.related_pid},
            flows_out=(_number("program of", row.id),) if row.process_id else (),
            flows_in=(_number("tool", row.id),),
        )

    def effect(self, row: AuditRow) -> Iterator[bytes]:
        """A file that was written, removed, read or refused, and a connection."""
        what = effect_of(row) if row.audit_type == "file" else row.action if row.audit_type == "network" else None
        if what is None or row.pid is None or (row.audit_type == "file" and _is_device(row.target or "")):
            return
        owner = _number("process", row.process_id or f"pid-{row.pid}")
        yield from self._process(owner, row.pid, row.comm or "")
        kind = "files" if row.audit_type == "file" else "network"
        yield from self._track(own := _number(kind, f"{owner}"), kind, owner)
        about = {name: value for name, value in row.details.items() if name != "target"} | {"status": row.status}
        moved = row.details.get("target")
        name = f"{what} {row.target or ''}" + (f" to {moved}" if moved else "")
        yield instant(own, row.timestamp_ms * _MS, name=name, category=kind, about=about)

    def alert(self, row: AlertRow) -> Iterator[bytes]:
        """What broke a rule of the guard, at its process, with what it says."""
        owner = _number("process", row.process_id or f"pid-{row.pid}")
        yield from self._process(owner, row.pid or 0, row.agent or "")
        yield from self._track(own := _number("alerts", f"{owner}"), "alerts", owner)
        about: dict[str, str | int | bool | None] = {
            "id": row.id,
            "level": row.do,
            "sentence": row.sentence,
            "target": row.target,
            "count": row.count,
        }
        yield instant(own, row.timestamp_ms * _MS, name=f"{row.rule}: {row.sentence}", category="alert", about=about)

    def sample(self, row: ResourceRow) -> Iterator[bytes]:
        for name, unit, value in (("CPU", "%", row.cpu_percent), ("memory", "MB", float(row.rss_mb))):
            if value is None:
                continue
            own = _number(name, f"{row.pid}")
            if self._is_new(own):
                yield counter_track(own, f"{name} of {row.comm or ''} {row.pid}", unit)
            yield counter(own, row.timestamp_ms * _MS, value)

    def _process(self, own: int, pid: int, name: str, command: tuple[str, ...] = ()) -> Iterator[bytes]:
        if self._is_new(own):
            yield process_track(own, pid, name=name, command=command)

    def _track(self, own: int, name: str, owner: int) -> Iterator[bytes]:
        if self._is_new(own):
            yield track(own, name, owner)

    def _is_new(self, own: int) -> bool:
        """A track that is described twice is the same one."""
        if own in self._described:
            return False
        self._described.put(own, None)
        return True


def _number(kind: str, of: str) -> int:
    """A number for a thing, the same in every export, that fits 63 bits."""
    digest = hashlib.blake2b(f"{kind}\0{of}".encode("utf-8", "backslashreplace"), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1 or 1


def _end(start_ms: int, end_ms: int | None) -> int:
    """In ns; a slice takes a millisecond at least."""
    return max(end_ms or 0, start_ms + 1) * _MS


def _is_device(path: str) -> bool:
    return path.startswith(("/dev/", "/proc/", "/sys/"))
