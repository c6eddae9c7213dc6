"""Requests about recordings -> answers: those in files, the run that goes on, what is gone, and the search of all."""

from __future__ import annotations

import asyncio
import datetime
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from agentsight_rx.core.sink import Writer
from agentsight_rx.events.loss import Ledger, Meter
from agentsight_rx.llm.prices import Prices
from agentsight_rx.policy.rules.guard.file import built_in_rules
from agentsight_rx.runtime.recording.deciding import Deciding
from agentsight_rx.runtime.recording.seen_file import SeenFile
from agentsight_rx.runtime.web import pictures
from agentsight_rx.runtime.web.api import Api
from agentsight_rx.runtime.web.app import Access, application
from agentsight_rx.runtime.web.pictures import Pictures
from agentsight_rx.runtime.web.recordings import Listed, LiveRecording, Opened, StoredRecordings
from agentsight_rx.runtime.web.search import SearchIndex
from agentsight_rx.runtime.web.stream import Stopped, changes
from agentsight_rx.sinks import Lent, memory
from agentsight_rx.sinks.web import Feed
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.state import MemoryStore
from agentsight_rx.view import AlertRow, CallRow, Output
from agentsight_rx.view.page import Picture
from agentsight_rx.view.page.machine import Watched
from tests import guarded
from tests.view.page.story import SESSION, Story, output, parcel, recorded

TOKEN = "the-token"
PRICES = Prices(today=datetime.date(2026, 11, 27))


def client(api: Api) -> TestClient:
    app = application(api, Access(TOKEN), Meter("web page"))
    return TestClient(app, base_url="http://127.0.0.1:7395", headers={"Authorization": f"Bearer {TOKEN}"})


class Shelf:
    """Recordings in a folder, and a browser that knows the token."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: list[Path] = []
        self.recordings = StoredRecordings(lambda: self.paths, lambda _: False)
        self.index = SearchIndex(self.recordings, folder / "search.sqlite3")
        deciding = Deciding(SeenFile(folder / "seen.jsonl"))
        self.api = Api(self.recordings, PRICES, search=self.index, deciding=deciding)
        self.http = client(self.api)

    def put(self, name: str, events: Any) -> Path:
        self.paths.append(recorded(self.folder / f"{name}.lmdb", events))
        return self.paths[-1]

    def get(self, path: str, status: int = 200) -> Any:
        answer = self.http.get(f"/api/v1/{path}")
        assert status == answer.status_code, answer.text
        return answer.json()

    def find(self, words: str) -> Any:
        """The hits, once everything is indexed."""
        self.index.catch_up()
        return self.get(f"search?q={words}")["hits"]

    def close(self) -> None:
        self.api.close()
        self.recordings.close()


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path)
    yield shelf
    shelf.close()


def small(prompt: str, session: str = "s-small") -> Story:
    story = Story(session=session)
    story.ask(ms=900, prompt=prompt, says="Done.")
    return story


def test_all_recordings_are_in_the_rail_the_newest_first(shelf: Shelf) -> None:
    shelf.put("first", small("Rename the parcel").events)
    shelf.put("second", parcel())
    rail = shelf.get("sessions")
    assert [("second", SESSION), ("first", "s-small")] == [(row["recording"], row["id"]) for row in rail["sessions"]]
    assert (2, "") == (rail["recordings"], rail["next"])


def test_the_rail_comes_in_pages(shelf: Shelf) -> None:
    for name in ("a", "b", "c"):
        shelf.put(name, small(name, f"s-{name}").events)
    first = shelf.get("sessions?limit=2")
    assert (["c", "b"], "b/s-b") == ([row["recording"] for row in first["sessions"]], first["next"])
    assert (3, 3, 3) == (first["total"], first["all"], sum(day[0] for day in first["days"].values()))
    assert ["a"] == [row["recording"] for row in shelf.get("sessions?limit=2&before=b/s-b")["sessions"]]


def test_a_session_is_answered_from_its_recording(shelf: Shelf) -> None:
    shelf.put("only", parcel())
    head = shelf.get(f"r/only/session/{SESSION}")
    assert ("only", 12) == (head["recording"], head["turns"])
    assert 12 == len(shelf.get(f"r/only/session/{SESSION}/turns")["cards"])


def test_the_view_of_the_machine_takes_no_place_of_a_recording_that_is_open(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only few pictures are kept, and each may take 80 MB."""
    made: list[Any] = []

    class Noted(Picture):
        def __init__(self, store: Any, *given: Any, **more: Any) -> None:
            made.append(store)
            super().__init__(store, *given, **more)

    monkeypatch.setattr(pictures, "Picture", Noted)
    shelf.put("open", parcel())
    for name in ("a", "b", "c", "d"):
        shelf.put(name, small(name, f"s-{name}").events)
    head = f"r/open/session/{SESSION}"
    shelf.get(head)
    for path in ("sessions", "alerts", "machine?days=0"):
        shelf.get(path)
        before = len(made)
        shelf.get(head)
        assert len(made) == before, path


def test_an_id_with_a_slash_is_one_part_of_the_path(shelf: Shelf) -> None:
    shelf.put("only", small("Hello", "a/b c").events)
    assert "a/b c" == shelf.get("r/only/session/a%2Fb%20c")["id"]


def test_a_recording_that_is_not_there_is_404_and_one_that_vanished_503(shelf: Shelf) -> None:
    path = shelf.put("only", parcel())
    assert "other is not here" in shelf.get(f"r/other/session/{SESSION}", 404)["error"]
    path.unlink()
    assert "is gone" in shelf.get(f"r/only/session/{SESSION}", 503)["error"]


def test_a_recording_that_comes_back_is_read_again(shelf: Shelf) -> None:
    path = shelf.put("only", small("Before").events)
    assert 1 == shelf.get("r/only/session/s-small")["turns"]
    path.unlink()
    Path(f"{path}-lock").unlink()
    shelf.get("r/only/session/s-small", 503)
    recorded(path, small("After").events)
    assert "After" == shelf.get("r/only/session/s-small")["title"]


def test_a_file_that_is_no_store_is_said_and_hides_no_other(shelf: Shelf) -> None:
    shelf.put("good", parcel())
    bad = shelf.folder / "bad.lmdb"
    bad.write_bytes(b"nothing")
    shelf.paths.append(bad)
    rail = shelf.get("sessions")
    assert ["good"] == [row["recording"] for row in rail["sessions"]]
    assert ["bad"] == [each["recording"] for each in rail["unreadable"]]


def test_a_stored_snapshot_has_the_shape_of_the_original(shelf: Shelf) -> None:
    shelf.put("only", parcel())
    found = shelf.get("snapshot?audit_limit=3")
    assert (1, "lmdb", 3) == (found["schema_version"], found["summary"]["source"], len(found["audit_events"]))


def test_the_search_finds_prompts_commands_files_and_hosts_of_all_recordings(shelf: Shelf) -> None:
    shelf.put("first", small("Rename the parcel to a shipment").events)
    shelf.put("second", parcel())

    def kinds(words: str) -> set[tuple[str, str]]:
        return {(hit["recording"], hit["kind"]) for hit in shelf.find(words)}

    assert {("first", "prompt")} == kinds("shipment")
    assert ("second", "command") in kinds("pytest rounding")
    assert ("second", "file") in kinds("invoice.py")
    assert {("first", "host"), ("second", "host")} == kinds("api.anthropic.com")
    assert {("first", "prompt")} == kinds("ship")
    assert set() == kinds("nothing-of-this")


def test_what_is_typed_is_never_a_query_of_the_database(shelf: Shelf) -> None:
    shelf.put("only", parcel())
    for words in ('"', "a OR b", "NEAR(", "text:", "*", "^x", "%22%29%3B drop", "-"):
        assert "hits" in shelf.get(f"search?q={words}")


def test_the_search_marks_what_matched(shelf: Shelf) -> None:
    shelf.put("only", small("Rename the parcel").events)
    (hit,) = shelf.find("parcel")
    assert "Rename the \x02parcel\x03" == hit["text"]


def test_an_index_of_another_kind_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "search.sqlite3").write_bytes(b"not a database, and long enough to be looked at" * 40)
    shelf = Shelf(tmp_path)
    shelf.put("only", small("Rename the parcel").events)
    assert 1 == len(shelf.find("rename"))
    shelf.close()
    assert 0o600 == (tmp_path / "search.sqlite3").stat().st_mode & 0o777


@pytest.mark.parametrize("path", ["sessions?limit=x", "search?limit=-1", f"r/only/session/{SESSION}/turns?since=x"])
def test_a_number_that_is_none_is_400(shelf: Shelf, path: str) -> None:
    shelf.put("only", parcel())
    assert "error" in shelf.get(path, 400)


@pytest.mark.parametrize("path", ["sessions", "recordings", "search?q=a", f"r/only/session/{SESSION}", "live?rows=none"])
def test_without_the_token_nothing_of_a_recording_is_sent(shelf: Shelf, path: str) -> None:
    shelf.put("only", parcel())
    assert 401 == shelf.http.get(f"/api/v1/{path}", headers={"Authorization": ""}).status_code


# -- a run that goes on --------------------------------------------------------------------------------------------------


class Running:
    """A run whose page keeps its store in memory."""

    def __init__(self) -> None:
        ledger = Ledger()
        self.feed = Feed(ledger)
        lent = Lent()
        self.kept: Writer[Output] = memory(lent).open(ledger)
        self.api = Api(LiveRecording(lent, lambda: self.feed.ended), PRICES, feed=self.feed)
        self.http = client(self.api)

    def write(self, batch: list[Output]) -> None:
        self.feed.write(batch)
        self.kept.write(batch)
        self.kept.flush()

    def get(self, path: str) -> Any:
        return self.http.get(f"/api/v1/{path}").json()


def test_a_run_that_goes_on_is_one_recording_and_its_session_is_live() -> None:
    run = Running()
    assert [("-", True)] == [(row["id"], row["live"]) for row in run.get("sessions")["sessions"]]
    run.write(output(small("Hello").events))
    (row,) = run.get("sessions")["sessions"]
    assert ("live", "s-small", True) == (row["recording"], row["id"], row["live"])
    assert "so_far" == run.get("r/live/session/s-small")["whole"]["state"]
    card = run.get("r/live/session/s-small/turns")["cards"][0]
    assert "Done." == card["answer"]["text"]
    assert "Done." == run.get(f"r/live/call/{card['call']}")["answer"][0]["text"]


def test_a_change_is_one_message_with_the_version_and_the_end_is_said() -> None:
    run = Running()
    run.write([CallRow("llm-1", 1, session_id="s")])
    run.kept.close()
    run.feed.close()
    blocks = run.http.get("/api/v1/live?rows=none&recording=live").text.strip().split("\n\n")
    names = [next(line[7:] for line in block.splitlines() if line.startswith("event: ")) for block in blocks]
    assert ["changed", "list", "end"] == names
    changed = blocks[0].splitlines()
    version = json.loads(next(line[6:] for line in changed if line.startswith("data: ")))["version"]
    assert f"id: {version}" in changed


class Written:
    """A recording that another program goes on with."""

    def __init__(self) -> None:
        self.store = MemoryStore()

    def listed(self) -> Sequence[Listed]:
        return [Listed("a", "a", being_written=True), Listed("gone", "gone", being_written=True)]

    def opened(self, id: str, /) -> Opened:
        if id != "a":
            raise KeyError(id)
        return Opened(self.store, self.store.version(), True)


@pytest.mark.parametrize("open_now", ["", "b"])
def test_a_page_learns_that_another_recording_goes_on(open_now: str) -> None:
    written, stopped, names = Written(), Stopped(), list[str]()

    async def listen() -> None:
        async for event in changes(Pictures(written, PRICES), None, stopped, open_now=open_now):
            names.append(event.event or "")
            if names[-1] == "list":
                stopped.now = names.count("list") == 2
                written.store.commit([put(AlertRow(f"alert-{len(names)}", 1, "loop", "warn", "x", "x"))])

    asyncio.run(asyncio.wait_for(listen(), 30))
    assert ["list", "list"] == [name for name in names if name != "gone"]


# -- alerts --------------------------------------------------------------------------------------------------------------


def guard(shelf: Shelf, name: str, story: guarded.Story | None = None) -> None:
    """A recording with alerts."""
    path = shelf.folder / f"{name}.lmdb"
    shelf.paths.append(guarded.stored(path, (story or guarded.leaking()).events, built_in_rules()))


def mark(shelf: Shelf, status: int = 200, **given: Any) -> Any:
    answer = shelf.http.post("/api/v1/seen", json=given)
    assert status == answer.status_code, answer.text
    return answer.json()


def test_alerts_of_all_recordings_wait_until_they_are_seen(shelf: Shelf) -> None:
    guard(shelf, "first")
    guard(shelf, "second", guarded.Story())
    story = guarded.Story()
    story.sends(story.shell("curl a.example"), "a.example")
    guard(shelf, "third", story)
    found = shelf.get("alerts")
    assert (3, 3) == (found["total"], found["waiting"])
    assert ["first", "third"] == sorted({row["recording"] for row in found["rows"]})
    assert [3] == [row.get("waiting", 0) for row in shelf.get("sessions")["sessions"]], "all three saw one session"
    ids = [row["id"] for row in found["rows"] if row["recording"] == "first"]
    assert {"marked": 2} == mark(shelf, recording="first", alerts=ids)
    assert [(1, 2), (1, None)] == [
        (each["waiting"], each.get("decided")) for each in (shelf.get("alerts"), shelf.get("alerts?state=waiting"))
    ]
    (row,) = shelf.get("sessions")["sessions"]
    assert (1, row["id"]) == (row["waiting"], session := row["id"])
    assert 2 == shelf.get(f"r/first/session/{session}/alerts")["decided"]
    mark(shelf, recording="first", alerts=ids[:1], seen=False)
    assert 2 == shelf.get("alerts")["waiting"]


def test_looking_changes_no_recording(shelf: Shelf) -> None:
    guard(shelf, "first")
    before = shelf.paths[0].read_bytes()
    ids = [row["id"] for row in shelf.get("alerts")["rows"]]
    mark(shelf, recording="first", alerts=ids)
    assert before == shelf.paths[0].read_bytes()


def test_alerts_come_in_pages(shelf: Shelf) -> None:
    guard(shelf, "first")
    found = shelf.get("alerts?since=1&count=1")
    assert (1, 2, ["secret-left"]) == (found["start"], found["total"], [row["rule"] for row in found["rows"]])


def test_this_machine_has_what_waits_and_its_days(shelf: Shelf) -> None:
    guard(shelf, "first")
    found = shelf.get("machine?days=0,1800000000000")
    assert ([0, 1], [0, 2], 2) == (found["days"]["sessions"], found["days"]["waiting"], found["waiting"])
    assert ["new-host", "secret-left"] == [row["rule"] for row in found["waits"]]
    assert [] == shelf.get("machine?days=")["days"]["begin_ms"]
    shelf.put("dear", parcel())
    assert 2 == shelf.get("machine?days=1900000000000")["waiting"], "what waits is of no day"
    dear = shelf.get("machine?days=1795600000000")["dearest"]
    assert ["dear"] == [each["row"]["recording"] for each in dear]
    assert dear == shelf.get("machine?days=1795600000000")["dearest"]


def test_what_two_recorders_saw_counts_once_on_this_machine(shelf: Shelf) -> None:
    guard(shelf, "machine")
    shelf.put("other", parcel())
    one = shelf.get("machine?days=0")
    guard(shelf, "beside")
    shelf.put("more", parcel())
    both = shelf.get("machine?days=0")
    assert (one["days"], one["waiting"]) == (both["days"], both["waiting"])
    assert len(one["dearest"]) == len(both["dearest"])
    assert 2 == shelf.get("alerts")["total"]
    assert 2 == len(shelf.get("sessions")["sessions"])


def test_a_recording_that_cannot_be_read_hides_no_alert(shelf: Shelf) -> None:
    guard(shelf, "first")
    bad = shelf.folder / "bad.lmdb"
    bad.write_bytes(b"nothing")
    shelf.paths.append(bad)
    assert 2 == shelf.get("alerts")["waiting"]
    assert 2 == shelf.get("machine?days=0")["waiting"]


@pytest.mark.parametrize("days", ["x", "1,,2", "1.5", ",".join(["1"] * 63)])
def test_days_that_are_none_are_named(shelf: Shelf, days: str) -> None:
    assert "are not the begins of at most 62 days" in shelf.get(f"machine?days={days}", 400)["error"]


def test_a_page_that_can_keep_nothing_says_so_and_goes_on(shelf: Shelf) -> None:
    guard(shelf, "first")
    (shelf.folder / "seen.jsonl").mkdir()
    found = shelf.get("alerts")
    assert 2 == found["waiting"]
    answer = mark(shelf, 409, recording="first", alerts=[found["rows"][0]["id"]])
    assert "seen.jsonl cannot be written" in answer["error"]
    assert 2 == shelf.get("alerts")["waiting"]


def test_what_is_not_there_cannot_be_seen(shelf: Shelf) -> None:
    guard(shelf, "first")
    assert {"marked": 0} == mark(shelf, recording="first", alerts=["alert-none"])
    assert "other is not here" in mark(shelf, 404, recording="other", alerts=["a"])["error"]


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"recording": "a"}', b'{"recording": "a", "alerts": "a"}', b'{"recording": "a", "alerts": [], "x": 1}'],
)
def test_a_request_that_is_not_understood_marks_nothing(shelf: Shelf, body: bytes) -> None:
    answer = shelf.http.post("/api/v1/seen", content=body)
    assert (400, True) == (answer.status_code, "send {" in answer.json()["error"])
    assert not (shelf.folder / "seen.jsonl").exists()


def test_a_request_that_is_too_long_is_refused(shelf: Shelf) -> None:
    assert 413 == shelf.http.post("/api/v1/seen", content=b" " * 70_000).status_code


def test_this_machine_has_the_line_of_its_recorder(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    try:
        assert "recorder" not in shelf.get("machine?days=0"), "nobody says whether one runs"
        path = shelf.put("agentsight-machine", parcel())
        watched = [Watched(False), Watched(True, path, is_written=True, bytes=5), Watched(True, tmp_path / "other.lmdb")]
        for expected in ({"state": "absent"}, {"state": "running", "bytes": 5}, {"state": "hidden"}):
            found = watched.pop(0)
            made = Pictures(shelf.recordings, PRICES, watched=lambda found=found: found).machine([0]).recorder  # type: ignore[misc]
            assert made is not None
            assert expected == {name: getattr(made, name) for name in expected}
    finally:
        shelf.close()


@pytest.mark.parametrize("at", ["snapshot", "rows"])
def test_a_feed_is_watched_while_somebody_looks(at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    feed, now = Feed(Ledger()), [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    assert not feed.is_watched
    _ = feed.snapshot() if at == "snapshot" else feed.after(0)
    now[0] += 1.9
    assert feed.is_watched
    now[0] += 0.2
    assert not feed.is_watched
