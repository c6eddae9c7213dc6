"""TopRows -> the selected ones, in order, and their main activities; a row shows one session of an agent now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, TypeAlias, get_args

from msgspec import Struct

State: TypeAlias = Literal["live", "failed", "history", "saved"]
Sort: TypeAlias = Literal["cpu", "rss", "tokens", "cost", "execs", "fail", "files", "net", "agent"]
View: TypeAlias = Literal["all", "processes", "files", "network", "models", "tools"]
SORTS: tuple[Sort, ...] = get_args(Sort)
VIEWS: tuple[View, ...] = get_args(View)

_BREAKDOWN_MOST = 10


class TopRow(Struct, frozen=True, kw_only=True):
    """
    One session, or one process of an agent whose session is not known (`proc:PID`). None: it is not known, and never 0 for it.

    `state`: live (its process runs), failed (it is over, and something failed), history (over), saved (in a recording that has
    ended). `evidence` says what it is known from: logs (the agent's own session file), /proc, how both were put together, db.
    `cpu_percent` (100 = one core), `rss_mb` and `processes` are of the agent with its descendants; in a saved one the most.

    The breakdowns have the ten largest, with their counts; of models the tokens. `failed` are the newest failures in words.
    """

    session: str
    agent: str
    state: State
    evidence: tuple[str, ...]
    pid: int | None = None
    model: str | None = None
    started_ms: int = 0
    age_s: int | None = None
    last_message_ms: int | None = None
    cpu_percent: float | None = None
    rss_mb: int | None = None
    processes: int | None = None
    tokens: int | None = None
    cost_usd: float | None = None
    tools: int | None = None
    execs: int | None = None
    failures: int | None = None
    files: int | None = None
    network: int | None = None
    workspace: str = ""
    context: str = ""
    breakdown: dict[str, dict[str, int]] = {}  # view -> name -> count
    failed: tuple[str, ...] = ()


class Activity(Struct, frozen=True):
    """What all rows together do most of one kind."""

    view: str
    counts: tuple[tuple[str, int], ...]


def state_of(*, runs: bool, failures: int | None, saved: bool = False) -> State:
    """The state of a session; only one that is over has failed."""
    if runs:
        return "live"
    if failures:
        return "failed"
    return "saved" if saved else "history"


_NUMBERS: dict[Sort, Callable[[TopRow], float | None]] = {
    "cpu": lambda row: row.cpu_percent,
    "rss": lambda row: row.rss_mb,
    "tokens": lambda row: row.tokens,
    "cost": lambda row: row.cost_usd,
    "execs": lambda row: row.execs,
    "fail": lambda row: row.failures,
    "files": lambda row: row.files,
    "net": lambda row: row.network,
}


def sorted_rows(rows: Iterable[TopRow], sort: Sort, /) -> list[TopRow]:
    """
    The largest first; an unknown value is less than 0. Ties: processor, memory, running first, the newest, the name. By `agent`
    it is the name first.
    """
    number = _NUMBERS.get(sort)

    def key(row: TopRow) -> tuple[object, ...]:
        first: object = row.agent if number is None else _down(number(row))
        ties = (
            _down(row.cpu_percent),
            _down(row.rss_mb),
            row.state != "live",
            -_last(row),
            row.agent,
            row.pid or 0,
            row.session,
        )
        return first, *ties

    return sorted(rows, key=key)


def _down(value: float | None) -> float:
    return 1.0 if value is None else -value


def _last(row: TopRow) -> int:
    return row.last_message_ms or row.started_ms


def meant(rows: Iterable[TopRow], /, *, pid: int | None = None, name: str | None = None) -> list[TopRow]:
    """Of this process, or of the agents of this name: `claude` also means `claude-code`."""
    return [
        row
        for row in rows
        if (pid is None or row.pid == pid) and (name is None or row.agent == name or name in row.agent.split("-"))
    ]


def leading(counts: Mapping[str, int], /) -> dict[str, int]:
    """The largest ten, the largest first."""
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:_BREAKDOWN_MOST])


def activity(rows: Sequence[TopRow], view: View = "all", /) -> list[Activity]:
    """What the rows do most, of one kind or of all; kinds of which nothing is known are left out. With `models` go `tools`."""
    kinds = VIEWS[1:] if view == "all" else ("models", "tools") if view == "models" else (view,)
    found: list[Activity] = []
    for kind in kinds:
        counts: dict[str, int] = {}
        for row in rows:
            for name, count in row.breakdown.get(kind, {}).items():
                counts[name] = counts.get(name, 0) + count
        if counts:
            found.append(Activity(kind, tuple(leading(counts).items())))
    return found
