"""Perfetto's own trace processor answers SQL about a trace that was exported: slices, arrows, counters, processes, no error."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from agentsight_rx.events import SystemSample
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view.exports.perfetto import perfetto
from tests.browser.browsing import chromium
from tests.browser.trace_processor import TraceProcessor, trace_processor
from tests.cli.report.story import AGENT, recorded, small_story

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Generator[TraceProcessor]:
    story = small_story()
    story.events.append(
        SystemSample(
            story.origin(AGENT, "claude"), 12.5, cores=2, cpu_seconds=1.0, rss_bytes=512 << 20, vsz_bytes=0, threads=1, fds=1,
            read_bytes=0, written_bytes=0, processes=2,
        )
    )  # fmt: skip
    store = LmdbStore.open(recorded(Path(tmp_path_factory.mktemp("store")) / "run.lmdb", story), readonly=True)
    try:
        trace = b"".join(perfetto(store))
    finally:
        store.close()
    with chromium() as browser, trace_processor(browser, trace) as processor:
        yield processor


def test_calls_tools_and_programs_are_slices(read: TraceProcessor) -> None:
    kinds = "select category, count(*) from slice where category in ('call', 'tool', 'program') group by category order by 1"
    assert [("call", 4), ("program", 3), ("tool", 3)] == list(read.rows(kinds))
    (first,) = read.rows("select name, dur from slice where category = 'call' order by ts limit 1")
    assert ("claude-sonnet-4-5", 6_200_000_000) == first


def test_what_is_known_of_a_call_are_its_arguments(read: TraceProcessor) -> None:
    tokens = (
        "select extract_arg(arg_set_id, 'debug.output_tokens') as found from slice where category = 'call' order by ts limit 1"
    )
    assert [(640,)] == list(read.rows(tokens))


def test_arrows_lead_from_a_call_to_its_tool_and_to_its_process(read: TraceProcessor) -> None:
    arrows = (
        "select a.category as giver, b.category as taker, count(*) from flow "
        "join slice a on a.id = slice_out join slice b on b.id = slice_in group by 1, 2 order by 1"
    )
    assert [("call", "tool", 3), ("tool", "program", 2)] == list(read.rows(arrows))


def test_load_is_a_counter_and_each_process_has_its_name(read: TraceProcessor) -> None:
    counters = "select t.name, c.value from counter c join counter_track t on t.id = c.track_id order by 1"
    assert [("CPU of claude 12345", 12.5), ("memory of claude 12345", 512.0)] == list(read.rows(counters))
    assert [(AGENT, "claude"), (12401, "sh"), (12402, "sh")] == list(read.rows("select pid, name from process where pid > 0"))


def test_the_trace_processor_reports_no_error(read: TraceProcessor) -> None:
    wrong = "select name, value from stats where severity in ('error', 'data_loss') and value > 0"
    assert [] == list(read.rows(wrong))
