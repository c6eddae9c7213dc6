from __future__ import annotations

from agentsight_rx.events.loss import Reason
from agentsight_rx.store.spool import Footer, Header, Track


def header(sequence: int, *, run: str = "a", first: int = 1) -> Header:
    return Header(host="web1", sequence=sequence, first=first, run=run, product="1", python="3", wall_offset_ns=1000)


def read(track: Track, *sequences: int, run: str = "a", first: int = 1, ended: bool = False) -> list[int]:
    """Read these segments; what was missing before each."""
    missing: list[int] = []
    for sequence in sequences:
        head = header(sequence, run=run, first=first)
        missing += [sum(loss.count for loss in track.gap(head))]
        track.passed(head, Footer(events=1, first_ns=1, last_ns=50, ended=ended and sequence == sequences[-1]))
    return missing


def test_segments_in_order_lose_nothing() -> None:
    assert [0, 0, 0] == read(Track(), 1, 2, 3)


def test_a_gap_counts_what_is_missing() -> None:
    assert [0, 0, 3] == read(Track(), 1, 2, 6)


def test_before_the_first_segment_only_those_of_its_recording_are_missing() -> None:
    assert [0] == read(Track(), 8, first=8)
    assert [2] == read(Track(), 10, first=8)


def test_a_recording_that_is_gone_as_a_whole_is_a_gap() -> None:
    track = Track()
    read(track, 1, 2, ended=True)
    assert [3] == read(track, 6, run="b", first=6)


def test_a_recording_without_an_end_is_one_loss_when_the_next_begins() -> None:
    track = Track()
    read(track, 1, 2)
    assert track.is_new(header(3, run="b", first=3))
    loss = track.broke_off(header(3, run="b", first=3))
    assert (1, Reason.UNREADABLE, 50, 1050) == (loss.count, loss.reason, loss.origin.time_ns, loss.origin.wall_ns)
    assert [0] == read(track, 3, run="b", first=3)


def test_behind_an_end_a_recording_begins_without_a_loss() -> None:
    track = Track()
    read(track, 1, 2, ended=True)
    assert not track.is_new(header(3, run="b", first=3))


def test_a_segment_that_cannot_be_read_is_one_with_those_missing_before_it() -> None:
    track = Track()
    read(track, 1)
    loss = track.skipped(4, size=99, why="it is cut")
    assert (3, 99, Reason.MALFORMED) == (loss.count, loss.size, loss.reason)
    assert [0] == read(track, 5)


def test_a_segment_of_a_killed_recorder_is_a_loss() -> None:
    (loss,) = Track().passed(header(1), Footer(events=1, ended=True, cut=True))
    assert "killed" in loss.note
