"""A recording that a program opens: typed rows, parts of it, whole calls, events by a rule, and one sentence for each error."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agentsight_rx
from agentsight_rx import Recording, op, open_recording
from agentsight_rx.core.stream import of
from agentsight_rx.errors import StoreError, UsageError
from agentsight_rx.events import Event, HttpRequest, HttpResponse
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.state import LmdbStore, Put
from agentsight_rx.store.state.lmdb_store import META
from agentsight_rx.view import CallRow
from agentsight_rx.view.exports.tables import TABLES
from tests.cli.report.story import BEGAN_MS, Story, recorded, text

ROOT = Path(agentsight_rx.__file__).parents[1]
BEGAN = datetime.fromtimestamp(BEGAN_MS / 1000, UTC)

# Writes one call, then another one for each line that it reads
WRITER = """
import sys
from pathlib import Path
from agentsight_rx.events.loss import Ledger
from agentsight_rx.sinks import store
from tests.cli.report.story import Story, items, text
counts = Ledger()
counts.begin()
writer = store(Path(sys.argv[1])).open(counts)
story = Story()
for _ in range(3):
    story.events.clear()
    story.asks(text("go"), answer=[text("gone")])
    writer.write(list(items(story.events)))
    writer.flush()
    print("written", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def writing(path: Path) -> Generator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", WRITER, str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        try:
            yield writer
        finally:
            writer.kill()


def goes_on(writer: subprocess.Popen[str]) -> None:
    """It has written one more call."""
    assert writer.stdin is not None
    assert writer.stdout is not None
    writer.stdin.write("\n")
    writer.stdin.flush()
    assert "written\n" == writer.stdout.readline()


def test_each_kind_of_row_comes_oldest_first(recording: Recording) -> None:
    assert ["llm-12345-1-7-1", "llm-12345-1-7-2", "llm-12345-1-7-3", "llm-12345-1-7-4"] == [row.id for row in recording.calls()]
    assert ["Bash", "Bash", "Edit"] == [row.tool_name for row in recording.tools()]
    assert ["5e5510"] == [row.id for row in recording.sessions()]
    assert [12345, 12401, 12402] == [row.pid for row in recording.processes()]
    assert [200] * 4 == [row.status_code for row in recording.http()]
    for rows in (recording.files(), recording.connections()):
        times = [row.timestamp_ms for row in rows]
        assert sorted(times) == times
        assert len(times) > 3


def test_a_call_has_its_price(path: Path, tmp_path: Path) -> None:
    mine = tmp_path / "prices.toml"
    mine.write_text('["claude-sonnet-4-5"]\ninput = 0\noutput = 1000\n')
    with open_recording(path, prices=mine) as recording:
        assert [0.64, 0.22, 0.22, 0.64] == [row.cost_usd for row in recording.calls()]


@pytest.mark.parametrize(
    "since", [BEGAN + timedelta(seconds=13), "2025-11-27T18:00:17Z", (BEGAN + timedelta(seconds=13)).isoformat()]
)
def test_a_time_is_a_datetime_or_a_text(recording: Recording, since: str | datetime) -> None:
    assert [3, 4] == [row.turn for row in recording.calls(since=since)]
    assert [1, 2] == [row.turn for row in recording.calls(until=since)]
    assert {type(event) for event in recording.events(since=since)} > {HttpRequest, HttpResponse}
    assert len(list(recording.events())) == len(list(recording.events(since=since))) + len(list(recording.events(until=since)))


def test_a_time_without_a_zone_is_the_time_of_the_reader(recording: Recording) -> None:
    here = (BEGAN + timedelta(seconds=13)).astimezone().replace(tzinfo=None)
    assert [3, 4] == [row.turn for row in recording.calls(since=here)]


@pytest.mark.parametrize("name", TABLES)
def test_a_part_is_chosen_by_session_agent_and_pid(recording: Recording, name: str) -> None:
    read: Callable[..., Iterator[Any]] = getattr(recording, name)
    rows = list(read())
    assert rows == list(read(session="newest")) == list(read(session="5e5", agent="claude"))
    assert rows[-1:] == list(read(limit=1))
    assert [] == list(read(pid=1))
    assert [] == list(read(since=BEGAN - timedelta(days=2), until=BEGAN - timedelta(days=1)))


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"since": "soon"}, "since 'soon' is no time; expected such as 2h"),
        ({"since": BEGAN, "until": BEGAN}, "is not before until"),
        ({"session": "zz"}, "no session fits session zz; there are 5e5510"),
        ({"agent": "codex"}, "no session fits agent codex; there are claude"),
        ({"since": 5}, r"since=5 cannot be understood; expected a datetime, or a text such as 2h"),
        ({"until": BEGAN.date()}, r"until=datetime.date\(.*\) cannot be understood"),
        ({"session": 5}, "session=5 cannot be understood; expected a text"),
        ({"pid": "12"}, "pid='12' cannot be understood; expected a number"),
        ({"pid": True}, "pid=True cannot be understood; expected a number"),
        ({"limit": 0}, "limit=0 cannot be understood; expected a number of at least 1"),
        ({"limit": -1}, "limit=-1 cannot be understood"),
        ({"sinse": "2h"}, "sinse is no part of a recording; there are since, until, session"),
    ],
)
def test_a_part_that_is_none_is_an_error_of_the_call(recording: Recording, part: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        recording.calls(**part)


def test_a_part_is_a_table(recording: Recording) -> None:
    assert [3, 4] == recording.to_arrow(since=BEGAN + timedelta(seconds=13))["turn"].to_pylist()


def test_a_call_is_whole(recording: Recording) -> None:
    (row,) = [row for row in recording.calls() if row.turn == 1]
    whole = recording.call(row.id)
    assert whole == recording.call(1)
    assert whole.exchange is not None
    assert "Invoice totals are off by one cent for orders with discounts" == whole.new.text
    (work,) = whole.tools
    assert (["pytest tests/test_invoice.py -q"], ["/home/ada/code/parcel/.pytest_cache/lastfailed"]) == (
        [process.argv[-1] for process in work.processes],
        list(work.fates),
    )


@pytest.mark.parametrize(
    ("id", "said"), [("zz", "no call is zz"), (99, "no call is 99"), ("llm-12345", "may be 4 calls: llm-")]
)
def test_a_call_that_is_none_or_may_be_several_is_an_error(recording: Recording, id: str | int, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        recording.call(id)


RULES = (
    "request.path=/v1/messages",
    "response.status_code=529",
    "exchange.response.status_code=200 & exchange.request.host=api.anthropic.com",
    "exchange.response.status_code=529",
    "!response.status_code=200",
)


@settings(max_examples=30)
@given(st.lists(st.sampled_from([200, 200, 404, 529]), max_size=6), st.sampled_from(RULES))
def test_a_rule_chooses_what_the_filter_drops(tmp_path_factory: pytest.TempPathFactory, statuses: list[int], rule: str) -> None:
    story = Story()
    story.runs("claude")
    for status in statuses:
        story.asks(text("go"), answer=[text("gone")], status=status)
    kept: list[Event] = []
    of(story.events).pipe(op.filter_http(rule)).subscribe(kept.append)  # type: ignore[arg-type]
    path = recorded(tmp_path_factory.mktemp("store") / "run.lmdb", story)
    with open_recording(path) as recording:
        assert [event for event in story.events if event not in kept] == list(recording.events(rule=rule))


def test_a_rule_that_cannot_be_read_is_an_error_of_the_call(recording: Recording) -> None:
    with pytest.raises(UsageError):
        recording.events(rule="response.status_code=200 &&& (")
    with pytest.raises(UsageError):
        recording.http(rule="(")


def test_exchanges_are_chosen_by_a_rule(recording: Recording) -> None:
    assert 4 == len(list(recording.http(rule="response.status_code=200")))
    assert [] == list(recording.http(rule="request.method=GET"))


def test_a_recording_is_read_while_another_process_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "run.lmdb"
    with writing(path) as writer:
        assert writer.stdout is not None
        assert "written\n" == writer.stdout.readline()
        with open_recording(path) as recording:
            assert 1 == len(list(recording.calls()))
            events = recording.events()
            first = next(events)
            goes_on(writer)
            rest = list(events)
            goes_on(writer)
            assert (2, 3) == (1 + len(rest), len(list(recording.calls())))
            assert isinstance(first, HttpRequest)
            assert 6 == len(list(recording.events()))


def test_rows_are_read_a_page_at_a_time(tmp_path: Path) -> None:
    path, many = tmp_path / "run.lmdb", 10_000
    store = LmdbStore.open(path)
    store.commit([put(CallRow(f"llm-{number}", number + 1, text=f"{number}" * 200)) for number in range(many)])
    store.close()

    def peak(rows: Iterator[object], kept: int | None) -> int:
        """Bytes that it takes at most to read all and keep so many of them."""
        tracemalloc.start()
        deque(rows, maxlen=kept)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    with open_recording(path) as recording:
        assert many == sum(1 for _ in recording.calls())
        assert peak(recording.calls(), None) > 10 * peak(recording.calls(), 0)


def test_a_path_without_a_store_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"^There is no store at .*none.lmdb: record one"):
        open_recording(tmp_path / "none.lmdb")


def test_another_file_is_one_sentence(tmp_path: Path) -> None:
    other = tmp_path / "other.lmdb"
    other.write_bytes(bytes(range(256)) * 64)
    with pytest.raises(StoreError, match="is not a store: give the path of a store"):
        open_recording(str(other))


def test_a_store_of_another_release_is_one_sentence(path: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer.lmdb"
    newer.write_bytes(path.read_bytes())
    store = LmdbStore.open(newer)
    store.commit([Put(META, "schema_version", 99)])
    store.close()
    with pytest.raises(StoreError, match="has schema version 99 and this agentsight-rx reads 1 to 3"):
        open_recording(newer)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_store_that_is_cut_short_is_one_sentence(path: Path, tmp_path: Path, part: float) -> None:
    cut = tmp_path / "cut.lmdb"
    whole = path.read_bytes()
    cut.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(StoreError, match="is cut short, pages of the store are missing"):
        open_recording(cut)


def test_reading_behind_the_end_of_the_context_is_one_sentence(path: Path) -> None:
    with open_recording(path) as recording:
        rows = recording.calls()
    with pytest.raises(StoreError, match="cannot be read"):
        next(rows)
