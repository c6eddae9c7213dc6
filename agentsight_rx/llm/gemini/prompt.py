"""Body of a request to Google's generateContent or streamGenerateContent -> Asked."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Raw, Struct, field
from msgspec.structs import replace

from ..canonical import (
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
from ..lenient import Fields
from ..request_fields import RequestFields, asked_of, text_of

__all__ = ["made_up_id", "request"]

_ROLES = {"model": "assistant", "function": "tool"}


class _Function(Struct):
    """A call or its result."""

    id: str | None = None
    name: str | None = None
    args: Raw = Raw()
    response: Raw = Raw()


class _Blob(Struct):
    """Names of fields may be in camelCase or with underscores, as in all of Google's JSON."""

    camel_type: str | None = field(default=None, name="mimeType")
    mime_type: str | None = None
    camel_uri: str | None = field(default=None, name="fileUri")
    file_uri: str | None = None
    data: str = ""


class _Part(Struct):
    text: str | None = None
    thought: bool | None = None
    camel_call: _Function | None = field(default=None, name="functionCall")
    camel_response: _Function | None = field(default=None, name="functionResponse")
    function_call: _Function | None = None
    function_response: _Function | None = None
    camel_inline: _Blob | None = field(default=None, name="inlineData")
    inline_data: _Blob | None = None
    camel_file: _Blob | None = field(default=None, name="fileData")
    file_data: _Blob | None = None

    @property
    def call(self) -> _Function | None:
        return self.camel_call or self.function_call

    @property
    def response(self) -> _Function | None:
        return self.camel_response or self.function_response

    @property
    def blob(self) -> _Blob | None:
        return self.camel_inline or self.inline_data or self.camel_file or self.file_data


class _Content(Struct):
    role: str | None = None
    parts: list[_Part] | None = None


class _Thinking(Struct, rename="camel"):
    thinking_budget: int | None = None
    thinking_level: str | None = None


class _Config(Struct, rename="camel"):
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    max_output_tokens: int | None = None
    candidate_count: int | None = None
    stop_sequences: list[str] | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    response_mime_type: str | None = None
    thinking_config: _Thinking | None = None


class _Declared(Struct):
    name: str = ""
    description: str = ""
    parameters: Raw = Raw()
    json_schema: Raw = field(default=Raw(), name="parametersJsonSchema")


class _Request(RequestFields):
    contents: str | list[_Content] | None = None
    camel_system: str | list[_Content] | None = field(default=None, name="systemInstruction")
    system_instruction: str | list[_Content] | None = None
    tools: list[dict[str, Raw]] | None = None
    camel_config: _Config | None = field(default=None, name="generationConfig")
    generation_config: _Config | None = None
    request: _Request | None = None  # Code Assist wraps the request


class _Given(Struct):
    output: str | None = None
    error: str | None = None


_REQUEST = Fields(_Request)
_DECLARED = Fields(list[_Declared])
_GIVEN = Fields(_Given)


def request(body: bytes, /) -> Asked:
    """Never raises: a body that is not such a request gives an empty Asked."""
    found = _REQUEST.read(body)
    if found is None:
        return Asked()
    outer = found.value
    asked = outer.request or outer
    config = asked.camel_config or asked.generation_config or _Config()
    asked.model = (outer.model or asked.model).removeprefix("models/")
    system = [_Content("system", content.parts) for content in _contents(asked.camel_system or asked.system_instruction)]
    thinking = config.thinking_config or _Thinking()
    made = asked_of(
        asked,
        _messages([*system, *_contents(asked.contents)]),
        tools=[each for tool in asked.tools or () for each in _offered(tool)],
        parameters=Parameters(
            max_tokens=config.max_output_tokens,
            temperature=config.temperature,
            top_p=config.top_p,
            top_k=config.top_k,
            frequency_penalty=config.frequency_penalty,
            presence_penalty=config.presence_penalty,
            seed=config.seed,
            stop=tuple(config.stop_sequences or ()),
            choices=config.candidate_count,
            reasoning=thinking.thinking_level or (None if thinking.thinking_budget is None else str(thinking.thinking_budget)),
            output_type="json" if config.response_mime_type == "application/json" else None,
        ),
        unknown=found.unknown,
    )
    return replace(made, stream=False)  # the path says it


def made_up_id(name: str, position: int) -> str:
    """An id for a call without one: Gemini matches calls and results by order. `position` counts the calls of one answer."""
    return f"{name}-{position}"


def _contents(contents: str | list[_Content] | None) -> list[_Content]:
    return [_Content("user", [_Part(contents)])] if isinstance(contents, str) else contents or []


def _offered(tool: dict[str, Raw]) -> Iterable[ToolDefinition]:
    """Declared functions; for a tool that Google runs itself, the name of its kind."""
    for kind, what in tool.items():
        if kind in ("functionDeclarations", "function_declarations"):
            for each in _DECLARED.value(what) or ():
                yield ToolDefinition(each.name, each.description, text_of(each.parameters or each.json_schema))
        else:
            yield ToolDefinition(kind, type=kind)


def _messages(contents: list[_Content]) -> list[Message]:
    asking = [number for number, content in enumerate(contents) if content.role == "model"]
    newest = asking[-1] if asking else -1
    calls = [part.call for part in contents[newest].parts or () if part.call] if asking else []
    messages: list[Message] = []
    answered = 0
    for number, content in enumerate(contents):
        parts: list[Part] = []
        position = 0  # of a call in its answer
        for part in content.parts or ():
            if part.response is not None:
                call = calls[answered] if number > newest and answered < len(calls) else None
                parts.append(_result(part.response, _answered_id(part.response, call, answered)))
                answered += number > newest
            elif part.call is not None:
                name = part.call.name or ""
                parts.append(ToolCallPart(part.call.id or made_up_id(name, position), name, text_of(part.call.args)))
                position += 1
            elif part.blob is not None:
                parts.append(_medium(part.blob))
            elif part.text:
                parts.append(ReasoningPart(part.text) if part.thought else TextPart(part.text))
        role = content.role or "user"
        messages.append(Message(_ROLES.get(role, role), tuple(parts)))
    return messages


def _medium(blob: _Blob) -> MediaPart:
    type = blob.camel_type or blob.mime_type or ""
    kind = type.partition("/")[0]
    return MediaPart(
        kind if kind in ("image", "audio", "video") else "file", type, blob.camel_uri or blob.file_uri or "", len(blob.data)
    )


def _answered_id(response: _Function, call: _Function | None, position: int) -> str:
    """
    The id of the call that a result answers: `call` is the one at its position in the newest answer.

    For calls without an id, a client may give the results ids of its own. Results for older answers without an id stay without
    one; otherwise they would answer the newest calls.
    """
    if call is None:
        return response.id or ""
    return call.id or made_up_id(call.name or "", position)


def _result(response: _Function, call: str) -> ToolResultPart:
    """`output` and `error` are Google's names for the output of a tool; any other result stays JSON."""
    given = _GIVEN.value(response.response) if response.response else None
    if given is None or (given.output is None and given.error is None):
        return ToolResultPart(call, str(bytes(response.response), "utf-8", "replace"))
    return ToolResultPart(call, given.output or given.error or "", given.output is None)
