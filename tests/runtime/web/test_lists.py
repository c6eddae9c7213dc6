"""Recordings and imports -> one list: read a part at a time, kept as stores change, and what a request asks of it."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.events import Usage
from agentsight_rx.events.tokens import counts_of
from agentsight_rx.llm.prices import Prices
from agentsight_rx.runtime.web import lists
from agentsight_rx.runtime.web.lists import asked_of, zone_of
from agentsight_rx.runtime.web.pictures import Pictures
from agentsight_rx.runtime.web.recordings import Listed, Opened
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.rows.kinds import SAID, CallRow, Row, SessionRow, ToolRow
from agentsight_rx.store.rows.tables import RUNS, Recording
from agentsight_rx.store.state import MemoryStore, Put, Write
from agentsight_rx.view.page import PageError
from agentsight_rx.view.queries.calls.tokens import tokens_of
from agentsight_rx.view.queries.sessions.listing import Choice, When
from agentsight_rx.view.queries.sessions.once import Once, Place

PRICES = Prices(today=datetime.date(2026, 11, 27))
MINUTE = 60_000


class Stores:
    """Stores by name, in memory; the first is the newest."""

    def __init__(self, **stores: MemoryStore) -> None:
        self.stores = stores
        self.pictures = Pictures(self, PRICES)

    def listed(self) -> Sequence[Listed]:
        return [Listed(name, name) for name in self.stores]

    def opened(self, id: str, /) -> Opened:
        store = self.stores[id]
        return Opened(store, store.version(), being_written=False)

    def rows(self) -> list[dict[str, Any]]:
        found = self.pictures.rail(limit=50)
        return [{name: getattr(row, name) for name in row.__struct_fields__} for row in found.sessions]


def session(id: str, number: int, calls: int, source: str = SAID, **more: Any) -> list[Row]:
    """A session that begins at a minute, with a call and an edit each second."""
    start, usage = number * MINUTE, Usage(1000, 100)
    end = start + calls * 1000
    sums = counts_of(Usage(1000 * calls, 100 * calls))
    found: list[Row] = [SessionRow(id, start, end, agent="claude", named=True, calls=calls, view_source=source, **more, **sums)]
    for at in range(calls):
        now, name = start + at * 1000, f"{source}-{id}-{at}"
        row: dict[str, Any] = {"model": "claude-sonnet-4-5", "session_id": id, "status": "complete", "view_source": source}
        found.append(CallRow(name, now, now + 500, response_id=f"msg-{id}-{at}", **row, **counts_of(usage)))
        path = f'{{"file_path": "/{at}.py"}}'
        found.append(ToolRow(f"t-{name}", now, name, f"u-{id}-{at}", "Edit", id, input=path, status="completed"))
    return found


def changes(parts: Iterable[Sequence[Row]], *, seen_by: str) -> list[Write]:
    """What makes a store of these sessions, in one run that had begun before all of them."""
    newest = max(row.start_timestamp_ms for part in parts for row in part if isinstance(row, SessionRow))
    run = Recording(1, 0, committed_ms=newest + 100 * MINUTE, ended=True, seconds=6000.0, seen_by=seen_by)
    return [Put(RUNS, 1, run), *(put(row) for part in parts for row in part)]


def store(*parts: list[Row], seen_by: str = "seen") -> MemoryStore:
    made = MemoryStore()
    made.commit(changes(parts, seen_by=seen_by))
    return made


def test_an_import_is_read_a_part_at_a_time_the_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "_CALLS_READ", 4)
    stores = Stores(past=store(session("old", 1, 4), session("mid", 2, 3), session("new", 3, 3), seen_by=SAID))
    first = stores.rows()
    assert [("new", 3, 3300), ("mid", 3, 3300), ("old", 4, 4400)] == [(row["id"], row["turns"], row["tokens"]) for row in first]
    assert first[0]["usd"] is not None
    assert first[1]["usd"] is None, "its calls are not all read"
    while stores.pictures.rail(limit=50).left:
        pass
    rows = stores.rows()
    assert [3300, 3300, 4400] == [row["tokens"] for row in rows]
    assert [3, 3, 4] == [row["files"] for row in rows]
    assert all(row["usd"] and row["file"] and not row["recorded"] for row in rows)


def test_a_session_that_has_grown_is_read_again_and_others_are_not() -> None:
    past = store(session("a", 1, 2), session("b", 2, 2), seen_by=SAID)
    stores = Stores(past=past)
    stores.rows()
    before = {row.id: row for row in stores.pictures.rail(limit=50).sessions}
    past.commit([put(row) for row in (*session("b", 2, 5), *session("c", 3, 1))])
    after = {row.id: row for row in stores.pictures.rail(limit=50).sessions}
    assert (5, 5500, 5) == (after["b"].turns, after["b"].tokens, after["b"].files)
    assert 1100 == after["c"].tokens
    assert before["a"] == after["a"]


def test_a_session_has_the_calls_of_those_that_it_started() -> None:
    stores = Stores(past=store(session("a", 1, 2), session("below", 2, 3, parent_session_id="a"), seen_by=SAID))
    (row,) = stores.rows()
    assert ("a", 2, 5500) == (row["id"], row["turns"], row["tokens"])


def test_a_session_that_was_recorded_and_imported_is_one_row_and_says_how_far_both_agree() -> None:
    past = store(session("a", 1, 3), session("only", 2, 1), seen_by=SAID)
    stores = Stores(run=store(session("a", 1, 3, "view")), past=past)
    both = {row["id"]: row for row in stores.rows()}
    assert ["a", "only"] == sorted(both)
    a = both["a"]
    assert ("run", True, True, 3, 3) == (a["recording"], a["recorded"], a["file"], a["compared"], a["found"])
    head: Any = stores.pictures.answer("run", "session/a", {})
    assert (3, 3) == (head.whole.compared, head.whole.found)
    whole: Any = stores.pictures.answer("past", "session/only", {})
    assert whole.whole.file, "the word of a file alone"
    past.commit([put(row) for row in session("a", 1, 4)])
    assert 3 == {row["id"]: row for row in stores.rows()}["a"]["found"], "a fourth call was not seen, which is a gap"
    assert 1 == {row["id"]: row for row in stores.rows()}["a"]["missing"]


def test_two_sessions_of_different_stores_are_compared() -> None:
    stores = Stores(run=store(session("a", 1, 3, "view")), past=store(session("b", 2, 2), seen_by=SAID))
    found = stores.pictures.compare("a", "b")
    assert (3, 2, (), 1) == (found.part, len(found.same), found.b.steps, len(found.a.steps))
    numbers = {each.name: (each.a, each.b) for each in found.numbers}
    assert ((3, 2), (3000, 2000), (0, None)) == (numbers["Turns"], numbers["Tokens in"], numbers["Processes"])
    with pytest.raises(PageError, match="no session has the id gone"):
        stores.pictures.compare("a", "gone")


def test_few_recordings_are_read_with_each_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "_READ", 2)
    stores = Stores(**{f"r{at}": store(session(f"s{at}", at, 1, "view")) for at in range(5)})
    assert [(2, 3), (4, 1), (5, 0)] == [
        (len(found.sessions), found.left) for found in (stores.pictures.rail(limit=50) for _ in range(3))
    ]
    other = Stores(**stores.stores)
    assert 5 == sum(other.pictures.machine([0]).days.sessions), "a day is whole"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sort": "luck"}, "sort='luck' is no order"),
        ({"source": "x"}, "source='x' is no source"),
        ({"cost": "much"}, "cost='much' is no number of dollars"),
        ({"from": "monday"}, "from='monday' is no day: give one as 2026-11-28"),
    ],
)
def test_what_cannot_be_asked_for_is_said(given: dict[str, str], said: str) -> None:
    with pytest.raises(PageError, match=said) as caught:
        asked_of(given)
    assert 400 == caught.value.status


def test_a_request_has_the_names_of_the_address() -> None:
    found = asked_of(
        {"agent": "Claude Code", "from": "2026-11-01", "failed": "1", "cost": "0.5", "sort": "-cost", "zone": "Asia/Tokyo"}
    )
    choice = found.choice
    assert ("Claude Code", datetime.date(2026, 11, 1), True, 0.5) == (choice.agent, choice.since, choice.failed, choice.over)
    assert ("-cost", "Asia/Tokyo") == (found.order, str(found.zone))


def test_an_unknown_zone_is_that_of_this_machine(tmp_path: Path) -> None:
    assert [None] * 4 == [zone_of(name) for name in ("", "Nowhere/City", "../../etc/passwd", str(tmp_path))]


_STARTED = st.tuples(st.sampled_from("abcd"), st.integers(1, 30), st.integers(1, 6))
_SOME = st.lists(_STARTED, min_size=1, max_size=4, unique_by=lambda each: each[0])


@given(_SOME, _SOME, _SOME)
@settings(max_examples=60, deadline=None)
def test_the_page_sums_what_reports_sum(
    seen: list[tuple[str, int, int]], later: list[tuple[str, int, int]], said: list[tuple[str, int, int]]
) -> None:
    """Of two recordings, which may both have a session, or parts of it, and of the agent's own file."""
    begins = {id: at for id, at, _ in (*said, *later)}
    recordings = [store(*(session(id, begins.get(id, at), n, "view") for id, at, n in each)) for each in (later, seen)]
    past = store(*((session(id, begins[id], n)) for id, _, n in said), seen_by=SAID)
    stores = Stores(later=recordings[0], run=recordings[1], past=past)
    while stores.pictures.rail(limit=50).left:
        pass
    day = datetime.date(1970, 1, 1)
    sums = stores.pictures.sums(Choice(), When(day, datetime.UTC), by="cost")
    once = Once([Place(each) for each in recordings], Place(past))
    (group,) = tokens_of(once, PRICES, group_by="provider")
    rows = {row["id"]: (row["turns"], row["tokens"]) for row in stores.rows()}
    assert rows == {each.row.id: (each.row.calls, each.row.total_tokens) for each in once.sessions()}
    assert (sums.sessions, sums.tokens, round(sums.usd, 9)) == (
        len(rows),
        group.total_tokens,
        round(float(group.cost.usd or 0), 9),
    )


def test_a_session_that_goes_on_in_another_recording_is_one_row() -> None:
    first = store(session("a", 1, 3, "view"), session("b", 1, 1, "view"))
    whole, *rest = [row for row in session("a", 1, 5, "view") if not row.id.endswith(("-0", "-1", "-2"))]
    assert isinstance(whole, SessionRow)
    goes_on = replace(whole, start_timestamp_ms=MINUTE + 3000, calls=2)
    stores = Stores(later=store([goes_on, *rest]), first=first)
    a, b = sorted(stores.rows(), key=lambda row: row["id"])
    assert (5, 5500, 5, ("later", "first"), "first") == tuple(
        a[name] for name in ("turns", "tokens", "files", "recordings", "recording")
    )
    assert ("first", ()) == (b["recording"], b["recordings"])
    heads: list[Any] = [stores.pictures.answer(name, "session/a", {}) for name in ("first", "later")]
    assert [("later",), ("first",)] == [head.others for head in heads]
    assert 2 == stores.pictures.sums(Choice(), When(datetime.date(1970, 1, 1), datetime.UTC), by="cost").sessions
