"""Requests, answers and rows -> how an answer was asked for, prompts and answers, as fields of a span."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct

from ...core.bounded import Recent
from ...events import HttpRequest, HttpResponse, SseMessage
from ...llm import Provider, provider_named
from ...llm.call import answer_of
from ...llm.canonical import (
    Answer,
    Asked,
    MediaPart,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolDefinition,
    ToolResultPart,
)
from ...store.rows.ids import call_id
from ...view import CallRow, Output
from .chat import Contexts

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue


_CONTENT_MOST = 65_536  # characters of one attribute, and of one text in it
_EVENTS_MOST = 32  # that may come before their rows
_ASKED_MOST = 256  # open calls whose messages are kept, so 16 MiB; agents have a handful open
_STOPS_MOST = 16
_DESCRIPTIONS_MOST = 512
_DESCRIPTION = 1024  # characters

_Fields = dict[str, "AttributeValue"]
_Part = dict[str, object]

# Finish reason of a provider -> `finish_reason` of gen_ai.output.messages
_FINISHED = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_call",
    "tool_calls": "tool_call",
    "function_call": "tool_call",
    "refusal": "content_filter",
    "max_output_tokens": "length",
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
}
_ROLES = {"developer": "system", "function": "tool"}


class _Kept(Struct, frozen=True):
    """The part of a request that is kept until its answer ends."""

    parameters: _Fields
    content: _Fields


class Content:
    """
    The fields that a row does not have, from its event, which comes shortly before it: the parameters of a request, and, where
    they are captured, the messages of both sides, the system instructions and the definitions of tools, as JSON text in the
    schema of the conventions.
    """

    def __init__(self, *, capture: bool) -> None:
        self._capture = capture
        self._requests: Recent[str, HttpRequest] = Recent(_EVENTS_MOST)
        self._answers: Recent[str, HttpResponse | SseMessage] = Recent(_EVENTS_MOST)
        self._asked: Recent[str, _Kept] = Recent(_ASKED_MOST)
        self._descriptions: Recent[str, str] = Recent(_DESCRIPTIONS_MOST)  # of the newest tool of each name
        self._contexts = Contexts()

    def see(self, item: Output) -> None:
        if isinstance(item, HttpRequest):
            self._requests.put(_id_of(item), item)
        elif isinstance(item, HttpResponse | SseMessage):
            self._answers.put(_id_of(item), item)

    def asked(self, row: CallRow) -> None:
        """A call began: keep what its request says until it ends."""
        event, provider = self._requests.pop(row.id, None), provider_named(row.call_kind)
        if provider is None or event is None:
            return
        asked = provider.asked(event.body, event.target)
        self._contexts.asked(row.id, event)
        if self._capture:
            for tool in asked.tools:
                self._descriptions.put(tool.name, tool.description[:_DESCRIPTION])
        self._asked.put(row.id, _Kept(_parameters(asked), _said(asked, provider) if self._capture else {}))

    def description(self, tool: str) -> str | None:
        """What the newest request says that a tool does."""
        return self._descriptions.get(tool) or None

    def of(self, row: CallRow) -> _Fields:
        """The fields of a call that has ended. Where there is only the row, the last user text and the text of the answer."""
        self.asked(row)  # where the request came late, its row comes with the answer
        kept = self._asked.pop(row.id, None)
        if not self._capture:
            return kept.parameters if kept else {}
        if kept is None:
            prompt: list[_Part] = [{"role": "user", "parts": [_text(row.prompt)]}] if row.prompt else []
            kept = _Kept({}, {"input_messages": _json(prompt)})
        parts = [_part(part) for part in self._answer(row).parts]
        reason = "error" if row.status in ("error", "aborted") else row.finish_reason or "stop"
        answer: list[_Part] = [{"role": "assistant", "parts": parts, "finish_reason": _FINISHED.get(reason, reason)}]
        return {**kept.parameters, **kept.content, "output_messages": _json(answer if parts else [])}

    def context(self, row: CallRow) -> Mapping[str, AttributeValue]:
        """The fields of its context, once: when its span ends."""
        return self._contexts.of(row)

    def _answer(self, row: CallRow) -> Answer:
        event, provider = self._answers.pop(row.id, None), provider_named(row.call_kind)
        if event is not None and provider is not None:
            return answer_of(provider, event)
        failed = (row.status_code or 0) >= 400  # then the text is an error message
        thought = (ReasoningPart(row.thinking),) if row.thinking else ()
        said = (TextPart(row.text),) if row.text and not failed else ()
        return Answer(parts=(*thought, *said))


def _id_of(event: HttpRequest | HttpResponse | SseMessage) -> str:
    return call_id(event.origin, event.exchange)


def _parameters(request: Asked) -> _Fields:
    """Parameters of a request that a row does not have. Fields that were not sent are left out."""
    asked = request.parameters
    known: dict[str, AttributeValue | None] = {
        "top_k": asked.top_k,
        "frequency_penalty": asked.frequency_penalty,
        "presence_penalty": asked.presence_penalty,
        "seed": asked.seed if asked.seed is not None and abs(asked.seed) < 1 << 63 else None,
        "stop": asked.stop[:_STOPS_MOST] or None,
        "choices": asked.choices if asked.choices and 1 < asked.choices < 1 << 63 else None,
        "reasoning_level": asked.reasoning or None,
        "previous_response": request.previous_response_id or None,
        "compacted": request.compacted or None,
        "output_type": asked.output_type if asked.output_type in ("text", "json", "image", "speech") else None,
    }
    return {name: value for name, value in known.items() if value is not None}


def _said(asked: Asked, provider: Provider) -> _Fields:
    """The sent content: instructions that stand apart, the newest messages, as many as fit and at least one, and the tools."""
    messages = list(asked.messages)
    apart: list[Message] = []
    while messages and not provider.system_in_messages and messages[0].role in ("system", "developer"):
        apart.append(messages.pop(0))
    found: _Fields = {}
    if apart:
        found["system_instructions"] = _newest(_json(_part(part)) for each in reversed(apart) for part in each.parts)
    if asked.tools:
        found["tool_definitions"] = _newest(_json(_definition(tool)) for tool in reversed(asked.tools))
    found["input_messages"] = _newest(map(_message, reversed(messages)))
    return found


def _newest(values: Iterable[str]) -> str:
    """A JSON array of as many as fit, at least one. `values`: the last one first."""
    kept: list[str] = []
    room = _CONTENT_MOST
    for text in values:
        room -= len(text)
        if kept and room < 0:
            break
        kept.append(text)
    return f"[{','.join(reversed(kept))}]"


def _message(message: Message) -> str:
    return _json({"role": _ROLES.get(message.role, message.role), "parts": [_part(part) for part in message.parts]})


def _definition(tool: ToolDefinition) -> _Part:
    known = {"type": tool.type, "name": tool.name, "description": tool.description[:_CONTENT_MOST]}
    parameters = {"parameters": _value(tool.parameters)} if tool.parameters else {}
    return {name: value for name, value in known.items() if value} | parameters


def _part(part: Part) -> _Part:
    match part:
        case TextPart():
            return _text(part.text)
        case ReasoningPart():
            return _text(part.text, kind="reasoning")
        case ToolCallPart():
            kind = "server_tool_call" if part.server else "tool_call"
            return {"type": kind, "id": part.id, "name": part.name, "arguments": _value(part.input)}
        case ToolResultPart():
            return {"type": "tool_call_response", "id": part.id, "response": part.output[:_CONTENT_MOST]}
        case MediaPart():
            return _medium(part)


def _medium(part: MediaPart) -> _Part:
    """A file by its URL or id; of sent data only the kind, the type and the size."""
    if "://" in part.reference:
        return {"type": "uri", "modality": part.kind, "uri": part.reference[:_CONTENT_MOST]}
    if part.reference:
        return {"type": "file", "modality": part.kind, "file_id": part.reference[:_CONTENT_MOST]}
    known = {"type": part.kind, "mime_type": part.media_type, "size": part.size}
    return {name: value for name, value in known.items() if value}


def _text(text: str, *, kind: str = "text") -> _Part:
    return {"type": kind, "content": text[:_CONTENT_MOST]}


def _value(text: str) -> object:
    """The arguments as they were sent: embedded where they are JSON, else as a string."""
    if len(text) > _CONTENT_MOST:
        return text[:_CONTENT_MOST]
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    return Raw(text.encode())


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
