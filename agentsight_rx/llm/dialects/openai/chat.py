"""
The Chat Completions API of OpenAI, also used by many others (platform.openai.com/docs/api-reference/chat), and by models of
Mistral and AI21 on Vertex AI, at other paths.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from ....events import SseEvent
from ...canonical import MediaPart
from ...lenient import Fields
from ...provider import IdentifyingFields, Provider
from ...reader import Draft, Place
from ...resent import Count, Failure, decoded_all, failure_text
from .chat_prompt import request
from .chat_usage import take_chat_usage, texts_of

# -- answer --------------------------------------------------------------------------------------------------------
# The Chat Completions API of OpenAI, also used by many others (platform.openai.com/docs/api-reference/chat).


class _Part(Struct, gc=False):
    """A piece of a message; the thoughts of Mistral are such pieces too."""

    text: str | None = None
    thinking: str | list[_Part] | None = None


class _Function(Struct, gc=False):
    name: str | None = None
    arguments: str | dict[str, Raw] | None = None  # JSON in a string; of some vendors the JSON itself
    input: str | None = None  # of a custom tool

    def sent(self) -> str:
        given = self.input or "" if self.arguments is None else self.arguments
        return given if isinstance(given, str) else msgspec.json.encode(given).decode(errors="replace")


class _Call(Struct, gc=False):
    index: Count | None = None
    id: str | None = None
    function: _Function | None = None
    custom: _Function | None = None


class _Detail(Struct, gc=False):
    """A piece of the reasoning as OpenRouter has it; an encrypted piece has neither."""

    text: str | None = None
    summary: str | None = None


class _Audio(Struct, gc=False):
    id: str | None = None
    data: str | None = None
    transcript: str | None = None


class _Message(Struct, gc=False):
    """The message of an answer, or the part of it in a chunk. Vendors have different names for the thinking."""

    content: str | list[_Part] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_text: str | None = None
    thinking: str | None = None
    reasoning_details: list[_Detail] | None = None
    audio: _Audio | None = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None

    def pieces(self) -> tuple[str, str]:
        """The text of a message with a list of pieces, and its thoughts."""
        if not self.content:
            return "", ""
        parts = [part for part in self.content if isinstance(part, _Part)]
        thoughts = [each for part in parts for each in (part.thinking or ())]
        return (
            "".join([part.text for part in parts if part.text]),
            "".join([each if isinstance(each, str) else each.text or "" for each in thoughts]),
        )

    def details(self) -> str:
        return "".join([each.text or each.summary or "" for each in self.reasoning_details or ()])


class _Choice(Struct, gc=False):
    index: Count | None = None
    delta: _Message | None = None
    message: _Message | None = None
    text: str | None = None  # of the older /v1/completions
    finish_reason: str | None = None
    error: Failure | str | None = None


class _Groq(Struct, gc=False):
    usage: Raw = Raw()
    error: str | None = None


class _Answer(Struct, gc=False, rename={"kind": "object"}):
    """A whole answer or a chunk of a streamed one; the last three are of an error that is not in `error`."""

    id: str | None = None
    model: str | None = None
    model_id: str | None = None  # watsonx
    choices: list[_Choice] | None = None
    usage: Raw = Raw()
    x_groq: _Groq | None = None
    value: str | None = None  # a chunk of Writer's /v1/completions, whose streams have no mark and no finish reason
    error: Failure | str | None = None
    kind: str | None = None
    type: str | None = None
    message: str | None = None
    code: str | int | None = None

    def failure(self) -> str | None:
        if self.error:
            return failure_text(self.error)
        if self.kind == "error":
            return failure_text(Failure(self.type, self.message, self.code))
        return self.x_groq.error if self.x_groq else None

    def is_known(self) -> bool:
        return self.choices is not None or bool(self.usage) or self.value is not None or self.failure() is not None


_ANSWER = Fields(_Answer)
# What was thought stands before what was said, and tools behind it
_THOUGHT, _TEXT, _MEDIA, _CALLS = (0, 0, 0), (1, 0, 0), (2, 0, 0), 3


def _take(draft: Draft, event: SseEvent) -> bool | None:
    if event.data == "[DONE]":
        draft.ended = True
        return False
    unknown: list[str] = []
    answer = _ANSWER.noting(event.data, unknown.extend)
    if answer is None or not answer.is_known():
        return None
    if unknown:
        draft.note(unknown)
    return _take_answer(draft, answer)


def _take_all(draft: Draft, events: Sequence[SseEvent]) -> int | None:
    if draft.id and draft.model and _TEXT in draft.blocks:
        texts = texts_of(events)
        if texts is not None:
            draft.blocks[_TEXT].parts += texts
            return len(texts) - texts.count("")
    answers = decoded_all(_ANSWER.strict, [event.data for event in events])
    if answers is None or (None in [answer.choices for answer in answers] and not all(map(_Answer.is_known, answers))):
        return None
    return sum([_take_answer(draft, answer) for answer in answers])


def _take_answer(draft: Draft, answer: _Answer) -> bool:
    if not draft.id:
        draft.id = answer.id or ""
    if not draft.model:
        draft.model = answer.model or answer.model_id or ""
    content = False
    if answer.value is not None:
        draft.choices.setdefault(0, "")
        content = _add(draft, _TEXT, answer.value)
    for position, choice in enumerate(answer.choices or ()):
        if _take_choice(draft, position if choice.index is None else choice.index, choice):
            content = True
    if answer.x_groq:
        take_chat_usage(draft, answer.x_groq.usage)
    if answer.usage:
        take_chat_usage(draft, answer.usage)
    if answer.error or answer.x_groq or answer.kind == "error":
        failure = answer.failure()
        draft.error, draft.ended = failure or draft.error, draft.ended or failure is not None
    return content


def _take_choice(draft: Draft, index: int, choice: _Choice) -> bool:
    """Only the first of several choices is reported; for the others only their finish reasons are noted."""
    if choice.finish_reason or index not in draft.choices:
        draft.choices[index] = choice.finish_reason or None
    if choice.error:
        draft.error, draft.ended = failure_text(choice.error), True
    if index:
        draft = Draft()
    message = choice.delta or choice.message
    if message is None:
        return _add(draft, _TEXT, choice.text)
    content = False
    said, thought = (message.content, "") if isinstance(message.content, str) else message.pieces()
    if said or message.refusal:
        content = _add(draft, _TEXT, said or message.refusal)
    thought = message.reasoning_content or message.reasoning or message.reasoning_text or message.thinking or thought
    if thought or message.reasoning_details:
        content |= _add(draft, _THOUGHT, thought or message.details())
    if message.audio:
        content |= _take_audio(draft, message.audio) | (not said and _add(draft, _TEXT, message.audio.transcript))
    if message.tool_calls:
        for position, call in enumerate(message.tool_calls):
            content |= _take_call(draft, position if call.index is None else call.index, call)
    if message.function_call:
        content |= _take_call(draft, 0, _Call(function=message.function_call))
    return content


def _add(draft: Draft, place: Place, text: str | None) -> bool:
    if not text:
        return False
    block = draft.blocks.get(place) or draft.block(place, "text" if place is _TEXT else "reasoning")
    block.parts.append(text)
    return True


def _take_audio(draft: Draft, audio: _Audio) -> bool:
    block = draft.block(_MEDIA, "media")
    former = block.media or MediaPart("audio")
    sent = audio.data or ""
    block.media = replace(former, reference=audio.id or former.reference, size=former.size + len(sent))
    return bool(sent)


def _take_call(draft: Draft, index: int, part: _Call) -> bool:
    call, function = draft.block((_CALLS, index, 0), "call"), part.function or part.custom or _Function()
    call.id = part.id or call.id
    call.name = function.name or call.name
    arguments = function.sent()
    if arguments:
        call.parts.append(arguments)
    return bool(arguments)


def _answer(body: bytes) -> Draft:
    draft = Draft()
    found = _ANSWER.read(body)
    if found:
        draft.note(found.unknown)
        if found.value.is_known():
            _take_answer(draft, found.value)
    return draft


def _speaks(fields: IdentifyingFields) -> bool:
    error = fields.error
    return fields.choices is not None or (isinstance(error, Failure) and bool(error.type and error.message))


OPENAI_CHAT = Provider(
    name="openai",
    label="openai",
    hosts=(
        ("openai.azure.com", "azure.ai.openai"),
        ("openai.com", "openai"),
        ("api.writer.com", "writer"),
        ("mistral.ai", "mistral_ai"),
    ),
    # Any prefix: /v1, /openai/deployments/{model}, /api/paas/v4, /v1/fim and /v1/agents (Mistral), /beta (DeepSeek), …;
    # /v1/chat is Writer's, /ml/v1/… that of watsonx
    path=re.compile(
        r"(?:^|/)(?:deployments/(?P<model>[^/]+)/)?(?:chat/)?completions/?$|/v1/chat/?$"
        r"|/ml/v1/(?:deployments/[^/]+/)?text/chat(?:_(?P<stream>stream))?$"
    ),
    speaks=_speaks,
    asks=request,
    asks_again=request.again,
    answers=_answer,
    take=_take,
    take_all=_take_all,
    end_marks=(b"[DONE]", b"error"),
    system_in_messages=True,
)


# ------------------------------------------------------------------------------------------------------------------------


def _vertex_speaks(fields: IdentifyingFields) -> bool:
    return False  # its events are those of OpenAI's chat


VERTEX_CHAT: Provider = replace(
    OPENAI_CHAT,
    name="vertex_chat",
    label="gcp.gen_ai",
    hosts=(("aiplatform.googleapis", "gcp.gen_ai"),),
    path=re.compile(r"/publishers/(?:mistralai|ai21)/models/(?P<model>[^/]+):(?:r|(?P<stream>streamR))awPredict$"),
    speaks=_vertex_speaks,
)
