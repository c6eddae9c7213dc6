"""
Parsing in processes of its own: what handing its events over costs, against what parsing costs -> µs a record, and the gain.

Each worker would read a ring and parse; one process merges what they found, redacts and folds it, as the secrets and the rows
of all connections belong together. Times are those of the processor, the fastest of seven rounds.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from agentsight_rx import operators as op
from agentsight_rx.core.engine import Engine
from agentsight_rx.core.merge import merge
from agentsight_rx.core.stream import Stream, of
from agentsight_rx.events import HttpEvent, time_of
from agentsight_rx.graphs import RECORD_HTTP_FILTERS, TraceOptions, http_messages
from benchmarks.recording import cut, traffic

__all__ = ["main"]

_ROUNDS = 7
_FLOWS, _BATCH = 64, 4096
_OPTIONS = TraceOptions(http_filters=RECORD_HTTP_FILTERS)
_READING_US = 1.6  # what a record of 200 bytes costs out of a ring: python -m benchmarks ring, on a busy machine
# What a record costs the program that is traced, probes included: the least that is possible, and one of Python with 200 bytes
_LOADS_US = (2.0, 6.3)

Batches = Sequence[Sequence[Any]]


class _Kept:
    """The end of a graph: keeps what arrives."""

    singles = 0

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []

    def on_batch(self, batch: Sequence[Any], /) -> None:
        self.batches.append(list(batch))

    def on_completed(self) -> None:
        pass

    def on_error(self, error: Exception, /) -> None:
        raise error


def _stream(batches: Batches) -> Stream[Any]:
    return of(*batches, time_of=time_of, name="tls")


def _run(graph: Stream[Any]) -> tuple[float, Batches]:
    """Seconds of the fastest run, and what came out."""
    best, kept = float("inf"), _Kept()
    for _ in range(_ROUNDS):
        engine, kept = Engine(), _Kept()
        graph.attach(engine, kept)
        best = min(best, _timed(engine.run_inline))
    return best, kept.batches


def _timed(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _fastest(work: Callable[[], object]) -> float:
    return min(_timed(work) for _ in range(_ROUNDS))


def _through_a_pipe(blobs: Sequence[bytes]) -> None:
    """Both ends of it."""
    reading, writing = os.pipe()

    def read() -> None:
        while os.read(reading, 1 << 16):
            pass

    reader = threading.Thread(target=read)
    reader.start()
    with open(writing, "wb", buffering=0) as pipe:
        for blob in blobs:
            left = memoryview(blob)
            while left:
                left = left[pipe.write(left) or 0 :]
    reader.join()
    os.close(reading)


def main() -> None:
    chunks = traffic(_FLOWS)
    batches = cut(chunks, _BATCH)
    each = 1e6 / len(chunks)
    source = _run(_stream(batches))[0]
    parse, parsed = _run(http_messages(_stream(batches), _OPTIONS))
    rest = _run(merge(_stream(parsed).pipe(op.remove_auth())).pipe(op.materialize()))[0]
    encode = msgspec.msgpack.Encoder().encode
    decode = msgspec.msgpack.Decoder(list[HttpEvent]).decode
    blobs = [encode(batch) for batch in parsed]
    assert [decode(blob) for blob in blobs] == parsed
    encoding, decoding = _fastest(lambda: list(map(encode, parsed))), _fastest(lambda: list(map(decode, blobs)))
    piping = _fastest(lambda: _through_a_pipe(blobs))
    parts = {
        "read": _READING_US,
        "parse": (parse - source) * each,
        "redact and fold": rest * each,
        "encode": encoding * each,
        "pipe": piping * each,
        "decode": decoding * each,
    }
    print(", ".join(f"{name} {size:.2f}" for name, size in parts.items()), "µs a record of", len(chunks))
    one = parts["read"] + parts["parse"] + parts["redact and fold"]
    all_of_them = sum(parts.values())
    print(f"one process {one:.2f} µs; with workers, all of them {all_of_them:.2f} µs")
    for load in _LOADS_US:
        gain = max(one, load, (one + load) / 2) / max(load, (all_of_them + load) / 2)
        print(f"two cores, a load that needs {load} µs a record itself: at most {gain:.2f} times as many records")


if __name__ == "__main__":
    main()
