"""A small ring and a reader that stalls: every lost record is counted and reported."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Event as Flag

import pytest

from agentsight_rx import operators as op
from agentsight_rx.cli.capturing.closing import closing_lines
from agentsight_rx.core.stream import Stream, origin
from agentsight_rx.events import HttpEvent, HttpRequest, Loss, TlsEvent, TlsUse, time_of
from agentsight_rx.events.loss import Reason
from agentsight_rx.sources import Target, TlsOptions
from agentsight_rx.sources.tls.source import TlsReader
from tests.live.capture import PATIENCE_S, running, started, until
from tests.live.load import message

pytestmark = pytest.mark.live

BEFORE, BEHIND, SIZE = 211, 13, 1500
CALLS_EACH = 2  # a message is written once and read once


class _Stalled:
    """A reader that reads nothing until `go_on` is set."""

    def __init__(self, reader: TlsReader) -> None:
        self.reader = reader
        self.go_on = Flag()

    def open(self) -> None:
        self.reader.open()

    def poll(self, timeout: float, /) -> Sequence[TlsEvent] | None:
        return self.reader.poll(timeout) if self.go_on.wait(timeout) else ()

    def lost(self) -> Sequence[TlsEvent]:
        return self.reader.lost() if self.go_on.is_set() else ()

    def close(self) -> Sequence[TlsEvent]:
        return self.reader.close()


def test_seen_and_lost_add_up_to_what_was_sent(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.live.load", str(BEFORE), str(BEHIND), str(SIZE), str(tmp_path)]
    with started(command) as load:
        until((tmp_path / "ready").exists)  # the records of the handshake would be more
        stalled = _Stalled(TlsReader(TlsOptions(Target(load.pid), ring_size=64 << 10)))
        source: Stream[TlsEvent] = origin("tls", lambda: stalled, time_of=time_of, live=True)
        graph: Stream[HttpEvent] = source.pipe(op.normalize(), op.parse_http())
        with running(graph) as (run, kept):
            (tmp_path / "go").touch()
            until((tmp_path / "before").exists)
            stalled.go_on.set()
            until(lambda: kept.of(Loss))
            (tmp_path / "on").touch()
            assert load.wait(PATIENCE_S) == 0
            summary = run.stop()

    records = next(meter for meter in summary.ledger if meter.stage == "tls")
    lost = records.lost(Reason.KERNEL_LOST)
    marks = 2 + 1  # both ends of the connection close, the process ends
    chunks = records.seen - len(kept.of(Loss, TlsUse))
    assert lost > BEFORE / 2
    assert chunks + lost == (BEFORE + BEHIND) * CALLS_EACH + marks - 1  # the reader keeps the end of the process to itself
    _check_messages(kept.of(HttpRequest))
    assert not summary.complete
    assert any(line.endswith(" missing:") for line in closing_lines(summary, None, since_ms=None, verb="traced"))


def _check_messages(requests: list[HttpRequest]) -> None:
    """A complete request is what was sent. After the loss everything parses again, at both ends of the connection."""
    sent = {number: message(number, SIZE).partition(b"\r\n\r\n")[2] for number in range(BEFORE + BEHIND)}
    whole = [request for request in requests if request.complete]
    assert all(request.body == sent[int(request.target[1:])] for request in whole)
    for direction in ("out", "in"):
        numbers = [int(request.target[1:]) for request in whole if request.origin.direction == direction]
        assert numbers[-BEHIND:] == list(range(BEFORE, BEFORE + BEHIND))
        assert len(numbers) < BEFORE + BEHIND
