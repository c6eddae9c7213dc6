"""Body of a request to OpenAI's Chat Completions API, or to the older Completions -> Asked."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from ...canonical import (
    Asked,
    MediaPart,
    Message,
    Parameters,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolDefinition,
    ToolResultPart,
)
from ...lenient import Fields
from ...request_fields import RequestFields, asked_of, plain_text, text_of
from ...resent import Elements, Resent, Whole


class _Url(Struct):
    url: str = ""


class _File(Struct):
    file_id: str = ""
    filename: str = ""
    file_data: str = ""


class _Sound(Struct):
    data: str = ""
    format: str = ""


class _Part(Struct):
    type: str = ""
    text: str | None = None
    thinking: str | list[_Part] | None = None
    image_url: str | _Url | None = None
    input_audio: _Sound | None = None
    file: _File | None = None


class _Function(Struct):
    name: str = ""
    arguments: Raw = Raw()
    input: str | None = None  # of a custom tool
    description: str = ""
    parameters: Raw = Raw()


class _Call(Struct):
    id: str = ""
    function: _Function | None = None
    custom: _Function | None = None


class _Spoken(Struct):
    """What a model said aloud before, by its id."""

    id: str = ""


class _Message(Struct):
    role: str = ""
    name: str = ""
    content: str | list[_Part] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    audio: _Spoken | None = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None
    tool_call_id: str | None = None


class _Tool(Struct):
    type: str = ""
    function: _Function | None = None
    custom: _Function | None = None


class _Format(Struct):
    type: str = ""


class _Effort(Struct):
    effort: str | None = None
    max_tokens: Whole | None = None


class _Request(RequestFields):
    model_id: str | None = None  # watsonx
    messages: list[_Message] = msgspec.field(default_factory=list[_Message])
    prompt: str | list[str] | None = None
    suffix: str | None = None  # what follows the gap that is to be filled
    tools: list[_Tool] | None = None
    functions: list[_Function] | None = None
    max_tokens: Whole | None = None
    max_completion_tokens: Whole | None = None
    top_k: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: Whole | None = None
    stop: str | list[str] | None = None
    n: Whole | None = None
    random_seed: Whole | None = None  # Mistral
    reasoning_effort: str | None = None
    reasoning: _Effort | None = None  # OpenRouter
    response_format: _Format | None = None
    service_tier: str | None = None


_REQUEST = Fields(_Request)


def request(body: bytes, resent: Resent | None = None, /) -> Asked:
    """Never raises: a body that is not such a request gives an empty Asked. `resent` has the messages of the request before."""
    again = None if resent is None else _MESSAGES.read(body, resent)
    unknown: tuple[str, ...] = ()
    if again is not None:
        asked, messages = again
    elif (found := _REQUEST.read(body)) is not None:
        asked, unknown = found.value, found.unknown
        messages = [_message(message) for message in asked.messages]
    else:
        return Asked()
    is_chat = bool(messages)
    texts = [asked.prompt] if isinstance(asked.prompt, str) else asked.prompt or []
    texts = [text for text in (*texts, asked.suffix) if text]
    if texts:
        messages.append(Message("user", tuple(map(TextPart, texts))))
    tools = [(tool.type, tool.function or tool.custom or _Function()) for tool in asked.tools or ()]
    tools += [("function", function) for function in asked.functions or ()]
    stop = asked.stop
    made = asked_of(
        asked,
        messages,
        tools=[
            ToolDefinition(each.name, each.description, text_of(each.parameters), type=kind or "function")
            for kind, each in tools
        ],
        parameters=Parameters(
            max_tokens=asked.max_tokens if asked.max_completion_tokens is None else asked.max_completion_tokens,
            temperature=asked.temperature,
            top_p=asked.top_p,
            top_k=asked.top_k,
            frequency_penalty=asked.frequency_penalty,
            presence_penalty=asked.presence_penalty,
            seed=asked.random_seed if asked.seed is None else asked.seed,
            stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
            choices=asked.n,
            reasoning=asked.reasoning_effort or _effort(asked.reasoning),
            output_type=_output_type(asked.response_format),
            service_tier=asked.service_tier,
        ),
        unknown=unknown,
    )
    operation = "text_completion" if texts and not is_chat else ""
    return replace(made, model=made.model or asked.model_id or "", operation=operation)


def _effort(reasoning: _Effort | None) -> str | None:
    if reasoning is None:
        return None
    return reasoning.effort or (None if reasoning.max_tokens is None else str(reasoning.max_tokens))


def _output_type(format: _Format | None) -> str | None:
    return None if format is None else "json" if format.type.startswith("json") else format.type or None


def _message(message: _Message) -> Message:
    parts = _parts(message.content)
    if message.role in ("tool", "function"):
        texts = [part.text for part in parts if isinstance(part, TextPart)]
        media = tuple(part for part in parts if isinstance(part, MediaPart))
        return Message(message.role, (ToolResultPart(message.tool_call_id or "", "\n".join(texts), media=media),), message.name)
    thought = message.reasoning_content or message.reasoning
    if thought:
        parts.insert(0, ReasoningPart(thought))
    if message.refusal:
        parts.append(TextPart(message.refusal))
    if message.audio:
        parts.append(MediaPart("audio", reference=message.audio.id))
    for call in message.tool_calls or ():
        function = call.function or call.custom or _Function()
        parts.append(ToolCallPart(call.id, function.name, function.input or plain_text(function.arguments)))
    if message.function_call:
        parts.append(ToolCallPart("", message.function_call.name, plain_text(message.function_call.arguments)))
    return Message(message.role, tuple(parts), message.name)


def _parts(content: str | list[_Part] | None) -> list[Part]:
    if isinstance(content, str):
        return [TextPart(content)] if content else []
    return [made for part in content or () if (made := _part(part)) is not None]


def _part(part: _Part) -> Part | None:
    if part.thinking:
        inner = part.thinking
        return ReasoningPart(inner if isinstance(inner, str) else "".join(each.text or "" for each in inner))
    if part.image_url is not None:
        url = part.image_url if isinstance(part.image_url, str) else part.image_url.url
        return MediaPart("image", size=len(url)) if url.startswith("data:") else MediaPart("image", reference=url)
    if part.input_audio is not None:
        return MediaPart("audio", part.input_audio.format, size=len(part.input_audio.data))
    if part.file is not None:
        return MediaPart("file", reference=part.file.file_id or part.file.filename, size=len(part.file.file_data))
    return TextPart(part.text) if part.text else None


_MESSAGES = Elements("messages", _Request, element=_Message, made=_message)
