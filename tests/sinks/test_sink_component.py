"""The shared test of sinks is worth something only if it rejects sinks that are broken: here are some, each in one way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from agentsight_rx.core.sink import Sink
from agentsight_rx.errors import SinkError
from agentsight_rx.events import ProcessExec
from tests.sink_component import SinkCase, check_sink, of_file


class Names:
    """The name of each event's kind, one a line."""

    def __init__(self, path: Path) -> None:
        try:
            self.file = path.open("w")
        except OSError as error:
            raise SinkError(f"{path} cannot be written") from error

    def write(self, batch: Sequence[object], /) -> None:
        self.file.writelines(f"{type(item).__name__}\n" for item in batch)

    def flush(self) -> None:
        self.file.flush()

    def close(self) -> None:
        self.file.close()


def case(writer: type[Names]) -> SinkCase:
    return of_file(lambda path: Sink("names", lambda _: writer(path)))


def test_the_sink_from_which_the_mutants_are_made_passes(tmp_path: Path) -> None:
    check_sink(case(Names), tmp_path)


class WritesALineABatch(Names):
    def write(self, batch: Sequence[object], /) -> None:
        super().write(batch)
        if batch:
            self.file.write("\n")


class WritesALineForNothing(Names):
    def write(self, batch: Sequence[object], /) -> None:
        super().write(batch)
        if not batch:
            self.file.write("\n")


class ShowsItsFlushes(Names):
    def flush(self) -> None:
        self.file.write("\n")


class ForgetsWhatWasNotFlushed(Names):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.waiting: list[object] = []

    def write(self, batch: Sequence[object], /) -> None:
        self.waiting += batch

    def flush(self) -> None:
        super().write(self.waiting)
        self.waiting = []


# Each, and the promise that it breaks
WRITERS: dict[type[Names], str] = {
    WritesALineABatch: "any cutting into batches gives the same",
    WritesALineForNothing: "empty batches change nothing",
    ShowsItsFlushes: "a flush changes nothing",
    ForgetsWhatWasNotFlushed: "a flush changes nothing",
}


@pytest.mark.parametrize(("writer", "promise"), WRITERS.items())
def test_a_broken_writer_is_rejected(writer: type[Names], promise: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=promise):
        check_sink(case(writer), tmp_path)


def test_a_writer_that_does_not_know_a_kind_is_rejected(tmp_path: Path) -> None:
    class Choosy(Names):
        def write(self, batch: Sequence[object], /) -> None:
            if any(isinstance(item, ProcessExec) for item in batch):
                raise LookupError("never heard of it")

    with pytest.raises(LookupError, match="never heard of it"):
        check_sink(case(Choosy), tmp_path)


def test_a_failure_to_open_that_is_no_sink_error_is_rejected(tmp_path: Path) -> None:
    class Unkind(Names):
        def __init__(self, path: Path) -> None:
            self.file = path.open("w")

    with pytest.raises(OSError, match="missing"):
        check_sink(case(Unkind), tmp_path)
