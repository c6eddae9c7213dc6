"""Requests to a model and its answers, in one shape for every provider: messages made of parts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from msgspec import Struct

from ..events import Usage

__all__ = [
    "Answer",
    "Asked",
    "LlmCall",
    "MediaPart",
    "Message",
    "Parameters",
    "Part",
    "ReasoningPart",
    "TextPart",
    "ToolCallPart",
    "ToolDefinition",
    "ToolResultPart",
]


class TextPart(Struct, frozen=True, tag="text"):
    """Text that a person, a program or a model wrote."""

    text: str


class ReasoningPart(Struct, frozen=True, tag="reasoning", omit_defaults=True):
    """
    What a model thought before it answered, or a summary of it; "" where a provider sends it encrypted. `compacted`: it stands
    in place of the conversation before it.
    """

    text: str
    compacted: bool = False


class ToolCallPart(Struct, frozen=True, tag="tool_call"):
    """A model asks for a tool. `input` is the JSON text of the arguments, or plain text for a tool that takes text."""

    id: str
    name: str
    input: str = ""
    server: bool = False  # the provider runs it itself


class ToolResultPart(Struct, frozen=True, tag="tool_result"):
    """The output of the tool call with that `id`."""

    id: str
    output: str
    is_error: bool = False
    media: tuple[MediaPart, ...] = ()


class MediaPart(Struct, frozen=True, tag="media"):
    """An image, a sound or a file, as a reference: its content is only in the event log."""

    kind: str  # image, audio, video, file, …
    media_type: str = ""  # where it was sent
    reference: str = ""  # URL or id of a file; "" where it was sent along
    size: int = 0  # characters that were sent along, as in base64


Part: TypeAlias = TextPart | ReasoningPart | ToolCallPart | ToolResultPart | MediaPart


class Message(Struct, frozen=True):
    """One message of a conversation. `role`: system, developer, user, assistant, tool."""

    role: str
    parts: tuple[Part, ...] = ()
    name: str = ""

    def texts(self) -> list[str]:
        return [part.text for part in self.parts if isinstance(part, TextPart) and part.text]

    def results(self) -> list[ToolResultPart]:
        return [part for part in self.parts if isinstance(part, ToolResultPart)]


class ToolDefinition(Struct, frozen=True):
    """A tool that the model may ask for. `parameters` is the JSON text of its schema."""

    name: str
    description: str = ""
    parameters: str = ""
    type: str = "function"


class Parameters(Struct, frozen=True):
    """How the answer is to be made. None: not sent, or not readable."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    choices: int | None = None
    reasoning: str | None = None  # effort or budget, as sent
    output_type: str | None = None  # text, json, image, speech
    service_tier: str | None = None


class Asked(Struct, frozen=True):
    """
    One request to a model. A body that is not a request gives an empty one.

    Agents send the whole conversation with every request: `messages` has all of it, in order, the system's text first.
    `unknown` are the fields that could not be read, as `messages[].content`.
    """

    model: str = ""
    stream: bool = False
    operation: str = ""  # `gen_ai.operation.name` of OpenTelemetry where it is not the provider's usual one
    messages: tuple[Message, ...] = ()
    tools: tuple[ToolDefinition, ...] = ()
    parameters: Parameters = Parameters()
    session_id: str | None = None
    conversation_id: str | None = None  # as the client named it, never taken from a response
    previous_response_id: str | None = None  # the response that this request goes on from
    unknown: tuple[str, ...] = ()

    @property
    def compacted(self) -> bool:
        """Does it send a summary in place of an earlier part of the conversation?"""
        parts = (part for message in self.messages for part in message.parts)
        return any(isinstance(part, ReasoningPart) and part.compacted for part in parts)


class Answer(Struct, frozen=True):
    """One answer, whole or as far as it came, its parts in the order of the model."""

    id: str = ""
    model: str = ""
    parts: tuple[Part, ...] = ()
    finish_reasons: tuple[str, ...] = ()  # of each choice; the parts are those of the first
    usage: Usage | None = None
    raw_usage: str = ""  # the provider's own counts, as JSON text
    error: str | None = None
    unknown: tuple[str, ...] = ()
    pending: bool = False  # it is being made, and what was read only says so: a later GET has it (see `Provider.poll`)


class LlmCall(Struct, frozen=True):
    """One call of a model: the request, the answer, and how it went. The only shape that reports and exports read."""

    dialect: str  # name of the `Provider` that read it
    provider: str  # `gen_ai.provider.name` of OpenTelemetry
    operation: str  # `gen_ai.operation.name`: chat, generate_content, text_completion
    asked: Asked
    answer: Answer
    host: str | None = None
    status: int = 0
    streaming: bool = False
    complete: bool = True
    reason: str | None = None  # why it is not complete
    start_ns: int = 0  # Unix time, as are the two below; 0: unknown
    first_chunk_ns: int = 0
    end_ns: int = 0

    @property
    def model(self) -> str:
        """The requested model, else the answering one."""
        return self.asked.model or self.answer.model

    @property
    def usage(self) -> Usage | None:
        return self.answer.usage

    @property
    def error(self) -> str | None:
        return self.answer.error

    @property
    def unknown(self) -> tuple[str, ...]:
        """Fields of the request and of the answer that could not be read."""
        return (*self.asked.unknown, *self.answer.unknown)

    def system(self) -> Iterable[Message]:
        return (message for message in self.asked.messages if message.role in ("system", "developer"))
