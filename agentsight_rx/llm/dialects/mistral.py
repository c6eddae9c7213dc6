"""The Conversations API of Mistral (docs.mistral.ai/api, beta.conversations), whole and streamed."""

from __future__ import annotations

import re

from msgspec import Raw, Struct

from ...events import SseEvent, Usage
from ..canonical import Asked, Message, ToolCallPart, ToolResultPart
from ..lenient import Fields
from ..prompt import take_usage
from ..provider import IdentifyingFields, Provider
from ..reader import Draft
from ..request_fields import RequestFields, plain_text, said_by
from ..request_table import Requests
from ..resent import Count, Failure, failure_text
from .openai.chat_prompt import Piece, parts_of
from .openai.responses_prompt import OfferedTool

# -- prompt --------------------------------------------------------------------------------------------------------
# Body of a request to Mistral's Conversations API -> Asked.


class _Entry(Struct):
    """message.input, message.output, function.call, function.result, tool.execution or agent.handoff."""

    type: str = ""
    role: str | None = None
    id: str | None = None
    content: str | list[Piece] | None = None
    name: str | None = None
    tool_call_id: str | None = None
    arguments: Raw = Raw()
    result: Raw = Raw()


class _Request(RequestFields):
    inputs: str | list[_Entry] | None = None
    instructions: str | None = None
    tools: list[OfferedTool] | None = None


def _said(asked: _Request) -> Asked:
    """The server has the entries before `inputs`."""
    inputs = asked.inputs
    entries = [_Entry("message.input", content=inputs)] if isinstance(inputs, str) else inputs or []
    return Asked(
        messages=(*said_by("system", asked.instructions), *map(_message, entries)),
        tools=tuple(each for tool in asked.tools or () for each in tool.definitions()),
    )


request = Requests(
    _Request,
    _said,
    {
        "max_tokens": "completion_args.max_tokens",
        "temperature": "completion_args.temperature",
        "top_p": "completion_args.top_p",
        "presence_penalty": "completion_args.presence_penalty",
        "frequency_penalty": "completion_args.frequency_penalty",
        "seed": "completion_args.random_seed",
        "stop": "completion_args.stop",
        "reasoning": "completion_args.reasoning_effort",
        "output_type": "completion_args.response_format.type",
    },
)


def _message(entry: _Entry) -> Message:
    call = entry.tool_call_id or entry.id or ""
    if entry.type == "function.result":
        return Message("tool", (ToolResultPart(call, plain_text(entry.result)),))
    if entry.type in ("function.call", "tool.execution"):
        is_own = entry.type == "tool.execution"
        return Message("assistant", (ToolCallPart(call, entry.name or "", plain_text(entry.arguments), server=is_own),))
    usual = "assistant" if entry.type == "message.output" else "user"
    return Message(entry.role or usual, tuple(parts_of(entry.content)))


# ------------------------------------------------------------------------------------------------------------------------


class _Usage(Struct):
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    connector_tokens: Count | None = None  # what tools of the server read, which the model then reads


def _normal(usage: _Usage) -> Usage | None:
    """`prompt_tokens` leaves out what tools of the server added to the input."""
    if usage.prompt_tokens is None and usage.completion_tokens is None:
        return None
    added = min(usage.connector_tokens or 0, _MOST - (usage.prompt_tokens or 0))
    return Usage((usage.prompt_tokens or 0) + added, usage.completion_tokens or 0)


class _AnswerPiece(Struct, gc=False):
    text: str | None = None
    thinking: str | list[_AnswerPiece] | None = None

    def thought(self) -> str:
        inner = self.thinking or ""
        return inner if isinstance(inner, str) else "".join([each.text or "" for each in inner])


class _AnswerEntry(Struct, gc=False):
    """An output, or an event about one: message.output, function.call, tool.execution, each with .delta, .started or .done."""

    type: str = ""
    id: str | None = None
    output_index: Count | None = None
    model: str | None = None
    content: str | list[_AnswerPiece] | _AnswerPiece | None = None
    name: str | None = None
    tool_call_id: str | None = None
    arguments: Raw = Raw()

    def pieces(self) -> list[_AnswerPiece]:
        if isinstance(self.content, str):
            return [_AnswerPiece(self.content)]
        return [self.content] if isinstance(self.content, _AnswerPiece) else self.content or []


class _Event(_AnswerEntry, gc=False):
    conversation_id: str | None = None
    usage: Raw = Raw()
    message: str | None = None
    code: str | int | None = None


class _Response(Struct, gc=False, rename={"kind": "object"}):
    kind: str = ""
    conversation_id: str | None = None
    outputs: list[_AnswerEntry] | None = None
    usage: Raw = Raw()
    type: str | None = None
    message: str | None = None
    code: str | int | None = None


_MOST = 2**63 - 1
_EVENT = Fields(_Event)
_RESPONSE = Fields(_Response)
_USAGE = Fields(_Usage)
_FAMILIES = ("conversation.response", "message.output", "function.call", "tool.execution", "agent.handoff")


def _take(draft: Draft, event: SseEvent) -> bool | None:
    if event.data == "[DONE]":
        draft.ended = True
        return False
    found = _EVENT.read(event.data)
    if found is None or not found.value.type.startswith(_FAMILIES):
        return None
    draft.note(found.unknown)
    return _take_event(draft, found.value)


def _take_event(draft: Draft, said: _Event) -> bool:
    draft.id = said.conversation_id or draft.id
    if said.type == "conversation.response.started":
        draft.choices.setdefault(0, None)
    elif said.type == "conversation.response.error":
        draft.error, draft.ended = failure_text(Failure(code=said.code, message=said.message)), True
    elif said.type == "conversation.response.done":
        _take_end(draft, said.usage)
        draft.ended = True
    else:
        return _take_entry(draft, len(draft.blocks) if said.output_index is None else said.output_index, said)
    return False


def _take_end(draft: Draft, usage: Raw) -> None:
    take_usage(draft, usage, _USAGE, _normal)
    asks_for_tools = any(block.kind == "call" and not block.server for block in draft.blocks.values())
    draft.choices[0] = "tool_calls" if asks_for_tools else "stop"


def _take_entry(draft: Draft, output: int, entry: _AnswerEntry) -> bool:
    """A whole output, or what an event adds to it."""
    draft.model = draft.model or entry.model or ""
    if entry.type.startswith(("function.call", "tool.execution")):
        return _take_call(draft, output, entry)
    new = False
    for piece in entry.pieces():
        thought = piece.thought()
        if thought:
            draft.block((output, 0, 0), "reasoning").parts.append(thought)
        if piece.text:
            draft.block((output, 1, 0), "text").parts.append(piece.text)
        new |= bool(thought or piece.text)
    return new


def _take_call(draft: Draft, output: int, entry: _AnswerEntry) -> bool:
    call = draft.block((output, 2, 0), "call")
    call.server = entry.type.startswith("tool.execution")
    call.id = entry.tool_call_id or entry.id or call.id
    call.name = entry.name or call.name
    sent = "" if entry.type == "tool.execution.done" and call.parts else plain_text(entry.arguments)
    if sent:
        call.parts.append(sent)
    return bool(sent)


def _answer(body: bytes) -> Draft:
    draft = Draft()
    found = _RESPONSE.read(body)
    if found is None:
        return draft
    response = found.value
    draft.note(found.unknown)
    draft.id = response.conversation_id or ""
    for output, entry in enumerate(response.outputs or ()):
        _take_entry(draft, output, entry)
    if response.outputs is not None:
        _take_end(draft, response.usage)
    if response.kind == "error":
        draft.error = failure_text(Failure(response.type, response.message, response.code))
    return draft


def _speaks(fields: IdentifyingFields) -> bool:
    return fields.type.startswith(_FAMILIES)


MISTRAL_CONVERSATIONS = Provider(
    name="mistral_conversations",
    label="mistral_ai",
    hosts=(("mistral.ai", "mistral_ai"),),
    path=re.compile(r"/v1/conversations(?:/(?P<conversation>[^/]+)(?:/restart)?)?/?$"),
    speaks=_speaks,
    asks=request,
    answers=_answer,
    take=_take,
    anywhere=False,
)
