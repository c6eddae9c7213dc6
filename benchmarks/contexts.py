"""
What a context costs beside the fold of a long conversation, and a report of 500 turns against json.loads of its last request.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from agentsight_rx.events import Event, HttpRequest, HttpResponse
from agentsight_rx.events.loss import Ledger
from agentsight_rx.llm.prices import Prices
from agentsight_rx.sinks import store
from agentsight_rx.store.rows.tables import SESSIONS
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view import CallRow, Fold
from agentsight_rx.view.queries.context.findings import avoidable
from agentsight_rx.view.queries.context.reader import Reader
from agentsight_rx.view.queries.context.reading import read_contexts
from agentsight_rx.view.queries.context.segments import carried
from benchmarks.conversation import conversation, exchange
from benchmarks.timing import Case, Row, Work, measure

__all__ = ["rows", "session"]

_TURNS = 30
_SESSION_TURNS = 500
_WORDS = 180  # of a result
_FOLD = "the fold of a long conversation"
_LOADS = "json.loads of the last request of a session"


def rows(rounds: int, scale: float = 1.0, /) -> list[Row]:
    """
    A recording has no contexts in it: they are read on demand, so the fold alone is what they add to it. The session has 500
    turns of 1.2 kB each, so that its last request has 700 kB.
    """
    events = list(conversation(max(2, int(_TURNS * scale))))
    turns = max(2, int(_SESSION_TURNS * scale))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "session.lmdb"
        last = _stored(session(turns), path)
        cases = [
            Case(_FOLD, partial(_folded, events), len(events)),
            Case(
                "the same with its contexts, as its spans have them",
                partial(_with_contexts, events),
                len(events),
                floor=_FOLD,
                target=4.5,
            ),
            Case(_LOADS, partial(_loaded, last), turns),
            Case(f"report context of {turns} turns", partial(_reported, path), turns, floor=_LOADS, target=300),
        ]
        return measure("contexts", cases, rounds)


def session(turns: int, words: int = _WORDS, *, lost: Container[int] = ()) -> Iterator[Event]:
    """Each turn reads a file; the answer is plain, and counts as with a cache, which is lost in some turns."""
    random = Random(3)
    said: list[dict[str, Any]] = [{"role": "user", "content": "Fix the totals."}]
    for turn in range(1, turns + 1):
        body = msgspec.json.encode({"model": "claude-sonnet-4-5", "max_tokens": 4096, "messages": said})
        id, path = f"toolu_{turn}", f"/work/src/f{turn % 40}.py"
        content = [
            {"type": "text", "text": f"Step {turn}."},
            {"type": "tool_use", "id": id, "name": "Read", "input": {"file_path": path}},
        ]
        request, *_ = exchange(turn, body, ())
        yield request
        size = len(body) // 4
        new = size if turn in lost else min(size, words + 40)
        usage = {
            "input_tokens": 3,
            "cache_creation_input_tokens": new,
            "cache_read_input_tokens": size - new,
            "output_tokens": 40,
        }
        answer = {"id": f"msg_{turn}", "type": "message", "model": "claude-sonnet-4-5", "content": content, "usage": usage}
        yield HttpResponse(
            msgspec.structs.replace(request.origin, time_ns=request.origin.time_ns + 1_000_000_000),
            turn,
            200,
            "OK",
            "HTTP/1.1",
            headers=(("content-type", "application/json"),),
            body=msgspec.json.encode({**answer, "role": "assistant", "stop_reason": "tool_use"}),
            host="api.anthropic.com",
            target="/v1/messages",
            method="POST",
        )
        result = " ".join(random.choice(("order", "total", "price", "split")) for _ in range(words))
        said.append({"role": "assistant", "content": content})
        said.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": f"{turn} {result}"}]})


def _stored(events: Iterator[Event], path: Path) -> bytes:
    """Writes them; returns the body of the last request."""
    fold, writer, last = Fold(), store(path).open(Ledger()), b""
    for event in events:
        writer.write([event, *fold.add(event)])
        last = event.body if isinstance(event, HttpRequest) else last
    writer.write(list(fold.finish()))
    writer.close()
    return last


def _folded(events: Sequence[Event]) -> Work:
    def work() -> None:
        fold = Fold()
        for event in events:
            fold.add(event)

    return work


def _with_contexts(events: Sequence[Event]) -> Work:
    """As the spans of OpenTelemetry have them: each request is read once its call has ended."""

    def work() -> None:
        fold, reader = Fold(), Reader(None)
        request: HttpRequest | None = None
        for event in events:
            request = event if isinstance(event, HttpRequest) else request
            for row in fold.add(event):
                if isinstance(row, CallRow) and row.end_timestamp_ms is not None:
                    reader.add(row, request, None)

    return work


def _loaded(body: bytes) -> Work:
    return lambda: json.loads(body)


def _reported(path: Path) -> Work:
    kept, prices = LmdbStore.open(path, readonly=True), Prices()
    id = next(row.id for _, row in kept.scan(SESSIONS))

    def work() -> None:
        (agent,) = read_contexts(kept, id, prices)
        carried(agent)
        avoidable(agent, ())
        kept.close()

    return work
