"""What storing a call of a model takes, content that was never seen and a conversation that grows; the file of small calls."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from agentsight_rx.events import Event
from agentsight_rx.events.loss import Ledger
from agentsight_rx.sinks.store import store
from agentsight_rx.store.rows.tables import LOG
from agentsight_rx.store.state import PACKS, LmdbStore, pages
from agentsight_rx.view import Fold, Output
from agentsight_rx.wire.sse import SseDecoder
from benchmarks.conversation import exchange
from benchmarks.figures import Figure, Size
from benchmarks.model_client import bodies
from benchmarks.recording import answer, request_body
from benchmarks.stored import work

__all__ = ["figures"]

_CALLS, _TURNS, _SMALL = 32, 24, 918
_DELTAS, _FEW = 200, 20  # of an answer; of one of a small call
_BESIDE = 25  # events of programs and files behind a small call
_NEW_MOST_MS, _GROWING_MOST_MS, _FILE_MOST = 1.0, 0.3, 4.0


def figures(size: Size) -> Iterator[Figure]:
    new, turns = [request_body(number) for number in range(size.many(_CALLS))], bodies("growing", size.many(_TURNS, 3))
    parts = [turns[0], *(_without(before, body) for before, body in pairwise(turns))]
    never_seen, growing, alone = map(_batches, (new, turns, parts))
    took = [float("inf")] * 3
    for _ in range(size.rounds):
        took = [min(before, _ms(batches)) for before, batches in zip(took, (never_seen, growing, alone), strict=True)]
    about = f"processor time; a request of 60 KB, an answer of {_DELTAS + 6} events"
    yield Figure(group="store", name="a call of content never seen", value=took[0], unit="ms", target=_NEW_MOST_MS, note=about)
    yield Figure(
        group="store",
        name="a call of a growing conversation, beyond its new content",
        value=max(0.0, took[1] - took[2]),
        unit="ms",
        target=_GROWING_MOST_MS,
        note=f"{took[1]:.2f} ms; {took[2]:.2f} ms where only the new messages are sent",
    )
    yield _file(size.many(_SMALL))


def _without(before: bytes, body: bytes) -> bytes:
    """The request with the messages that the one before it did not have."""
    whole = json.loads(body)
    return json.dumps({**whole, "messages": whole["messages"][len(json.loads(before)["messages"]) :]}).encode()


def _small(number: int) -> bytes:
    """A request whose system text and tools are those of the others."""
    message = {"role": "user", "content": [{"type": "text", "text": f"Which files does part {number} of the parser read?"}]}
    return json.dumps({**json.loads(request_body(0, 1)), "messages": [message]}).encode()


def _batches(made: Iterable[bytes], deltas: int = _DELTAS) -> list[list[Output]]:
    """A call as the sink gets it."""
    fold, batches = Fold(), list[list[Output]]()
    for number, body in enumerate(made, 1):
        events = tuple(SseDecoder().feed(b"".join(answer(deltas, number))))
        batches.append([each for event in exchange(number, body, events) for each in _with_rows(fold, event)])
    return batches


def _with_rows(fold: Fold, event: Event) -> list[Output]:
    return [event, *fold.add(event)]


def _ms(batches: Sequence[Sequence[Output]]) -> float:
    """A call, committed by itself."""
    with TemporaryDirectory() as folder:
        writer = store(Path(folder) / "run.lmdb").open(Ledger())
        began = time.process_time()
        for batch in batches:
            writer.write(batch)
            writer.flush()
        took = time.process_time() - began
        writer.close()
    return 1000 * took / len(batches)


def _file(calls: int) -> Figure:
    fold, programs = Fold(), work()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "run.lmdb"
        writer = store(path).open(Ledger())
        for batch in _batches(map(_small, range(calls)), _FEW):
            writer.write([*batch, *(each for event in islice(programs, _BESIDE) for each in _with_rows(fold, event))])
            writer.flush()
        writer.close()
        kept = LmdbStore.open(path, readonly=True)
        least = sum(len(part) for _, part in pages(kept, LOG)) + sum(len(pack.content) for _, pack in pages(kept, PACKS))
        kept.close()
        file = os.path.getsize(path)
    return Figure(
        group="store",
        name="the file of small calls, to its compressed log and contents",
        value=file / least,
        target=_FILE_MOST,
        note=f"{file / 1e6:.1f} MB for {calls} calls with {_BESIDE} events of programs each, to {least / 1e6:.2f} MB",
    )
