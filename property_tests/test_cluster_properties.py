"""Any events, cut into segments anywhere: the state between two changes nothing; a spool gives back what went in."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentsight_rx.core.engine import EngineState
from agentsight_rx.events import Event
from agentsight_rx.graphs import TraceOptions
from agentsight_rx.runtime.cluster.output import Analysis
from agentsight_rx.store.spool import Header, SpoolOptions, SpoolWriter, encode_segment, read_segment
from agentsight_rx.view import Output
from property_tests.strategies import (
    batches_of,
    http_events,
    model_events,
    process_events,
    rpc_events,
    streamed_events,
    tls_events,
)

OPTIONS = TraceOptions(redaction_key=b"k" * 32, host="web1")
SOME = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

anything: st.SearchStrategy[list[Event]] = st.one_of(
    tls_events(), http_events(), model_events(), process_events(), rpc_events(), streamed_events()
)


def through_a_segment(events: Sequence[Event]) -> list[Event]:
    """They have a wall-clock time then."""
    header = Header(host="web1", sequence=1, first=1, run="a", product="1", python="3", wall_offset_ns=10**18)
    return [event for batch in read_segment(encode_segment(header, events)).batches() for event in batch]


def analysed(segments: Sequence[Sequence[Event]]) -> list[Output]:
    """Each segment in an analysis of its own, behind the state of the one before, as msgpack."""
    out: list[Output] = []
    kept: bytes | None = None
    analysis = Analysis(OPTIONS, out.extend)
    for segment in map(through_a_segment, segments):
        if kept is not None:
            analysis = Analysis(OPTIONS, out.extend, msgspec.msgpack.decode(kept, type=EngineState))
        analysis.push(segment)
        kept = msgspec.msgpack.encode(analysis.snapshot())
    analysis.end()
    return out


@SOME
@given(anything, st.data())
def test_segments_of_any_size_give_what_one_gives(events: list[Event], data: st.DataObject) -> None:
    segments = data.draw(batches_of(events), "segments")
    assert analysed([events]) == analysed(segments)


@SOME
@given(anything, st.data())
def test_a_state_is_the_same_each_time(events: list[Event], data: st.DataObject) -> None:
    """So that two attempts write the same bytes."""
    states: list[bytes] = []
    for batches in ([events], data.draw(batches_of(events), "batches")):
        analysis = Analysis(OPTIONS, lambda _: None)
        for batch in batches:
            analysis.push(through_a_segment(batch))
        states.append(msgspec.msgpack.encode(analysis.snapshot()))
    assert states[0] == states[1]


@SOME
@given(anything, st.data(), st.integers(50, 5000))
def test_a_spool_gives_back_what_went_in(events: list[Event], data: st.DataObject, size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        writer = SpoolWriter(SpoolOptions(folder, "web1", size=size))
        for batch in data.draw(batches_of(events), "batches"):
            writer.write(batch)
        writer.close()
        paths = sorted((Path(folder) / "web1").glob("*.seg"))
        found = [event for path in paths for batch in read_segment(path.read_bytes()).batches() for event in batch]
    assert events == [event if before.origin.wall_ns else before for before, event in zip(events, found, strict=True)]
