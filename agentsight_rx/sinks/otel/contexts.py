"""Requests and the rows of their calls -> the tokens of the context by origin, and a lost cache, as fields of a span."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...core.bounded import Recent, Weighed
from ...events import HttpRequest
from ...view import CallRow
from ...view.queries.context_falls import is_beside
from ...view.queries.context_reader import Reader
from ...view.queries.context_words import ORIGINS

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

__all__ = ["Contexts", "context_field"]

_AGENTS_MOST = 32  # of which the context is kept, with its newest request
_ASKED_MOST, _ASKED_HEAVIEST = 256, 32 << 20  # requests whose spans have not ended, and the characters of their bodies
_PIECES_MOST = 20_000  # of one agent, some MB; then it is begun anew


def context_field(origin: str, /) -> str:
    """The field of the tokens of an origin."""
    return f"context_{origin}"


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
