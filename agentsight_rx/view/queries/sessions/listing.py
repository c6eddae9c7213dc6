"""
Sessions of all stores, a choice -> the sessions that fit, in their order and by pages, and their sums.

Longer than 300 lines because what a row is, which rows fit and what they sum to are one list.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta, tzinfo
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from ....store.rows.gaps import Agreement
from ....store.rows.kinds import SAID, SessionRow, ToolRow
from ....store.rows.tool_words import asked_for, is_edit, outcome_of
from ....store.words import cut
from ..calls.costs import Costs, PricedCall

_TITLE = 120  # characters
_NAME = 60  # of a project, a branch, a model
YEAR = 371  # days: 53 weeks
USD_DIGITS = 9  # of a sum: what adding floats leaves behind goes, and nothing that a report or the page shows
_TOP = 4  # projects and models that are named with their cost
_OPTIONS = 12  # of a filter


class ListRow(Struct, frozen=True, omit_defaults=True):
    """
    A session as the lists have it. `id` and `recording` are its address. `usd` is the known part of its cost, `unpriced` calls
    have no price. `left`: of the context window, 0 to 1. `missing`: how many things. `files`: of which its tools asked for a
    change. `file`: the agent has a file of it, and where it was recorded too `found` of its `compared` calls are in that.
    `nth` of the `same` sessions with its title and project. `recordings`: all that have it, where several do. `flagged` gives
    it the alerts that wait now.
    """

    id: str
    recording: str
    agent: str
    start_ms: int
    end_ms: int
    live: bool = False
    model: str = ""
    title: str = ""
    step: str = ""
    turns: int = 0
    turn: int = 0  # the number of the newest
    tokens: int = 0
    usd: float | None = None
    unpriced: int = 0
    left: float | None = None
    missing: int = 0
    failed: int = 0
    failed_tools: int = 0
    files: int = 0
    waiting: int = 0  # alerts
    stopped: bool = False  # by one of them
    project: str = ""
    branch: str = ""
    file: bool = False
    recorded: bool = True
    compared: int = 0
    found: int = 0
    nth: int = 0
    same: int = 0
    recordings: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        """All of its cost is."""
        return self.usd is not None and not self.unpriced


class Entry(Struct, frozen=True):
    """A row, and what only the sums need. `said` is the id of the session in the agent's own file; `differs`: from that."""

    row: ListRow
    asked: int = 0  # tokens, cached or not
    cached: int = 0  # of them, that were read from a cache
    model_ms: int = 0
    costs: tuple[tuple[str, float], ...] = ()  # by model
    said: str = ""
    differs: bool = False
    folder: str = ""


class Tally:
    """The calls and tools of a session and of its sub-agents, one by one: what its row says of them."""

    def __init__(self) -> None:
        self._cost = Costs()
        self._costs: dict[str, float] = {}
        self._files: set[int] = set()
        self._tokens = self._asked = self._cached = self._calls = 0

    def add(self, call: PricedCall, /) -> None:
        name = cut(call.model or "unknown", _NAME)
        self._cost.add(call)
        self._costs[name] = self._costs.get(name, 0.0) + (call.cost_usd or 0.0)
        self._tokens += call.total_tokens
        self._asked += call.asked_tokens
        self._cached += call.cache_read_tokens
        self._calls += 1

    def add_tool(self, tool: ToolRow, /) -> None:
        if path := changed_by(tool):
            self._files.add(hash(path))

    def entry(
        self,
        row: SessionRow,
        recording: str,
        agent: str,
        /,
        *,
        turns: int,
        agreement: Agreement | None = None,
        said: str = "",
    ) -> Entry:
        """The session; `turns` counts the calls of the main agent."""
        cost, is_said = self._cost.total(), row.view_source == SAID
        folder = (row.cwd or "").rstrip("/")
        return Entry(
            ListRow(
                row.id,
                recording,
                agent,
                start_ms=row.start_timestamp_ms,
                end_ms=max(row.end_timestamp_ms or 0, row.start_timestamp_ms),
                model=cut(row.model or "", _NAME),
                title=cut(row.title, _TITLE),
                turns=turns,
                tokens=self._tokens if self._calls else row.total_tokens,
                usd=None if cost.usd is None or not self._calls else cost.usd,
                unpriced=cost.unknown_calls,
                failed=row.failed_calls,
                failed_tools=row.failed_tools,
                files=len(self._files),
                project=cut(folder.rpartition("/")[2], _NAME),
                branch=cut(row.branch, _NAME),
                file=is_said or agreement is not None,
                recorded=not is_said,
                compared=agreement.calls if agreement is not None else 0,
                found=agreement.found if agreement is not None else 0,
            ),
            asked=self._asked,
            cached=self._cached,
            model_ms=row.model_ms,
            costs=tuple((name, usd) for name, usd in self._costs.items() if usd),
            said=said,
            differs=agreement is not None and _differs(agreement),
            folder=folder,
        )


def changed_by(tool: ToolRow, /) -> str:
    """The file that a tool changed, "" where it is no edit, failed or was refused."""
    return asked_for(tool.input) if is_edit(tool) and outcome_of(tool) not in ("failed", "refused") else ""


def _differs(found: Agreement) -> bool:
    return found.found < found.calls or bool(found.differing or found.calls_only_file or found.tools_only_file)


def without_twins(entries: Sequence[Entry], /) -> list[Entry]:
    """Each session once: a file's session is left out where a recording has the session."""
    seen = {entry.said for entry in entries if entry.row.recorded and entry.said}
    return [entry for entry in entries if entry.row.recorded or entry.row.id not in seen]


def numbered(page: Sequence[Entry], entries: Iterable[Entry], /) -> list[ListRow]:
    """The rows of a page; sessions with one title in one folder get their number among all, in the order of their begin."""
    begins: dict[tuple[str, str], list[tuple[int, str]]] = {_named(entry): [] for entry in page if entry.row.title}
    for entry in entries:
        if (found := begins.get((entry.row.title, entry.folder))) is not None:
            found.append((entry.row.start_ms, entry.row.id))
    return [_with_number(entry.row, begins.get(_named(entry), ())) for entry in page]


def _with_number(row: ListRow, begins: Sequence[tuple[int, str]]) -> ListRow:
    return (
        replace(row, nth=sum(each <= (row.start_ms, row.id) for each in begins), same=len(begins)) if len(begins) > 1 else row
    )


def _named(entry: Entry) -> tuple[str, str]:
    return entry.row.title, entry.folder


# -- chosen --------------------------------------------------------------------------------------------------------


class Choice(Struct, frozen=True, omit_defaults=True):
    """
    What a person chose. `since` and `until` are days, both included. `source` is one of SOURCES, `file`: and not recorded.
    `over`: US dollars.
    """

    agent: str = ""
    project: str = ""
    model: str = ""
    since: date | None = None
    until: date | None = None
    failed: bool = False
    alerts: bool = False
    over: float = 0.0
    source: str = ""
    words: str = ""


SOURCES: dict[str, Callable[[Entry], bool]] = {
    "recorded": lambda entry: entry.row.recorded,
    "file": lambda entry: not entry.row.recorded,
    "both": lambda entry: entry.row.recorded and entry.row.file,
    "differs": lambda entry: entry.differs,
    "gap": lambda entry: entry.row.missing > 0,
}


def chosen(entries: Iterable[Entry], choice: Choice, zone: tzinfo | None, /) -> list[Entry]:
    """The entries that fit all of the choice, in their order."""
    found = list(entries)
    for test in _tests(choice, zone).values():
        found = [entry for entry in found if test(entry)]
    return found


def _tests(choice: Choice, zone: tzinfo | None) -> dict[str, Callable[[Entry], bool]]:
    """By the name of the filter that is set."""
    words = choice.words.lower().split()
    since_ms, until_ms = _begin_of(choice.since, zone), _begin_of(choice.until, zone, later=1)
    found: dict[str, Callable[[Entry], bool] | None] = {
        "agent": (lambda entry: entry.row.agent == choice.agent) if choice.agent else None,
        "project": (lambda entry: entry.row.project == choice.project) if choice.project else None,
        "model": (lambda entry: entry.row.model == choice.model) if choice.model else None,
        "time": (lambda entry: since_ms <= entry.row.start_ms < until_ms) if choice.since or choice.until else None,
        "failed": (lambda entry: entry.row.failed_tools > 0) if choice.failed else None,
        "alerts": (lambda entry: entry.row.waiting > 0) if choice.alerts else None,
        "cost": (lambda entry: (entry.row.usd or 0.0) > choice.over) if choice.over else None,
        "source": SOURCES.get(choice.source),
        "q": (lambda entry: _has(entry, words)) if words else None,
    }
    return {name: test for name, test in found.items() if test is not None}


def _has(entry: Entry, words: Sequence[str]) -> bool:
    row = entry.row
    text = f"{row.title}\n{entry.folder}\n{row.branch}\n{row.agent}\n{row.id}".lower()
    return all(word in text for word in words)


def _begin_of(day: date | None, zone: tzinfo | None, *, later: int = 0) -> int:
    if day is None:
        return 1 << 62 if later else 0
    return round(datetime.combine(day + timedelta(days=later), datetime.min.time(), zone).timestamp() * 1000)


ORDERS: dict[str, Callable[[ListRow], float | str]] = {
    "time": lambda row: row.start_ms,
    "agent": lambda row: row.agent.lower(),
    "title": lambda row: row.title.lower(),
    "project": lambda row: row.project.lower(),
    "turns": lambda row: row.turns,
    "tokens": lambda row: row.tokens,
    "cost": lambda row: -1.0 if row.usd is None else row.usd,
    "took": lambda row: row.end_ms - row.start_ms,
    "failed": lambda row: row.failed_tools,
    "files": lambda row: row.files,
}


def ordered(entries: Iterable[Entry], order: str, /) -> list[Entry]:
    """By the name of an order, with a minus in front of it from the largest on; then the newest first."""
    newest = sorted(entries, key=lambda entry: (entry.row.start_ms, entry.row.recording, entry.row.id), reverse=True)
    key = ORDERS[order.removeprefix("-")]
    if key is ORDERS["time"]:
        return newest if order.startswith("-") else newest[::-1]
    return sorted(newest, key=lambda entry: key(entry.row), reverse=order.startswith("-"))


def page_behind(entries: Sequence[Entry], behind: str, limit: int, /) -> tuple[Sequence[Entry], str]:
    """Those behind the one of that place, and the place to go on behind, "" at the end."""
    places = [place_of(entry.row) for entry in entries] if behind else []
    start = places.index(behind) + 1 if behind in places else 0
    part = entries[start : start + limit]
    return part, place_of(part[-1].row) if part and start + limit < len(entries) else ""


def place_of(row: ListRow, /) -> str:
    """What names a row where pages end."""
    return f"{row.recording}/{row.id}"


class DaySum(Struct, frozen=True, array_like=True):
    """A day of the selection: its sessions, what they cost, the sessions whose cost is not whole, the failed commands."""

    sessions: int
    usd: float
    unknown: int
    failed: int


def days_of(entries: Iterable[Entry], page: Iterable[Entry], zone: tzinfo | None, /) -> dict[str, DaySum]:
    """The days of a page, each with the sums of the whole selection."""
    days = sorted({day_of(entry.row.start_ms, zone) for entry in page})
    edges = [edge for day in days for edge in (_begin_of(day, zone), _begin_of(day, zone, later=1))]
    parts: list[list[ListRow]] = [[] for _ in days]
    for entry in entries:
        place = bisect_right(edges, entry.row.start_ms)  # odd within a day
        if place % 2:
            parts[place // 2].append(entry.row)
    return {day.isoformat(): _day_sum(rows) for day, rows in zip(days[::-1], parts[::-1], strict=True)}


def _day_sum(rows: Sequence[ListRow]) -> DaySum:
    usd = round(sum(row.usd or 0.0 for row in rows), USD_DIGITS)
    return DaySum(len(rows), usd, sum(not row.is_known for row in rows), sum(row.failed_tools for row in rows))


def day_of(time_ms: int, zone: tzinfo | None, /) -> date:
    """The day in that zone."""
    return datetime.fromtimestamp(time_ms / 1000, zone).date()


# -- sums ----------------------------------------------------------------------------------------------------------


class Part(Struct, frozen=True, array_like=True):
    """A project or a model, and what it cost."""

    name: str
    usd: float


class Sums(Struct, frozen=True, omit_defaults=True):
    """
    Of a selection. `both`: recorded and in a file, of which so many `agree`. `unpriced`: sessions whose cost is not whole;
    `failed`: sessions with a failed command. `first` is the day of the first of `values`, a number a day (dollars, or thousands
    of tokens), of the selection without its time; `counts` are its sessions. `ran`: the days, by their place, with a
    recorded session, and `cut` those of which a recorded session misses something. `without`: how many would fit
    without each filter, where none fits all. The choices are of all sessions, with their number.
    """

    of: int  # all sessions
    sessions: int = 0
    recorded: int = 0
    both: int = 0
    agree: int = 0
    gaps: int = 0
    usd: float = 0.0
    unpriced: int = 0
    tokens: int = 0
    asked: int = 0
    cached: int = 0
    ms: int = 0
    model_ms: int = 0
    failed: int = 0
    first_ms: int = 0
    last_ms: int = 0
    projects: tuple[Part, ...] = ()
    more_projects: int = 0
    branches: tuple[Part, ...] = ()
    models: tuple[Part, ...] = ()
    more_models: int = 0
    first: str = ""
    values: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    ran: tuple[tuple[int, int], ...] = ()
    cut: tuple[tuple[int, int], ...] = ()
    without: dict[str, int] = {}
    choices: dict[str, tuple[tuple[str, int], ...]] = {}
    left: int = 0  # sessions and recordings that are still to be read


class When(NamedTuple):
    """The day on which it is asked, in the zone of the person who asks."""

    today: date
    zone: tzinfo | None = None


def sums_of(entries: Sequence[Entry], choice: Choice, when: When, /, *, by: str = "cost", left: int = 0) -> Sums:
    """`by`: cost or tokens a day."""
    found = chosen(entries, choice, when.zone)
    of_year = found if choice.since is None and choice.until is None else _timeless(entries, choice, when)
    rows = [entry.row for entry in found]
    both = [entry for entry in found if entry.row.recorded and entry.row.file]
    projects = _costs((entry.row.project, entry.row.usd or 0.0) for entry in found)
    models = _costs(each for entry in found for each in entry.costs)
    branches = _costs((entry.row.branch, entry.row.usd or 0.0) for entry in found) if choice.project else []
    year = _year(of_year, when, by)
    return Sums(
        len(entries),
        sessions=len(rows),
        recorded=sum(row.recorded for row in rows),
        both=len(both),
        agree=sum(not entry.differs for entry in both),
        gaps=sum(row.missing > 0 for row in rows),
        usd=round(sum(row.usd or 0.0 for row in rows), USD_DIGITS),
        unpriced=sum(not row.is_known for row in rows),
        tokens=sum(row.tokens for row in rows),
        asked=sum(entry.asked for entry in found),
        cached=sum(entry.cached for entry in found),
        ms=sum(row.end_ms - row.start_ms for row in rows),
        model_ms=sum(entry.model_ms for entry in found),
        failed=sum(row.failed_tools > 0 for row in rows),
        first_ms=min((row.start_ms for row in rows), default=0),
        last_ms=max((row.start_ms for row in rows), default=0),
        projects=tuple(projects[:_TOP]),
        more_projects=max(0, len(projects) - _TOP),
        branches=tuple(branches[:_TOP]),
        models=tuple(models[:_TOP]),
        more_models=max(0, len(models) - _TOP),
        without={} if found else _without(entries, choice, when.zone),
        choices=_choices(entries),
        first=year.first,
        values=year.values,
        counts=year.counts,
        ran=year.ran,
        cut=year.cut,
        left=left,
    )


def _timeless(entries: Sequence[Entry], choice: Choice, when: When) -> list[Entry]:
    return chosen(entries, replace(choice, since=None, until=None), when.zone)


def _costs(parts: Iterable[tuple[str, float]]) -> list[Part]:
    found: dict[str, float] = {}
    for name, usd in parts:
        found[name] = found.get(name, 0.0) + usd
    return [
        Part(name, round(usd, USD_DIGITS)) for name, usd in sorted(found.items(), key=lambda each: -each[1]) if name and usd
    ]


def _without(entries: Sequence[Entry], choice: Choice, zone: tzinfo | None) -> dict[str, int]:
    tests = _tests(choice, zone)
    return {
        name: sum(all(test(entry) for other, test in tests.items() if other != name) for entry in entries) for name in tests
    }


def _choices(entries: Sequence[Entry]) -> dict[str, tuple[tuple[str, int], ...]]:
    of = {"agent": Counter[str](), "project": Counter[str](), "model": Counter[str]()}
    for entry in entries:
        for name, found in of.items():
            found[getattr(entry.row, name)] += 1
    return {name: tuple(each for each in found.most_common(_OPTIONS + 1) if each[0])[:_OPTIONS] for name, found in of.items()}


class _Year(NamedTuple):
    first: str
    values: tuple[float, ...]
    counts: tuple[int, ...]
    ran: tuple[tuple[int, int], ...]
    cut: tuple[tuple[int, int], ...]


def _year(entries: Iterable[Entry], when: When, by: str) -> _Year:
    first = when.today - timedelta(days=YEAR - 1)
    first -= timedelta(days=first.weekday())  # a column is a week from Monday on
    days = (when.today - first).days + 1
    begins = [_begin_of(first + timedelta(days=at), when.zone) for at in range(days + 1)]
    values, counts, ran, missing = [0.0] * days, [0] * days, set[int](), set[int]()
    for entry in entries:
        row, at = entry.row, bisect_right(begins, entry.row.start_ms) - 1
        if 0 <= at < days:
            values[at] += (row.usd or 0.0) if by == "cost" else row.tokens / 1000
            counts[at] += 1
            if row.recorded:
                ran.add(at)
            if row.recorded and row.missing:
                missing.add(at)
    digits = USD_DIGITS if by == "cost" else None
    kept = tuple(round(each, digits) for each in values)
    return _Year(first.isoformat(), kept, tuple(counts), _spans(ran), _spans(missing))


def _spans(days: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Runs of days, the first and the last of each."""
    found: list[tuple[int, int]] = []
    for day in sorted(days):
        found[-1:] = [(found[-1][0], day)] if found and found[-1][1] == day - 1 else [*found[-1:], (day, day)]
    return tuple(found)
