"""Body of a request to Google's generateContent or streamGenerateContent -> Prompt."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct, field

from ..decode import decoded
from ..prompt import Prompt, RequestFields, ToolResult, Turn, prompt_of

__all__ = ["made_up_id", "request"]


class _Function(Struct):
    """A call or its result."""

    id: str | None = None
    name: str | None = None
    response: Raw = Raw()


class _Part(Struct):
    """Names of fields may be in camelCase or with underscores, as in all of Google's JSON."""

    text: str | None = None
    thought: bool | None = None
    camel_call: _Function | None = field(default=None, name="functionCall")
    camel_response: _Function | None = field(default=None, name="functionResponse")
    function_call: _Function | None = None
    function_response: _Function | None = None

    @property
    def call(self) -> _Function | None:
        return self.camel_call or self.function_call

    @property
    def response(self) -> _Function | None:
        return self.camel_response or self.function_response


class _Content(Struct):
    role: str | None = None
    parts: list[_Part] | _Part | None = None

    def all_parts(self) -> list[_Part]:
        return [self.parts] if isinstance(self.parts, _Part) else self.parts or []


class _Config(Struct, rename="camel"):
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None


class _Named(Struct):
    name: str = ""


class _Request(RequestFields):
    contents: list[_Content] | _Content | str | None = None
    camel_system: _Content | str | None = field(default=None, name="systemInstruction")
    system_instruction: _Content | str | None = None
    tools: list[dict[str, Raw]] | None = None
    camel_config: _Config | None = field(default=None, name="generationConfig")
    generation_config: _Config | None = None
    request: _Request | None = None  # Code Assist wraps the request


class _Given(Struct):
    output: str | None = None
    error: str | None = None


_REQUEST = msgspec.json.Decoder(_Request)
_DECLARED = msgspec.json.Decoder(list[_Named])
_GIVEN = msgspec.json.Decoder(_Given)


def request(body: bytes, /) -> Prompt:
    """Never raises: a body that is not such a request gives an empty Prompt."""
    outer = decoded(_REQUEST, body)
    if outer is None:
        return Prompt()
    asked = outer.request or outer
    config = asked.camel_config or asked.generation_config or _Config()
    asked.model = (outer.model or asked.model).removeprefix("models/")
    asked.temperature, asked.top_p = config.temperature, config.top_p
    system = [_content("system", content) for content in _contents(asked.camel_system or asked.system_instruction)]
    return prompt_of(
        asked,
        _turns([*system, *_contents(asked.contents)]),
        tools=[name for tool in asked.tools or () for name in _offered(tool)],
        max_tokens=config.max_output_tokens,
    )


def made_up_id(name: str, position: int) -> str:
    """An id for a call without one: Gemini matches calls and results by order. `position` counts the calls of one answer."""
    return f"{name}-{position}"


def _contents(contents: list[_Content] | _Content | str | None) -> list[_Content]:
    if isinstance(contents, str):
        return [_Content("user", _Part(contents))]
    return [contents] if isinstance(contents, _Content) else contents or []


def _content(role: str, content: _Content) -> _Content:
    return _Content(role, content.parts)


def _offered(tool: dict[str, Raw]) -> Iterable[str]:
    """The names of declared functions; for a tool that Google runs itself, the name of its kind."""
    for kind, what in tool.items():
        if kind in ("functionDeclarations", "function_declarations"):
            yield from (function.name for function in decoded(_DECLARED, what) or ())
        else:
            yield kind


def _turns(contents: list[_Content]) -> list[Turn]:
    asking = [number for number, content in enumerate(contents) if content.role == "model"]
    newest = asking[-1] if asking else -1
    calls = [part.call for part in contents[newest].all_parts() if part.call] if asking else []
    turns: list[Turn] = []
    answered = 0
    for number, content in enumerate(contents):
        texts = [part.text for part in content.all_parts() if part.text and not part.thought]
        results: list[ToolResult] = []
        for response in (part.response for part in content.all_parts()):
            if response is None:
                continue
            call = calls[answered] if number > newest and answered < len(calls) else None
            results.append(_result(response, _answered_id(response, call, answered)))
            answered += number > newest
        turns.append(Turn(content.role or "user", texts, results))
    return turns


def _answered_id(response: _Function, call: _Function | None, position: int) -> str:
    """
    The id of the call that a result answers: `call` is the one at its position in the newest answer.

    For calls without an id, a client may give the results ids of its own. Results for older answers without an id stay without
    one; otherwise they would answer the newest calls.
    """
    if call is None:
        return response.id or ""
    return call.id or made_up_id(call.name or "", position)


def _result(response: _Function, call: str) -> ToolResult:
    """`output` and `error` are Google's names for the output of a tool; any other result stays JSON."""
    given = decoded(_GIVEN, response.response) if response.response else None
    if given is None or (given.output is None and given.error is None):
        return ToolResult(call, str(bytes(response.response), "utf-8", "replace"))
    return ToolResult(call, given.output or given.error or "", given.output is None)
