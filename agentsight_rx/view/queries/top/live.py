"""Families of processes and the session files of agents -> TopRows: without a recording, and without a trace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from ....events import Usage
from ....llm.prices import Prices
from ...transcripts import Transcript, TranscriptTool, display_id
from ...transcripts.matching import Located, Match, Tree, matches
from .top import TopRow, leading, state_of

_CONTEXT = 200  # characters
_FAILED_MOST = 5
_METHODS = {"open_file": "fd", "before": "linked", "cwd": "cwd", "file": "file", "session_id": "session"}


class Family(Struct, frozen=True, kw_only=True):
    """
    A process of a known agent with its descendants, as /proc shows them. `cpu_percent` is None at the first look. `commands`
    counts its descendants by name, `open_files` are its own open files that may be session files.
    """

    pid: int
    start_ms: int
    agent: str
    comm: str
    argv: tuple[str, ...] = ()
    cwd: str = ""
    cpu_percent: float | None = None
    rss_mb: int = 0
    processes: int = 1
    commands: dict[str, int] = {}
    open_files: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.pid}-{self.start_ms}"


def live_rows(
    families: Sequence[Family],
    sessions: Sequence[Located],
    prices: Prices,
    /,
    *,
    now_ms: int,
    before: Iterable[Match] = (),
) -> tuple[list[TopRow], list[Match]]:
    """
    A row a session file, with the process that works on it where that is known, then a row for each agent without one. The
    matches are for the next look, at which a process that has closed its file is still known by them.
    """
    trees = [
        Tree(id=each.id, agent=each.agent, open_files=each.open_files, cwd=each.cwd, start_ms=each.start_ms)
        for each in families
    ]
    found = matches(sessions, trees, before=before)
    by_id = {each.id: each for each in families}
    owners = {match.path: match for match in found}
    rows: list[TopRow] = []
    for session in sessions:
        match = owners.get(session.path)
        family = by_id.get(match.tree_id) if match else None
        how = (_METHODS.get(match.method, match.method),) if match else ()
        rows.append(_session_row(session, family, prices, now_ms=now_ms, how=how))
    known = {match.tree_id for match in found}
    rows += [_family_row(family, now_ms) for family in families if family.id not in known]
    return rows, found


def _session_row(session: Located, family: Family | None, prices: Prices, *, now_ms: int, how: tuple[str, ...]) -> TopRow:
    seen = session.transcript
    broken = [tool for tool in seen.tools if tool.is_error]
    started = (family.start_ms if family else 0) or seen.start_ms
    return TopRow(
        session=display_id(seen.agent, session.path),
        agent=seen.agent,
        state=state_of(runs=family is not None, failures=len(broken)),
        evidence=("logs", *(("/proc", *how) if family else ())),
        pid=family.pid if family else None,
        model=seen.models[-1] if seen.models else None,
        started_ms=started,
        age_s=_age(started, now_ms),
        last_message_ms=seen.end_ms or None,
        cpu_percent=family.cpu_percent if family else None,
        rss_mb=family.rss_mb if family else None,
        processes=family.processes if family else None,
        tokens=sum(usage.total for usage in seen.totals.values()),
        cost_usd=_cost(seen, prices),
        tools=len(seen.tools),
        failures=len(broken),
        files=len(seen.files),
        workspace=seen.cwd or (family.cwd if family else ""),
        context=_one_line(seen.title or seen.prompt or (" ".join(family.argv) if family else "")),
        breakdown=_breakdown(seen, family),
        failed=tuple(_failure(tool) for tool in broken[-_FAILED_MOST:]),
    )


def _family_row(family: Family, now_ms: int) -> TopRow:
    return TopRow(
        session=f"proc:{family.pid}",
        agent=family.agent,
        state="live",
        evidence=("/proc",),
        pid=family.pid,
        started_ms=family.start_ms,
        age_s=_age(family.start_ms, now_ms),
        cpu_percent=family.cpu_percent,
        rss_mb=family.rss_mb,
        processes=family.processes,
        workspace=family.cwd,
        context=_one_line(" ".join(family.argv)),
        breakdown={"processes": leading(family.commands)} if family.commands else {},
    )


def _breakdown(seen: Transcript, family: Family | None) -> dict[str, dict[str, int]]:
    tools: dict[str, int] = {}
    for tool in seen.tools:
        tools[tool.name] = tools.get(tool.name, 0) + 1
    found = {
        "processes": family.commands if family else {},
        "files": dict.fromkeys(seen.files, 1),
        "models": {model or "unknown": usage.total for model, usage in seen.totals.items()},
        "tools": tools,
    }
    return {kind: leading(counts) for kind, counts in found.items() if counts}


def _cost(seen: Transcript, prices: Prices) -> float | None:
    """
    None where the price of one of its models is not known, and where the calls are not all in the file: prices of long prompts
    are higher, so that a sum of tokens has no price.
    """
    sums: dict[str, Usage] = {}
    usd = 0.0
    for call in seen.calls:
        if not call.usage.total:
            continue
        sums[call.model] = sums.get(call.model, Usage()) + call.usage
        cost = prices.cost_of(None, call.model, call.usage, time_ms=call.time_ms or seen.end_ms)
        if cost is None:
            return None
        usd += float(cost.usd)
    totals = {model: usage for model, usage in seen.totals.items() if usage.total}
    return usd if sums and sums == totals else None


def _failure(tool: TranscriptTool) -> str:
    return _one_line(f"{tool.name} {tool.input}: {tool.output}")


def _age(start_ms: int, now_ms: int) -> int | None:
    return max(0, now_ms - start_ms) // 1000 if start_ms else None


def _one_line(text: str) -> str:
    return " ".join(text[: 4 * _CONTEXT].split())[:_CONTEXT]
