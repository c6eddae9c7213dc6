"""Body of a request to Google's generateContent or streamGenerateContent -> Asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any, TypeAlias

from msgspec import Raw, Struct, field

from ...by_order import CallOrder
from ...canonical import Asked, Message, Part, ToolCallPart, ToolDefinition
from ...lenient import Fields
from ...request_fields import RequestFields, text_of
from ...request_table import Place, Requests, Where
from ...resent import Whole
from .gemini_parts import Content, GeminiPart, part_of

_ROLES = {"model": "assistant", "function": "tool"}


class _Declared(Struct):
    name: str = ""
    description: str = ""
    parameters: Raw = Raw()
    json_schema: Raw = field(default=Raw(), name="parametersJsonSchema")


_Contents: TypeAlias = str | Content | list[Content] | None
_Tools: TypeAlias = list[dict[str, Raw]] | dict[str, Raw] | None


class GeminiFields(RequestFields):
    contents: _Contents = None
    camel_system: _Contents = field(default=None, name="systemInstruction")
    system_instruction: _Contents = None
    tools: _Tools = None

    def messages(self) -> list[Message]:
        """The conversation, the system's text first."""
        first = [Content("system", each.each()) for each in _contents(self.camel_system or self.system_instruction)]
        return _messages([*first, *_contents(self.contents)])


class _Request(GeminiFields):
    request: _Request | None = None  # Code Assist wraps the request


def _said(outer: _Request) -> Asked:
    asked = outer.request or outer
    asked.model = (outer.model or asked.model).removeprefix("models/")
    asked.stream = False  # the path says it
    return Asked(messages=tuple(asked.messages()), tools=tuple(tools_of(asked.tools)))


def _places(path: str, type: Any = None) -> tuple[Place, ...]:
    """Each name of the path may be in camelCase or with underscores."""
    spelled = [dict.fromkeys((name, _UPPER.sub(r"_\g<0>", name).lower())) for name in ("generationConfig", *path.split("."))]
    return tuple(Place(".".join(names), type) for names in product(*spelled))


_UPPER = re.compile("[A-Z]")
GEMINI_PARAMETERS: Mapping[str, Where] = {
    "max_tokens": _places("maxOutputTokens"),
    "temperature": _places("temperature"),
    "top_p": _places("topP"),
    "top_k": _places("topK"),
    "frequency_penalty": _places("frequencyPenalty"),
    "presence_penalty": _places("presencePenalty"),
    "seed": _places("seed"),
    "stop": _places("stopSequences"),
    "choices": _places("candidateCount"),
    "reasoning": (*_places("thinkingConfig.thinkingLevel", str | int), *_places("thinkingConfig.thinkingBudget", Whole)),
    "output_type": _places("responseMimeType"),
    "service_tier": _places("serviceTier"),
}
request = Requests(_Request, _said, GEMINI_PARAMETERS, wrapper="request")
_DECLARED = Fields(list[_Declared])


def tools_of(tools: _Tools, /) -> list[ToolDefinition]:
    """Declared functions; for a tool that Google runs itself, the name of its kind."""
    each = [tools] if isinstance(tools, dict) else tools or []
    return [definition for tool in each for definition in _offered(tool)]


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
