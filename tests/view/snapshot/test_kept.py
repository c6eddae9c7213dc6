"""Rows by id in memory that several kinds share: bounded in bytes, the oldest rows of the kind that takes most go first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.store.rows.kind import weight_of
from agentsight_rx.view import AuditRow, CallRow, SessionRow
from agentsight_rx.view.snapshot.kept import Kept, Room

# Which kind, which id, and how many characters; None: the row is not true
STEPS = st.lists(st.tuples(st.sampled_from("ca"), st.integers(0, 9), st.none() | st.integers(0, 2000)), max_size=60)


@given(STEPS, st.integers(3_000, 12_000))
def test_all_kinds_together_take_the_room_that_there_is(steps: list[tuple[str, int, int | None]], size: int) -> None:
    room = Room(size)
    calls, audits = Kept[CallRow](room), Kept[AuditRow](room)
    put = {"c": set[str](), "a": set[str]()}
    for kind, number, length in steps:
        id, kept = f"{kind}{number}", calls if kind == "c" else audits
        if length is None:
            put[kind] -= {id} if kept.remove(id) is not None else set()
        elif kind == "c":
            calls.put(CallRow(id, number, text="x" * length))
        else:
            audits.put(AuditRow(id, number, "file", target="x" * length))
        put[kind] |= {id} if length is not None else set()
        held = [sum(map(weight_of, calls)), sum(map(weight_of, audits))]
        assert held == [calls.held, audits.held]
        assert sum(held) <= size or len(calls if held[0] >= held[1] else audits) == 1
        assert {row.id for row in calls} <= put["c"]
        assert {row.id for row in audits} <= put["a"]


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=40), st.integers(1_000, 20_000))
def test_the_newest_of_a_kind_are_kept_and_the_others_are_counted(sizes: list[int], size: int) -> None:
    kept = Kept[CallRow](Room(size))
    rows = [CallRow(f"c{number}", number, text="x" * length) for number, length in enumerate(sizes)]
    for row in rows:
        kept.put(row)
    assert rows[kept.gone :] == list(kept)
    assert (len(rows), len(rows) - kept.gone) == (kept.seen, len(kept))


def test_a_kind_has_a_number_of_rows_too() -> None:
    kept = Kept[AuditRow](Room(1 << 30), 3)
    for number in range(5):
        kept.put(AuditRow(f"a{number}", number, "file"))
    assert (["a2", "a3", "a4"], 2) == ([row.id for row in kept], kept.gone)


def test_a_copy_stays_as_it_was() -> None:
    kept = Kept[AuditRow](Room(1 << 30))
    kept.put(AuditRow("a", 1, "file"))
    twin = kept.copy()
    kept.put(AuditRow("b", 2, "file"))
    assert (["a"], ["a", "b"]) == ([row.id for row in twin], [row.id for row in kept])


def test_a_row_that_is_removed_and_comes_again_keeps_its_place() -> None:
    kept: Kept[SessionRow] = Kept(Room(1 << 30), 2)
    first, second, third = (SessionRow(id, 1) for id in "abc")
    kept.put(first)
    kept.put(second)
    assert (first, None) == (kept.remove("a"), kept.remove("a"))
    assert [second] == list(kept)
    kept.put(first)
    kept.put(third)
    assert ({"b", "c"}, 3, 1) == ({row.id for row in kept}, kept.seen, kept.gone)


def test_a_row_that_stays_removed_makes_no_room() -> None:
    kept: Kept[SessionRow] = Kept(Room(1 << 30), 2)
    for id in "ab":
        kept.put(SessionRow(id, 1))
    kept.remove("a")
    for id in "cd":
        kept.put(SessionRow(id, 1))
    assert (["c", "d"], 1) == ([row.id for row in kept], kept.gone)
