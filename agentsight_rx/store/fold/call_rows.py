"""A request, an answer -> the rows of a call: CallRow, TokenRow, AuditRow."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from ...core.bounded import Recent
from ...core.start import regex
from ...events import HttpRequest, HttpResponse, Reply, SseMessage, milliseconds
from ...events.tokens import Usage, counts_of
from ...llm import BODY, NOT_UNDERSTOOD, Asked, New, Provider, new_in, provider_at
from ...llm.agents.said import aside_of, typed
from ...llm.canonical import Parameters
from ...wire.http1_head import field
from ..rows.ids import process_of, scheme_of
from ..rows.kinds import AuditRow, CallRow, Row, RowGone, TokenRow, UnknownRow
from ..words import cut

TEXT_MOST = 65_536  # characters of prompt and answer that a row keeps; the event log has all
WRITTEN_MOST = 200  # of a text that no person typed
_COMPACTS = regex(r"/responses/compact/?(?:\?|\Z)")  # developers.openai.com/api/docs/guides/compaction
_OUTCOMES = {"error": "failure", "complete": "success"}
_COUNT_MOST = 2**63 - 1  # a store and a collector hold no more

# What a request or a reply says, and the row has under the same name
_ASKED = tuple(name for name in Parameters.__struct_fields__ if name in CallRow.__struct_fields__)
_OWN = {"id", "model", "text", "thinking", "unknown"}  # of a reply; those of the row are not quite the same
_REPLIED = tuple(name for name in Reply.__struct_fields__ if name in CallRow.__struct_fields__ and name not in _OWN)


def asked_row(event: HttpRequest, id: str, provider: Provider, asked: Asked) -> CallRow:
    """The row of a call that has begun."""
    origin, host = event.origin, field(event.headers, "host")
    new: New = new_in(asked)
    prompt = typed(new.text)
    parameters = {name: getattr(asked.parameters, name) for name in _ASKED}
    if not 0 <= (parameters["max_tokens"] or 0) <= _COUNT_MOST:
        parameters["max_tokens"] = None
    return CallRow(
        id,
        milliseconds(origin.wall_ns),
        pid=origin.pid,
        comm=origin.comm,
        provider=provider_at(host, provider),
        model=asked.model or None,
        call_kind=provider.name,
        host=host,
        path=event.target,
        complete=event.complete,
        reason=event.reason,
        session_id=asked.session_id,
        conversation_id=asked.conversation_id,
        prompt=prompt[:TEXT_MOST],
        aside=_aside(event, asked, prompt),
        process_id=process_of(origin),
        stream=asked.stream,
        start_ns=origin.wall_ns,
        scheme=scheme_of(origin),
        operation=asked.operation or provider.operation,
        previous_response_id=asked.previous_response_id,
        new_results=len(new.results),
        messages=len(asked.messages),
        unknown=asked.unknown,
        **parameters,
        written="" if prompt or new.results else cut(" ".join((new.text or new.written)[:TEXT_MOST].split()), WRITTEN_MOST),
    )


def _aside(event: HttpRequest, asked: Asked, prompt: str) -> str:
    if _COMPACTS.search(event.target):
        return "summary"
    return aside_of(_instructions(asked), prompt, tools=len(asked.tools)) if prompt else ""


def _instructions(asked: Asked) -> str:
    return "\n".join(text for each in asked.messages if each.role in ("system", "developer") for text in each.texts())


def asked_rows(row: CallRow, event: HttpRequest) -> list[Row]:
    """The row and its line in the audit trail."""
    audit = AuditRow(
        f"audit-{row.id}-request",
        row.start_timestamp_ms,
        audit_type="llm",
        pid=row.pid,
        comm=row.comm,
        subject=row.model,
        action="request",
        target=f"{row.host}{event.target}",
        status="observed" if event.complete else "partial",
        summary="LLM request",
        details={"prompt": row.prompt, "bytes": len(event.body), "reason": event.reason},
        process_id=row.process_id,
        session_id=row.session_id,
    )
    return [row, audit]


def unasked_row(event: SseMessage, id: str, provider: Provider) -> CallRow:
    """The row of an answer whose request was not seen."""
    origin = event.origin
    return CallRow(
        id,
        milliseconds(origin.wall_ns),
        pid=origin.pid,
        comm=origin.comm,
        provider=provider_at(event.host, provider),
        call_kind=event.dialect,
        host=event.host,
        path=event.target,
        complete=False,
        reason="request_unseen",
        match_method="none",
        confidence=0.35,
        process_id=process_of(origin),
        stream=True,
        start_ns=origin.wall_ns,
        scheme=scheme_of(origin),
    )


def ended_row(asked: CallRow, event: HttpResponse | SseMessage, reply: Reply, *, start_ns: int, more: bool) -> CallRow:
    """The row with its answer, or with the part that came before the stream fell silent. `start_ns`: kernel's time."""
    origin, status, end_ns = event.origin, event.status, event.end_ns
    first_ns = event.first_chunk_ns if isinstance(event, SseMessage) else 0
    failed = status >= 400 or reply.error is not None
    is_read = BODY not in reply.unknown
    whole = event.complete and asked.complete and is_read
    to_wall = origin.wall_ns - origin.time_ns
    return replace(
        asked,
        **{name: getattr(reply, name) for name in _REPLIED},
        model=asked.model or reply.model or None,
        text=(reply.text or reply.error or "")[:TEXT_MOST],
        thinking=reply.thinking[:TEXT_MOST],
        unknown=tuple(dict.fromkeys((*asked.unknown, *reply.unknown))) if reply.unknown else asked.unknown,
        end_timestamp_ms=milliseconds(end_ns + to_wall),
        status_code=status or None,
        status="error" if failed else "complete" if whole else "partial",
        complete=whole,
        reason=asked.reason or event.reason or (None if is_read or failed else NOT_UNDERSTOOD),
        error_type=_error_type(status, reply.error) if failed else None,
        **counts_of(reply.usage or Usage()),
        time_to_first_chunk_ms=milliseconds(first_ns - start_ns) if first_ns else None,
        response_id=reply.id or None,
        response_model=reply.model or None,
        first_chunk_ns=first_ns + to_wall if first_ns else 0,
        end_ns=end_ns + to_wall,
        more=more,
        match_method="inferred" if event.inferred and asked.match_method == "connection" else asked.match_method,
        confidence=min(asked.confidence, 0.75) if event.inferred else asked.confidence,
        tools=len(reply.tool_calls),
        retry_after_s=_retry_after(event) if failed else None,
    )


def _retry_after(event: HttpResponse | SseMessage) -> int | None:
    """RFC 9110, 10.2.3; as a date it says no number of seconds."""
    headers = event.headers if isinstance(event, HttpResponse) else ()
    value = next((value for name, value in headers if name.lower() == "retry-after"), "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) <= 6 else None


def _error_type(status: int, error: str | None) -> str | None:
    return f"http_{status}" if status >= 400 else (error or "").partition(":")[0] or None


def ended_rows(row: CallRow) -> list[Row]:
    """The row, what it cost, and its line in the audit trail."""
    rows: list[Row] = [row]
    end_ms = row.end_timestamp_ms or row.start_timestamp_ms
    if row.total_tokens and row.twin is None:
        rows.append(
            TokenRow(
                f"token-{row.id}",
                row.id,
                timestamp_ms=end_ms,
                pid=row.pid,
                comm=row.comm,
                provider=row.provider,
                model=row.model,
                **counts_of(row.usage),
            )
        )
    rows.append(
        AuditRow(
            f"audit-{row.id}-call",
            end_ms,
            audit_type="llm",
            pid=row.pid,
            comm=row.comm,
            subject=row.model,
            action="call",
            target=f"{row.host or ''}{row.path or ''}",
            status=_OUTCOMES.get(row.status, "partial"),
            summary="LLM call",
            details={"finish_reason": row.finish_reason, "total_tokens": row.total_tokens, "reason": row.reason},
            process_id=row.process_id,
            session_id=row.session_id,
        )
    )
    return rows


def tokens_gone(row: CallRow) -> list[Row]:
    """What it cost is another call's."""
    return [RowGone(line) for line in ended_rows(row) if isinstance(line, TokenRow)]


# -- unknown fields ------------------------------------------------------------------------------------------------
# The fields that could not be read -> UnknownRow, one a provider and field.


_MOST = 1024  # the names are those of our own types, but an array of arrays makes more of them


class UnknownFields:
    """How often each field could not be read."""

    def __init__(self) -> None:
        self._rows: Recent[str, UnknownRow] = Recent(_MOST)

    def note(self, call: CallRow, fields: Iterable[str]) -> list[Row]:
        rows: list[Row] = []
        time_ms = call.end_timestamp_ms or call.start_timestamp_ms
        for name in fields:
            provider = call.call_kind or "unknown"
            key = f"unknown-{provider}-{name}"
            known = self._rows.get(key) or UnknownRow(
                key, time_ms, provider=provider, field=name, count=0, first_call_id=call.id
            )
            row = replace(known, count=known.count + 1, timestamp_ms=time_ms)
            self._rows.put(key, row)
            rows.append(row)
        return rows

    def get(self, id: str) -> UnknownRow | None:
        return self._rows.get(id)

    def snapshot(self) -> list[UnknownRow]:
        return list(self._rows.values())

    def restore(self, state: list[UnknownRow]) -> None:
        self._rows.clear()
        self._rows.update({row.id: row for row in state})
