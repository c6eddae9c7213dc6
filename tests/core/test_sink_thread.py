"""A sink's thread: what a writer holds is bounded, and what it loses is counted once."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from agentsight_rx.core.mailbox import Mailbox
from agentsight_rx.core.sink import Sink, SinkThread, Unwritten
from agentsight_rx.events import Origin, TlsChunk
from agentsight_rx.events.loss import Entry, Ledger, Reason


class Writer:
    """Keeps what it gets until a flush, and says how much that was."""

    def __init__(self) -> None:
        self.held = 0
        self.most = 0
        self.flushed = 0

    def write(self, batch: Sequence[TlsChunk], /) -> None:
        self.held += sum(len(event.data) for event in batch)
        self.most = max(self.most, self.held)

    def flush(self) -> None:
        self.flushed += self.held
        self.held = 0

    def close(self) -> None:
        self.flush()


def run(writer: Any, batches: Sequence[Sequence[TlsChunk]], *, is_watched: bool = True) -> tuple[SinkThread, Ledger]:
    ledger = Ledger()
    thread = SinkThread(Sink("sink", lambda _: writer, size=1 << 30, is_watched=lambda: is_watched), ledger)
    thread.open()
    for batch in batches:
        thread.put(batch)
    thread.close()
    thread.start()
    thread.end(60)
    return thread, ledger


def chunks(count: int, size: int) -> list[TlsChunk]:
    return [TlsChunk(Origin(number, 1), bytes(size), 0, number) for number in range(count)]


def test_a_writer_is_flushed_before_it_holds_much() -> None:
    writer = Writer()
    run(writer, [chunks(100, 1 << 20)])
    assert writer.flushed == 100 << 20
    assert writer.most <= 10 << 20


@pytest.mark.parametrize("is_watched", [True, False])
def test_a_writer_that_nobody_watches_gets_all_that_comes_while_it_gathers(
    is_watched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, more = Writer(), [chunks(1, 10), chunks(1, 20)]
    gathered: list[float] = []

    def gather(box: Mailbox[TlsChunk], timeout: float) -> None:
        gathered.append(timeout)
        if more:
            box.put(more.pop())
        else:
            box.close()

    monkeypatch.setattr(Mailbox, "gather", gather)
    ledger = Ledger()
    thread = SinkThread(Sink("sink", lambda _: writer, is_watched=lambda: is_watched), ledger)
    thread.open()
    thread.start()
    thread.put(chunks(1, 5))
    if is_watched:
        thread.close()
    thread.end(60)
    assert (writer.flushed, len(gathered)) == ((5, 0) if is_watched else (35, 3))


class Failing(Writer):
    """Every write and every flush loses `lost` items."""

    def __init__(self, lost: int) -> None:
        super().__init__()
        self._lost = lost

    def write(self, batch: Sequence[TlsChunk], /) -> None:
        raise Unwritten("the first reason" if not self.flushed else "another", count=self._lost)

    def close(self) -> None:
        self.flushed += 1
        raise Unwritten("the end", count=self._lost)


@pytest.mark.parametrize("lost", [0, 1, 5])
def test_a_writer_says_how_many_items_it_lost(lost: int) -> None:
    thread, ledger = run(Failing(lost), [chunks(5, 1), chunks(5, 1)])
    assert ledger.entries() == ([Entry("sink", Reason.SINK_FAILED, 3 * lost)] if lost else [])
    (meter,) = [meter for meter in ledger if meter.stage == "sink"]
    assert (meter.seen, meter.passed) == (10, 10 - 3 * lost)
    assert thread.failure == "the first reason"


class Sometimes(Writer):
    """Takes or refuses each batch as it is said; refuses a batch in `write`, or all that it holds in `flush`."""

    def __init__(self, takes: str) -> None:
        super().__init__()
        self._takes = list(takes)

    def write(self, batch: Sequence[TlsChunk], /) -> None:
        self._now = self._takes.pop(0)
        if self._now == "w":
            raise Unwritten("disk full", count=len(batch))

    def flush(self) -> None:
        if self._now == "f":
            raise Unwritten("disk full", count=3)

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("takes", "said"),
    [
        ("..", []),
        (".w", ["failed"]),
        (".ww..", ["failed", "works again after 0 s; events lost meanwhile: 2"]),
        (".ff.", ["failed", "works again after 0 s; events lost meanwhile: 6"]),
        (
            "w.w.",
            [
                "failed",
                "works again after 0 s; events lost meanwhile: 1",
                "failed",
                "works again after 0 s; events lost meanwhile: 1",
            ],
        ),
        ("wfwf.", ["failed", "works again after 0 s; events lost meanwhile: 8"]),
    ],
)
def test_each_failure_and_its_end_are_said_once(takes: str, said: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    run(Sometimes(takes), [chunks(1, 9 << 20) for _ in takes])  # so large that each batch is flushed
    lines = capsys.readouterr().err.splitlines()
    assert len(said) == len(lines), lines
    assert all(part in line for part, line in zip(said, lines, strict=True)), lines


class Ending(Writer):
    """Raises what would end a program, in one of its methods."""

    def __init__(self, method: str) -> None:
        super().__init__()
        self._method = method

    def _end(self, method: str) -> None:
        if method == self._method:
            sys.exit(5)

    def write(self, batch: Sequence[TlsChunk], /) -> None:
        self._end("write")
        super().write(batch)

    def close(self) -> None:
        self._end("close")


@pytest.mark.parametrize(("method", "lost"), [("write", 8), ("close", 1)])
def test_a_writer_that_would_end_the_program_fails_as_any_other(method: str, lost: int) -> None:
    thread, ledger = run(Ending(method), [chunks(5, 1), chunks(3, 1)])
    assert thread.failure == "SystemExit: 5"
    assert ledger.entries() == [Entry("sink", Reason.SINK_FAILED, lost)]


def test_what_a_sink_whose_thread_has_stopped_holds_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", print)
    ledger = Ledger()
    thread = SinkThread(Sink("sink", lambda _: Writer(), is_watched=lambda: 1 // 0 > 0), ledger)
    thread.open()
    thread.put(chunks(5, 1))
    thread.close()
    thread.start()
    thread.end(60)
    assert ledger.entries() == [Entry("to sink", Reason.SINK_FAILED, 5)]
