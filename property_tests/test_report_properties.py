"""Whatever a store has: each row is shown once, counts add up, and a difference leads from one to the other."""

from __future__ import annotations

import errno
import os
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.llm.canonical import Answer, Asked, LlmCall, Message, TextPart
from agentsight_rx.llm.prices import Prices
from agentsight_rx.view import AuditRow, CallRow, ProcessRow
from agentsight_rx.view.page import Picture
from agentsight_rx.view.page.picture import WHOLE
from agentsight_rx.view.page.tables import table_of
from agentsight_rx.view.page.words import FileLine
from agentsight_rx.view.queries.calls.diff import diff_calls
from agentsight_rx.view.queries.effects.causes import Causes
from agentsight_rx.view.queries.effects.file_fates import Fates, Lives
from agentsight_rx.view.queries.effects.file_lines import FileLines, changed
from agentsight_rx.view.queries.effects.files import file_uses, read_file_uses
from agentsight_rx.view.queries.effects.work import process_list, process_tree
from agentsight_rx.view.queries.selection import Selection
from agentsight_rx.view.queries.sessions.diff import RunFacts, difference_of
from agentsight_rx.view.queries.sessions.timeline import timeline_of
from tests.view.queries.rows import causes, stored


def operation(action: str, path: str, details: dict[str, str | int | bool | None]) -> AuditRow:
    return AuditRow(path, 1, "file", action=action, target=path, details=details)


def in_order(rows: list[AuditRow]) -> list[AuditRow]:
    """As a recording has them: each at a time of its own."""
    return [replace(row, id=f"a-{at}", timestamp_ms=at) for at, row in enumerate(rows)]


TEXTS = st.lists(st.sampled_from("abcd"), max_size=8)
COUNTS = st.dictionaries(st.sampled_from("abcde"), st.integers(1, 3), max_size=5)
PROCESSES = st.lists(
    st.builds(
        ProcessRow,
        st.integers(0, 10_000).map(lambda number: f"process-{number}"),
        pid=st.integers(1, 6),
        ppid=st.integers(0, 6),
        start_timestamp_ms=st.integers(0, 5) | st.none(),
        end_timestamp_ms=st.integers(0, 9) | st.none(),
        command=st.just("/bin/x") | st.none(),
    ),
    max_size=12,
    unique_by=lambda row: row.id,
)
FILES = st.lists(
    st.builds(
        operation,
        st.sampled_from(["open", "close", "rename", "unlink", "mkdir", "rmdir", "truncate", "chdir"]),
        st.sampled_from(["/a", "/b", "/dev/null", ""]),
        st.fixed_dictionaries(
            {},
            optional={
                "count": st.integers(1, 4),
                "errno": st.sampled_from([0, errno.EACCES, errno.ENOENT, 9999]),
                "flags": st.sampled_from([0, os.O_WRONLY, os.O_CREAT]),
                "target": st.sampled_from(["/a", "/c", None]),
                "written_bytes": st.integers(0, 9),
            },
        ),
    ),
    max_size=12,
)


def call(texts: list[str]) -> LlmCall:
    asked = Asked("m", messages=tuple(Message("user", (TextPart(text),)) for text in texts))
    return LlmCall("anthropic", "anthropic", "chat", asked, Answer())


@given(TEXTS, TEXTS)
def test_the_difference_of_two_calls_leads_from_one_to_the_other(first: list[str], second: list[str]) -> None:
    before, at = call(first).asked.messages, 0
    after: list[Message] = []
    for change in diff_calls(call(first), call(second)).messages:
        match change.change:
            case "same":
                after += before[at : at + change.count]
                at += change.count
            case "gone":
                assert before[at : at + change.count] == change.messages
                at += change.count
            case _:
                assert change.at == len(after)
                after += change.messages
    assert at == len(before)
    assert call(second).asked.messages == tuple(after)


@given(COUNTS, COUNTS)
def test_the_difference_of_two_runs_leads_from_one_to_the_other(first: dict[str, int], second: dict[str, int]) -> None:
    found = difference_of(RunFacts({}, tools=first), RunFacts({}, tools=second))
    after: dict[str, Any] = dict(first)
    for each in found.differences:
        assert after.pop(each.what, 0) == each.first
        if each.second:
            after[each.what] = each.second
    assert second == after
    assert found.equal["tool"] == len(first.items() & second.items())


@given(PROCESSES)
def test_every_process_is_in_the_tree_once_and_behind_its_parent(rows: list[ProcessRow]) -> None:
    known = Causes(stored(*rows))
    tree = list(process_tree(rows, known))
    assert sorted(row.id for row in rows) == sorted(each.id for each in tree)
    assert sorted(row.id for row in rows) == sorted(each.id for each in process_list(rows, known))
    depths = [each.depth for each in tree]
    assert all(later <= before + 1 for before, later in zip([-1, *depths], depths, strict=False))
    assert sum(each.children for each in tree) == sum(depth > 0 for depth in depths)


def _elsewhere(row: AuditRow) -> bool:
    """A rename to another name counts for both, one to its own name once."""
    return bool(row.details.get("target")) and row.details.get("target") != row.target


@given(FILES)
@example([operation("rename", "/a", {"count": 1, "target": "/a"})])
def test_every_operation_on_a_file_counts(rows: list[AuditRow]) -> None:
    found = file_uses(rows, causes())
    moves = sum(row.action == "rename" and not row.details.get("errno") and _elsewhere(row) for row in rows)
    assert sum(use.count for use in found.files) == sum(int(row.details.get("count") or 1) for row in rows) + moves
    assert len({use.path for use in found.files}) == len(found.files)


@given(PROCESSES, st.integers(1, 5))
def test_a_timeline_is_in_order_and_idle_only_where_nothing_was(rows: list[ProcessRow], idle_ms: int) -> None:
    calls = [CallRow(f"llm-{row.id}", row.start_timestamp_ms or 0, row.end_timestamp_ms, text="t") for row in rows]
    found = timeline_of(calls, (), rows, (), causes=causes(), idle_ms=idle_ms)
    assert [each.offset_ms for each in found] == sorted(each.offset_ms for each in found)
    assert all((each.duration_ms or 0) >= idle_ms for each in found if each.kind == "idle")
    assert all(each.offset_ms >= 0 for each in found)


@given(FILES, st.integers(0, 12), st.integers(0, 12))
@example([operation("mkdir", "/b", {}), operation("rename", "/b", {}), operation("mkdir", "/b", {})], 0, 2)
def test_a_part_of_a_recording_calls_temporary_what_the_whole_does(rows: list[AuditRow], start: int, count: int) -> None:
    told = in_order(rows)
    whole, part = Fates(100), Fates(100)
    for row in told:
        whole.note(row)
    for row in told[start : start + count]:
        part.note(row)
    kinds = {fate.path: fate.kind() for fate in whole}
    for lives in (Lives(stored(*told)), Lives(stored(), told)):
        for fate in part:
            if fate.path and (fate.written or fate.gone):
                assert (fate.kind(lives) == "temporary") == (kinds[fate.path] == "temporary")


CHANGES = ("written", "removed", "moved", "refused")


@given(FILES, st.integers(0, 20_000), st.integers(0, 20_000))
def test_the_page_shows_or_counts_each_file_that_was_written(rows: list[AuditRow], changes: int, others: int) -> None:
    store = stored(*in_order([row for row in rows if row.target]))
    expected = [(use.path, use.kind) for use in read_file_uses(store, Selection()).files if use.kind in CHANGES]
    picture = Picture(store, Prices(), files=FileLines(changes_size=changes, others_size=others))
    table = table_of(picture, WHOLE, "files", start=0, count=1000)
    written = sum(kind == "written" for _, kind in expected)
    assert table.kinds.get("written", 0) + table.unheld == written
    if not table.unheld and 1000 * len(rows) < changes:
        assert expected == [(row.path, row.kind) for row in table.rows if isinstance(row, FileLine) and row.kind in CHANGES]


@given(FILES, st.lists(st.integers(0, 20), max_size=4), st.booleans())
def test_lines_of_files_that_were_read_before_are_not_read_otherwise(rows: list[AuditRow], cuts: list[int], late: bool) -> None:
    lines = [replace(row, timestamp_ms=at * 50_000) for at, row in enumerate(in_order(rows))]
    kept, swapped = FileLines(others_size=3000), -1
    for cut in [*sorted(cuts), len(lines)]:
        if late and cut and cut - swapped > 1:  # a line that is late twice comes later than any may
            swapped = cut
            lines[cut - 1 : cut + 1] = lines[cut - 1 : cut + 1][::-1]
        store = stored(*lines[:cut])
        found = kept.read(store)
        assert found == FileLines(others_size=3000).read(store)
        assert [row for row in found if changed(row)] == sorted(filter(changed, lines[:cut]), key=lambda row: row.timestamp_ms)
