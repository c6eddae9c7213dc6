"""Rows -> the snapshot: its keys, its orders, its bounds, and that a store says the same as the live view."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from agentsight_rx.events import Origin, Readline
from agentsight_rx.events.loss import Entry, Reason
from agentsight_rx.events.tokens import Usage, counts_of
from agentsight_rx.store.rows.gaps import Gaps, gaps_of
from agentsight_rx.store.rows.kind import put, weight_of
from agentsight_rx.store.rows.tables import LOSSES, RUNS, SEGMENTS, Recording, Segment
from agentsight_rx.store.state import MemoryStore, Put
from agentsight_rx.view import (
    AuditRow,
    CallRow,
    NetworkRow,
    Output,
    ProcessRow,
    ResourceRow,
    Row,
    SessionRow,
    TokenRow,
    ToolRow,
)
from agentsight_rx.view.snapshot.schema import completeness
from agentsight_rx.view.snapshot.snapshot import ROOM, View, read_snapshot

NOW_MS = 1_782_295_200_000
EVENT = Readline(Origin(1, 7, wall_ns=900_000_000), "ls")
ROWS: list[Row] = [
    CallRow("llm-1", 1200, 1700, 42, "claude", "anthropic", "sonnet", session_id="s-1", input_tokens=10, output_tokens=5),
    TokenRow("token-llm-1", "llm-1", 1700, 42, "claude", "anthropic", "sonnet", **counts_of(Usage(10, 5, 2, 3))),
    ToolRow("tool-1", 1700, "llm-1", "t-1", "Bash", input='{"command": "ls"}', output="a b", related_pid=43, exit_code=0),
    ProcessRow("process-43", 43, 42, 42, 1750, 1760, "ls", "/bin/ls", ("ls",), exit_code=0, status="success"),
    AuditRow("audit-1", 1200, "llm", 42, "claude", "sonnet", "request", "api/v1", "observed", "LLM request", {"a": 1}),
    NetworkRow("net-1", 42, "api.anthropic.com", "/v1/messages", "claude", 2, 1, 1200, 1900),
    ResourceRow("resource-1", 1500, 42, "claude", 1.5, 100),
    SessionRow("s-1", 1200, 1700, "claude", 42, model="sonnet", calls=1, input_tokens=10, output_tokens=5, total_tokens=20),
]


def encoded(view: View, **options: Any) -> Any:
    return json.loads(msgspec.json.encode(view.snapshot(completeness(()), now_ms=NOW_MS, **options)))


def filled(items: list[Output], room: int = ROOM) -> View:
    view = View(room=room)
    view.add(items)
    return view


def test_the_keys_are_those_of_version_1_and_then_ours() -> None:
    made = encoded(filled([EVENT, *ROWS]))
    assert [
        "schema_version",
        "generated_at",
        "summary",
        "token_summary",
        "network_targets",
        "process_nodes",
        "audit_events",
        "resource_samples",
        "sessions",
        "tool_calls",
        "llm_calls",
        "completeness",
        "not_kept",
        "last_event_id",
        "alerts",
    ] == list(made)
    assert (1, "2026-06-24T10:00:00Z") == (made["schema_version"], made["generated_at"])
    assert {
        "source": "live_capture",
        "view_events": 1,
        "llm_calls": 1,
        "token_usage_rows": 1,
        "audit_events": 1,
        "sessions": 1,
        "input_tokens": 10,
        "output_tokens": 5,
        "total_tokens": 20,
        "start_timestamp_ms": 900,
        "end_timestamp_ms": 1900,
        "audit_limit": 10_000,
    } == made["summary"]


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        (
            "token_summary",
            "group input_tokens output_tokens cache_creation_tokens cache_read_tokens total_tokens calls sessions",
        ),
        ("network_targets", "pid comm host path count error_count first_timestamp_ms last_timestamp_ms"),
        (
            "process_nodes",
            "id pid ppid root_pid start_timestamp_ms end_timestamp_ms comm command argv cwd exit_code status view_source "
            "confidence",
        ),
        ("audit_events", "id timestamp_ms audit_type pid comm subject action target status summary details"),
        ("resource_samples", "timestamp_ms pid comm cpu_percent rss_mb"),
        (
            "sessions",
            "id agent_type start_timestamp_ms end_timestamp_ms status model input_tokens output_tokens total_tokens "
            "view_source confidence attributes",
        ),
        (
            "tool_calls",
            "id session_id conversation_id timestamp_ms tool_name tool_call_id start_timestamp_ms end_timestamp_ms duration_ms "
            "status input output related_pid related_event_id view_source confidence",
        ),
        ("llm_calls", "id start_timestamp_ms end_timestamp_ms model status"),
    ],
)
def test_a_row_has_every_key_also_for_unknown_values(kind: str, keys: str) -> None:
    (row,) = encoded(filled(list(ROWS)))[kind]
    assert set(keys.split()) <= row.keys()


def test_without_rows_every_list_is_there_and_empty() -> None:
    made = encoded(View())
    assert 9 == sum(value == [] for value in made.values())
    assert made["summary"]["start_timestamp_ms"] is None
    assert {
        "complete": True,
        "entries": [],
        "cut_off": 0,
        "blind_spots": [],
        "calls_cut": 0,
        "commands_unseen": 0,
        "beginnings": [],
        "calls_unfinished": 0,
    } == made["completeness"]


def test_a_row_that_comes_again_replaces_the_earlier_one() -> None:
    pending, complete = CallRow("llm-1", 1000), CallRow("llm-1", 1000, 2000, status="complete")
    first, better = (
        TokenRow("t", "llm-1", 1, model="m", **counts_of(Usage(7))),
        TokenRow("t", "llm-1", 2, model="m", **counts_of(Usage(9))),
    )
    made = encoded(filled([pending, first, complete, better]))
    assert ["complete"] == [call["status"] for call in made["llm_calls"]]
    assert [(9, 1)] == [(group["total_tokens"], group["calls"]) for group in made["token_summary"]]
    assert (1, 1) == (made["summary"]["llm_calls"], made["summary"]["token_usage_rows"])


def test_the_orders() -> None:
    made = encoded(
        filled(
            [
                TokenRow("t1", "c1", 1, model="b", **counts_of(Usage(5))),
                TokenRow("t2", "c2", 1, model="a", **counts_of(Usage(5))),
                TokenRow("t3", "c3", 1, model="c", **counts_of(Usage(6))),
                NetworkRow("n1", 1, "b", "/", count=1),
                NetworkRow("n2", 1, "a", "/2", count=1),
                NetworkRow("n3", 1, "a", "/1", count=1),
                NetworkRow("n4", 1, "z", "/", count=2),
                ProcessRow("p2", 9, start_timestamp_ms=5),
                ProcessRow("p1", 8, start_timestamp_ms=5),
                ProcessRow("p3", 7, start_timestamp_ms=4),
                AuditRow("x", 3, "llm"),
                AuditRow("w", 3, "llm"),
                AuditRow("y", 2, "llm"),
                CallRow("c2", 2),
                CallRow("c1", 1),
            ]
        )
    )
    assert ["c", "a", "b"] == [group["group"] for group in made["token_summary"]]
    assert [("z", "/"), ("a", "/1"), ("a", "/2"), ("b", "/")] == [(row["host"], row["path"]) for row in made["network_targets"]]
    assert ["p3", "p1", "p2"] == [row["id"] for row in made["process_nodes"]]
    assert ["y", "w", "x"] == [row["id"] for row in made["audit_events"]]
    assert ["c1", "c2"] == [row["id"] for row in made["llm_calls"]]


def test_of_20005_audit_rows_the_newest_that_fit_are_kept_and_all_are_counted() -> None:
    view = filled([AuditRow(f"audit-{number}", number, "process") for number in range(20_005)])
    made = encoded(view, audit_limit=100_000)
    assert (20_005, 0) == (made["summary"]["audit_events"], made["summary"]["start_timestamp_ms"])
    most = ROOM // weight_of(AuditRow("audit-1", 1, "process"))
    assert (most, 20_005 - most) == (len(made["audit_events"]), made["audit_events"][0]["timestamp_ms"])
    assert 20_005 - most == made["not_kept"]["audit_events"]
    assert [20_003, 20_004] == [row["timestamp_ms"] for row in encoded(view, audit_limit=2)["audit_events"]]
    assert [] == encoded(view, audit_limit=0)["audit_events"]


def test_rows_of_all_kinds_share_the_bytes_and_evicted_ones_are_counted() -> None:
    rows: list[Row] = []
    for number in range(5):
        rows += [
            CallRow(f"c{number}", number, prompt="x" * 400),
            ToolRow(f"t{number}", number, f"c{number}", "", "Bash"),
            ProcessRow(f"p{number}", number, start_timestamp_ms=number),
            NetworkRow(f"n{number}", 1, f"{number}"),
            ResourceRow(f"r{number}", number, 1),
            SessionRow(f"s{number}", number),
        ]
    room = 12_000
    made = encoded(filled([*rows], room))
    kinds = ("llm_calls", "tool_calls", "process_nodes", "network_targets", "resource_samples", "sessions")
    assert {5} == {len(made[kind]) + made["not_kept"][kind] for kind in kinds}
    assert ("c4", "t4", "p4") == tuple(made[kind][-1]["id"] for kind in kinds[:3])
    sizes = [weight_of(next(row for row in rows if getattr(row, "id", "").startswith(kind))) for kind in "ctpnrs"]
    assert room - max(sizes) < sum(size * len(made[kind]) for size, kind in zip(sizes, kinds, strict=True)) <= room


def test_tokens_of_evicted_calls_still_count() -> None:
    rows: list[Row] = [TokenRow(f"t{number}", f"c{number}", 1, model="m", **counts_of(Usage(2))) for number in range(5)]
    made = encoded(filled([*rows], room=2 * weight_of(rows[0])))
    assert [("m", 10, 5)] == [(group["group"], group["total_tokens"], group["calls"]) for group in made["token_summary"]]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"command": "ls"}', {"command": "ls"}),
        ("", {}),
        ("{broken", "{broken"),
        ("[" * 100_000 + "]" * 100_000, "[" * 100_000 + "]" * 100_000),
        ('"<img src=x onerror=alert(1)>"', "<img src=x onerror=alert(1)>"),
    ],
    ids=["json", "nothing", "broken", "too deep", "a string"],
)
def test_the_input_of_a_tool_is_json_where_it_is_valid_json(text: str, value: object) -> None:
    (tool,) = encoded(filled([ToolRow("t", 1, "c", "", "Bash", input=text)]))["tool_calls"]
    assert (value, None) == (tool["input"], tool["output"])


def test_a_copy_does_not_change_with_the_view() -> None:
    view = filled(list(ROWS))
    before = encoded(view)
    twin = view.copy()
    view.add(
        [
            EVENT,
            CallRow("llm-2", 1),
            TokenRow("t2", "llm-2", 1, model="sonnet", **counts_of(Usage(9))),
            AuditRow("a2", 1, "llm"),
        ]
    )
    assert before == encoded(twin)
    assert 2 == encoded(view)["summary"]["llm_calls"]


def test_completeness_separates_losses_from_intended_ones() -> None:
    filtered, lost = Entry("filter_http", Reason.FILTERED, 3), Entry("tls", Reason.KERNEL_LOST, 2, 100)
    assert completeness([filtered]).complete
    made = completeness([lost, filtered, lost])
    assert not made.complete
    assert [("tls", 4, 200, False), ("filter_http", 3, 0, True)] == [
        (entry.stage, entry.count, entry.size, entry.intended) for entry in made.entries
    ]
    assert not completeness([], Gaps(unended=(Recording(1, 1),))).complete


def test_a_store_gives_the_same_snapshot_as_the_live_view() -> None:
    store = MemoryStore()
    store.commit([*map(put, ROWS), Put(SEGMENTS, 1, Segment((EVENT, EVENT))), Put(RUNS, 1, Recording(1, 0, ended=True))])
    stored = json.loads(msgspec.json.encode(read_snapshot(store, now_ms=NOW_MS)))
    live = encoded(view := filled([EVENT, EVENT, *ROWS]))
    live["completeness"] = json.loads(msgspec.json.encode(completeness((), gaps_of(view.tally, ()))))
    assert ("lmdb", "live_capture") == (stored["summary"].pop("source"), live["summary"].pop("source"))
    assert live == stored


def test_a_store_of_several_pages_and_recordings_is_read_completely() -> None:
    store = MemoryStore()
    lost = Entry("tls", Reason.KERNEL_LOST, 2)
    store.commit(
        [
            *(put(ProcessRow(f"p{number}", number, start_timestamp_ms=number)) for number in range(2500)),
            *(Put(LOSSES, (number, "tls", "kernel_lost"), lost) for number in (1, 2)),
            Put(RUNS, 1, Recording(1, 0, ended=True)),
            Put(RUNS, 2, Recording(2, 0)),
        ]
    )
    made = read_snapshot(store, now_ms=NOW_MS)
    assert list(range(2500)) == [row["pid"] for row in made.process_nodes]
    assert (False, 1, 4) == (made.completeness.complete, made.completeness.cut_off, made.completeness.entries[0].count)
