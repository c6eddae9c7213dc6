"""What redaction costs: the whole graph with and without it, and its first look at a text in which there is nothing."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import partial
from random import Random

from agentsight_rx import operators as op
from agentsight_rx.core.engine import Engine
from agentsight_rx.core.merge import merge
from agentsight_rx.core.stream import Stream, of
from agentsight_rx.events import TlsEvent, time_of
from agentsight_rx.graphs import RECORD_HTTP_FILTERS, TraceOptions, http_messages
from agentsight_rx.policy.redaction.redactor import Redactor
from agentsight_rx.view import Output
from benchmarks.recording import answer, cut, request_body, traffic
from benchmarks.timing import Case, Row, Work, measure

__all__ = ["rows"]

_FLOWS = 64
_BATCH = 256
_MOST = 1 / (1 - 0.15)  # 15 % of the time of the graph that has it
_OPTIONS = TraceOptions(http_filters=RECORD_HTTP_FILTERS)


def rows(rounds: int, scale: float = 1.0, /) -> list[Row]:
    flows = max(1, int(_FLOWS * scale))
    chunks = traffic(flows)
    batches = cut(chunks, _BATCH)
    bodies = [request_body(flow) for flow in range(flows)]
    images = [_image(flow) for flow in range(max(1, flows // 8))]
    deltas = [event.decode() for flow in range(max(1, flows // 8)) for event in answer(200, flow)]
    without = "graph without redaction"
    cases = [
        Case(without, partial(_graph, batches, _read), len(chunks)),
        Case("graph with redaction", partial(_graph, batches, _redacted), len(chunks), floor=without, target=_MOST),
        Case("a body of 60 KB", partial(_bodies, bodies), len(bodies), sum(map(len, bodies))),
        Case("a body with an image of 300 KB", partial(_bodies, images), len(images), sum(map(len, images))),
        Case("a delta", partial(_deltas, deltas), len(deltas), sum(map(len, deltas))),
    ]
    return measure("redaction", cases, rounds)


class _Counted:
    """The end of a graph: counts what arrives."""

    singles = 0

    def __init__(self) -> None:
        self.count = 0

    def on_batch(self, batch: Sequence[object], /) -> None:
        self.count += len(batch)

    def on_completed(self) -> None:
        pass

    def on_error(self, error: Exception, /) -> None:
        raise error


def _read(records: Stream[TlsEvent]) -> Stream[Output]:
    return merge(http_messages(records, _OPTIONS)).pipe(op.materialize())


def _redacted(records: Stream[TlsEvent]) -> Stream[Output]:
    return merge(http_messages(records, _OPTIONS).pipe(op.remove_auth())).pipe(op.materialize())


def _graph(batches: Sequence[Sequence[TlsEvent]], make: Callable[[Stream[TlsEvent]], Stream[Output]]) -> Work:
    engine = Engine()
    make(of(*batches, time_of=time_of, name="tls")).attach(engine, _Counted())
    return engine.run_inline


def _image(flow: int) -> bytes:
    """A request with nothing but an image in Base64."""
    data = b64encode(Random(flow).randbytes(300_000))
    return b'{"messages":[{"role":"user","content":[{"type":"image","data":"%b"}]}]}' % data


def _bodies(bodies: Sequence[bytes]) -> Work:
    redactor = Redactor(bytes(32))
    return lambda: all(redactor.data(body) is body for body in bodies)


def _deltas(deltas: Sequence[str]) -> Work:
    redactor = Redactor(bytes(32))
    return lambda: all(redactor.text(delta) is delta for delta in deltas)
