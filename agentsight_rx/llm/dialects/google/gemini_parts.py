"""Parts of a streamed content of Google's Gemini API -> the Draft of the answer."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct, field
from msgspec.structs import replace

from ...by_order import made_up_id
from ...canonical import MediaPart, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from ...lenient import Fields
from ...reader import Block, Draft
from ...request_fields import text_of
from ...resent import Count

# -- parts ---------------------------------------------------------------------------------------------------------
# A part of a content of Google's Gemini API -> a Part; requests and answers have the same parts.
#
# As in all of Google's JSON, names may be in camelCase or with underscores, and an enum may be its name or its number.


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


# ------------------------------------------------------------------------------------------------------------------------


_OPEN = "call"  # in the draft's items: 1 while more of the newest call's arguments may come


def take_parts(draft: Draft, parts: Iterable[GeminiPart], /) -> bool:
    """Add each part. True if one carried content."""
    content = False
    for part in parts:
        content |= _take_part(draft, part)
    return content


def _take_part(draft: Draft, part: GeminiPart) -> bool:
    if part.text:  # nearly all parts
        draft.add("reasoning" if part.thought else "text", part.text)
        return True
    if part.call is not None:
        return take_call(draft, part.call)
    said = part_of(part, _calls(draft), _newest_server_call(draft))
    match said:
        case MediaPart():
            _add_medium(draft, said)
        case None:
            return False
        case _:
            draft.put((len(draft.blocks), 0, 0), said)
    return True


def take_call(draft: Draft, call: Said, /) -> bool:
    """A call, whole, or a piece of one whose arguments are streamed. An empty piece ends it."""
    newest, partial = _newest(draft), call.partial_args or ()
    is_open = newest is not None and newest.kind == "call" and draft.items.get(_OPEN) == 1
    if newest is None or not is_open or (call.name and not (partial and call.name == newest.name)):
        if not (call.name or call.args or partial):
            return False
        newest = _new_call(draft, call)
    for each in partial:
        value = msgspec.json.encode(each.string_value) if each.string_value is not None else bytes(each.json())
        if value:
            newest.paths.append(each.json_path)
            newest.parts.append(value.decode(errors="replace"))
    draft.items[_OPEN] = int(bool(partial) if call.will_continue is None else call.will_continue)
    return bool(partial or call.name or call.args)


def _new_call(draft: Draft, call: Said) -> Block:
    position, name = _calls(draft), call.name or ""
    made = draft.call(len(draft.blocks))
    made.id, made.name, made.whole = call.id or made_up_id(name, position), name, text_of(call.args)
    if made.whole and call.partial_args:  # pieces are added to what is there
        made.paths.append("$")
        made.parts.append(made.whole)
    return made


def _add_medium(draft: Draft, medium: MediaPart) -> None:
    """Sound is streamed in many parts, which are one."""
    newest = _newest(draft)
    if (
        newest is not None
        and newest.media is not None
        and (medium.kind, medium.media_type) == ("audio", newest.media.media_type)
    ):
        newest.media = replace(newest.media, size=newest.media.size + medium.size)
        return
    draft.put((len(draft.blocks), 0, 0), medium)


def _newest(draft: Draft) -> Block | None:
    """The last piece that came; speech in the Live API stands before all of them, and is not a piece."""
    return next((block for place, block in reversed(draft.blocks.items()) if place[0] >= 0), None)


def _calls(draft: Draft) -> int:
    return sum(block.kind == "call" for block in draft.blocks.values())


def _newest_server_call(draft: Draft) -> str:
    return next((block.id for block in reversed(draft.blocks.values()) if block.kind == "call" and block.server), "")
