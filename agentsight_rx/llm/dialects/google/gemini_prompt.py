"""Body of a request to Google's generateContent or streamGenerateContent -> Asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias, TypeVar

from msgspec import Raw, Struct, field
from msgspec.structs import replace

from ...by_order import CallOrder
from ...canonical import Asked, Message, Parameters, Part, ToolCallPart, ToolDefinition
from ...lenient import Fields
from ...request_fields import RequestFields, asked_of, text_of
from ...resent import Whole
from .gemini_parts import Content, GeminiPart, part_of

T = TypeVar("T")

_ROLES = {"model": "assistant", "function": "tool"}


class _Thinking(Struct, rename="camel"):
    thinking_budget: Whole | None = None
    thinking_level: str | int | None = None
    snake_budget: Whole | None = field(default=None, name="thinking_budget")
    snake_level: str | int | None = field(default=None, name="thinking_level")

    @property
    def said(self) -> str | None:
        for each in (self.thinking_level, self.snake_level, self.thinking_budget, self.snake_budget):
            if each is not None:
                return str(each)
        return None


class _Config(Struct, rename="camel"):
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    max_output_tokens: Whole | None = None
    candidate_count: Whole | None = None
    stop_sequences: list[str] | None = None
    seed: Whole | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    response_mime_type: str | None = None
    thinking_config: _Thinking | None = None
    service_tier: str | None = None


class _SnakeConfig(Struct):
    """The same with the other names; clients do not mix them."""

    top_p: float | None = None
    top_k: float | None = None
    max_output_tokens: Whole | None = None
    candidate_count: Whole | None = None
    stop_sequences: list[str] | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    response_mime_type: str | None = None
    thinking_config: _Thinking | None = None


class _Declared(Struct):
    name: str = ""
    description: str = ""
    parameters: Raw = Raw()
    json_schema: Raw = field(default=Raw(), name="parametersJsonSchema")


_Contents: TypeAlias = str | Content | list[Content] | None
_Tools: TypeAlias = list[dict[str, Raw]] | dict[str, Raw] | None


class _Request(RequestFields):
    contents: _Contents = None
    camel_system: _Contents = field(default=None, name="systemInstruction")
    system_instruction: _Contents = None
    tools: _Tools = None
    camel_config: Raw = field(default=Raw(), name="generationConfig")
    generation_config: Raw = Raw()
    request: _Request | None = None  # Code Assist wraps the request


_REQUEST = Fields(_Request)
_DECLARED = Fields(list[_Declared])
_CONFIG = Fields(_Config)
_SNAKE = Fields(_SnakeConfig)


def request(body: bytes, /) -> Asked:
    """Never raises: a body that is not such a request gives an empty Asked."""
    found = _REQUEST.read(body)
    if found is None:
        return Asked()
    outer = found.value
    asked = outer.request or outer
    asked.model = (outer.model or asked.model).removeprefix("models/")
    made = asked_of(
        asked,
        messages_of(asked.camel_system or asked.system_instruction, asked.contents),
        tools=tools_of(asked.tools),
        parameters=Parameters(),
        unknown=found.unknown,
    )
    return replace(with_config(made, asked.camel_config or asked.generation_config), stream=False)  # the path says it


def with_config(asked: Asked, raw: Raw, /) -> Asked:
    """The request with what its `generationConfig` says."""
    found = _CONFIG.read(raw) if text_of(raw) else None
    if found is None:
        return asked if not text_of(raw) else replace(asked, unknown=(*asked.unknown, "generationConfig"))
    config, snake = found.value, _SNAKE.value(raw) or _SnakeConfig()
    thinking = config.thinking_config or snake.thinking_config
    type = config.response_mime_type or snake.response_mime_type
    parameters = Parameters(
        max_tokens=_first(config.max_output_tokens, snake.max_output_tokens),
        temperature=config.temperature,
        top_p=_first(config.top_p, snake.top_p),
        top_k=_first(config.top_k, snake.top_k),
        frequency_penalty=_first(config.frequency_penalty, snake.frequency_penalty),
        presence_penalty=_first(config.presence_penalty, snake.presence_penalty),
        seed=config.seed,
        stop=tuple(config.stop_sequences or snake.stop_sequences or ()),
        choices=_first(config.candidate_count, snake.candidate_count),
        reasoning=thinking.said if thinking else None,
        output_type="json" if type == "application/json" else None,
        service_tier=config.service_tier,
    )
    names = tuple(f"generationConfig.{each}" for each in found.unknown)
    return replace(asked, parameters=parameters, unknown=(*asked.unknown, *names))


def tools_of(tools: _Tools, /) -> list[ToolDefinition]:
    """Declared functions; for a tool that Google runs itself, the name of its kind."""
    each = [tools] if isinstance(tools, dict) else tools or []
    return [definition for tool in each for definition in _offered(tool)]


def messages_of(system: _Contents, contents: _Contents, /) -> list[Message]:
    """The conversation, the system's text first."""
    first = [Content("system", each.each()) for each in _contents(system)]
    return _messages([*first, *_contents(contents)])


def _contents(contents: _Contents) -> list[Content]:
    if isinstance(contents, str):
        return [Content("user", [GeminiPart(contents)])]
    return [contents] if isinstance(contents, Content) else contents or []


def _offered(tool: dict[str, Raw]) -> Iterable[ToolDefinition]:
    for kind, what in tool.items():
        if kind in ("functionDeclarations", "function_declarations"):
            for each in _DECLARED.value(what) or ():
                yield ToolDefinition(each.name, each.description, text_of(each.parameters or each.json_schema))
        else:
            yield ToolDefinition(kind, type=kind)


def _messages(contents: list[Content]) -> list[Message]:
    asking = [number for number, content in enumerate(contents) if content.role == "model"]
    newest = asking[-1] if asking else -1
    asked = [part.call for part in contents[newest].each() if part.call is not None] if asking else []
    # Results for older answers without an id stay without one; otherwise they would answer the newest calls
    calls, older = CallOrder((call.id, call.name) for call in asked), CallOrder()
    messages: list[Message] = []
    for number, content in enumerate(contents):
        parts: list[Part] = []
        position, server_call = 0, ""  # the number of calls so far, and the newest that Google ran
        for part in content.each():
            result_of = server_call
            if part.result is not None:
                result_of = (calls if number > newest else older).answered(part.result.id)
            made = part_of(part, position, result_of)
            if isinstance(made, ToolCallPart):
                position += 1
                server_call = made.id if made.server else server_call
            if made is not None:
                parts.append(made)
        role = content.role or "user"
        messages.append(Message(_ROLES.get(role, role), tuple(parts)))
    return messages


def _first(first: T | None, second: T | None) -> T | None:
    return second if first is None else first
