"""The shared test of sources is worth something only if it rejects sources that are broken: here are some, each in one way."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentsight_rx.core.stream import origin
from agentsight_rx.errors import CaptureError
from agentsight_rx.events import Event, Loss, Origin, Readline, time_of
from agentsight_rx.events.loss import Reason
from tests.source_component import Scene, SourceCase, check_source

LOST = b"lost"


class Lines:
    """The lines of a file that grows, from its beginning."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.losses: list[Event] = []
        self.closed = False

    def open(self) -> None:
        if not self.path.exists():
            raise CaptureError(f"{self.path} is not there")

    def poll(self, timeout: float, /) -> Sequence[Event] | None:
        return self.read()

    def read(self) -> list[Event]:
        new = self.path.read_bytes()[self.offset :]
        self.offset += len(new)
        self.losses += [Loss(self.origin(), "lines", Reason.TRUNCATED, 1) for line in new.splitlines() if line == LOST]
        return [Readline(self.origin(), line.decode()) for line in new.splitlines() if line != LOST]

    def origin(self) -> Origin:
        return Origin(time.monotonic_ns(), 0)

    def lost(self) -> Sequence[Event]:
        losses, self.losses = self.losses, []
        return losses

    def close(self) -> Sequence[Event]:
        if self.closed:
            return ()
        self.closed = True
        return [*self.read(), *self.lost()]


def case(reader: type[Lines], *, source: str = "process", time_of: Any = time_of) -> SourceCase:
    def made(scene: Scene) -> Any:
        scene.file(b"first")
        return origin("lines", lambda: reader(scene.path), time_of=time_of, live=True)

    def act(scene: Scene) -> None:
        scene.append(LOST)
        scene.append(b"more")

    def refused(scene: Scene) -> Any:
        return origin("lines", lambda: reader(scene.path / "missing"), time_of=time_of)

    return SourceCase(made, source, act=act, refused=refused)


def test_the_source_from_which_the_mutants_are_made_passes(tmp_path: Path) -> None:
    check_source(case(Lines), tmp_path)


class EndsTooEarly(Lines):
    def poll(self, timeout: float, /) -> Sequence[Event] | None:
        return self.read() or None

    def read(self) -> list[Event]:
        return super().read() if self.closed else []


class HandsOverAGenerator(Lines):
    def poll(self, timeout: float, /) -> Any:
        def lines() -> Generator[Event]:
            yield from self.read()

        return lines()


class LosesWhatIsUnderWay(Lines):
    def close(self) -> Sequence[Event]:
        return ()


class ClosesTwice(Lines):
    def close(self) -> Sequence[Event]:
        return [*self.read(), Readline(self.origin(), "bye")]


class ReportsEventsAsLost(Lines):
    def lost(self) -> Sequence[Event]:
        return [*super().lost(), Readline(self.origin(), "lost")]


class HasTheTimeOfDay(Lines):
    def origin(self) -> Origin:
        return Origin(time.time_ns(), 0)


class HasNoTime(Lines):
    def origin(self) -> Origin:
        return Origin(0, 0)


class HasNoPid(Lines):
    def origin(self) -> Origin:
        return Origin(time.monotonic_ns(), -1)


# Each, and the promise that it breaks
READERS: dict[type[Lines], str] = {
    EndsTooEarly: "poll returns None only at the end",
    HandsOverAGenerator: "poll returns a sequence",
    LosesWhatIsUnderWay: "close returns the events",
    ClosesTwice: "a second close changes nothing",
    ReportsEventsAsLost: "lost returns Loss events only",
    HasTheTimeOfDay: "times are those of time.monotonic_ns",
    HasNoTime: "every event has a time",
    HasNoPid: "every event has a pid",
}


@pytest.mark.parametrize(("reader", "promise"), READERS.items())
def test_a_broken_reader_is_rejected(reader: type[Lines], promise: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=promise):
        check_source(case(reader), tmp_path)


def test_another_source_in_the_envelope_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="the source of its envelope"):
        check_source(case(Lines, source="lines"), tmp_path)


def test_a_source_without_times_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="what the time of an event is"):
        check_source(case(Lines, time_of=None), tmp_path)


def test_a_source_with_a_reader_for_each_subscription_is_rejected(tmp_path: Path) -> None:
    class Twice:
        def attach(self, engine: Any, outlet: Any) -> None:
            case(Lines).stream(Scene(tmp_path)).attach(engine, outlet)

    twice: Any = Twice()
    with pytest.raises(AssertionError, match="share one reader"):
        check_source(SourceCase(lambda _: twice, "process"), tmp_path)


def test_a_failure_to_open_that_is_no_capture_error_is_rejected(tmp_path: Path) -> None:
    class Unkind(Lines):
        def open(self) -> None:
            self.path.read_bytes()

    with pytest.raises(OSError, match="missing"):
        check_source(case(Unkind), tmp_path)
