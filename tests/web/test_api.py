"""Requests about recordings -> answers: those in files, the run that goes on, what is gone, and the search of all."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from agentsight_rx.core.sink import Writer
from agentsight_rx.loss import Ledger, Meter
from agentsight_rx.prices import Prices
from agentsight_rx.sinks import Lent, memory
from agentsight_rx.sinks.web import Feed
from agentsight_rx.view import CallRow, Output
from agentsight_rx.web.api import Api
from agentsight_rx.web.app import Access, application
from agentsight_rx.web.recordings import LiveRecording, StoredRecordings
from agentsight_rx.web.search import SearchIndex

from ..view.page.story import SESSION, Story, output, parcel, recorded

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
        self.api = Api(self.recordings, PRICES, search=self.index)
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
        shelf.put(name, small(name).events)
    first = shelf.get("sessions?limit=2")
    assert (["c", "b"], "b") == ([row["recording"] for row in first["sessions"]], first["next"])
    assert ["a"] == [row["recording"] for row in shelf.get("sessions?limit=2&before=b")["sessions"]]


def test_a_session_is_answered_from_its_recording(shelf: Shelf) -> None:
    shelf.put("only", parcel())
    head = shelf.get(f"r/only/session/{SESSION}")
    assert ("only", 12) == (head["recording"], head["turns"])
    assert 12 == len(shelf.get(f"r/only/session/{SESSION}/turns")["cards"])


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
