"""What a person asks for, as flags or arguments -> a Selection of a store."""

from __future__ import annotations

import datetime
import re
from typing import Protocol

from msgspec import Struct

from ...core.errors import UsageError
from ...core.messages import program
from ...store.rows.tables import RUNS, is_said
from ...store.state import Store
from .reading import newest_session, read_totals, sessions_named
from .selection import Selection

_AGO = re.compile(r"-?(\d+(?:\.\d+)?)\s*(s|m|min|h|d|w)(?: ago)?")
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_CLOCK = re.compile(r"\d?\d:\d\d(:\d\d)?")


class Chosen(Protocol):
    """What may be asked for. `session` is the begin of an id, or `newest`."""

    @property
    def since(self) -> str | datetime.datetime | None: ...
    @property
    def until(self) -> str | datetime.datetime | None: ...
    @property
    def session(self) -> str | None: ...
    @property
    def agent(self) -> str | None: ...
    @property
    def project(self) -> str | None: ...
    @property
    def pid(self) -> int | None: ...
    @property
    def limit(self) -> int | None: ...


def selection_of(chosen: Chosen, store: Store, /, *, now_ms: int, mark: str = "--") -> Selection:
    """
    Raises UsageError where a time cannot be read, and where no session is as given. `mark` stands before the names in it: the
    names are flags, or, without a mark, arguments.
    """
    since = moment_of(chosen.since, f"{mark}since", now_ms=now_ms)
    until = moment_of(chosen.until, f"{mark}until", now_ms=now_ms)
    if since is not None and until is not None and since >= until:
        raise UsageError(f"{mark}since {chosen.since} is not before {mark}until {chosen.until}")
    sessions: frozenset[str] | None = None
    if any(each is not None for each in (chosen.session, chosen.agent, chosen.project)):
        found = sessions_named(store, session=chosen.session, agent=chosen.agent, project=chosen.project)
        if not found:
            raise UsageError(_none_is(chosen, store, mark))
        sessions = frozenset(row.id for row in found)
    return Selection(since, until, sessions=sessions, pid=chosen.pid, limit=chosen.limit)


def _none_is(chosen: Chosen, store: Store, mark: str) -> str:
    asked = {"session": chosen.session, "agent": chosen.agent, "project": chosen.project}
    wanted = [f"{mark}{name} {value}" for name, value in asked.items() if value]
    rows = sessions_named(store, session=None, agent=None)
    known = dict.fromkeys(row.who if chosen.agent else (row.cwd or "") if chosen.project else row.id for row in rows)
    there = f"there are {', '.join(list(known)[-5:])}" if known else "there is no session in the store"
    return f"no session fits {' and '.join(wanted)}; {there} ({program()} report sessions)"


def moment_of(when: str | datetime.datetime | None, name: str, /, *, now_ms: int) -> int | None:
    """
    A time as Unix time in ms: a datetime, RFC 3339 or a part of it, `now`, `today`, `yesterday`, a time of day, or how long
    ago, as `2h`. Without an offset it is the time zone of the reader.
    """
    if when is None:
        return None
    now = datetime.datetime.fromtimestamp(now_ms / 1000).astimezone()
    if isinstance(when, datetime.datetime):
        found: datetime.datetime | None = when.astimezone()
    else:
        found = _moment(when.strip(), now)
    if found is None:
        raise UsageError(
            f"{name} {when!r} is no time; expected such as 2h (ago), today, 14:30, 2026-11-27 or 2026-11-27T18:00:00Z"
        )
    return max(0, round(found.timestamp() * 1000))


def _moment(text: str, now: datetime.datetime) -> datetime.datetime | None:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    names = {"now": now, "today": midnight.astimezone(), "yesterday": (midnight - datetime.timedelta(days=1)).astimezone()}
    if text in names:
        return names[text]
    try:
        if ago := _AGO.fullmatch(text):
            return now - datetime.timedelta(seconds=float(ago[1]) * _UNITS[ago[2]])
        if _CLOCK.fullmatch(text):
            return datetime.datetime.combine(midnight.date(), datetime.time.fromisoformat(text.rjust(5, "0"))).astimezone()
        return datetime.datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        return None


# -- recordings ----------------------------------------------------------------------------------------------------
# Store -> what one line of a list of recordings says of it.


class Held(Struct, frozen=True):
    """
    What a store holds. `ended`: every recording into it was closed in order. `title` is the newest first prompt. `is_said`: it
    has the word of agents' own files.
    """

    started_ms: int
    seconds: float
    ended: bool
    calls: int
    tokens: int
    sessions: int
    models: tuple[str, ...]
    title: str
    is_said: bool = False


def read_held(store: Store, /) -> Held:
    """It takes the same time for a store of any size."""
    runs = [run for _, run in store.scan(RUNS)]
    totals, newest = read_totals(store), newest_session(store)
    return Held(
        min((run.started_ms for run in runs), default=0),
        sum(run.seconds for run in runs),
        ended=all(run.ended for run in runs),
        calls=totals.calls,
        tokens=totals.total_tokens,
        sessions=totals.sessions,
        models=tuple(totals.models),
        title=newest.title if newest else "",
        is_said=is_said(runs),
    )
