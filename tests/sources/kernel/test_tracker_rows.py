"""Rows of programs: what runs one behind the other, while sources come and go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.sources.kernel.tracker import PLACES, Programs, Rows

TABLE, ROW = "next_calls", 7
CHANGES = st.lists(st.tuples(st.booleans(), st.integers(0, PLACES - 1)), max_size=20)


class Kernel:
    """The places of one row, and what runs for an event."""

    def __init__(self) -> None:
        self.places: dict[int, int] = {}
        self.slots: dict[int, int] = {}  # program -> its slot
        self.seen: list[list[int]] = []  # what an event behind each change ran

    def link(self, table: str, row: int, place: int, programs: Programs | None) -> None:
        assert (TABLE, ROW) == (table, row)
        assert 0 <= place < PLACES
        if programs is None:
            self.places.pop(place, None)
        else:
            self.places[place] = programs[0]
        self.seen.append(self.runs())

    def runs(self) -> list[int]:
        ran: list[int] = []
        place = 0
        while place in self.places:
            ran.append(self.slots[self.places[place]])
            place = ran[-1] + 1
        return ran


@given(CHANGES)
def test_an_event_passes_all_programs_of_a_row_in_their_order_and_once(changes: list[tuple[bool, int]]) -> None:
    kernel, there = Kernel(), set[int]()
    rows = Rows(kernel.link)
    for number, (comes, slot) in enumerate(changes):
        before = sorted(there)
        kernel.seen.clear()
        kernel.slots[number] = slot
        if comes:
            there.add(slot)
            rows.put(TABLE, ROW, slot, {0: number})
        else:
            there.discard(slot)
            rows.take(slot)
        assert kernel.runs() == sorted(there)
        assert all(each in (before, sorted(there)) for each in kernel.seen)  # an event in between misses no other program


def test_a_source_that_goes_leaves_every_row() -> None:
    left: dict[tuple[str, int, int], Programs] = {}

    def link(table: str, row: int, place: int, programs: Programs | None) -> None:
        if programs is None:
            left.pop((table, row, place), None)
        else:
            left[table, row, place] = programs

    rows = Rows(link)
    for row in range(3):
        rows.put(TABLE, row, 2, {0: 20})
        rows.put("next_moments", row, 2, {0: 21})
    rows.put(TABLE, 1, 4, {0: 40})
    rows.take(2)
    assert {(TABLE, 1, 0): {0: 40}} == left
