"""The snapshot (schema version 1): the values that become the JSON of a page or an export."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from ...events.loss import Entry, Reason
from ...events.tokens import Counts
from ...store.rows.gaps import Gaps, sentence_of
from ...store.rows.kinds import AnyRow, SessionRow, ToolRow

Value: TypeAlias = dict[str, object]  # a JSON object


class Summary(Struct, frozen=True):
    source: str
    view_events: int
    llm_calls: int
    token_usage_rows: int
    audit_events: int
    sessions: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    start_timestamp_ms: int | None
    end_timestamp_ms: int | None
    audit_limit: int


class TokenGroup(Counts, frozen=True, omit_defaults=False):
    """The tokens of the calls of one model."""

    group: str
    calls: int
    sessions: int


class Session(Struct):
    """A session in the fields of the original; what it lacks is in `attributes`."""

    id: str
    agent_type: str | None
    start_timestamp_ms: int
    end_timestamp_ms: int | None = None
    status: str = "observed"
    model: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    view_source: str = "view"
    confidence: float | None = 1.0
    attributes: Value = {}


def session_of(row: SessionRow) -> Session:
    """The session of a row."""
    return Session(
        row.id,
        row.agent or row.program or row.comm,
        row.start_timestamp_ms,
        end_timestamp_ms=row.end_timestamp_ms,
        status=row.status,
        model=row.model,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        total_tokens=row.total_tokens,
        view_source=row.view_source,
        confidence=row.confidence,
        attributes={
            "prompt_preview": row.title,
            "cwd": row.cwd,
            "pid": row.pid,
            "process_id": row.process_id,
            "calls": row.calls,
            "tools": row.tools,
            "named": row.named,
            "agent_version": row.agent_version or None,
            "parent_session_id": row.parent_session_id,
        },
    )


class LossEntry(Struct, frozen=True):
    stage: str
    reason: Reason
    count: int
    size: int
    intended: bool


class Completeness(Struct, frozen=True):
    """
    Whether anything is missing. `cut_off` counts the recordings without an orderly end: what they miss is unknown.
    `blind_spots` has a sentence for each process of which traffic was not read. `calls_cut` counts the calls of which a part
    was not captured, `calls_unfinished` calls that ended before their answer did, `commands_unseen` commands of a model
    that came back without a process that was seen. `beginnings` has a sentence for each agent that ran before the capture,
    so that its earlier calls are not here.
    """

    complete: bool
    entries: tuple[LossEntry, ...]
    cut_off: int = 0
    blind_spots: tuple[str, ...] = ()
    calls_cut: int = 0
    commands_unseen: int = 0
    beginnings: tuple[str, ...] = ()
    calls_unfinished: int = 0


class Snapshot(Struct, frozen=True):
    """
    Schema version 1; the fields after `tool_calls` are additions of ours. No field is left out; an unknown value is null.

    `not_kept` counts the rows of each kind that were evicted from the view; a store has them. `last_event_id` is the number
    of the newest row in here, after which a stream of rows goes on.
    """

    schema_version: int
    generated_at: str
    summary: Summary
    token_summary: list[TokenGroup]
    network_targets: list[Value]
    process_nodes: list[Value]
    audit_events: list[Value]
    resource_samples: list[Value]
    sessions: list[Session]
    tool_calls: list[Value]
    llm_calls: list[Value]
    completeness: Completeness
    not_kept: dict[str, int]
    last_event_id: int = 0
    alerts: list[Value] = []


def completeness(entries: Iterable[Entry], gaps: Gaps = Gaps()) -> Completeness:  # noqa: B008 (frozen)
    """Entries of one or more ledgers -> whether anything is missing that was not left out on purpose, or of `gaps`."""
    sums: dict[tuple[str, Reason], tuple[int, int]] = {}
    for entry in entries:
        count, size = sums.get((entry.stage, entry.reason), (0, 0))
        sums[entry.stage, entry.reason] = (count + entry.count, size + entry.size)
    losses = tuple(LossEntry(stage, reason, *sums[stage, reason], reason.intended) for stage, reason in sums)
    return Completeness(
        not gaps.count and all(entry.intended for entry in losses),
        losses,
        len(gaps.unended),
        tuple(map(sentence_of, gaps.blind_spots)),
        calls_cut=gaps.calls_cut,
        commands_unseen=gaps.commands_unseen,
        beginnings=tuple(each.said for each in gaps.beginnings),
        calls_unfinished=gaps.calls_unfinished,
    )


def value_of(row: AnyRow) -> Value:
    """A row with every field; unknown ones are null. The input of a tool is JSON where it can be, else text."""
    value: Value = asdict(row)
    if isinstance(row, ToolRow):
        value["input"] = _json(row.input)
        value["output"] = row.output or None
    return value


def _json(text: str) -> object:
    """`text` unchanged if it is JSON, so that its depth does not matter."""
    try:
        return msgspec.json.decode(text, type=msgspec.Raw) if text else {}
    except (msgspec.DecodeError, RecursionError):
        return text
