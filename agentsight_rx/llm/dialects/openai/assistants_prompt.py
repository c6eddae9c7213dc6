"""Body of a request for a run of the Assistants API, or for outputs of its tools -> Asked."""

from __future__ import annotations

from msgspec import Struct

from ...canonical import Asked, MediaPart, Message, Parameters, Part, TextPart, ToolResultPart
from ...lenient import Fields
from ...request_fields import RequestFields, asked_of
from ...resent import Whole
from .responses_prompt import OfferedTool


class _Reference(Struct):
    """A file or a URL of an image."""

    file_id: str = ""
    url: str = ""


class _Part(Struct):
    type: str = ""
    text: str | None = None
    image_file: _Reference | None = None
    image_url: _Reference | None = None


class _Message(Struct):
    role: str = ""
    content: str | list[_Part] | None = None


class _Thread(Struct):
    messages: list[_Message] | None = None


class _Output(Struct):
    tool_call_id: str = ""
    output: str = ""


class _Format(Struct):
    type: str = ""


class _Request(RequestFields):
    """A run goes on from a thread that the server has: the messages here are only the new ones."""

    instructions: str | None = None
    additional_instructions: str | None = None
    additional_messages: list[_Message] | None = None
    thread: _Thread | None = None  # a new one
    tools: list[OfferedTool] | None = None
    tool_outputs: list[_Output] | None = None
    max_completion_tokens: Whole | None = None
    reasoning_effort: str | None = None
    response_format: str | _Format | None = None


_REQUEST = Fields(_Request)


def request(body: bytes, /) -> Asked:
    """Never raises: a body that is not such a request gives an empty Asked."""
    found = _REQUEST.read(body)
    if found is None:
        return Asked()
    asked = found.value
    system = [text for text in (asked.instructions, asked.additional_instructions) if text]
    thread = asked.thread or _Thread()
    results = tuple(ToolResultPart(each.tool_call_id, each.output) for each in asked.tool_outputs or ())
    return asked_of(
        asked,
        [
            *([Message("system", tuple(map(TextPart, system)))] if system else ()),
            *map(_message, (*(thread.messages or ()), *(asked.additional_messages or ()))),
            *([Message("tool", results)] if results else ()),
        ],
        tools=[each for tool in asked.tools or () for each in tool.definitions()],
        parameters=Parameters(
            max_tokens=asked.max_completion_tokens,
            temperature=asked.temperature,
            top_p=asked.top_p,
            reasoning=asked.reasoning_effort,
            output_type=_output_type(asked.response_format),
        ),
        unknown=found.unknown,
    )


def _output_type(format: str | _Format | None) -> str | None:
    if not isinstance(format, _Format):
        return None  # `auto`
    return "json" if format.type.startswith("json") else format.type or None


def _message(message: _Message) -> Message:
    content = message.content
    if isinstance(content, str):
        return Message(message.role, (TextPart(content),) if content else ())
    return Message(message.role, tuple(part for each in content or () if (part := _part(each)) is not None))


def _part(part: _Part) -> Part | None:
    image = part.image_file or part.image_url
    if image is not None:
        return MediaPart("image", reference=image.file_id or image.url)
    return TextPart(part.text) if part.text else None
