"""Sources that the machine does not allow: what works is captured, and what is missing is said, counted and kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from agentsight_rx import run, sinks
from agentsight_rx.core.merge import merge
from agentsight_rx.core.stream import Stream, origin
from agentsight_rx.errors import CaptureError, Unavailable
from agentsight_rx.events import Loss, Origin, Readline
from agentsight_rx.events.loss import Entry, Reason
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view.queries.sessions.gaps import missing_things
from agentsight_rx.view.queries.sessions.health import read_health
from tests.live.capture import Kept

WHY = "the kernel did not take it: no rights; do this"
EVENT = Readline(Origin(1, 1, wall_ns=1), "echo 1")


class Source:
    """A live source with one event, or one that cannot be opened."""

    def __init__(self, failure: CaptureError | None = None) -> None:
        self._failure = failure
        self._events = [EVENT]
        self.closed = 0

    def open(self) -> None:
        if self._failure is not None:
            raise self._failure

    def poll(self, timeout: float, /) -> Sequence[Readline | Loss] | None:
        events, self._events = self._events, []
        return events or None

    def lost(self) -> Sequence[Readline | Loss]:
        return ()

    def close(self) -> Sequence[Readline | Loss]:
        self.closed += 1
        return ()


def stream(name: str, reader: Source) -> Stream[Readline | Loss]:
    return origin(name, lambda: reader, time_of=lambda event: event.origin.time_ns, live=True)


def test_what_is_allowed_is_captured_and_the_rest_is_counted_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    kept, refused = Kept(), Source(Unavailable(WHY))
    graph = merge(stream("readline", Source()), stream("net", refused), stream("files", Source(Unavailable(WHY))))
    summary = run(graph, [kept.sink()], required=())
    assert kept.of(Readline) == [EVENT]
    assert [(loss.stage, loss.reason, loss.note) for loss in kept.of(Loss)] == [
        ("net", Reason.NOT_OPENED, WHY),
        ("files", Reason.NOT_OPENED, WHY),
    ]
    assert summary.ledger.unintended() == [Entry("net", Reason.NOT_OPENED, 1), Entry("files", Reason.NOT_OPENED, 1)]
    assert not summary.complete
    assert summary.unavailable == {"net": WHY, "files": WHY}
    assert [each.said for each in missing_things(summary.gaps)] == [
        "not captured: connections",
        "not captured: files",
    ]
    assert capsys.readouterr().err == f"agentsight-rx: NOT captured: connections, files: {WHY}\n"
    assert refused.closed == 1


@pytest.mark.parametrize("required", [None, {"net"}])
def test_a_source_that_is_required_is_an_error(required: set[str] | None) -> None:
    other = Source()
    with pytest.raises(Unavailable, match="NOT captured: connections: the kernel did not take it"):
        run(merge(stream("readline", other), stream("net", Source(Unavailable(WHY)))), [], required=required)
    assert other.closed == 1


def test_where_only_proc_is_left_it_is_an_error() -> None:
    graph = merge(stream("system", Source()), stream("net", Source(Unavailable(WHY))))
    with pytest.raises(Unavailable, match="NOT captured: connections"):
        run(graph, [], required=())


def test_what_a_person_chose_wrongly_is_always_an_error() -> None:
    graph = merge(stream("readline", Source()), stream("net", Source(CaptureError("there is no process 7"))))
    with pytest.raises(CaptureError, match="there is no process 7"):
        run(graph, [], required=())


def test_the_health_of_a_recording_has_it(tmp_path: Path) -> None:
    path = tmp_path / "x.lmdb"
    run(merge(stream("readline", Source()), stream("net", Source(Unavailable(WHY)))), [sinks.store(path)], required=())
    store = LmdbStore.open(path, readonly=True)
    try:
        health = read_health(store)
    finally:
        store.close()
    assert (health.complete, health.missing) == (False, 1)
    assert health.losses == (Entry("net", Reason.NOT_OPENED, 1),)
