"""CallRow -> the fields of the span of a call that has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ...core.bounded import Recent, Weighed
from ...core.start import regex
from ...events import HttpRequest
from ...llm import provider_named
from ...store.rows.kinds import SAID
from ...view import CallRow
from ...view.queries.context.falls import is_beside
from ...view.queries.context.reader import Reader
from ...view.queries.context.words import ORIGINS
from .names import SPANS, context_field

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue


INT_MOST = 2**63 - 1  # of OTLP

_APIS = (("/chat/completions", "chat_completions"), ("/responses", "responses"))  # part of a path -> `openai.api.type`
_OPENAI = ("openai", "azure.ai.openai")
# Fields of the row that the table names
_AS_THEY_ARE = tuple(name.field for name in SPANS["chat"] if name.field in CallRow.__struct_fields__)


def fields_of_call(row: CallRow) -> dict[str, AttributeValue | None]:
    """By the names of the table; None where unknown. A field of the row that is sent as it is has its own name there."""
    path = (row.path or "").partition("?")[0]
    api = next((api for part, api in _APIS if part in path), None)
    provider = provider_of(row)
    address, port = _server(row.host, row.scheme)
    request_seen, counted = row.match_method != "none", row.total_tokens > 0
    fields: dict[str, AttributeValue | None] = {name: getattr(row, name) for name in _AS_THEY_ARE}
    if row.view_source == SAID:
        fields |= {"complete": None, "scheme": None}  # which the agent's own file does not say
    return fields | {
        "provider": provider,
        "error": _error_type(row),
        "conversation": row.conversation_id or row.session_id,
        "model": row.model if request_seen else None,
        "stream": row.stream or None,
        "finish_reasons": (row.finish_reason,) if row.finish_reason else None,
        "first_chunk_s": _first_chunk_s(row) if request_seen else None,
        "input_tokens": min(row.asked_tokens, INT_MOST) if counted else None,
        "output_tokens": row.output_tokens if counted else None,
        "cache_read_tokens": row.cache_read_tokens or None,
        "cache_write_tokens": row.cache_creation_tokens or None,
        "cache_creation_tokens": row.cache_creation_tokens or None,
        "reasoning_tokens": row.reasoning_tokens or None,
        "api": api if provider in _OPENAI else None,
        "address": address,
        "port": port,
        "call": row.id,
        "session": row.session_id,
        "turn": row.turn or None,
    }


def call_times(row: CallRow) -> tuple[int, int]:
    """Start and end, in Unix time."""
    start_ns = max(0, row.start_ns or row.start_timestamp_ms * 1_000_000)
    end_ns = row.end_ns or (row.end_timestamp_ms or 0) * 1_000_000
    return start_ns, max(start_ns, end_ns)


def failure_of(row: CallRow, words: str) -> str | None:
    """
    The description of a failed call; None where it did not fail. The provider's `words` are content, as they may repeat parts
    of the request.
    """
    kind = _error_type(row)
    if kind is None:
        return None
    if row.status == "aborted":
        return "the connection was closed before an answer"
    if (row.status_code or 0) < 400:
        return kind
    return ": ".join(filter(None, (f"HTTP {row.status_code}", words)))


def provider_of(row: CallRow) -> str:
    """Unknown host: the provider whose dialect it uses, as the conventions say."""
    provider = provider_named(row.call_kind)
    label = provider.label if provider else row.call_kind
    return (label if row.provider == row.host else row.provider) or label or "unknown"


def _server(host: str | None, scheme: str) -> tuple[str | None, int | None]:
    """Name and port of a `host` header; where it has no port, the one of the scheme."""
    try:
        parts = urlsplit(f"//{host or ''}")
        address, port = parts.hostname, parts.port
    except ValueError:
        address, port = host, None
    return (address, port or (80 if scheme == "http" else 443)) if address else (None, None)


def _first_chunk_s(row: CallRow) -> float | None:
    return max(0, row.first_chunk_ns - row.start_ns) / 1e9 if row.first_chunk_ns and row.start_ns else None


_CODE = regex(r"[\w.-]{1,64}")


def _error_type(row: CallRow) -> str | None:
    """A value of few kinds, to count by: a status or a provider's code. The rest of an error message may be any text."""
    if row.status == "aborted":
        return "connection_closed"
    if row.status != "error":
        return None
    if (row.status_code or 0) >= 400:
        return str(row.status_code)
    return row.error_type if _CODE.fullmatch(row.error_type or "") else "_OTHER"


# -- contexts ------------------------------------------------------------------------------------------------------
# Requests and the rows of their calls -> the tokens of the context by origin, and a lost cache, as fields of a span.


_AGENTS_MOST = 32  # of which the context is kept, with its newest request
_ASKED_MOST, _ASKED_HEAVIEST = 256, 32 << 20  # requests whose spans have not ended, and the characters of their bodies
_PIECES_MOST = 20_000  # of one agent, some MB; then it is begun anew


class Contexts:
    """
    The contexts of the agents whose calls come. Each is counted once, when its span ends: until then a late source may say that
    the call is of another session.
    """

    def __init__(self) -> None:
        self._asked: Weighed[str, HttpRequest] = Weighed(_ASKED_MOST, _ASKED_HEAVIEST, _size_of, least=1)
        self._agents: Recent[tuple[str | None, str | None], Reader] = Recent(_AGENTS_MOST)

    def asked(self, call: str, request: HttpRequest, /) -> None:
        """A call began."""
        self._asked.put(call, request)

    def of(self, row: CallRow, /) -> Mapping[str, AttributeValue]:
        """The fields of a call whose span ends; none where its request was not seen, or is no part of the conversation."""
        request = self._asked.pop(row.id)
        if request is None or is_beside(row) or row.twin is not None:
            return {}
        agent = row.session_id, row.agent_id
        reader = self._agents.use(agent)
        if reader is None or reader.pieces > _PIECES_MOST:
            reader = Reader(row.agent_id)
            self._agents.put(agent, reader)
        turn = reader.add(row, request, None)
        found: dict[str, AttributeValue] = {
            context_field(origin): turn.sums[origin] for origin in ORIGINS if origin in turn.sums
        }
        if turn.usage is None and found:
            found["context_estimated"] = True
        if turn.lost is not None:
            found["cache_lost_tokens"] = turn.lost.tokens
            if turn.lost.cause is not None:
                found["cache_lost_reason"] = turn.lost.cause.kind
        if turn.compaction is not None:
            found["context_dropped"] = turn.compaction.tokens
        return found


def _size_of(request: HttpRequest) -> int:
    return len(request.body)
