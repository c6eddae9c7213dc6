"""What two recorders saw at the same time counts once, and nothing else vanishes."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.view.page.alert_shapes import AlertLine
from agentsight_rx.view.page.picture import WHOLE
from agentsight_rx.view.page.rail import alerts_once
from agentsight_rx.view.page.rail import sessions_once as entries_once
from agentsight_rx.view.queries.sessions.listing import Entry, ListRow

ROW = ListRow("s", "machine", "Claude Code", start_ms=10_000, end_ms=50_000, turns=5)
LINE = AlertLine(1, "alert-1", "loop", "warn", "new", at_ms=10_000, last_ms=50_000, count=3, sentence="x", recording="machine")


def fullest(entries: list[Entry]) -> Entry:
    return max(entries, key=lambda each: each.row.turns)


def sessions_once(rows: Iterable[ListRow]) -> list[ListRow]:
    return [entry.row for entry in entries_once(map(Entry, rows), fullest)]


def test_a_file_of_a_recorded_session_is_no_second_one() -> None:
    """Its id may be another one."""
    said = Entry(replace(ROW, id="file", recording="past", turns=9, recorded=False, file=True))
    seen = Entry(replace(ROW, file=True, compared=5, found=5), said="file")
    assert [seen] == entries_once([seen, said], fullest)
    assert [replace(seen, said=""), said] == entries_once([replace(seen, said=""), said], fullest)


def test_a_session_of_two_recordings_is_one_in_the_place_of_its_first() -> None:
    other, whole = replace(ROW, id="t"), replace(ROW, recording="record", start_ms=9_000, turns=6)
    assert [whole, other] == sessions_once([ROW, other, whole])
    assert [whole, other] == sessions_once([whole, other, ROW])
    later = replace(ROW, recording="later", start_ms=60_000, end_ms=70_000, turns=2)
    assert [ROW] == sessions_once([ROW, later]), "it goes on"


def test_an_alert_of_two_recordings_is_one_where_their_times_overlap() -> None:
    more = replace(LINE, recording="record", at_ms=9_000, count=4)
    assert [more] == alerts_once([LINE, more])
    again = replace(LINE, recording="later", at_ms=60_000, last_ms=60_000)
    assert [LINE, again] == alerts_once([LINE, again])


def test_two_recordings_without_a_session_are_two() -> None:
    rows = [replace(ROW, id=WHOLE, recording=name) for name in "ab"]
    assert rows == sessions_once(rows)


RUNS = st.tuples(st.integers(0, 5), st.integers(0, 100_000), st.integers(0, 50_000), st.integers(0, 9))


@given(st.lists(RUNS, max_size=20), st.data())
def test_each_session_counts_once_however_many_recorders_saw_its_end(
    runs: list[tuple[int, int, int, int]], data: st.DataObject
) -> None:
    """Each recorder has a session from some time on, to its end; the times of two differ by some milliseconds."""
    rows: list[ListRow] = []
    for number, (recorders, start_ms, took_ms, turns) in enumerate(runs):
        for recorder in range(recorders):
            late = data.draw(st.integers(0, took_ms))
            off = data.draw(st.integers(-3, 3))
            seen = replace(ROW, id=f"s-{number}", recording=f"r-{recorder}", start_ms=start_ms + late + off)
            rows.append(replace(seen, end_ms=start_ms + took_ms + off, turns=turns if not late else turns // 2))
    ordered = data.draw(st.permutations(rows))
    found = sessions_once(ordered)
    assert sorted({row.id for row in rows}) == sorted(row.id for row in found)
    assert [row.id for row in found] == list(dict.fromkeys(row.id for row in ordered)), "their order stays"
    most = {row.id: max(each.turns for each in rows if each.id == row.id) for row in rows}
    assert all(row.turns == most[row.id] for row in found)


@given(st.lists(st.tuples(st.sampled_from("xy"), st.sampled_from("abc"), st.integers(0, 9), st.integers(0, 3)), max_size=12))
def test_no_alert_is_left_out_without_another_one_that_has_as_much(found: list[tuple[str, str, int, int]]) -> None:
    lines = [
        replace(LINE, id=id, recording=recording, at_ms=at * 5_000, last_ms=at * 5_000 + 7_000, count=count)
        for id, recording, at, count in found
    ]
    kept = alerts_once(lines)
    for line in lines:
        twins = [each for each in kept if each.id == line.id and abs(each.at_ms - line.at_ms) <= 8_000]
        assert line in kept or any(each.count >= line.count and each.recording != line.recording for each in twins)
