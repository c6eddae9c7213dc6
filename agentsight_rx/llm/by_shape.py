"""Bodies of several vendors at one path -> requests and answers: the content of a body says which vendor reads it."""

from __future__ import annotations

from msgspec import Raw, Struct, field

from ..events import SseEvent
from .canonical import Asked
from .dialects import plain_text
from .dialects.anthropic import ANTHROPIC
from .dialects.aws.converse import BEDROCK_CONVERSE
from .dialects.cohere import COHERE
from .dialects.cohere_v1 import COHERE_V1
from .dialects.openai.chat import OPENAI_CHAT
from .dialects.plain_text import request as plain_request
from .dialects.tgi import TGI
from .lenient import Fields
from .reader import Draft
from .resent import Count


class _Shape(Struct, gc=False):
    """Fields that show whose body it is."""

    anthropic_version: Raw = Raw()
    inference_config: Raw = field(default=Raw(), name="inferenceConfig")
    schema_version: Raw = field(default=Raw(), name="schemaVersion")
    tool_config: Raw = field(default=Raw(), name="toolConfig")
    message: Raw = Raw()
    messages: Raw = Raw()
    type: object = None
    stop_reason: Raw = Raw()
    content: Raw = Raw()
    choices: Raw = Raw()
    output: Raw = Raw()
    chat_history: Raw = Raw()
    generation_id: Raw = Raw()
    response_id: Raw = Raw()
    inputs: Raw = Raw()
    generated_text: Raw = Raw()
    error_type: Raw = Raw()


class _Stopped(Struct, gc=False):
    index: Count = 0
    stop_reason: str | None = None


class _Chat(Struct):
    choices: list[_Stopped] | None = None


_SHAPE = Fields(_Shape)
_CHAT = Fields(_Chat)
_VENDORS = (BEDROCK_CONVERSE, ANTHROPIC, COHERE, COHERE_V1, TGI)


def asks(body: bytes, /) -> Asked:
    """Never raises: a body of no known vendor gives an empty Asked."""
    shape = _SHAPE.value(body)
    if shape is None:
        return plain_request(body)
    if shape.anthropic_version:
        return ANTHROPIC.asks(body)
    if shape.inference_config or shape.schema_version or shape.tool_config:
        return BEDROCK_CONVERSE.asks(body)
    if shape.inputs:
        return TGI.asks(body)
    if shape.message:
        return COHERE_V1.asks(body)
    return OPENAI_CHAT.asks(body) if shape.messages else plain_request(body)


def answers(body: bytes, /) -> Draft:
    """Never raises: a body of no known vendor gives an empty Draft."""
    shape = _SHAPE.value(body) or _Shape()
    if shape.type == "message" and shape.content:
        return ANTHROPIC.answers(body)
    if bytes(shape.output)[:1] == b"{":
        return BEDROCK_CONVERSE.answers(body)
    if shape.choices:
        draft = OPENAI_CHAT.answers(body)
        _note_stop(draft, body)
        return draft
    if shape.generated_text or shape.error_type or body.lstrip()[:1] == b"[":
        return TGI.answers(body)
    if shape.chat_history or shape.response_id:
        return COHERE_V1.answers(body)
    return plain_text.answers(body)


def take(draft: Draft, event: SseEvent, /) -> bool | None:
    """Add an event of whichever vendor knows it; None if none does."""
    for take_one in (*(vendor.take for vendor in _VENDORS), plain_text.take):
        content = take_one(draft, event)
        if content is not None:
            return content
    content = OPENAI_CHAT.take(draft, event)
    if content is not None:
        _note_stop(draft, event.data)
    return content


def _note_stop(draft: Draft, body: bytes | str) -> None:
    """Some vendors of chat models say `stop_reason` where OpenAI says `finish_reason`."""
    if draft.choices.get(0) is None and "stop_reason" in (body if isinstance(body, str) else body.decode(errors="replace")):
        chat = _CHAT.value(body)
        for each in (chat and chat.choices) or ():
            draft.choices[each.index] = each.stop_reason or draft.choices.get(each.index)
