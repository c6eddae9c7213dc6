"""A Perfetto trace: the Python package of Perfetto reads it, and slices, arrows and counters are what was recorded."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from perfetto.protos.perfetto.trace import perfetto_trace_pb2

from agentsight_rx.events import SystemSample
from agentsight_rx.policy.rules.guard.file import built_in_rules
from agentsight_rx.view.exports.perfetto import perfetto
from agentsight_rx.view.exports.perfetto_packets import Lanes
from tests.cli.report.effects import effects
from tests.cli.report.story import AGENT, Story, recorded, small_story
from tests.guarded import leaking, stored
from tests.view.exports.stores import opened

BEGIN, END, INSTANT, COUNTER = 1, 2, 3, 4


def trace(path: Path) -> Any:
    with opened(path) as store:
        found: Any = perfetto_trace_pb2.Trace()
        found.ParseFromString(b"".join(perfetto(store)))
    return found


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return trace(effects(tmp_path_factory.mktemp("store") / "run.lmdb"))


def events(read: Any, kind: int, category: str = "") -> list[Any]:
    found = [each.track_event for each in read.packet if each.HasField("track_event")]
    return [each for each in found if each.type == kind and (not category or category in each.categories)]


def about(event: Any) -> dict[str, Any]:
    return {each.name: each.string_value or each.int_value for each in event.debug_annotations}


def test_every_field_is_known_to_perfetto(read: Any) -> None:
    """A wrong number of a field would be an unknown one, or be read as another type."""
    size = read.ByteSize()
    read.DiscardUnknownFields()
    assert (read.ByteSize(), len(read.packet) > 30) == (size, True)
    assert {each.WhichOneof("data") for each in read.packet} == {"track_event", "track_descriptor"}
    assert {each.trusted_packet_sequence_id for each in read.packet} == {1}


def test_every_event_is_on_a_track_that_was_described_before(read: Any) -> None:
    described: set[int] = set()
    for packet in read.packet:
        if packet.HasField("track_descriptor"):
            track = packet.track_descriptor
            assert not track.parent_uuid or track.parent_uuid in described
            assert track.uuid not in described
            described.add(track.uuid)
        else:
            assert packet.track_event.track_uuid in described


def test_calls_tools_and_programs_are_slices_that_end(read: Any) -> None:
    begun, ended = (Counter(each.track_uuid for each in events(read, kind)) for kind in (BEGIN, END))
    assert begun == ended
    assert {kind: len(events(read, BEGIN, kind)) for kind in ("call", "tool", "program")} == {
        "call": 4,
        "tool": 3,
        "program": 3,
    }
    first = events(read, BEGIN, "call")[0]
    assert (first.name, about(first)["output_tokens"], about(first)["status"]) == ("claude-sonnet-4-5", 640, "complete")


def test_an_arrow_leads_from_a_call_to_its_tool_to_its_process(read: Any) -> None:
    call, tool = events(read, BEGIN, "call")[0], events(read, BEGIN, "tool")[0]
    shells = [each for each in events(read, BEGIN, "program") if each.name.startswith("sh -c")]
    assert list(call.flow_ids) == list(tool.terminating_flow_ids)
    assert list(tool.flow_ids) == list(shells[0].terminating_flow_ids)
    assert (len(call.flow_ids), len(tool.flow_ids)) == (1, 1)


def test_files_and_connections_are_instants(read: Any) -> None:
    names = [each.name for each in events(read, INSTANT)]
    assert "written /home/ada/code/parcel/src/billing/invoice.py" in names
    assert "connect 127.0.0.1:5432" in names
    assert not [name for name in names if "\n" in name]


def test_load_is_two_counters(tmp_path: Path) -> None:
    story = small_story()
    story.events.append(
        SystemSample(
            story.origin(AGENT, "claude"), 12.5, cores=2, cpu_seconds=1.0, rss_bytes=512 << 20, vsz_bytes=0, threads=1, fds=1,
            read_bytes=0, written_bytes=0, processes=2,
        )
    )  # fmt: skip
    read = trace(recorded(tmp_path / "x.lmdb", story))
    tracks = [each.track_descriptor for each in read.packet if each.track_descriptor.HasField("counter")]
    assert [(each.name, each.counter.unit_name) for each in tracks] == [
        ("CPU of claude 12345", "%"),
        ("memory of claude 12345", "MB"),
    ]
    assert [each.double_counter_value for each in events(read, COUNTER)] == [12.5, 512]


def test_each_process_is_a_track_with_its_arguments(tmp_path: Path) -> None:
    story = Story()
    story.runs("ls -a", pid=50)
    story.ends(0, pid=50)
    story.now_s = 5
    story.runs("ps", pid=51)
    read = trace(recorded(tmp_path / "x.lmdb", story))
    tracks = [each.track_descriptor.process for each in read.packet if each.track_descriptor.HasField("process")]
    assert sorted((each.pid, *each.cmdline) for each in tracks) == [(50, "ls", "-a"), (51, "ps")]


def test_things_at_the_same_time_are_in_lanes_of_their_own() -> None:
    lanes = Lanes()
    spans = [(0, 10), (5, 8), (8, 9), (10, 12), (11, 13)]
    assert [lanes.lane("a", *span) for span in spans] == [1, 2, 2, 1, 2]
    assert lanes.lane("b", 0, 1) == 1


def test_the_number_of_lanes_is_bounded() -> None:
    lanes = Lanes()
    assert max(lanes.lane("a", 0, 10) for _ in range(1000)) == 64


def test_an_alert_is_an_instant_at_its_process(tmp_path: Path) -> None:
    found = trace(stored(tmp_path / "run.lmdb", leaking().events, built_in_rules()))
    names = [event.name for event in events(found, INSTANT, "alert")]
    assert (
        "new-host: curl, run by claude, sent 1.8 kB to paste.example, a host that no session in ~/shop has spoken to" in names
    )
    assert 4 == len(names)
    assert {"note", "warn"} == {about(event)["level"] for event in events(found, INSTANT, "alert")}
