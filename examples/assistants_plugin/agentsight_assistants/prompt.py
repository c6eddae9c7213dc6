"""Body of a request for a run of the Assistants API, or for outputs of its tools -> Asked."""

from __future__ import annotations

from msgspec import Struct

from agentsight_rx.llm import OfferedTool, RequestFields, Requests, said_by
from agentsight_rx.llm.canonical import Asked, MediaPart, Message, Part, TextPart, ToolResultPart


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
    response_format: str | _Format | None = None  # or `auto`


def _said(asked: _Request) -> Asked:
    thread = asked.thread or _Thread()
    results = tuple(ToolResultPart(each.tool_call_id, each.output) for each in asked.tool_outputs or ())
    return Asked(
        messages=(
            *said_by("system", asked.instructions, asked.additional_instructions),
            *map(_message, (*(thread.messages or ()), *(asked.additional_messages or ()))),
            *([Message("tool", results)] if results else ()),
        ),
        tools=tuple(each for tool in asked.tools or () for each in tool.definitions()),
    )


request = Requests(
    _Request,
    _said,
    {"max_tokens": "max_completion_tokens", "reasoning": "reasoning_effort", "output_type": "response_format.type"},
)


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
