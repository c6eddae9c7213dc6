"""What the cache held of a request: only one mark may be meant."""

from __future__ import annotations

from agentsight_rx.llm.context.held import Held
from agentsight_rx.llm.context.pieces import Piece
from agentsight_rx.llm.context.thread import fixed_in, read_up_to


def held(*origins: str, marked: tuple[int, ...] = ()) -> list[Held]:
    return [
        Held(Piece(0, 1, origin, bytes([at]), mark="5m" if at in marked else ""), 1) for at, origin in enumerate(origins, 1)
    ]


def test_one_mark_between_known_points_is_meant() -> None:
    pieces = held("tools", "system", "prompt", "answer", marked=(2,))
    assert (1, 2) == read_up_to(pieces, 4, [(0, 0)], 900)


def test_of_two_marks_none_is_taken() -> None:
    pieces = held("tools", "system", "prompt", "answer", marked=(2, 3))
    assert (1, 0) == read_up_to(pieces, 4, [(0, 0)], 900)


def test_a_known_point_narrows_where_the_mark_is() -> None:
    pieces = held("tools", "system", "prompt", "answer", marked=(2, 3))
    assert (2, 3) == read_up_to(pieces, 4, [(0, 0), (2, 700)], 900)
    assert (1, 2) == read_up_to(pieces, 4, [(0, 0), (3, 950)], 900)


def test_tokens_that_are_counted_already_are_no_new_point() -> None:
    assert (2, 0) == read_up_to(held("tools", "system", marked=(2,)), 2, [(0, 0), (1, 900)], 900)


def test_all_before_a_first_prompt_is_fixed() -> None:
    assert 2 == fixed_in(held("tools", "system", "prompt"))
    assert 0 == fixed_in(held("tools", "system", "prompt", "answer", "result"))
    assert 0 == fixed_in([])
