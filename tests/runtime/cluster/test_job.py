from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread
from unittest import mock

import pytest
from msgspec.structs import replace

from agentsight_rx.errors import SpoolError
from agentsight_rx.events import Event, Loss, Origin, ProcessFork, Tick
from agentsight_rx.events.loss import Entry, Reason
from agentsight_rx.graphs import TraceOptions
from agentsight_rx.runtime.cluster import Pins, Task, segment
from agentsight_rx.runtime.cluster.output import Analysis, Ended, Losses, Piece, read_output
from agentsight_rx.runtime.cluster.place import LocalPlace, own_pins, read_commit
from agentsight_rx.store.spool import segment_name
from agentsight_rx.view import Output
from tests.runtime.cluster.hosts import contents, events_at, segments_of, spool_at, tasks_of


class Stop(BaseException):
    """The end of the process, as far as files are concerned."""


def run(spool: Path, out: Path) -> Path:
    for task in tasks_of(spool, out):
        segment(task)
    return out


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return spool_at(tmp_path_factory.mktemp("spool"), hosts=("web1", "db1"))


@pytest.fixture(scope="module")
def reference(spool: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return contents(run(spool, tmp_path_factory.mktemp("out")))


def pieces(out: Path, key: str) -> list[Piece]:
    place = LocalPlace(str(out))
    found: list[Piece] = []
    for path in sorted((out / key).glob("*.done")):
        commit = read_commit(place, key, int(path.stem))
        assert commit is not None
        content = place.read(commit.output)
        assert content is not None
        found += read_output(content, commit.output)[1]
    return found


def items(out: Path, key: str) -> list[Output]:
    return [item for piece in pieces(out, key) if isinstance(piece, list) for item in piece]


def test_segments_give_what_one_run_over_all_events_gives(spool: Path, tmp_path: Path) -> None:
    """No segment, no state, no file: the events of a host through the graph in one go."""
    whole: list[Output] = []
    analysis = Analysis(TraceOptions(redaction_key=b"k" * 32, host="db1"), whole.extend)
    analysis.push(events_at(1))
    analysis.end()
    assert len(whole) > 200
    assert whole == items(run(spool, tmp_path), "db1")


def test_other_segments_of_the_same_events_give_the_same(tmp_path: Path, spool: Path) -> None:
    other = spool_at(tmp_path / "spool", hosts=("web1", "db1"), size=7)
    assert items(run(spool, tmp_path / "a"), "web1") == items(run(other, tmp_path / "b"), "web1")


def test_the_items_of_a_key_are_numbered_through(spool: Path, tmp_path: Path) -> None:
    place = LocalPlace(str(run(spool, tmp_path)))
    number = 0
    for path in sorted((tmp_path / "web1").glob("*.done")):
        commit = read_commit(place, "web1", int(path.stem))
        assert commit is not None
        header, found = read_output(place.read(commit.output) or b"", commit.output)
        assert number == header.first
        number += sum(len(piece) for piece in found if isinstance(piece, list))
        assert number == commit.items


def test_the_end_of_a_recording_is_explicit_and_the_next_one_begins_anew(tmp_path: Path) -> None:
    fork: Event = ProcessFork(Origin(5, 9, wall_ns=5), 7, 2)
    folder = tmp_path / "spool" / "web1"
    folder.mkdir(parents=True)
    both = [*segments_of("web1", [fork]), *segments_of("web1", [fork], run="b", first=2)]
    for place, content in enumerate(both):
        (folder / segment_name(place + 1)).write_bytes(content)
    out = run(tmp_path / "spool", tmp_path / "out")
    kinds = [type(piece) for piece in pieces(out, "web1")]
    assert [list, Losses, Ended, list, Losses, Ended] == kinds


@pytest.mark.parametrize("place", ["begin", "events", "part", "output", "state"])
def test_an_attempt_that_ends_anywhere_and_is_repeated_changes_no_byte(
    place: str, spool: Path, tmp_path: Path, reference: dict[str, bytes]
) -> None:
    started = 0
    for task in tasks_of(spool, tmp_path):
        with pytest.raises(Stop):
            segment(task, stopping_at(place, 1 + started % 8))
        assert read_commit(LocalPlace(str(tmp_path)), task.key, task.sequence) is None, "it was committed before it ended"
        started += 1
        segment(task)
    assert started > 10
    assert reference == contents(tmp_path)


def stopping_at(place: str, number: int) -> Callable[[str, int], None]:
    def at(where: str, count: int) -> None:
        if where == place and (where != "events" or count >= number):
            raise Stop

    return at


def test_an_attempt_whose_commit_is_lost_is_repeated_with_the_same_bytes(
    spool: Path, tmp_path: Path, reference: dict[str, bytes]
) -> None:
    for task in tasks_of(spool, tmp_path):
        segment(task)
        (tmp_path / task.key / f"{task.sequence:010}.done").unlink()
        (tmp_path / task.key / ".torn.part").write_bytes(b"torn")
        assert segment(task).fresh
    assert reference == contents(tmp_path)


def attempt_at(task: Task, fresh: list[bool]) -> None:
    fresh.append(segment(task).fresh)


def test_two_attempts_at_once_leave_one_commit_and_the_same_bytes(
    spool: Path, tmp_path: Path, reference: dict[str, bytes]
) -> None:
    fresh: list[bool] = []
    for task in tasks_of(spool, tmp_path):
        attempts = [Thread(target=attempt_at, args=(task, fresh)) for _ in range(2)]
        for attempt in attempts:
            attempt.start()
        for attempt in attempts:
            attempt.join()
    assert 2 * len(list(tmp_path.rglob("*.done"))) == len(fresh)
    assert sum(fresh) == len(list(tmp_path.rglob("*.done")))
    assert reference == contents(tmp_path)


def test_an_attempt_that_meets_the_commit_of_another_one_takes_it(spool: Path, tmp_path: Path) -> None:
    """The other one commits between the output of this one and its own commit."""
    task = tasks_of(spool, tmp_path)[0]

    def at(where: str, _: int) -> None:
        if where == "state":
            segment(task)

    done = segment(task, at)
    assert not done.fresh


@pytest.mark.parametrize("pins", [Pins("9.9", own_pins().python), Pins(own_pins().product, "3.99.1")])
def test_another_version_than_that_of_the_driver_is_refused(pins: Pins, spool: Path, tmp_path: Path) -> None:
    task = replace(tasks_of(spool, tmp_path)[0], pins=pins)
    with pytest.raises(SpoolError, match="give all of them the same"):
        segment(task)
    assert [] == list(tmp_path.rglob("*.done"))


def test_a_state_of_another_version_is_refused(spool: Path, tmp_path: Path) -> None:
    first, second, *_ = tasks_of(spool, tmp_path)
    other = Pins("0.0.1", "3.11.0")
    with mock.patch("agentsight_rx.runtime.cluster.job.own_pins", return_value=other):
        segment(replace(first, pins=other))
    with pytest.raises(SpoolError, match=r"was made by agentsight-rx 0\.0\.1 on Python 3\.11\.0"):
        segment(second)


@pytest.mark.parametrize("how", ["cut", "wrong", "empty", "another"])
def test_a_segment_that_cannot_be_read_is_a_loss_and_the_others_are_analysed(how: str, spool: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(spool, tmp_path / "spool"))
    path = copy / "web1" / segment_name(3)
    whole = path.read_bytes()
    path.write_bytes(
        {"cut": whole[:-9], "wrong": b"x" * 99, "empty": b"", "another": (copy / "web1" / segment_name(4)).read_bytes()}[how]
    )
    found = items(run(copy, tmp_path / "out"), "web1")
    losses = [item for item in found if isinstance(item, Loss) and item.stage == "spool"]
    assert [(Reason.MALFORMED, 1, path.stat().st_size)] == [(loss.reason, loss.count, loss.size) for loss in losses]
    assert "segment 3: " in losses[0].note


def test_a_first_segment_that_cannot_be_read_gives_the_same_each_time(spool: Path, tmp_path: Path) -> None:
    """Its loss has no time of its own, and none of a clock."""
    copy = Path(shutil.copytree(spool, tmp_path / "spool"))
    (copy / "web1" / segment_name(1)).write_bytes(b"broken")
    assert contents(run(copy, tmp_path / "a")) == contents(run(copy, tmp_path / "b"))


def test_missing_segments_are_a_loss(spool: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(spool, tmp_path / "spool"))
    for number in (3, 4):
        (copy / "web1" / segment_name(number)).unlink()
    out = run(copy, tmp_path / "out")
    entries = [entry for piece in pieces(out, "web1") if isinstance(piece, Losses) for entry in piece.entries]
    assert Entry("spool", Reason.UNREADABLE, 2) in entries


def test_ticks_that_come_later_or_earlier_change_nothing_but_the_time(tmp_path: Path) -> None:
    """Any tick below the next event of a host gives the same."""
    events = [event for event in events_at(0) if not isinstance(event, Tick)]
    ordered = sorted(events, key=lambda event: event.origin.time_ns)
    expected = analysed(ordered)
    for share in (1, 3, 9):
        ticked: list[Event] = []
        for before, event in zip([ordered[0], *ordered], ordered, strict=False):
            between_ns = (event.origin.time_ns - before.origin.time_ns) * share // 10
            ticked += [Tick(Origin(before.origin.time_ns + between_ns, 0)), event]
        assert expected == analysed(ticked)


def analysed(events: Sequence[Event]) -> list[Output]:
    found: list[Output] = []
    analysis = Analysis(TraceOptions(redaction_key=b"k" * 32), found.extend)
    for at in range(0, len(events), 50):
        analysis.push(events[at : at + 50])
    analysis.end()
    return found


def test_an_output_that_is_damaged_is_refused(spool: Path, tmp_path: Path) -> None:
    path = next(run(spool, tmp_path).rglob("*.out"))
    with pytest.raises(SpoolError, match="cannot be read"):
        read_output(path.read_bytes()[:-3], path.name)


def test_a_state_that_is_gone_is_said(spool: Path, tmp_path: Path) -> None:
    tasks = tasks_of(spool, tmp_path)
    segment(tasks[0])
    for path in tmp_path.rglob("*.state"):
        path.unlink()
    with pytest.raises(SpoolError, match="is gone"):
        segment(tasks[1])


def test_a_task_behind_a_segment_that_is_not_committed_is_refused(spool: Path, tmp_path: Path) -> None:
    task: Task = tasks_of(spool, tmp_path)[1]
    with pytest.raises(SpoolError, match="is not there"):
        segment(task)
