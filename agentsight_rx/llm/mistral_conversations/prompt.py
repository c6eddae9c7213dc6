"""Body of a request to Mistral's Conversations API -> Asked."""

from __future__ import annotations

from msgspec import Raw, Struct

from ..canonical import Asked, MediaPart, Message, Parameters, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from ..decode import Whole
from ..lenient import Fields
from ..openai_responses.prompt import OfferedTool
from ..request_fields import RequestFields, asked_of, plain_text

__all__ = ["request"]


class _Piece(Struct):
    type: str = ""
    text: str | None = None
    thinking: str | list[_Piece] | None = None
    image_url: str | _Url | None = None
    file_id: str | None = None
    document_url: str | None = None


class _Url(Struct):
    url: str = ""


class _Entry(Struct):
    """message.input, message.output, function.call, function.result, tool.execution or agent.handoff."""

    type: str = ""
    role: str | None = None
    id: str | None = None
    content: str | list[_Piece] | None = None
    name: str | None = None
    tool_call_id: str | None = None
    arguments: Raw = Raw()
    result: Raw = Raw()


class _Format(Struct):
    type: str = ""


class _Arguments(Struct):
    """How the answer is to be made."""

    max_tokens: Whole | None = None
    temperature: float | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    random_seed: Whole | None = None
    stop: str | list[str] | None = None
    response_format: _Format | None = None
    reasoning_effort: str | None = None


class _Request(RequestFields):
    inputs: str | list[_Entry] | None = None
    instructions: str | None = None
    tools: list[OfferedTool] | None = None
    completion_args: _Arguments | None = None


_REQUEST = Fields(_Request)


def request(body: bytes, /) -> Asked:
    """Never raises: a body that is not such a request gives an empty Asked. The server has the entries before `inputs`."""
    found = _REQUEST.read(body)
    if found is None:
        return Asked()
    asked, inputs = found.value, found.value.inputs
    entries = [_Entry("message.input", content=inputs)] if isinstance(inputs, str) else inputs or []
    system = [Message("system", (TextPart(asked.instructions),))] if asked.instructions else []
    sent = asked.completion_args or _Arguments()
    kind = sent.response_format.type if sent.response_format else ""
    return asked_of(
        asked,
        [*system, *map(_message, entries)],
        tools=[each for tool in asked.tools or () for each in tool.definitions()],
        parameters=Parameters(
            max_tokens=sent.max_tokens,
            temperature=sent.temperature,
            top_p=sent.top_p,
            presence_penalty=sent.presence_penalty,
            frequency_penalty=sent.frequency_penalty,
            seed=sent.random_seed,
            stop=(sent.stop,) if isinstance(sent.stop, str) else tuple(sent.stop or ()),
            reasoning=sent.reasoning_effort,
            output_type="json" if kind.startswith("json") else kind or None,
        ),
        unknown=found.unknown,
    )


def _message(entry: _Entry) -> Message:
    call = entry.tool_call_id or entry.id or ""
    if entry.type == "function.result":
        return Message("tool", (ToolResultPart(call, plain_text(entry.result)),))
    if entry.type in ("function.call", "tool.execution"):
        is_own = entry.type == "tool.execution"
        return Message("assistant", (ToolCallPart(call, entry.name or "", plain_text(entry.arguments), server=is_own),))
    usual = "assistant" if entry.type == "message.output" else "user"
    content = [_Piece(text=entry.content)] if isinstance(entry.content, str) else entry.content or []
    return Message(entry.role or usual, tuple(part for each in content if (part := _part(each)) is not None))


def _part(piece: _Piece) -> Part | None:
    if piece.text:
        return TextPart(piece.text)
    if piece.thinking:
        inner = piece.thinking
        return ReasoningPart(inner if isinstance(inner, str) else "".join(each.text or "" for each in inner))
    if piece.image_url is not None:
        url = piece.image_url if isinstance(piece.image_url, str) else piece.image_url.url
        return MediaPart("image", size=len(url)) if url.startswith("data:") else MediaPart("image", reference=url)
    reference = piece.file_id or piece.document_url
    return MediaPart("file", reference=reference) if reference else None
