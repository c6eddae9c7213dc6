"""HttpRequest, HttpResponse, SseMessage of models -> CallRow, TokenRow and AuditRow, paired by connection and exchange."""

from __future__ import annotations

from hashlib import blake2b

from msgspec import Struct
from msgspec.structs import replace

from ..core.bounded import Recent
from ..events import HttpRequest, HttpResponse, Reply, SseMessage, TlsClose, milliseconds
from ..llm import PROVIDERS, Prompt, find, provider_label, provider_named
from ..wire.http1 import field
from .ids import call_id, connection_id, process_of, scheme_of
from .rows import AuditRow, CallRow, Row, TokenRow

__all__ = ["Calls", "Outcome"]

_OPEN_MOST = 4096
_END = 4096  # bytes of a body
_EARLY_MOST = 256
_LABELS = {provider.name: provider.label for provider in PROVIDERS if provider.path is not None}
_TEXT_MOST = 65_536  # characters of prompt and answer that a row keeps; the event log has all
_COUNT_MOST = 2**63 - 1  # a store and a collector hold no more


class Outcome(Struct, frozen=True):
    """The rows that one event gives; where it ended a call, also the call and its reply, where it began one, its prompt."""

    rows: list[Row]
    call: CallRow | None = None
    reply: Reply | None = None
    prompt: Prompt | None = None


_NOTHING = Outcome([])


class _Open(Struct):
    row: CallRow
    start_ns: int
    connection: str
    asked: bytes = b""  # a digest of what was asked, where a client asked
    partial: CallRow | None = None  # the answer so far of a stream that fell silent


class CallsState(Struct, array_like=True):
    """What `Calls.snapshot` keeps."""

    open: list[tuple[str, _Open]]
    early: list[tuple[str, HttpResponse | SseMessage]]
    done: list[str]


class Calls:
    """The calls that have not ended."""

    def __init__(self) -> None:
        self._open: Recent[str, _Open] = Recent(_OPEN_MOST)
        self._done: Recent[str, None] = Recent(_OPEN_MOST)  # calls whose answer was complete
        # answers that came before their requests had ended
        self._early: Recent[str, HttpResponse | SseMessage] = Recent(_EARLY_MOST)

    def request(self, event: HttpRequest) -> Outcome:
        provider = find(field(event.headers, "host") or "", event.target) if event.method == "POST" else None
        if provider is None:
            return _NOTHING
        origin, host = event.origin, field(event.headers, "host")
        prompt = provider.prompt(event.body, event.target)
        row = CallRow(
            call_id(origin, event.exchange),
            milliseconds(origin.wall_ns),
            pid=origin.pid,
            comm=origin.comm,
            provider=provider_label(host or "") or provider.label,
            model=prompt.model or None,
            call_kind=provider.name,
            host=host,
            path=event.target,
            complete=event.complete,
            reason=event.reason,
            session_id=prompt.session_id,
            conversation_id=prompt.conversation_id,
            prompt=prompt.last_user_text[:_TEXT_MOST],
            process_id=process_of(origin),
            stream=prompt.stream,
            max_tokens=prompt.max_tokens if 0 <= (prompt.max_tokens or 0) <= _COUNT_MOST else None,
            temperature=prompt.temperature,
            top_p=prompt.top_p,
            start_ns=origin.wall_ns,
            scheme=scheme_of(origin),
        )
        evicted: list[Row] = []
        while len(self._open) >= _OPEN_MOST:
            evicted.append(self._abort(next(iter(self._open)), "evicted", None))
        asked = _asked(event.target, event.body)
        if origin.direction == "in":
            row = replace(row, twin=self._client_of(asked, origin.pid))
            asked = b""
        self._open[row.id] = _Open(row, origin.time_ns, connection_id(origin), asked)
        audit = AuditRow(
            f"audit-{row.id}-request",
            row.start_timestamp_ms,
            audit_type="llm",
            pid=origin.pid,
            comm=origin.comm,
            subject=row.model,
            action="request",
            target=f"{host}{event.target}",
            status="observed" if event.complete else "partial",
            summary="LLM request",
            details={"prompt": row.prompt, "bytes": len(event.body), "reason": event.reason},
        )
        early = self._early.pop(row.id, None)
        if early is None:
            return Outcome([*evicted, row, audit], prompt=prompt)
        ended = self.stream(early) if isinstance(early, SseMessage) else self.response(early)
        return Outcome([*evicted, row, audit, *ended.rows], ended.call, ended.reply, prompt)

    def _client_of(self, asked: bytes, server: int) -> str | None:
        """The open call of a client that asked just this of a server in the same tree."""
        return next((key for key, each in self._open.items() if each.asked == asked and each.row.pid != server), None)

    def response(self, event: HttpResponse) -> Outcome:
        key = call_id(event.origin, event.exchange)
        open_call = self._open.get(key)
        if event.streaming or 100 <= event.status < 200 or key in self._done:
            return _NOTHING
        if open_call is None:
            self._keep_early(key, event)
            return _NOTHING
        if not event.status:  # the stream was reset before an answer
            return Outcome([self._abort(key, event.reason or "reset", event.origin.wall_ns)])
        provider = provider_named(open_call.row.call_kind)
        return self._end(event, provider.response(event.body) if provider else Reply())

    def _keep_early(self, key: str, event: HttpResponse | SseMessage) -> bool:
        """A server may answer before it has read the whole request (RFC 9112 9.3): keep the answer until the request ends."""
        if event.method != "POST" or event.target is None or find(event.host or "", event.target) is None:
            return False
        self._early.put(key, event)
        return True

    def stream(self, event: SseMessage) -> Outcome:
        key = call_id(event.origin, event.exchange)
        if key in self._done:  # after its end mark an answer has nothing new
            return _NOTHING
        if key not in self._open:
            if event.dialect not in _LABELS or self._keep_early(key, event):
                return _NOTHING
            return self._unasked(event)
        return self._end(event, event.reply)

    def _unasked(self, event: SseMessage) -> Outcome:
        """An answer whose request was not seen."""
        origin, key = event.origin, call_id(event.origin, event.exchange)
        row = CallRow(
            key,
            milliseconds(origin.wall_ns),
            pid=origin.pid,
            comm=origin.comm,
            provider=provider_label(event.host) if event.host else _LABELS[event.dialect],
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
        self._open[key] = _Open(row, origin.time_ns, connection_id(origin))
        return self._end(event, event.reply)

    def _end(self, event: HttpResponse | SseMessage, reply: Reply) -> Outcome:
        """The answer of a call, or the part of it that came before the stream fell silent."""
        origin, status, end_ns = event.origin, event.status, event.end_ns
        key = call_id(origin, event.exchange)
        first_ns = event.first_chunk_ns if isinstance(event, SseMessage) else 0
        more = isinstance(event, SseMessage) and event.reason == "timeout"
        open_call = self._open[key] if more else self._open.pop(key)
        if event.complete and not more:
            self._done.put(key, None)
        asked = open_call.row
        usage = reply.usage
        failed = status >= 400 or reply.error is not None
        whole = event.complete and asked.complete
        to_wall = origin.wall_ns - origin.time_ns
        end_ms = milliseconds(end_ns + to_wall)
        row = replace(
            asked,
            end_timestamp_ms=end_ms,
            model=asked.model or reply.model or None,
            status_code=status or None,
            status="error" if failed else "complete" if whole else "partial",
            complete=whole,
            reason=asked.reason or event.reason,
            error_type=f"http_{status}" if status >= 400 else (reply.error or "").partition(":")[0] or None,
            finish_reason=reply.finish_reason,
            input_tokens=usage.input if usage else 0,
            output_tokens=usage.output if usage else 0,
            cache_creation_tokens=usage.cache_creation if usage else 0,
            cache_read_tokens=usage.cache_read if usage else 0,
            total_tokens=usage.total if usage else 0,
            time_to_first_chunk_ms=milliseconds(first_ns - open_call.start_ns) if first_ns else None,
            text=(reply.text or reply.error or "")[:_TEXT_MOST],
            thinking=reply.thinking[:_TEXT_MOST],
            response_id=reply.id or None,
            response_model=reply.model or None,
            reasoning_tokens=usage.reasoning if usage else 0,
            first_chunk_ns=first_ns + to_wall if first_ns else 0,
            end_ns=end_ns + to_wall,
            more=more,
            match_method="inferred" if event.inferred and asked.match_method == "connection" else asked.match_method,
            confidence=min(asked.confidence, 0.75) if event.inferred else asked.confidence,
        )
        open_call.partial = row if more else None
        rows: list[Row] = [row]
        if usage is not None and usage.total and row.twin is None:
            rows.append(
                TokenRow(
                    f"token-{row.id}",
                    row.id,
                    timestamp_ms=end_ms,
                    pid=row.pid,
                    comm=row.comm,
                    provider=row.provider,
                    model=row.model,
                    input_tokens=usage.input,
                    output_tokens=usage.output,
                    cache_creation_tokens=usage.cache_creation,
                    cache_read_tokens=usage.cache_read,
                    total_tokens=usage.total,
                    reasoning_tokens=usage.reasoning,
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
                status="failure" if failed else "success" if whole else "partial",
                summary="LLM call",
                details={
                    "text_content": row.text,
                    "finish_reason": row.finish_reason,
                    "total_tokens": row.total_tokens,
                    "reason": row.reason,
                },
            )
        )
        return Outcome(rows, row, reply)

    def close(self, event: TlsClose) -> list[Row]:
        """The connection is closed: the calls on it get no answer."""
        gone = connection_id(event.origin)
        rows = self._unasked_rows([key for key, each in self._early.items() if connection_id(each.origin) == gone])
        keys = [key for key, each in self._open.items() if each.connection == gone]
        return [*rows, *(self._abort(key, "closed", event.origin.wall_ns) for key in keys)]

    def finish(self) -> list[Row]:
        """The capture ends: open calls have no answer."""
        rows = self._unasked_rows(list(self._early))
        return [*rows, *(self._abort(key, "capture_end", None) for key in list(self._open))]

    def _unasked_rows(self, keys: list[str]) -> list[Row]:
        """Answers that were kept for requests which never came."""
        early = [self._early.pop(key) for key in keys]
        return [row for event in early if isinstance(event, SseMessage) for row in self._unasked(event).rows]

    def _abort(self, key: str, reason: str, end_ns: int | None) -> CallRow:
        open_call = self._open.pop(key)
        if open_call.partial:
            return replace(open_call.partial, more=False)
        row, end_ms = open_call.row, None if end_ns is None else milliseconds(end_ns)
        reason = row.reason or reason
        return replace(row, status="aborted", complete=False, reason=reason, end_timestamp_ms=end_ms, end_ns=end_ns or 0)

    def snapshot(self) -> CallsState:
        return CallsState(list(self._open.items()), list(self._early.items()), list(self._done))

    def restore(self, state: CallsState) -> None:
        self._open.update(state.open)
        self._early.update(state.early)
        self._done.update(dict.fromkeys(state.done))


def _asked(target: str, body: bytes) -> bytes:
    """What both ends of a call have in common. Of a long body its ends and length: all of 60 kB would take 90 us."""
    ends = body if len(body) <= 2 * _END else body[:_END] + body[-_END:]
    return blake2b(f"{target}\n{len(body)}\n".encode() + ends, digest_size=16).digest()
