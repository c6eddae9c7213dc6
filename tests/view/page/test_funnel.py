from __future__ import annotations

from pathlib import Path

from agentsight_rx import run, sinks
from agentsight_rx.core.stream import of
from agentsight_rx.events import Origin, Readline
from agentsight_rx.events.loss import Entry, Reason
from agentsight_rx.llm.prices import Prices
from agentsight_rx.store.rows.tables import LOSSES, STAGES, StageCount
from agentsight_rx.store.state import LmdbStore, MemoryStore
from agentsight_rx.view.page.funnel import Stage, places_of, whole_in
from agentsight_rx.view.page.picture import Picture

COUNTS = [
    StageCount("tls", 900, 900),
    StageCount("process", 100, 100),
    StageCount("tls/parse_http", 900, 300),
    StageCount("tls/filter_http", 300, 290),
    StageCount("merge", 390, 390),
    StageCount("to store", 500, 500),
    StageCount("store", 500, 500),
    StageCount("to console", 500, 499),
]


def places(*entries: Entry, counts: list[StageCount] = COUNTS) -> dict[str, Stage]:
    return {place.id: place for place in places_of(entries, counts)}


def numbers(place: Stage) -> tuple[int | None, int | None, float | None, int]:
    return place.before, place.arrived, place.kept, place.lost


def test_where_nothing_was_lost_each_place_kept_what_came_to_it() -> None:
    found = places()
    assert ["kernel", "queue", "protocols", "filters", "store"] == list(found)
    assert {"kernel": 1000, "queue": 1000, "protocols": 1000, "filters": 300, "store": 500} == {
        id: place.before for id, place in found.items()
    }
    assert all(place.kept == 1 and place.before == place.arrived for place in found.values())


def test_each_loss_is_taken_from_what_came_to_its_place() -> None:
    found = places(
        Entry("tls", Reason.KERNEL_LOST, 250),
        Entry("inbox", Reason.QUEUE_FULL, 1000),
        Entry("tls/parse_http", Reason.MALFORMED, 100, 4096),
        Entry("store", Reason.SINK_FAILED, 50),
        Entry("to console", Reason.QUEUE_FULL, 1),
        Entry("tls/parse_http", Reason.OVERHEAD, 7),
    )
    assert (2250, 2000, 0.888889, 250) == numbers(found["kernel"])
    assert (2000, 1000, 0.5, 1000) == numbers(found["queue"])
    assert (1000, 900, 0.9, 100) == numbers(found["protocols"])
    assert (500, 450, 0.9, 50) == numbers(found["store"])
    assert (500, 499, 0.998, 1) == numbers(found["others"])
    assert 4096 == found["protocols"].size


def test_what_a_filter_left_out_is_asked_for_and_not_lost() -> None:
    place = places(Entry("tls/filter_http", Reason.FILTERED, 10))["filters"]
    assert (300, 290, 0.966667, 0) == numbers(place)
    assert 10 == place.asked


def test_a_recording_without_counts_says_what_was_lost_and_not_of_how_much() -> None:
    place = places(Entry("tls", Reason.KERNEL_LOST, 3), counts=[])["kernel"]
    assert (None, None, None, 3) == numbers(place)


def test_what_no_place_counted_is_not_proven_to_be_whole() -> None:
    picture = Picture(MemoryStore(), Prices())
    assert ("whole", False, 0) == ((whole := whole_in(picture, picture.health)).state, whole.counted, whole.records)


def test_a_run_leaves_its_counts_in_the_store(tmp_path: Path) -> None:
    events = [Readline(Origin(number, 1, wall_ns=number), f"echo {number}") for number in range(1, 601)]
    run(of(events), [sinks.store(tmp_path / "run.lmdb")])
    store = LmdbStore.open(tmp_path / "run.lmdb", readonly=True)
    try:
        counts = [count for _, count in store.scan(STAGES)]
        picture = Picture(store, Prices())
        whole = whole_in(picture, picture.health)
        found = {place.id: place for place in places_of([entry for _, entry in store.scan(LOSSES)], counts)}
    finally:
        store.close()
    assert (600, 600, 1, 0) == numbers(found["store"])
    assert whole.counted
    assert [600, 600] == [count.passed for count in counts if count.stage.removeprefix("to ") == "store"]
