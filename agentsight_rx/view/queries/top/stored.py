"""A store -> TopRows: what each session in it did, also while it is being written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from os.path import basename

from ....llm.prices import Prices
from ....store.rows.kinds import NetworkRow, ProcessRow, ResourceRow, SessionRow, ToolRow
from ....store.rows.tables import NETWORK, PROCESSES, RESOURCES, RUNS
from ....store.rows.tool_words import has_failed, outcome_said
from ....store.state import Store
from ....store.words import error_said
from ..calls.call import read_calls
from ..calls.costs import summed
from ..calls.mcp import read_tools
from ..effects.causes import Causes
from ..effects.file_fates import effect_of
from ..reading import newest_first, newest_of_kind, rows_of
from ..selection import Selection
from ..sessions.files import read_sessions
from .top import TopRow, leading, state_of

_SESSIONS_MOST = 100  # the newest ones
_SAMPLES_MOST = 5000
_FILE_LINES_MOST = 10_000  # of the audit trail, the newest
_CALLS_MOST = 20_000  # of one session
_FAILED_MOST = 5
_TEXT = 200  # characters


def saved_rows(store: Store, prices: Prices, /, *, now_ms: int, being_written: bool = False) -> list[TopRow]:
    """
    A row a session, of the newest 100; where there is none, one row of the whole recording. Files come from the newest 10,000
    lines of the audit trail.
    """
    seen = _Seen(store, prices, now_ms=now_ms, being_written=being_written)
    sessions = list(read_sessions(store, Selection(limit=_SESSIONS_MOST)))
    return [seen.row(session) for session in sessions] if sessions else list(seen.whole())


class _Seen:
    """What the rows of a store say of each session. The key None has the rows without a session."""

    def __init__(self, store: Store, prices: Prices, *, now_ms: int, being_written: bool) -> None:
        self._store, self._prices, self._now_ms, self._being_written = store, prices, now_ms, being_written
        self._samples: dict[int, list[ResourceRow]] = {}
        for sample in newest_first(store, RESOURCES, Selection(limit=_SAMPLES_MOST)):
            self._samples.setdefault(sample.pid, []).append(sample)
        causes = Causes(store)
        self._programs: dict[str | None, Counter[str]] = {}
        self._broken: Counter[str | None] = Counter()
        self._running: Counter[str | None] = Counter()
        for process in rows_of(store, PROCESSES):
            self._process(process, causes.session_of(process.id))
        self._files: dict[str | None, Counter[str]] = {}
        for line in newest_of_kind(store, "file", Selection(), most=_FILE_LINES_MOST)[0]:
            if line.target and effect_of(line) in ("written", "removed", "moved", "refused"):
                self._files.setdefault(causes.session_of_row(line), Counter())[line.target] += 1
        self._hosts: dict[str | None, Counter[str]] = {}
        for target in rows_of(store, NETWORK):
            self._target(target, causes.session_of_row(target))

    def _process(self, row: ProcessRow, session: str | None) -> None:
        if row.command:
            self._programs.setdefault(session, Counter())[basename(row.argv[0]) if row.argv else row.command] += 1
        self._broken[session] += row.has_failed
        self._running[session] += row.status == "running"

    def _target(self, row: NetworkRow, session: str | None) -> None:
        self._hosts.setdefault(session, Counter())[row.host] += row.count

    def row(self, session: SessionRow) -> TopRow:
        tools = list(read_tools(self._store, Selection(sessions=frozenset({session.id}))))
        calls = list(read_calls(self._store, Selection(sessions=frozenset({session.id}), limit=_CALLS_MOST), self._prices))
        models: Counter[str] = Counter()
        for call in calls:
            models[call.model or "unknown"] += call.total_tokens
        runs = self._being_written and session.status == "live"
        failures = session.failed_calls + session.failed_tools
        costs = summed(calls)
        cpu, rss, processes = self._load(session.pid, newest=runs)
        broken = [f"{tool.tool_name} {tool.input}: {_end(tool)}" for tool in tools if has_failed(tool)]
        broken += [
            f"{call.model or 'call'}: {error_said(call.error_type or call.reason or call.status)}"
            for call in calls
            if call.status == "error"
        ]
        end_ms = self._now_ms if runs else session.end_timestamp_ms or session.start_timestamp_ms
        return TopRow(
            session=session.id,
            agent=session.who,
            state=state_of(runs=runs, failures=failures, saved=True),
            evidence=("db",),
            pid=session.pid,
            model=session.model,
            started_ms=session.start_timestamp_ms,
            age_s=max(0, end_ms - session.start_timestamp_ms) // 1000,
            last_message_ms=max((call.end_timestamp_ms or call.start_timestamp_ms for call in calls), default=None),
            cpu_percent=cpu,
            rss_mb=rss,
            processes=(self._running[session.id] or None) if processes is None and runs else processes,
            tokens=session.total_tokens,
            cost_usd=None if costs.unknown_calls else costs.usd,
            tools=session.tools,
            execs=self._programs.get(session.id, Counter()).total(),
            failures=failures,
            files=len(self._files.get(session.id, ())),
            network=self._hosts.get(session.id, Counter()).total(),
            workspace=session.cwd or "",
            context=_line(session.title),
            breakdown=self._breakdown(session.id, models, tools),
            failed=tuple(_line(text) for text in broken[-_FAILED_MOST:]),
        )

    def whole(self) -> Iterator[TopRow]:
        """What a recording without a session has."""
        programs, hosts = sum(self._programs.values(), Counter[str]()), sum(self._hosts.values(), Counter[str]())
        recordings = list(rows_of(self._store, RUNS))
        if not recordings and not programs:
            return
        started = min((each.started_ms for each in recordings), default=0)
        failures = self._broken.total()
        yield TopRow(
            session="db",
            agent="unknown",
            state=state_of(runs=self._being_written, failures=failures, saved=True),
            evidence=("db",),
            started_ms=started,
            age_s=round(sum(each.seconds for each in recordings)),
            execs=programs.total(),
            failures=failures,
            files=len(sum(self._files.values(), Counter[str]())),
            network=hosts.total(),
            context="no call of a model was seen",
            breakdown={
                kind: leading(counts)
                for kind, counts in (
                    ("processes", programs),
                    ("files", sum(self._files.values(), Counter[str]())),
                    ("network", hosts),
                )
                if counts
            },
        )

    def _breakdown(self, session: str, models: Counter[str], tools: list[ToolRow]) -> dict[str, dict[str, int]]:
        found: dict[str, Counter[str]] = {
            "processes": self._programs.get(session, Counter()),
            "files": self._files.get(session, Counter()),
            "network": self._hosts.get(session, Counter()),
            "models": models,
            "tools": Counter(tool.tool_name for tool in tools),
        }
        return {kind: leading(counts) for kind, counts in found.items() if counts}

    def _load(self, pid: int | None, *, newest: bool) -> tuple[float | None, int | None, int | None]:
        """Processor, memory and processes: of the newest sample, or the most of all."""
        samples = self._samples.get(pid or 0, [])[: 1 if newest else None]
        if not samples:
            return None, None, None
        cpu = max((each.cpu_percent for each in samples if each.cpu_percent is not None), default=None)
        return cpu, max(each.rss_mb for each in samples), max(each.processes for each in samples)


def _end(row: ToolRow) -> str:
    return outcome_said(row) if row.exit_code or row.signal else row.output or outcome_said(row)


def _line(text: str) -> str:
    return " ".join(text[: 4 * _TEXT].split())[:_TEXT]
