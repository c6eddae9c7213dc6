"""`replay -q` of recorded lines, with all operators, against one pass of json.loads over the same lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from agentsight_rx.events import TlsChunk
from agentsight_rx.events.envelope import encode_line
from agentsight_rx.graphs import TraceOptions, replay
from agentsight_rx.runtime.run import run
from agentsight_rx.sources import ReplayOptions
from benchmarks.figures import Figure, Size
from benchmarks.recording import traffic
from benchmarks.timing import Case, Work, measure

__all__ = ["figures", "original_line"]

_CALLS = 128  # 27,264 lines of 550 bytes
_WALL_MS = 1_764_000_000_000
_FUNCTIONS = {"in": "READ/RECV", "out": "WRITE/SEND"}
_ORIGINAL, _BEFORE = "3.2x", "9.3x"


def figures(size: Size) -> Iterator[Figure]:
    chunks = traffic(size.many(_CALLS, 2))
    forms = {
        "lines of the original": (list(map(original_line, chunks)), 1.2, _ORIGINAL, _BEFORE),
        "our own envelopes": (list(map(encode_line, chunks)), 1.1, "", ""),
    }
    with TemporaryDirectory() as folder:
        for name, (lines, target, original, before) in forms.items():
            path = Path(folder) / "recording.jsonl"
            path.write_bytes(b"".join(line.rstrip() + b"\n" for line in lines))
            cases = [
                Case("json.loads", partial(_loaded, path), len(lines)),
                Case("replay", partial(_replayed, path), len(lines), floor="json.loads"),
            ]
            _, row = measure("replay", cases, size.rounds)
            yield Figure(
                group="replay",
                name=f"replay -q of {name} to one json.loads pass",
                value=row.ratio,
                target=target,
                original=original,
                before=before,
                note=f"{row.us_per_event:.1f} µs a line, {path.stat().st_size / len(lines):.0f} bytes each",
            )


def original_line(chunk: TlsChunk) -> bytes:
    """
    The line that the original's probe prints for a record, in the envelope of its recordings. Plain ASCII: of other characters
    it does not keep whether they were one byte or several.
    """
    origin, text = chunk.origin, chunk.data.replace("ï".encode(), b"ii").decode("ascii")
    fields = {
        "function": _FUNCTIONS[origin.direction or "in"],
        "timestamp_ns": origin.time_ns,
        "comm": origin.comm,
        "pid": origin.pid,
        "len": len(chunk.data),
        "buf_size": len(chunk.data),
        "uid": origin.uid,
        "tid": origin.connection.handle if origin.connection else 0,
        "connection_id": 0,
        "latency_ms": 0.042,
        "is_handshake": False,
        "data": text,
        "truncated": False,
    }
    envelope = {
        "timestamp": _WALL_MS + origin.time_ns // 1_000_000,
        "source": "ssl",
        "pid": origin.pid,
        "comm": origin.comm,
        "data": fields,
    }
    return json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()


def _loaded(path: Path) -> Work:
    def work() -> None:
        with path.open("rb") as file:
            for line in file:
                json.loads(line)

    return work


def _replayed(path: Path) -> Work:
    graph = replay(ReplayOptions((str(path),)), TraceOptions())

    def work() -> None:
        summary = run(graph, ())
        assert summary.complete, summary.ledger.unintended()

    return work
