"""A shipper goes on for as long as it is asked to, also where the other place is away."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsight_rx.runtime.cluster import Shipper, ShipRefused, follow
from agentsight_rx.store.spool import segment_name
from tests.runtime.cluster.test_shipping import Target, segment, spool_of


class Waits:
    """Time that passes at once: what is to happen in each wait, then the end."""

    def __init__(self, *meanwhile: object) -> None:
        self.meanwhile = list(meanwhile)
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> bool:
        self.seconds.append(seconds)
        if not self.meanwhile:
            return True
        happens = self.meanwhile.pop(0)
        if callable(happens):
            happens()
        return False


def test_new_segments_are_shipped_as_they_come(tmp_path: Path) -> None:
    target = Target(tmp_path / "to")
    shipper = Shipper(spool_of(tmp_path / "spool", 1), target)
    follow(shipper, Waits(None, lambda: spool_of(tmp_path / "spool", 2), None))
    assert target.stored == [f"web1/{segment_name(number)}" for number in (1, 2)]


def test_a_spool_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    said: list[str] = []
    target = Target(tmp_path / "to")
    follow(Shipper(tmp_path / "spool", target), Waits(lambda: spool_of(tmp_path / "spool", 1)), said.append)
    assert target.stored == [f"web1/{segment_name(1)}"]
    assert "is not there" in said[0]


def test_a_place_that_is_away_is_tried_ever_more_rarely_and_reported_once(tmp_path: Path) -> None:
    said: list[str] = []
    target = Target(tmp_path / "to")
    target.away = True

    def back() -> None:
        target.away = False

    waits = Waits(*[None] * 8, back)
    follow(Shipper(spool_of(tmp_path / "spool", 1), target), waits, said.append)
    assert waits.seconds == [1, 2, 4, 8, 16, 32, 60, 60, 60, 2]
    assert said == ["the place is away; trying again until it works", "shipping goes on"]
    assert target.stored == [f"web1/{segment_name(1)}"]


def test_what_no_later_attempt_mends_is_raised(tmp_path: Path) -> None:
    spool = spool_of(tmp_path / "spool")
    (spool / "web1" / segment_name(1)).write_bytes(segment(1, redacted=False))
    with pytest.raises(ShipRefused):
        follow(Shipper(spool, Target(tmp_path / "to")), Waits())
