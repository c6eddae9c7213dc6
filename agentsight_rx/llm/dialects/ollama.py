"""The own API of Ollama (github.com/ollama/ollama, docs/api.md): /api/chat and /api/generate; streams are lines of JSON."""

from __future__ import annotations

import re

from msgspec import Raw, Struct

from ...events import SseEvent
from ..by_order import CallOrder, made_up_id
from ..canonical import Asked, MediaPart, Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from ..lenient import Fields
from ..prompt import take_counts
from ..provider import IdentifyingFields, Provider
from ..reader import Draft, read_values
from ..request_fields import RequestFields, text_of
from ..request_table import Place, Requests
from ..resent import Count
from .openai.chat_prompt import Call, ChatTool, Function

# -- prompt --------------------------------------------------------------------------------------------------------
# Body of a request to Ollama's own API: /api/chat or /api/generate -> Asked.


class _Message(Struct):
    role: str | None = None
    content: str | None = None
    thinking: str | None = None
    images: list[str] | None = None
    tool_calls: list[Call] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None


class _Request(RequestFields):
    messages: list[_Message] | None = None
    prompt: str | None = None
    system: str | None = None
    images: list[str] | None = None
    tools: list[ChatTool] | None = None


def _said(asked: _Request) -> Asked:
    """Answers are streamed unless it forbids that."""
    said = [_Message("system", asked.system)] if asked.system else []
    said += asked.messages or ()
    said += [_Message("user", asked.prompt, images=asked.images)] if asked.prompt else []
    return Asked(
        stream=asked.stream is not False and bool(said or asked.model),
        messages=tuple(_messages(said)),
        tools=tuple(tool.definition() for tool in asked.tools or ()),
    )


request = Requests(
    _Request,
    _said,
    {
        "max_tokens": "options.num_predict",
        "temperature": "options.temperature",
        "top_p": "options.top_p",
        "top_k": "options.top_k",
        "frequency_penalty": "options.frequency_penalty",
        "presence_penalty": "options.presence_penalty",
        "seed": "options.seed",
        "stop": "options.stop",
        "reasoning": Place("think", bool | str),
        "output_type": Place("format", str | dict[str, Raw]),  # a schema
    },
)


def _messages(said: list[_Message]) -> list[Message]:
    messages: list[Message] = []
    calls = CallOrder()
    for each in said:
        functions = [(call.id, call.function or Function()) for call in each.tool_calls or ()]
        if functions:
            calls = CallOrder((id, function.name) for id, function in functions)
        parts: list[Part] = [ReasoningPart(each.thinking)] if each.thinking else []
        if each.role == "tool":
            parts.append(ToolResultPart(calls.answered(each.tool_call_id), each.content or ""))
        elif each.content:
            parts.append(TextPart(each.content))
        parts += [MediaPart("image", size=len(image)) for image in each.images or ()]
        for position, (id, function) in enumerate(functions):
            name = function.name or ""
            parts.append(ToolCallPart(id or made_up_id(name, position), name, text_of(function.arguments)))
        messages.append(Message(each.role or "", tuple(parts), each.tool_name or ""))
    return messages


# ------------------------------------------------------------------------------------------------------------------------


class _AnswerFunction(Struct, gc=False):
    name: str | None = None
    arguments: Raw = Raw()


class _AnswerCall(Struct, gc=False):
    id: str | None = None
    function: _AnswerFunction | None = None


class _AnswerMessage(Struct, gc=False):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_AnswerCall] | None = None
    images: list[str] | None = None


class _Answer(Struct, gc=False):
    """A whole answer or a chunk of a streamed one."""

    model: str | None = None
    message: _AnswerMessage | None = None
    response: str | None = None  # of /api/generate
    thinking: str | None = None
    done: bool | None = None
    done_reason: str | None = None
    prompt_eval_count: Count | None = None
    eval_count: Count | None = None
    error: str | None = None


_ANSWER = Fields(_Answer)


def _take(draft: Draft, event: SseEvent) -> bool | None:
    found = _ANSWER.read(event.data)
    if found is None:
        return None
    answer = found.value
    if answer.error is None and (answer.done is None or (answer.message is None and answer.response is None)):
        return None
    draft.note(found.unknown)
    draft.model = draft.model or answer.model or ""
    draft.choices.setdefault(0, None)
    content = _take_message(draft, answer.message or _AnswerMessage(answer.response, answer.thinking))
    if answer.done:
        draft.choices[0] = answer.done_reason or "stop"
        draft.ended = True
        take_counts(draft, ("prompt_eval_count", answer.prompt_eval_count), ("eval_count", answer.eval_count))
    if answer.error is not None:
        draft.error = answer.error or "error"
        draft.ended = True
    return content


def _take_message(draft: Draft, message: _AnswerMessage) -> bool:
    if message.thinking:
        draft.add("reasoning", message.thinking)
    if message.content:
        draft.add("text", message.content)
    for image in message.images or ():
        draft.put((len(draft.blocks), 0, 0), MediaPart("image", size=len(image)))
    for said in message.tool_calls or ():
        function = said.function or _AnswerFunction()
        position, name = sum(block.kind == "call" for block in draft.blocks.values()), function.name or ""
        call = draft.call(len(draft.blocks))
        call.id, call.name, call.whole = said.id or made_up_id(name, position), name, text_of(function.arguments)
    return bool(message.thinking or message.content or message.images or message.tool_calls)


def _answer(body: bytes) -> Draft:
    """One answer, or the chunks of a stream in a row."""
    return read_values(body, _take)


def _speaks(fields: IdentifyingFields) -> bool:
    return isinstance(fields.done, bool) and isinstance(fields.created_at, str)


OLLAMA = Provider(
    name="ollama",
    label="ollama",
    hosts=(("ollama", "ollama"),),
    path=re.compile(r"/api/(?:chat|generate)/?$"),
    speaks=_speaks,
    asks=request,
    answers=_answer,
    take=_take,
    system_in_messages=True,
)
