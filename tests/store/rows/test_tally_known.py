"""What goes on is known however much comes and goes; of what is over, the newest."""

from __future__ import annotations

from agentsight_rx.store.rows.tally import Known


def test_what_goes_on_is_known_beside_all_that_is_over() -> None:
    known: Known[int] = Known()
    known.put("long", 1, over=False)
    for number in range(10_000):
        known.put(f"short-{number}", number, over=True)
    assert (1, 9_999, None) == (known.get("long"), known.get("short-9999"), known.get("short-0"))
    assert "long" in known
    assert "short-0" not in known


def test_what_ends_and_goes_on_again_is_there_once() -> None:
    known: Known[int] = Known(1)
    known.put("a", 1, over=True)
    known.put("a", 2, over=False)
    known.put("b", 3, over=False)  # as many as may go on: the first makes room
    assert (None, 3) == (known.pop("a"), known.pop("b"))
    assert known.pop("b") is None
    known.put("c", 4, over=False)
    known.put("c", 5, over=True)
    assert (5, None) == (known.pop("c"), known.get("c"))
