"""The store sink: a run begins, goes on from what is there and keeps its limits; the key of the labels is that of the store."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from agentsight_rx.core.engine import Engine
from agentsight_rx.core.stream import of
from agentsight_rx.errors import StoreError
from agentsight_rx.events import HttpRequest, Origin
from agentsight_rx.events.loss import Ledger, Reason
from agentsight_rx.operators import remove_auth
from agentsight_rx.sinks import redaction_key, store
from agentsight_rx.store.fold.fold import FoldState
from agentsight_rx.store.log.reading import read_events
from agentsight_rx.store.log.resuming import CHECKPOINT, Checkpoints, resume
from agentsight_rx.store.log.upkeep import Retention
from agentsight_rx.store.rows.tables import CALLS, LOSS_TIMES, PREVIEW, REMOVED, RUNS, SESSION_GAPS
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view import AuditRow, CallRow, Fold, Output
from benchmarks.stored import sizes
from tests.reports import read_report
from tests.store.log.test_reading import TEXT, request, stream

DAY_MS = 86_400_000
SECRET = "sk-ant-api03-Zk3uV9qLr7XwT2mB8nC4dF6gH1jK5pQs"


def recorded(path: Path) -> str:
    """The label that a run into the store at `path` gives to the secret."""
    key = redaction_key(path)
    events, out = [HttpRequest(Origin(1, 1), 1, "POST", "/", "HTTP/1.1", (), SECRET.encode())], list[HttpRequest]()
    of(events, time_of=lambda _: 1).pipe(remove_auth(key=key)).subscribe(out.append, scheduler=(engine := Engine()))
    engine.run_inline()
    writer = store(path, key=key).open(Ledger())
    writer.write(out)
    writer.close()
    return out[0].body.decode()


def test_runs_into_one_store_give_a_secret_one_label_and_other_stores_another(tmp_path: Path) -> None:
    first, second, other = recorded(tmp_path / "a.lmdb"), recorded(tmp_path / "a.lmdb"), recorded(tmp_path / "b.lmdb")
    assert first.startswith("[redacted:anthropic:")
    assert first == second
    assert first != other
    kept = LmdbStore.open(tmp_path / "a.lmdb", readonly=True)
    assert SECRET not in repr(list(read_events(kept)))
    kept.close()


def test_without_a_store_each_run_has_a_key_of_its_own(tmp_path: Path) -> None:
    assert redaction_key(None) != redaction_key(None)
    assert len(redaction_key(tmp_path / "not there yet")) == 32


def test_a_file_that_is_not_a_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("no store at all, but a file that is needed")
    with pytest.raises(StoreError, match="not a store"):
        redaction_key(path)
    assert path.read_text().startswith("no store")


def test_a_run_goes_on_from_the_one_before(tmp_path: Path) -> None:
    path, first, second, asked = tmp_path / "run.lmdb", Fold(), Fold(), request(1, b'{"model":"m"}')
    writer = store(path).open(Ledger())
    writer.write([asked, *first.add(asked), *first.finish()])
    writer.close()
    kept = LmdbStore.open(path, readonly=True)
    resumed = resume(kept)
    kept.close()
    assert resumed is not None
    second.restore(resumed.state)
    writer = store(path, resumed=resumed).open(Ledger())
    writer.write([stream(1), *second.add(stream(1))])
    writer.close()
    kept = LmdbStore.open(path, readonly=True)
    totals = read_report(kept).totals
    assert (1, 0, {"m": 1}) == (totals.calls, totals.calls_unfinished, totals.models)
    assert [(1, True), (2, True)] == [(run.number, run.ended) for _, run in kept.scan(RUNS)]
    assert ["complete"] == [row.status for _, row in kept.scan(CALLS)]
    kept.close()


def test_a_row_has_the_beginning_of_its_texts(tmp_path: Path) -> None:
    path, fold = tmp_path / "run.lmdb", Fold()
    writer = store(path).open(Ledger())
    writer.write([row for event in (request(1), stream(1)) for row in fold.add(event)])
    writer.close()
    kept = LmdbStore.open(path, readonly=True)
    assert [TEXT[:PREVIEW]] == [row.text for _, row in kept.scan(CALLS)]
    kept.close()


def test_a_flush_keeps_the_store_within_its_limits(tmp_path: Path) -> None:
    path = tmp_path / "run.lmdb"
    writer = store(path, retention=Retention(keep_ms=1000)).open(Ledger())
    rows: list[Output] = [CallRow("llm-old", 1), AuditRow("audit-old", 1, "file"), CallRow("llm-new", 1 << 42)]
    writer.write(rows)
    writer.flush()
    writer.close()
    kept = LmdbStore.open(path, readonly=True)
    assert ["llm-new"] == [row.id for _, row in kept.scan(CALLS)]
    assert kept.get(REMOVED, 0) is not None
    kept.close()


def test_a_clock_that_is_set_years_ahead_removes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, now_ns = tmp_path / "run.lmdb", time.time_ns()
    writer = store(path, retention=Retention(keep_ms=60 * DAY_MS)).open(Ledger())
    writer.write([CallRow("llm-of-today", now_ns // 1_000_000)])
    monkeypatch.setattr(time, "time_ns", lambda: now_ns + 3650 * DAY_MS * 1_000_000)
    writer.flush()
    writer.close()
    kept = LmdbStore.open(path, readonly=True)
    assert ["llm-of-today"] == [row.id for _, row in kept.scan(CALLS)]
    kept.close()


def test_a_loss_has_the_time_between_two_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, ledger, now_ns = tmp_path / "run.lmdb", Ledger(), time.time_ns()
    writer, meter = store(path).open(ledger), ledger.meter("tls")
    for hour in range(1, 4):
        monkeypatch.setattr(time, "time_ns", lambda hour=hour: now_ns + hour * 3600 * 10**9)
        if hour != 2:
            meter.lose(Reason.KERNEL_LOST, hour)
        writer.write([CallRow(f"llm-{hour}", 1, status="partial", reason="lost", session_id=f"s{hour % 2}")])
        writer.flush()
    writer.close()
    kept = LmdbStore.open(path, readonly=True)
    spans = [span for _, span in kept.scan(LOSS_TIMES)]
    assert [1, 3] == [span.count for span in spans]
    assert [1, 1] == [round((span.to_ms - span.from_ms) / 3_600_000) for span in spans]
    gaps = {key: found.calls_cut for (key, *_), found in kept.scan(SESSION_GAPS)}
    assert {"s0": 1, "s1": 2} == gaps
    kept.close()


def test_a_second_writer_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "run.lmdb"
    writer = store(path).open(Ledger())
    with pytest.raises(StoreError, match="already open in this process"):
        store(path).open(Ledger())
    writer.write([request(1)])
    writer.close()
    kept = LmdbStore.open(path, readonly=True)
    assert [request(1)] == list(read_events(kept))
    kept.close()


def test_the_state_of_the_view_is_kept_where_the_log_has_its_events(tmp_path: Path) -> None:
    path, fold, checkpoints = tmp_path / "run.lmdb", Fold(), Checkpoints(every=3)
    writer = store(path, checkpoints=checkpoints).open(Ledger())
    states: list[FoldState] = []
    for number in range(1, 9):
        rows = fold.add(request(number))
        checkpoints.folded(request_of := request(number), fold)
        states.append(fold.snapshot())
        writer.write([request_of, *rows])
        writer.flush()
    writer.close()
    kept = LmdbStore.open(path, readonly=True)
    checkpoint = kept.get(CHECKPOINT, 0)
    assert checkpoint is not None
    assert [request(7), request(8)] == list(read_events(kept, segment=checkpoint.segment))
    assert msgspec.msgpack.encode(states[5]) == msgspec.msgpack.encode(checkpoint.state)
    kept.close()


def test_a_conversation_takes_little_more_than_its_unique_bodies_compressed(tmp_path: Path) -> None:
    found = sizes(40, tmp_path / "run.lmdb")
    assert found["bodies as sent"] > 7 * found["unique bodies"]
    assert found["log and contents"] <= 1.2 * found["unique bodies, compressed as one"]
    assert found["file"] <= found["unique bodies"]
