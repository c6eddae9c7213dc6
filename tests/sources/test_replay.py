from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agentsight_rx.core.engine import Engine
from agentsight_rx.errors import CaptureError, StoreError
from agentsight_rx.events import (
    Connection,
    Event,
    HttpRequest,
    HttpResponse,
    Loss,
    Origin,
    ProcessExec,
    ProcessExit,
    ProcessFork,
    Tick,
    TlsChunk,
    TlsClose,
    TlsHandshake,
)
from agentsight_rx.events.envelope import encode_line
from agentsight_rx.events.loss import Ledger, Reason
from agentsight_rx.graphs import TraceOptions
from agentsight_rx.graphs import replay as replay_graph
from agentsight_rx.operators import materialize, parse_http
from agentsight_rx.sinks import store
from agentsight_rx.sources.replay.source import ReplayOptions, replay
from agentsight_rx.store.state import META, LmdbStore, Put
from agentsight_rx.view import CallRow, Output, ProcessRow
from benchmarks.recording import traffic

S = 1_000_000_000
CONNECTION = Connection(7, 700, "/lib/libssl.so.3", 0x7F00)
OWN: list[Event] = [
    TlsChunk(Origin(1, 7, 8, 1000, "agent", 5, CONNECTION, "out"), b"\xff\x00", 0, 0, 3, 4, marked=True),
    ProcessFork(Origin(2, 9, wall_ns=6), 7, 2),
    ProcessExec(Origin(3, 9, wall_ns=7), 7, 2, "/bin/ls", ("ls", "-l"), "/"),
    ProcessExit(Origin(4, 9, wall_ns=8), 7, 2, None, 9),
    TlsClose(Origin(5, 7, 8, 1000, "agent", 9, CONNECTION), 0, 5),
]


def replayed(*paths: Path | str, engine: Engine | None = None) -> list[Event]:
    engine = engine or Engine()
    events: list[Event] = []
    replay(ReplayOptions(tuple(map(str, paths)))).subscribe(events.append, scheduler=engine)
    engine.run_inline()
    return events


def written(path: Path, *lines: bytes | dict[str, Any]) -> Path:
    path.write_bytes(b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines))
    return path


def bare(function: str, data: str | None, **fields: Any) -> dict[str, Any]:
    return {"function": function, "timestamp_ns": 5, "comm": "agent", "pid": 7, "tid": 8, "uid": 0, "data": data, **fields}


def process(event: str, ms: int, **fields: Any) -> dict[str, Any]:
    return {"timestamp": ms * 1_000_000, "event": event, "comm": "sh", "pid": 42, "ppid": 7, "filename": "/bin/sh", **fields}


# -- our own lines ----------------------------------------------------------------------------------------------------------


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", *map(encode_line, OWN))
    assert replayed(path) == OWN


def test_more_events_than_fit_one_batch_keep_their_order(tmp_path: Path) -> None:
    events: list[Event] = [ProcessFork(Origin(number, number), 1, number) for number in range(1000)]
    assert replayed(written(tmp_path / "a.jsonl", *map(encode_line, events))) == events


def test_ticks_advance_the_time_and_are_not_events(tmp_path: Path) -> None:
    engine = Engine()
    lines = [encode_line(OWN[0]), encode_line(Tick(Origin(50 * S, 0))), encode_line(OWN[4])]
    assert replayed(written(tmp_path / "a.jsonl", *lines), engine=engine) == [OWN[0], OWN[4]]
    assert engine.now_ns >= 49 * S


def test_files_are_read_one_after_the_other_and_a_dash_is_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = written(tmp_path / "a.jsonl", encode_line(OWN[0]))
    last = written(tmp_path / "b.jsonl", encode_line(OWN[4]))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(encode_line(OWN[1]) + b"\n\n" + encode_line(OWN[2]))))
    assert replayed(first, "-", last) == [OWN[0], OWN[1], OWN[2], OWN[4]]


def test_no_lines_are_no_events(tmp_path: Path) -> None:
    assert replayed(written(tmp_path / "a.jsonl", b"", b"  ")) == []
    assert replayed() == []


# -- lines that are none ------------------------------------------------------------------------------------------------------

BROKEN = [
    b"hello",
    b"\xff\xfe",
    b"5",
    b"[]",
    b"{}",
    b'{"timestamp":1}',
    b'{"a":' * 20_000,
    b'{"function":"READ/RECV"}',
    json.dumps(bare("FLY", "x")).encode(),
    json.dumps(bare("READ/RECV", "x", pid="seven")).encode(),
    json.dumps(bare("READ/RECV", "x", latency_ms=1e308)).encode(),
    json.dumps(bare("READ/RECV", "x", latency_ms=[])).encode(),
    json.dumps(bare("READ/RECV", "x", data_hex="0g")).encode(),
    json.dumps(bare("READ/RECV", "x", data_hex=5)).encode(),
    json.dumps({**bare("READ/RECV", None), "data": [5]}).encode(),
    json.dumps(bare("READ/RECV", "x", transport_handle="zz")).encode(),
    json.dumps(bare("READ/RECV", "x", len="many")).encode(),
    json.dumps({"function": ["READ/RECV"], "timestamp_ns": 1, "comm": "a", "pid": 1}).encode(),
    json.dumps(process("EXEC", 1, pid="x")).encode(),
    json.dumps({"event": "EXIT"}).encode(),
    b'{"data":{"event_type":"fly"}}',
    b'{"data":{"event_type":["tls_chunk"]}}',
    b'{"data":{"event_type":"tls_chunk"}}',
    encode_line(OWN[0]).replace(b'"offset":0', b'"offset":"0"'),
    encode_line(OWN[0]).replace(b'"data_hex":"ff00"', b'"data_hex":"ff0"'),
    encode_line(OWN[0]).replace(b'"data_hex":"ff00"', b'"data":5'),
    encode_line(OWN[0]).replace(b'"transport_handle":"0x7f00"', b'"transport_handle":7.5'),
    encode_line(OWN[0]).replace(b'"direction":"out"', b'"direction":"up"'),
    encode_line(OWN[0]).replace(b'"process_start_ns":700', b'"process_start_ns":"x"'),
    encode_line(OWN[2]).replace(b'"argv":["ls","-l"]', b'"argv":"ls"'),
    encode_line(OWN[3])[:-2],
]


@pytest.mark.parametrize("line", BROKEN, ids=lambda line: repr(line[:40]))
def test_a_line_that_is_not_an_event_is_counted_with_its_place_and_the_rest_is_read(
    line: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "a.jsonl", encode_line(OWN[0]), b"", line, encode_line(OWN[4]))
    engine = Engine()
    first, loss, last = replayed(path, engine=engine)
    assert [first, last] == [OWN[0], OWN[4]]
    assert isinstance(loss, Loss)
    assert (loss.stage, loss.reason, loss.count, loss.size) == ("replay", Reason.MALFORMED, 1, len(line) + 1)
    assert loss.note.startswith(f"{path} line 3: ")
    assert len(loss.note) < len(str(path)) + 200
    assert f"agentsight-rx: not an event, skipped: {path} line 3: " in capsys.readouterr().err
    assert engine.ledger.shared("replay").lost(Reason.MALFORMED) == 1


def test_of_many_such_lines_ten_are_reported_and_all_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = Engine()
    assert len(replayed(written(tmp_path / "a.jsonl", *[b"hello"] * 50), engine=engine)) == 50
    said = capsys.readouterr().err.splitlines()
    assert (len(said), said[-1]) == (11, "agentsight-rx: 40 more lines were skipped")
    assert engine.ledger.shared("replay").lost() == 50


def test_lines_of_the_original_s_analyzers_are_skipped_silently(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[dict[str, Any]] = [
        {"timestamp": 1, "source": "http_parser", "pid": 1, "comm": "a", "data": {"message_type": "request"}},
        {"timestamp": 1, "source": "system", "pid": 1, "comm": "a", "data": {"type": "system_metrics"}},
        process("FILE_OPEN", 1),
    ]
    assert replayed(written(tmp_path / "a.jsonl", *lines)) == []
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", ["nothing.jsonl", "."])
def test_a_file_that_cannot_be_read_is_an_error_before_anything_happens(name: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", encode_line(OWN[0]))
    with pytest.raises(CaptureError, match="cannot be read"):
        replayed(path, tmp_path / name)


# -- the original's lines -----------------------------------------------------------------------------------------------------


def test_a_bare_line_of_the_original(tmp_path: Path) -> None:
    line = bare("WRITE/SEND", "GET", len=3, latency_ms=1.5, is_handshake=False, truncated=False)
    (event,) = replayed(written(tmp_path / "a.jsonl", line))
    assert event == TlsChunk(Origin(5, 7, 8, 0, "agent", 0, Connection(7, 0, "", 8), "out"), b"GET", 0, 0, 0, 1_500_000)


def test_a_line_in_the_original_s_envelope_has_its_wall_time(tmp_path: Path) -> None:
    line = {"timestamp": 1_700_000_000_123, "source": "ssl", "pid": 7, "comm": "agent", "data": bare("READ/RECV", "x")}
    (event,) = replayed(written(tmp_path / "a.jsonl", line))
    assert (event.origin.time_ns, event.origin.wall_ns) == (5, 1_700_000_000_123_000_000)


def test_positions_go_on_for_each_connection_and_direction(tmp_path: Path) -> None:
    lines = [
        bare("READ/RECV", "ab"),
        bare("WRITE/SEND", "abc"),
        bare("READ/RECV", "c", transport_handle="0x10", process_start_ns=5, tls_library="ssl"),
        bare("READ/RECV", "de", truncated=True, bytes_lost=7, len=9),
        bare("READ/RECV", "f", truncated=True, len=4),
        bare("READ/RECV", "g", bytes_lost=-9),
        bare("CLOSE", None),
        bare("READ/RECV", "h"),
    ]
    events = replayed(written(tmp_path / "a.jsonl", *lines))
    chunks = [(event.data, event.offset, event.seq, event.lost) for event in events if isinstance(event, TlsChunk)]
    assert chunks == [
        (b"ab", 0, 0, 0),
        (b"abc", 0, 0, 0),
        (b"c", 0, 0, 0),
        (b"de", 2, 1, 7),
        (b"f", 11, 2, 3),
        (b"g", 15, 3, 0),
        (b"h", 0, 0, 0),
    ]
    assert events[2].origin.connection == Connection(7, 5, "ssl", 16)
    close = events[6]
    assert isinstance(close, TlsClose)
    assert (close.in_offset, close.out_offset) == (16, 3)


def test_bytes_come_from_hex_where_there_is_some(tmp_path: Path) -> None:
    lines = [
        bare("READ/RECV", "Ã©", data_hex="c3a9"),
        bare("READ/RECV", "Ã©ÿ\u0000"),
        bare("READ/RECV", "模"),
        bare("READ/RECV", None),
        bare("READ/RECV", "x", data_hex=""),
    ]
    events = replayed(written(tmp_path / "a.jsonl", *lines))
    data = [event.data for event in events if isinstance(event, TlsChunk)]
    assert data == [b"\xc3\xa9", b"\xc3\xa9\xff\x00", "模".encode(), b"", b"x"]


def test_a_handshake(tmp_path: Path) -> None:
    (event,) = replayed(written(tmp_path / "a.jsonl", bare("HANDSHAKE", None, latency_ms=2, is_handshake=True)))
    assert event == TlsHandshake(Origin(5, 7, 8, 0, "agent", 0, Connection(7, 0, "", 8)), 2_000_000)


def test_a_body_that_lasts_until_close_is_complete_in_a_foreign_recording_too(tmp_path: Path) -> None:
    lines = [
        bare("WRITE/SEND", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        bare("READ/RECV", "HTTP/1.1 200 OK\r\n\r\nhi"),
        bare("CLOSE", None),
    ]
    engine, events = Engine(), list[Any]()
    stream: Any = replay(ReplayOptions((str(written(tmp_path / "a.jsonl", *lines)),)))
    stream.pipe(parse_http()).subscribe(events.append, scheduler=engine)
    engine.run_inline()
    assert [type(event) for event in events] == [HttpRequest, HttpResponse, TlsClose]
    assert (events[1].body, events[1].complete) == (b"hi", True)


def test_processes(tmp_path: Path) -> None:
    lines = [process("EXEC", 1, full_command="sh -c 'npm test'"), process("EXIT", 3, exit_code=1, duration_ms=2)]
    started, ended = replayed(written(tmp_path / "a.jsonl", *lines))
    origin = Origin(1_000_000, 42, 42, 0, "sh")
    assert started == ProcessExec(origin, 7, 1_000_000, "/bin/sh", ("sh", "-c", "npm test"), "")
    assert isinstance(ended, ProcessExit)
    assert (ended.start_ns, ended.exit_code, ended.duration_ns) == (1_000_000, 1, 2_000_000)


def test_a_command_with_an_open_quote_is_split_at_spaces(tmp_path: Path) -> None:
    (event,) = replayed(written(tmp_path / "a.jsonl", process("EXEC", 1, full_command="echo it's")))
    assert isinstance(event, ProcessExec)
    assert event.argv == ("echo", "it's")


def test_a_pid_that_is_used_again_is_another_process(tmp_path: Path) -> None:
    lines = [
        process("EXEC", 1000),
        process("EXEC", 1500),
        process("EXIT", 2000, exit_code=0),
        process("EXEC", 3000),
        process("EXIT", 4000, exit_code=1),
    ]
    engine, made = Engine(), list[Any]()
    replay(ReplayOptions((str(written(tmp_path / "a.jsonl", *lines)),))).pipe(materialize()).subscribe(
        made.append, scheduler=engine
    )
    engine.run_inline()
    rows = {row.id: row for row in made if isinstance(row, ProcessRow)}
    assert [row.exit_code for row in rows.values()] == [0, 1]


def recorded(path: Path, events: list[Event]) -> list[Output]:
    """A store of what the whole graph makes of these events, and what that was."""
    out, engine = list[Output](), Engine()
    lines = written(path.with_suffix(".jsonl"), *map(encode_line, events))
    replay_graph(ReplayOptions((str(lines),)), TraceOptions()).subscribe(out.append, scheduler=engine)
    engine.run_inline()
    writer = store(path).open(Ledger())
    writer.write(out)
    writer.close()
    return out


def test_a_store_is_replayed_from_its_log_and_gives_the_same_events_and_rows(tmp_path: Path) -> None:
    kept = recorded(tmp_path / "run.lmdb", [*traffic(3), *OWN])
    out, engine = list[Output](), Engine()
    replay_graph(ReplayOptions((str(tmp_path / "run.lmdb"),)), TraceOptions()).subscribe(out.append, scheduler=engine)
    engine.run_inline()
    assert len([row for row in kept if isinstance(row, CallRow) and row.status == "complete"]) == 3
    assert kept == out


def test_stores_and_lines_are_replayed_one_after_the_other(tmp_path: Path) -> None:
    recorded(tmp_path / "run.lmdb", [OWN[1]])
    lines = written(tmp_path / "a.jsonl", encode_line(OWN[2]))
    assert [OWN[1], OWN[2], OWN[2]] == replayed(tmp_path / "run.lmdb", lines, lines)


def test_a_store_that_cannot_be_read_is_a_clear_error_and_stays_as_it_is(tmp_path: Path) -> None:
    recorded(tmp_path / "run.lmdb", [OWN[1]])
    kept = LmdbStore.open(tmp_path / "run.lmdb")
    kept.commit([Put(META, "schema_version", 99)])
    kept.close()
    before = (tmp_path / "run.lmdb").read_bytes()
    with pytest.raises(StoreError, match="schema version 99"):
        replayed(tmp_path / "run.lmdb")
    assert before == (tmp_path / "run.lmdb").read_bytes()
