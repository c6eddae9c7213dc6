"""Runs of one store over one living connection: no id of a row occurs in two of them, and the rows of all are whole."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from typer.testing import CliRunner

from agentsight_rx.cli import app
from agentsight_rx.events import HttpRequest, TlsChunk
from agentsight_rx.events.envelope import encode_envelope
from agentsight_rx.store.log.reading import read_events, read_exchange
from agentsight_rx.store.rows.ids import EXCHANGES_A_RUN, call_id
from agentsight_rx.store.rows.tables import CALLS, HTTP
from agentsight_rx.store.state import LmdbStore
from tests.operators import CONNECTION, Wire

_LONG_NS = 3_600_000_000_000


def talk(path: Path, prompts: list[str], *, run: int) -> Path:
    """What a capture of these calls, an HTTP/1.1 connection that was open before it, writes as lines of JSON."""
    wire = Wire(CONNECTION, start_ns=(run + 1) * _LONG_NS)
    records: list[TlsChunk] = []
    for prompt in prompts:
        asked = json.dumps({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": prompt}]}).encode()
        head = f"POST /v1/messages HTTP/1.1\r\nhost: api.anthropic.com\r\ncontent-length: {len(asked)}\r\n\r\n"
        said = {"id": "msg", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn"}
        answer = json.dumps(
            {**said, "content": [{"type": "text", "text": f"to {prompt}"}], "usage": {"output_tokens": 1}}
        ).encode()
        back = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\n\r\n"
        records += [wire.writes(head.encode() + asked), wire.reads(back.encode() + answer)]
    timed = [replace(each, origin=replace(each.origin, wall_ns=each.origin.time_ns)) for each in records]
    path.write_text("".join(json.dumps(encode_envelope(each)) + "\n" for each in timed))
    return path


def replayed(store: Path, *recordings: Path) -> None:
    done = CliRunner().invoke(app, ["replay", *map(str, recordings), "-q", "--db", str(store)], catch_exceptions=False)
    assert done.exit_code == 0, done.output


def ids_of(store: Path) -> tuple[list[str], list[str], list[str]]:
    """Of calls, of exchanges, and those that the events of the log have."""
    kept = LmdbStore.open(store, readonly=True)
    try:
        calls = [row for _, row in kept.scan(CALLS)]
        for row in calls:
            seen = read_exchange(kept, row.id)
            assert row.status == "complete"
            assert seen.request is not None
            assert seen.response is not None
            assert row.text == f"to {row.prompt}"
            assert row.prompt.encode() in seen.request.body
            assert row.text.encode() in seen.response.body
        asked = [event for event in read_events(kept) if isinstance(event, HttpRequest)]
        exchanges = [row.id for _, row in kept.scan(HTTP)]
        return [row.id for row in calls], exchanges, [call_id(each.origin, each.exchange) for each in asked]
    finally:
        kept.close()


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=2, max_size=3))
def test_runs_over_one_connection_have_ids_of_their_own_and_whole_rows(sizes: list[int]) -> None:
    with TemporaryDirectory() as folder:
        store, replay = Path(folder) / "run.lmdb", Path(folder) / "again.lmdb"
        for run, size in enumerate(sizes):
            replayed(store, talk(Path(folder) / f"{run}.jsonl", [f"prompt {run} {at}" for at in range(size)], run=run))
        calls, exchanges, logged = ids_of(store)
        assert sum(sizes) == len(calls) == len(set(calls)) == len(exchanges) == len(set(exchanges))
        first = [call_id(Wire().origin(None), number) for number in range(1, sizes[0] + 1)]
        assert (first, calls) == (calls[: sizes[0]], logged)  # those of the first run are as if it were alone
        replayed(replay, store)
        assert (calls, exchanges, logged) == ids_of(replay)


def test_a_run_numbers_behind_all_that_an_earlier_one_can_have() -> None:
    assert call_id(Wire().origin(None), EXCHANGES_A_RUN + 1) == f"llm-{CONNECTION.id}-1000000001"
