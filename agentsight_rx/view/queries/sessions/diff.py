"""Two recordings, or sessions, of one task -> the entries of only one, and the differences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct

from ....store.rows.kinds import SAID, AuditRow, CallRow, HttpRow, ProcessRow, ToolRow
from ....store.words import NO_END, end_said
from ..effects.causes import Causes
from ..effects.file_fates import Lives
from ..effects.files import file_uses

_PID = re.compile(r"^/proc/\d+/")
_MOST = 100_000  # things of one kind that are compared


class RunFacts(Struct, frozen=True):
    """
    What one run did, in the words that the other would use for the same: no pids, ids or times, and paths from the folder in
    which it was started.
    """

    numbers: dict[str, int | float | None]  # calls, tokens, cost, duration, …
    models: dict[str, int] = {}
    tools: dict[str, int] = {}  # by name and input
    commands: dict[str, int] = {}  # with how they ended
    written: dict[str, int] = {}  # paths
    removed: dict[str, int] = {}
    read: dict[str, int] = {}
    hosts: dict[str, int] = {}
    is_said: bool = False  # by the agent's own file alone: its programs, files and hosts are not known


class Difference(Struct, frozen=True):
    """
    One difference. `kind`: number, model, tool, command, written, removed, read, host. `first` and `second` are the values of a
    number; of the others how often it was there: 0 means that it is only in the other run.
    """

    kind: str
    what: str
    first: int | float | None
    second: int | float | None


class Runs(Struct, frozen=True):
    """
    The differences, and how many things of each kind are equal. `not_known`: of which run, `first` or `second`, the agent's own
    file alone is known, so that programs, files and hosts are not compared.
    """

    differences: tuple[Difference, ...]
    equal: dict[str, int]
    not_known: tuple[str, ...] = ()


_SAID_KINDS = ("model", "tool")
_KINDS = (*_SAID_KINDS, "command", "written", "removed", "read", "host")
_PROGRAMS = "programs"


def facts_of(
    calls: Iterable[CallRow],
    tools: Iterable[ToolRow],
    processes: Iterable[ProcessRow],
    audits: Iterable[AuditRow],
    /,
    *,
    exchanges: Iterable[HttpRow],
    causes: Causes,
    lives: Lives | None = None,
    cost: float | None = None,
) -> RunFacts:
    """The facts of one run. `cost` in US dollars, where prices are known."""
    called, asked, ran = list(calls), list(tools), [row for row in processes if row.command]
    files, folder = file_uses(audits, causes, lives), causes.folder
    times = [each for call in called for each in (call.start_timestamp_ms, call.end_timestamp_ms) if each]
    times += [
        each for row in ran for each in (row.start_timestamp_ms, row.end_timestamp_ms) if each and row.view_source != "seed"
    ]
    return RunFacts(
        {
            "calls": len(called),
            "failed calls": sum(call.status == "error" for call in called),
            "tools": len(asked),
            "failed tools": sum(row.status == "failed" for row in asked),
            _PROGRAMS: len(ran),
            "input tokens": sum(call.asked_tokens for call in called),
            "cached tokens": sum(call.cached_tokens for call in called),
            "output tokens": sum(call.output_tokens for call in called),
            "cost": cost,
            "duration ms": max(times) - min(times) if times else 0,
        },
        models=_counted(call.model or "unknown model" for call in called),
        tools=_counted(f"{row.tool_name} {row.input}".strip() for row in asked),
        commands=_counted(_command(row) for row in ran),
        written=_counted(_path(use.path, folder) for use in files.of("written")),
        removed=_counted(_path(use.path, folder) for use in files.of("removed")),
        read=_counted(_path(use.path, folder) for use in files.of("read")),
        hosts=_counted(row.host or "unknown host" for row in exchanges),
        is_said=bool(called) and all(call.view_source == SAID for call in called),
    )


def difference_of(first: RunFacts, second: RunFacts, /) -> Runs:
    """What differs, kind by kind: first what only the first run has, then what only the second, then what both have."""
    not_known = tuple(name for name, facts in (("first", first), ("second", second)) if facts.is_said)
    numbers = {name: value for name, value in first.numbers.items() if name != _PROGRAMS or not not_known}
    found = [
        Difference("number", name, value, second.numbers.get(name))
        for name, value in numbers.items()
        if value != second.numbers.get(name)
    ]
    equal = {"number": len(numbers) - len(found)}
    for kind, mine, other in zip(_KINDS, _things(first), _things(second), strict=True):
        if not_known and kind not in _SAID_KINDS:
            continue
        names = sorted({*mine, *other}, key=lambda name: (_place(mine.get(name, 0), other.get(name, 0)), name))
        differing = [name for name in names if mine.get(name, 0) != other.get(name, 0)]
        found += [Difference(kind, name, mine.get(name, 0), other.get(name, 0)) for name in differing]
        equal[kind] = len(names) - len(differing)
    return Runs(tuple(found), equal, not_known)


def _things(facts: RunFacts) -> tuple[Mapping[str, int], ...]:
    return facts.models, facts.tools, facts.commands, facts.written, facts.removed, facts.read, facts.hosts


def _place(first: int, second: int) -> int:
    return 0 if not second else 1 if not first else 2


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names).most_common(_MOST))


def _path(path: str, folder: str) -> str:
    """From the folder of the run on, and without the pid of /proc: so another run would use the same."""
    below = path.removeprefix(f"{folder}/") if folder else path
    return _PID.sub("/proc/PID/", below)


def _command(row: ProcessRow) -> str:
    return f"{' '.join(row.argv) or row.command} → {end_said(row.exit_code, row.signal) or NO_END}"
