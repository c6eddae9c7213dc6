"""Body of a request to OpenAI's Chat Completions API, or to the older Completions -> Asked; others have its shapes too."""

from __future__ import annotations

from msgspec import Raw, Struct

from ...canonical import Asked, MediaPart, Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolDefinition, ToolResultPart
from ...request_fields import RequestFields, medium, plain_text, said_by, text_of
from ...request_table import Place, ResentRequests
from ...resent import Whole

# -- shapes --------------------------------------------------------------------------------------------------------
# Messages and tools, which Cohere, Ollama and Mistral have in the same shape.


class _Url(Struct):
    url: str = ""


class _File(Struct):
    file_id: str = ""
    filename: str = ""
    file_data: str = ""


class _Sound(Struct):
    data: str = ""
    format: str = ""


class _Document(Struct):
    data: Raw = Raw()


class Piece(Struct):
    """A piece of the content of a message."""

    type: str = ""
    text: str | None = None
    thinking: str | list[Piece] | None = None
    image_url: str | _Url | None = None
    input_audio: _Sound | None = None
    file: _File | None = None
    file_id: str | None = None  # Mistral
    document_url: str | None = None  # Mistral
    document: _Document | None = None  # Cohere

    def part(self) -> Part | None:
        if self.thinking:
            inner = self.thinking
            return ReasoningPart(inner if isinstance(inner, str) else "".join(each.text or "" for each in inner))
        if self.image_url is not None:
            return medium("image", self.image_url if isinstance(self.image_url, str) else self.image_url.url)
        if self.input_audio is not None:
            return MediaPart("audio", self.input_audio.format, size=len(self.input_audio.data))
        if self.file is not None:
            return MediaPart("file", reference=self.file.file_id or self.file.filename, size=len(self.file.file_data))
        text = self.text or (text_of(self.document.data) if self.document else "")
        if text:
            return TextPart(text)
        reference = self.file_id or self.document_url
        return MediaPart("file", reference=reference) if reference else None


class Function(Struct):
    """Of a call of a tool, or of a tool that is offered."""

    name: str | None = None
    arguments: Raw = Raw()
    input: str | None = None  # of a custom tool
    description: str | None = None
    parameters: Raw = Raw()

    def definition(self, type: str = "") -> ToolDefinition:
        return ToolDefinition(self.name or "", self.description or "", text_of(self.parameters), type=type or "function")


class Call(Struct):
    id: str | None = None
    function: Function | None = None
    custom: Function | None = None


class ChatTool(Struct):
    type: str = ""
    function: Function | None = None
    custom: Function | None = None

    def definition(self) -> ToolDefinition:
        return (self.function or self.custom or Function()).definition(self.type)


class _Spoken(Struct):
    """What a model said aloud before, by its id."""

    id: str = ""


class ChatMessage(Struct):
    role: str = ""
    name: str = ""
    content: str | list[Piece] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    audio: _Spoken | None = None
    tool_calls: list[Call] | None = None
    function_call: Function | None = None
    tool_call_id: str | None = None

    def message(self) -> Message:
        if self.role in ("tool", "function"):
            return Message(self.role, (self._result(),), self.name)
        parts = parts_of(self.content) if self.content else []
        thought = self.reasoning_content or self.reasoning
        if thought:
            parts.insert(0, ReasoningPart(thought))
        if self.refusal:
            parts.append(TextPart(self.refusal))
        if self.audio:
            parts.append(MediaPart("audio", reference=self.audio.id))
        for call in self.tool_calls or ():
            made = call.function or call.custom or Function()
            parts.append(ToolCallPart(call.id or "", made.name or "", made.input or plain_text(made.arguments)))
        if self.function_call:
            parts.append(ToolCallPart("", self.function_call.name or "", plain_text(self.function_call.arguments)))
        return Message(self.role, tuple(parts), self.name)

    def _result(self) -> ToolResultPart:
        if isinstance(self.content, str):
            return ToolResultPart(self.tool_call_id or "", self.content)
        parts = parts_of(self.content)
        text = "\n".join(part.text for part in parts if isinstance(part, TextPart))
        media = tuple(part for part in parts if isinstance(part, MediaPart))
        return ToolResultPart(self.tool_call_id or "", text, media=media)


def parts_of(content: str | list[Piece] | None, /) -> list[Part]:
    """The parts of a message, in order; pieces that say nothing are left out."""
    if isinstance(content, str):
        return [TextPart(content)] if content else []
    return [part for piece in content or () if (part := piece.part()) is not None]


# ------------------------------------------------------------------------------------------------------------------------


class _Request(RequestFields):
    model_id: str | None = None  # watsonx
    messages: list[ChatMessage] | None = None
    prompt: str | list[str] | None = None
    suffix: str | None = None  # what follows the gap that is to be filled
    tools: list[ChatTool] | None = None
    functions: list[Function] | None = None


def _said(asked: _Request, messages: list[Message]) -> Asked:
    texts = [asked.prompt] if isinstance(asked.prompt, str) else asked.prompt or []
    completed = said_by("user", *texts, asked.suffix)
    tools = [tool.definition() for tool in asked.tools or ()]
    tools += [function.definition() for function in asked.functions or ()]
    return Asked(
        model=asked.model_id or "",
        operation="text_completion" if completed and not messages else "",
        messages=(*messages, *completed),
        tools=tuple(tools),
    )


request: ResentRequests[_Request, ChatMessage, Message] = ResentRequests(
    _Request,
    _said,
    {
        "max_tokens": ("max_completion_tokens", "max_tokens"),
        "top_k": "top_k",
        "frequency_penalty": "frequency_penalty",
        "presence_penalty": "presence_penalty",
        "seed": ("seed", "random_seed"),  # the second is Mistral's
        "stop": "stop",
        "choices": "n",
        "reasoning": ("reasoning_effort", "reasoning.effort", Place("reasoning.max_tokens", Whole)),  # OpenRouter's object
        "output_type": "response_format.type",
        "service_tier": "service_tier",
    },
    field="messages",
    element=ChatMessage,
    made=ChatMessage.message,
    listed=lambda asked: asked.messages or (),
)
