"""
The Live API of Google's Gemini (ai.google.dev/api/live): one turn is one call.

Its request is what the client sent: the setup and the contents since the last turn; its answer is the server's messages.
"""

from __future__ import annotations

import re

from msgspec import Raw, Struct, field

from ....events import SseEvent
from ...canonical import Asked, Message, ToolResultPart
from ...lenient import Fields
from ...provider import IdentifyingFields, Provider
from ...reader import Draft, read_values
from ...request_table import Requests
from ...resent import Failure, failure_text
from .gemini import take_usage
from .gemini_parts import Content, GeminiPart, Said, part_of, take_call, take_parts
from .gemini_prompt import GEMINI_PARAMETERS, GeminiFields, tools_of


class _Given(Struct):
    """One result, or a message with several."""

    id: str | None = None
    name: str | None = None
    response: Raw = Raw()
    several: list[Said] | None = field(default=None, name="functionResponses")


class _Request(GeminiFields):
    setup: _Request | None = None
    results: list[_Given] | None = field(default=None, name="toolResponses")


class _Transcript(Struct, gc=False):
    text: str | None = None


class _Content(Struct, rename="camel"):
    model_turn: Content | None = None
    output_transcription: _Transcript | None = None
    turn_complete: bool | None = None
    generation_complete: bool | None = None
    interrupted: bool | None = None
    input_transcription: _Transcript | None = None
    turn_complete_reason: str | None = None


class _Calls(Struct, rename="camel"):
    function_calls: list[Said] | None = None


class _Message(Struct, rename="camel"):
    setup_complete: Raw = Raw()
    server_content: _Content | None = None
    tool_call: _Calls | None = None
    tool_call_cancellation: Raw = Raw()
    usage_metadata: Raw = Raw()
    go_away: Raw = Raw()
    session_resumption_update: Raw = Raw()
    error: Failure | str | None = None


_MESSAGE = Fields(_Message)


def _said(asked: _Request) -> Asked:
    setup = asked.setup or _Request()
    setup.model = setup.model.removeprefix("models/")
    setup.contents = asked.contents
    results = [
        each
        for given in asked.results or ()
        for each in (given.several or [Said(given.id, given.name, response=given.response)])
    ]
    parts = [part_of(GeminiPart(camel_response=each), 0, each.id or "") for each in results]
    answered = tuple(part for part in parts if isinstance(part, ToolResultPart))
    tool = (Message("tool", answered),) if answered else ()
    return Asked(messages=(*setup.messages(), *tool), tools=tuple(tools_of(setup.tools)))


_asks = Requests(_Request, _said, GEMINI_PARAMETERS, wrapper="setup")


def _take(draft: Draft, event: SseEvent) -> bool | None:
    found = _MESSAGE.read(event.data)
    if found is None:
        return None
    said = found.value
    quiet = said.setup_complete or said.tool_call_cancellation or said.go_away or said.session_resumption_update
    if said.server_content is None and said.tool_call is None and said.error is None and not (said.usage_metadata or quiet):
        return None
    draft.note(found.unknown)
    take_usage(draft, said.usage_metadata)
    content = False
    if said.server_content is not None:
        content = _take_content(draft, said.server_content)
    if said.tool_call is not None:  # the model waits for the results, which begin another turn
        for call in said.tool_call.function_calls or ():
            content |= take_call(draft, call)
        draft.choices[0] = "tool_call"
    if said.error is not None:
        draft.error = failure_text(said.error)
        draft.ended = True
    return content


def _take_content(draft: Draft, said: _Content) -> bool:
    draft.choices.setdefault(0, None)
    content = take_parts(draft, said.model_turn.each()) if said.model_turn else False
    spoken = said.output_transcription and said.output_transcription.text
    if spoken:  # beside the sound, in which it has no place of its own
        draft.block((-1, 0, 0), "text").parts.append(spoken)
        content = True
    if said.interrupted:
        draft.choices[0] = "interrupted"
    if said.turn_complete:
        draft.choices[0] = said.turn_complete_reason or draft.choices.get(0) or "turn_complete"
        draft.ended = True
    return content


def _answer(body: bytes) -> Draft:
    """The messages of one turn in a row."""
    return read_values(body, _take)


def _speaks(fields: IdentifyingFields) -> bool:
    return bool(fields.server_content or fields.tool_call)


GEMINI_LIVE = Provider(
    name="gemini_live",
    label="gcp.gen_ai",
    hosts=(("generativelanguage", "gcp.gen_ai"), ("aiplatform.googleapis", "gcp.gen_ai")),
    path=re.compile(r"(?:GenerativeService\.|LlmBidiService/)BidiGenerateContent(?:Constrained)?$"),
    speaks=_speaks,
    asks=_asks,
    answers=_answer,
    take=_take,
    operation="generate_content",
)
