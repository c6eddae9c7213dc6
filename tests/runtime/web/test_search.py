"""Recordings that grow, change and go away, words -> the places in them, while the index is being made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

from agentsight_rx.runtime.web.recordings import Listed, Opened, StoredRecordings
from agentsight_rx.runtime.web.search import SearchIndex
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.state import MemoryStore, Part, Table
from agentsight_rx.view import CallRow, Row, ToolRow
from agentsight_rx.view.page.searched import Entry
from tests.view.page.story import Story, recorded

V = TypeVar("V")

TRACEBACK = "Traceback (most recent call last):\n" + '  File "x.py", line 1, in <module>\n' * 400 + "No module\nnamed 'yaml'"


class Shelf:
    """Recordings in memory that a test changes."""

    def __init__(self, *, written: bool = False) -> None:
        self.stores: dict[str, MemoryStore] = {}
        self.written = written

    def put(self, id: str, rows: Sequence[Row]) -> None:
        self.stores.setdefault(id, MemoryStore()).commit([put(row) for row in rows])

    def listed(self) -> Sequence[Listed]:
        return [Listed(id, id, store.version() + 1, self.written) for id, store in self.stores.items()]

    def opened(self, id: str, /) -> Opened:
        return Opened(self.stores[id], self.stores[id].version(), self.written)


def call(number: int, *, prompt: str = "", text: str = "") -> CallRow:
    return CallRow(f"llm-{number}", number * 5000, turn=number, session_id="s", prompt=prompt, text=text)


def tool(number: int, output: str) -> ToolRow:
    id = f"tool-llm-{number}-t"
    return ToolRow(
        id, number * 5000, f"llm-{number}", "t", "Bash", input='{"command": "pytest"}', output=output, session_id="s"
    )


def found(index: SearchIndex, words: str) -> list[tuple[str, str, int]]:
    index.catch_up()
    return [(hit.recording, hit.kind, hit.turn) for hit in index.search(words, limit=40).hits]


def test_results_and_parts_of_words_are_found() -> None:
    shelf = Shelf()
    shelf.put(
        "a", [call(1), tool(1, "FAILED tests/test_sums.py::test_discounted_total"), call(2), tool(2, "No module named x")]
    )
    index = SearchIndex(shelf)
    assert [("a", "result", 1)] == found(index, "discounted")
    assert [("a", "result", 1)] == found(index, "COUNTED_TOT")
    assert [("a", "result", 2)] == found(index, "No module named")
    assert [] == found(index, '"No named module"')
    index.close()


def test_short_words_and_words_of_two_letters_are_found() -> None:
    shelf = Shelf()
    shelf.put("a", [call(1, prompt="请测试 it")])
    index = SearchIndex(shelf)
    assert [("a", "prompt", 1)] == found(index, "测试")
    assert [("a", "prompt", 1)] == found(index, "t")
    index.close()


def test_the_end_of_a_long_result_is_found_in_the_request_that_has_it(tmp_path: Path) -> None:
    story = Story()
    (first,) = story.ask(ms=100, prompt="Go", says="I run it.", tools=[("Bash", {"command": "python x.py"})])
    story.ask(ms=100, results=[(first, TRACEBACK, True)], says="It is not installed. " * 100 + "So I install it.")
    story.ask(ms=100, prompt="Fine", says="Done.")
    path = recorded(tmp_path / "a.lmdb", story.events)
    recordings = StoredRecordings(lambda: [path], lambda _: False)
    index = SearchIndex(recordings)
    for words, kind in (('"No module named"', "result"), ("'yaml'", "result"), ('"I install it"', "answer")):
        assert [kind] == [hit for _, hit, _ in found(index, words)], words
    index.close()
    recordings.close()


def test_rows_that_change_are_found_by_their_new_text_alone() -> None:
    shelf = Shelf()
    shelf.put("a", [call(1, text="The parcel"), call(2, text="The letter")])
    index = SearchIndex(shelf)
    assert [("a", "answer", 1)] == found(index, "parcel")
    shelf.put("a", [call(1, text="The shipment")])
    assert [] == found(index, "parcel")
    assert [("a", "answer", 1)] == found(index, "shipment")
    assert [("a", "answer", 2)] == found(index, "letter")
    index.close()


def test_a_recording_that_went_away_leaves_nothing_in_the_index(tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.put("a", [call(1, text="The parcel")])
    index = SearchIndex(shelf, tmp_path / "search.sqlite3")
    assert [("a", "answer", 1)] == found(index, "parcel")
    shelf.put("b", [call(1, text="The letter")])
    del shelf.stores["a"]
    assert [("b", "answer", 1)] == found(index, "The")
    assert 1 == index.search("The", limit=9).texts
    index.close()


def test_a_run_that_goes_on_is_read_from_its_newest_rows_on_and_whole_at_its_end() -> None:
    shelf = Shelf(written=True)
    shelf.put("a", [call(1, text="The parcel")])
    index = SearchIndex(shelf)
    assert [("a", "answer", 1)] == found(index, "parcel")
    shelf.put("a", [call(2, text="A letter")])
    shelf.written = False
    assert [("a", "answer", 2)] == found(index, "letter")
    assert (1, 1) == (index.search("x", limit=9).searched, index.search("x", limit=9).recordings)
    index.close()


def test_each_kind_has_a_share_of_the_hits() -> None:
    shelf = Shelf()
    rows = [row for number in range(1, 100) for row in (call(number, text="same"), tool(number, "same"))]
    shelf.put("a", [*rows, call(100, prompt="same")])
    index = SearchIndex(shelf)
    kinds = [kind for _, kind, _ in found(index, "same")]
    assert {"prompt": 1, "result": 19, "answer": 20} == {kind: kinds.count(kind) for kind in kinds}
    assert [99, 98] == [turn for _, kind, turn in found(index, "same") if kind == "answer"][:2]
    index.close()


class Slow(MemoryStore):
    """A store whose second page of rows comes when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.go_on = Event(), Event()

    def scan(self, table: Table[V], **more: Any) -> list[tuple[tuple[Part, ...], V]]:
        if more.get("start"):
            self.reached.set()
            self.go_on.wait()
        return super().scan(table, **more)


def test_a_search_answers_from_what_is_there_while_the_rest_is_read() -> None:
    store = Slow()
    shelf = Shelf()
    shelf.stores["a"] = store
    shelf.put("a", [call(number, text=f"The parcel {number}") for number in range(1, 401)])
    index = SearchIndex(shelf)
    index.search("parcel", limit=9)
    store.reached.wait()
    first = index.search("parcel", limit=9)
    assert (9, 0, True) == (len(first.hits), first.searched, first.going_on)
    assert 200 == first.texts
    store.go_on.set()
    index.catch_up()
    then = index.search('"parcel 400"', limit=9)
    assert (1, 1, 400) == (len(then.hits), then.searched, then.texts)
    index.close()


def test_entries_at_one_moment_have_places_of_their_own() -> None:
    shelf = Shelf()
    shelf.put("a", [CallRow(f"llm-{number}", 1000, turn=number, session_id="s", text="same") for number in range(1, 500)])
    index = SearchIndex(shelf)
    index.catch_up()
    assert 499 == len(index.search("same", limit=1000).hits)
    index.close()


def test_an_entry_says_whether_its_text_is_cut() -> None:
    assert not Entry("answer", "a", "s", 1, 1, row="a", text="x").is_cut
    assert Entry("answer", "a", "s", 1, 1, row="a", text="x", call="llm-1").is_cut
