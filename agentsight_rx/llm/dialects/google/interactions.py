"""The Interactions API of Google's Gemini (ai.google.dev/gemini-api/docs/interactions and …/streaming)."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias, get_args

import msgspec
from msgspec import Raw, Struct

from ....events import SseEvent, Usage
from ...lenient import Fields
from ...prompt import counted, take_usage
from ...provider import IdentifyingFields, Provider
from ...reader import Draft, Place
from ...request_fields import text_of
from ...resent import Count, Failure, failure_text
from .interactions_prompt import Step, parts_of, request


class _Usage(Struct, gc=False):
    total_input_tokens: Count | None = None
    total_output_tokens: Count | None = None
    total_thought_tokens: Count | None = None
    total_reasoning_tokens: Count | None = None  # its older name
    total_cached_tokens: Count | None = None
    total_tool_use_tokens: Count | None = None

    def normal(self) -> Usage | None:
        """`total_input_tokens` includes the cached ones, `total_output_tokens` does not include the thoughts."""
        if (self.total_input_tokens, self.total_output_tokens) == (None, None):
            return None
        thoughts, cached = self.total_thought_tokens or self.total_reasoning_tokens or 0, self.total_cached_tokens or 0
        asked = (self.total_input_tokens or 0) + (self.total_tool_use_tokens or 0)
        return counted(asked, (self.total_output_tokens or 0) + thoughts, read=cached, reasoning=thoughts)


class _Interaction(Struct):
    id: str | None = None
    model: str | None = None
    agent: str | None = None
    status: str | None = None
    steps: list[Step] | None = None
    outputs: list[Step] | None = None  # in older answers
    usage: Raw = Raw()
    error: Failure | str | None = None


class _Delta(Struct):
    """A piece of a step: `type` is text, thought_summary, thought_signature, arguments_delta, …"""

    type: str | None = None
    text: str | None = None
    content: Step | None = None  # of a thought's summary
    partial_arguments: str | None = None
    arguments: Raw = Raw()
    id: str | None = None
    name: str | None = None
    call_id: str | None = None
    result: Raw = Raw()
    is_error: bool | None = None
    mime_type: str | None = None
    uri: str | None = None
    data: str | None = None


_Kind: TypeAlias = Literal[
    "interaction.created",
    "interaction.start",
    "interaction.in_progress",
    "interaction.requires_action",
    "interaction.status_update",
    "interaction.completed",
    "interaction.complete",
    "step.start",
    "step.delta",
    "step.stop",
    "content.start",
    "content.delta",
    "content.stop",
    "error",
]
_KINDS = frozenset[str](get_args(_Kind)) - {"error"}


class _Event(Struct):
    event_type: _Kind
    index: Count | None = None
    interaction: _Interaction | None = None
    step: Step | None = None
    content: Step | None = None
    delta: _Delta | None = None
    error: Failure | str | None = None


_EVENT = Fields(_Event)
_INTERACTION = Fields(_Interaction)
_USAGE = Fields(_Usage)
_TEXT = msgspec.json.Decoder(str)
_MEDIA = ("image", "audio", "video", "document")


def _take(draft: Draft, event: SseEvent) -> bool | None:
    if event.data == "[DONE]":
        draft.ended = True
        return False
    said = _EVENT.noting(event.data, draft.note)
    if said is None:
        return None
    place = max(draft.blocks, default=(0, 0, 0)) if said.index is None else (said.index, 0, 0)
    if said.event_type in ("step.start", "content.start"):
        return _put(draft, place, said.step or said.content or Step())
    if said.delta is not None:
        return _take_delta(draft, place, said.delta)
    if said.interaction is not None:
        _take_interaction(draft, said.interaction)
    if said.error is not None:
        draft.error = failure_text(said.error)
        draft.ended = True
    return False


def _take_delta(draft: Draft, place: Place, delta: _Delta) -> bool:
    kind = delta.type or "text"
    if kind == "thought_signature":
        return False
    if kind.startswith("thought"):
        text = (delta.content and delta.content.text) or delta.text
        draft.block(place, "reasoning").parts += [text] if text else []
        return bool(text)
    if kind.startswith("arguments") or kind.endswith("_call"):
        return _take_arguments(draft, place, delta)
    if kind in _MEDIA or kind.endswith("_result"):
        return _put(
            draft,
            place,
            Step(
                kind,
                call_id=delta.call_id,
                result=delta.result,
                is_error=delta.is_error,
                mime_type=delta.mime_type,
                uri=delta.uri,
                data=delta.data,
            ),
        )
    if delta.text:
        known = draft.blocks.get(place)
        kind = "reasoning" if known is not None and known.kind == "reasoning" else "text"
        draft.block(place, kind).parts.append(delta.text)
    return bool(delta.text)


def _take_arguments(draft: Draft, place: Place, delta: _Delta) -> bool:
    """Pieces of the JSON text are strings; older answers send the arguments whole."""
    call, arguments = draft.block(place, "call"), text_of(delta.arguments)
    call.id, call.name = delta.id or call.id, delta.name or call.name
    piece = delta.partial_arguments or (_TEXT.decode(arguments) if arguments.startswith('"') else "")
    if piece:
        call.parts.append(piece)
    elif arguments:
        call.whole = arguments
    call.server = call.server or ((delta.type or "").endswith("_call") and delta.type != "function_call")
    return bool(piece or arguments)


def _put(draft: Draft, place: Place, step: Step) -> bool:
    """A step, or the beginning of one: of a thought or a model's output there may be no content yet."""
    parts = parts_of(step)
    for number, part in enumerate(parts):
        draft.put((place[0], place[1], place[2] + number), part)
    return bool(parts) and step.type != "thought"


def _take_interaction(draft: Draft, interaction: _Interaction) -> None:
    draft.id = draft.id or interaction.id or ""
    draft.model = draft.model or interaction.model or interaction.agent or ""
    if not draft.blocks:
        for index, step in enumerate(interaction.steps or interaction.outputs or ()):
            _put(draft, (index, 0, 0), step)
    reason = None if interaction.status == "in_progress" else interaction.status
    draft.choices[0] = reason or draft.choices.get(0)
    take_usage(draft, interaction.usage, _USAGE, _Usage.normal)
    draft.error = failure_text(interaction.error) or draft.error


def _answer(body: bytes) -> Draft:
    draft = Draft()
    found = _INTERACTION.read(body)
    if found is not None:
        draft.note(found.unknown)
        _take_interaction(draft, found.value)
        draft.pending = found.value.status == "in_progress"  # made in the background
    return draft


def _speaks(fields: IdentifyingFields) -> bool:
    return fields.event_type in _KINDS


GEMINI_INTERACTIONS = Provider(
    name="gemini_interactions",
    label="gcp.gen_ai",
    hosts=(("generativelanguage", "gcp.gen_ai"), ("aiplatform.googleapis", "gcp.gen_ai")),
    path=re.compile(r"/v1(?:(?:alpha|beta)\d*)?/(?:projects/[^/]+/locations/[^/]+/)?interactions/?$"),
    speaks=_speaks,
    asks=request,
    answers=_answer,
    take=_take,
    operation="generate_content",
    poll=re.compile(r"/v1(?:(?:alpha|beta)\d*)?/(?:projects/[^/]+/locations/[^/]+/)?interactions/(?P<id>[^/]+)$"),
)
