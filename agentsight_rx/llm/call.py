"""HttpRequest, HttpResponse or SseMessage -> LlmCall: one call of a model, whole."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from ..events import HttpRequest, HttpResponse, Reply, SseEvent, SseMessage
from .canonical import Answer, Asked, LlmCall, ReasoningPart, TextPart, ToolCallPart
from .provider import Provider
from .reader import BODY, NOT_UNDERSTOOD, Draft, StreamReader
from .table import find, provider_at, provider_named


def call_of(
    request: HttpRequest | None, answer: HttpResponse | SseMessage | None, *, dialect: str | None = None
) -> LlmCall | None:
    """
    The call that both are of; either may be missing. None where neither says which provider it is.

    `dialect` is the name of the provider where it is known already, as in a CallRow. It never raises.
    """
    provider = provider_named(dialect) or _provider_of(request, answer)
    either = request or answer
    if provider is None or either is None:
        return None
    host = _host_of(request) or (answer.host if answer else None)
    asked = provider.asked(request.body, request.target) if request else Asked()
    streamed = isinstance(answer, SseMessage)
    said = answer_of(provider, answer) if answer else Answer()
    is_read = BODY not in said.unknown
    to_wall = either.origin.wall_ns - either.origin.time_ns
    return LlmCall(
        provider.name,
        provider_at(host, provider),
        operation=asked.operation or provider.operation,
        asked=asked,
        answer=said,
        host=host,
        status=answer.status if answer else 0,
        streaming=streamed or asked.stream,
        complete=(request is None or request.complete) and answer is not None and answer.complete and is_read,
        reason=_reason_of(request, answer) or (None if is_read else NOT_UNDERSTOOD),
        start_ns=either.origin.wall_ns,
        first_chunk_ns=answer.first_chunk_ns + to_wall if isinstance(answer, SseMessage) and answer.first_chunk_ns else 0,
        end_ns=answer.end_ns + to_wall if answer and answer.end_ns else 0,
    )


def answer_of(provider: Provider, answer: HttpResponse | SseMessage, /) -> Answer:
    """The answer, its parts in the order of the model. Of a very long stream the order of its parts is lost."""
    if isinstance(answer, HttpResponse):
        return provider.read(answer.body, answer.headers).answer()
    if answer.events_lost or not answer.events:
        return _of_reply(answer.reply)
    reader = provider.reader()
    reader.feed_all(answer.events)
    if plain := plain_answer(provider, reader, answer.events):
        reader.take_whole(plain)
    said = reader.answer()
    return replace(said, unknown=(*said.unknown, *reader.unread)) if reader.unread else said


def plain_answer(provider: Provider, reader: StreamReader, events: Sequence[SseEvent], /) -> Draft | None:
    """Where a stream has only one event, of which its reader understood nothing: the plain answer that it is, if it is one."""
    if len(events) != 1 or reader.understood:
        return None
    draft = provider.answers(events[0].data.encode())
    return draft if draft.understood else None


def _of_reply(reply: Reply) -> Answer:
    thought = (ReasoningPart(reply.thinking),) if reply.thinking else ()
    said = (TextPart(reply.text),) if reply.text else ()
    return Answer(
        id=reply.id,
        model=reply.model,
        parts=(*thought, *said, *(ToolCallPart(call.id, call.name, call.input) for call in reply.tool_calls)),
        finish_reasons=(reply.finish_reason,) if reply.finish_reason else (),
        usage=reply.usage,
        error=reply.error,
        unknown=reply.unknown,
    )


def _provider_of(request: HttpRequest | None, answer: HttpResponse | SseMessage | None) -> Provider | None:
    found = find(_host_of(request) or "", request.target) if request else None
    if found is None and isinstance(answer, SseMessage):
        found = provider_named(answer.dialect)
    if found is None and answer is not None and answer.target is not None:
        found = find(answer.host or "", answer.target)
    return found


def _host_of(request: HttpRequest | None) -> str | None:
    return next((value for name, value in request.headers if name == "host"), None) if request else None


def _reason_of(request: HttpRequest | None, answer: HttpResponse | SseMessage | None) -> str | None:
    if request is not None and request.reason:
        return request.reason
    return "no_answer" if answer is None else answer.reason
