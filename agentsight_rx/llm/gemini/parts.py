"""
A part of a content of Google's Gemini API -> a Part; requests and answers have the same parts.

As in all of Google's JSON, names may be in camelCase or with underscores, and an enum may be its name or its number.
"""

from __future__ import annotations

from msgspec import Raw, Struct, field

from ..by_order import made_up_id
from ..canonical import MediaPart, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from ..decode import Count
from ..lenient import Fields
from ..request_fields import text_of

__all__ = ["Content", "GeminiPart", "PartialArg", "Said", "medium_of", "part_of"]

CODE = "code_execution"  # the name that Google gives to its tool, whose calls are parts of their own
_FINE = (1, "OUTCOME_OK", None)


class _Omitted(Struct, gc=False):
    """In place of base64 that was left out of a request over a WebSocket."""

    omitted_bytes: Count = 0


class Blob(Struct, gc=False):
    """Of a medium: sent along, or the URI of a file."""

    mime_type: str | None = None
    camel_type: str | None = field(default=None, name="mimeType")
    file_uri: str | None = None
    camel_uri: str | None = field(default=None, name="fileUri")
    data: str | _Omitted | None = None

    @property
    def size(self) -> int:
        return self.data.omitted_bytes if isinstance(self.data, _Omitted) else len(self.data or "")


class PartialArg(Struct, gc=False, rename="camel"):
    """A value, or a piece of a string, that belongs into the arguments at `json_path`."""

    json_path: str = ""
    string_value: str | None = None
    number_value: Raw = Raw()
    bool_value: Raw = Raw()
    null_value: Raw = Raw()

    def json(self) -> Raw:
        """The JSON text of the value, but for a string; empty if there is none."""
        return self.number_value or self.bool_value or (Raw(b"null") if self.null_value else Raw())


class Said(Struct):
    """A call of a tool or its result."""

    id: str | None = None
    name: str | None = None
    type: str | None = field(default=None, name="toolType")  # of a tool that Google runs
    args: Raw = Raw()
    response: Raw = Raw()
    partial_args: list[PartialArg] | None = field(default=None, name="partialArgs")
    will_continue: bool | None = field(default=None, name="willContinue")
    parts: list[GeminiPart] | None = None  # media of a result


class _Code(Struct, gc=False):
    id: str | None = None
    code: str | None = None


class _Outcome(Struct, gc=False):
    id: str | None = None
    outcome: str | int | None = None
    output: str | None = None


class GeminiPart(Struct):
    text: str | None = None
    thought: bool | None = None
    function_call: Said | None = None
    camel_call: Said | None = field(default=None, name="functionCall")
    function_response: Said | None = None
    camel_response: Said | None = field(default=None, name="functionResponse")
    tool_call: Said | None = field(default=None, name="toolCall")  # of a tool that Google runs
    tool_response: Said | None = field(default=None, name="toolResponse")
    executable_code: _Code | None = None
    camel_code: _Code | None = field(default=None, name="executableCode")
    code_execution_result: _Outcome | None = None
    camel_result: _Outcome | None = field(default=None, name="codeExecutionResult")
    inline_data: Blob | None = None
    camel_inline: Blob | None = field(default=None, name="inlineData")
    file_data: Blob | None = None
    camel_file: Blob | None = field(default=None, name="fileData")

    @property
    def call(self) -> Said | None:
        return self.camel_call or self.function_call

    @property
    def result(self) -> Said | None:
        return self.camel_response or self.function_response

    @property
    def blob(self) -> Blob | None:
        return self.camel_inline or self.inline_data or self.camel_file or self.file_data


class Content(Struct):
    role: str | None = None
    parts: list[GeminiPart] | GeminiPart | None = None

    def each(self) -> list[GeminiPart]:
        """Its parts; some clients send the one part without its list."""
        return [self.parts] if isinstance(self.parts, GeminiPart) else self.parts or []


class _Given(Struct):
    output: str | None = None
    error: str | None = None


_GIVEN = Fields(_Given)


def part_of(part: GeminiPart, position: int, result_of: str = "", /) -> Part | None:
    """
    What a part says; None if nothing. `position` is the number of calls before it, and `result_of` the id of the call that
    it answers, where it is a result that names none.
    """
    code, outcome = part.camel_code or part.executable_code, part.camel_result or part.code_execution_result
    if part.call is not None:
        call = part.call
        return ToolCallPart(call.id or made_up_id(call.name or "", position), call.name or "", text_of(call.args))
    if part.tool_call is not None:
        name = part.tool_call.name or part.tool_call.type or ""
        return ToolCallPart(part.tool_call.id or made_up_id(name, position), name, text_of(part.tool_call.args), server=True)
    if code is not None:
        return ToolCallPart(code.id or made_up_id(CODE, position), CODE, code.code or "", server=True)
    if outcome is not None:
        return ToolResultPart(outcome.id or result_of, outcome.output or "", outcome.outcome not in _FINE)
    if part.result is not None:
        return _result(part.result, result_of)
    if part.tool_response is not None:
        return _result(part.tool_response, part.tool_response.id or result_of)
    if part.blob is not None:
        return medium_of(part.blob)
    if not part.text:
        return None
    return ReasoningPart(part.text) if part.thought else TextPart(part.text)


def medium_of(blob: Blob, /) -> MediaPart:
    type = blob.camel_type or blob.mime_type or ""
    kind = type.partition("/")[0]
    known = kind if kind in ("image", "audio", "video") else "file"
    return MediaPart(known, type, blob.camel_uri or blob.file_uri or "", blob.size)


def _result(said: Said, call: str) -> ToolResultPart:
    """`output` and `error` are Google's names for the output of a tool; any other result stays JSON."""
    media = tuple(medium_of(part.blob) for part in said.parts or () if part.blob is not None)
    given = _GIVEN.value(said.response) if said.response else None
    if given is None or (given.output is None and given.error is None):
        return ToolResultPart(call, text_of(said.response), media=media)
    return ToolResultPart(call, given.output or given.error or "", given.output is None, media=media)
