"""The Responses API of OpenAI (platform.openai.com/docs/api-reference/responses), over SSE and WebSocket."""

from __future__ import annotations

import re

from msgspec import Raw, Struct

from ....events import SseEvent, Usage
from ...canonical import MediaPart
from ...lenient import Fields
from ...prompt import counted, take_usage
from ...provider import IdentifyingFields, Provider
from ...reader import Draft, Place
from ...resent import Count, Failure, failure_text
from .responses_prompt import is_server_tool, request
from .responses_shapes import Ending, Item, Response, Streamed

# -- usage ---------------------------------------------------------------------------------------------------------
# `usage` of the Responses and Realtime APIs -> Usage.


class _Details(Struct):
    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    reasoning_tokens: Count | None = None


class _Usage(Struct):
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    input_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None

    input_token_details: _Details | None = None  # of the Realtime API
    output_token_details: _Details | None = None


def _normal(usage: _Usage) -> Usage | None:
    """`input_tokens` includes what came from a cache and went to it, `output_tokens` includes the reasoning."""
    if usage.input_tokens is None and usage.output_tokens is None:
        return None
    into = usage.input_tokens_details or usage.input_token_details or _Details()
    out = usage.output_tokens_details or usage.output_token_details or _Details()
    created, read = into.cache_write_tokens or 0, into.cached_tokens or 0
    reasoning = out.reasoning_tokens or 0
    return counted(usage.input_tokens or 0, usage.output_tokens or 0, read=read, written=created, reasoning=reasoning)


_USAGE = Fields(_Usage)


def take_response_usage(draft: Draft, raw: Raw, /) -> None:
    """The counts of a response."""
    take_usage(draft, raw, _USAGE, _normal)


# ------------------------------------------------------------------------------------------------------------------------


_EVENT = Fields(Streamed)
_RESPONSE = Fields(Response)

# Types of events, without their last part: `.delta` adds to the text, `.done` has the whole text
_TEXTS = frozenset(
    {
        "response.output_text",
        "response.refusal",
        "response.text",  # this and the next two: Realtime
        "response.output_audio_transcript",
        "response.audio_transcript",
    }
)
_SOUNDS = frozenset({"response.output_audio", "response.audio"})
_THOUGHTS = frozenset({"response.reasoning_text", "response.reasoning_summary_text"})
_INPUTS = frozenset(
    {
        "response.function_call_arguments",
        "response.custom_tool_call_input",
        "response.mcp_call_arguments",
        "response.code_interpreter_call_code",
    }
)
_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled", "response.done"})
_REASONS = {"completed": "stop", "incomplete": "incomplete", "failed": "error", "cancelled": "cancelled"}
_SUMMARY, _CONTENT, _MEDIA = 0, 1, 2


def take(draft: Draft, event: SseEvent, /) -> bool | None:
    """Add an event of this API, or of Realtime, which sends the same with more names."""
    if event.data == "[DONE]":  # servers of other vendors send it after the end
        draft.ended = True
        return False
    found = _EVENT.read(event.data)
    if found is None:
        return None
    said = found.value
    if said.type == "error" or said.type.startswith("response."):
        draft.note(found.unknown)
    if said.type == "error":
        draft.error = failure_text(said.error or Failure(code=said.code, message=said.message))
        draft.ended = True
        return False
    return _take_event(draft, said) if said.type.startswith("response.") else None


def _take_event(draft: Draft, said: Streamed) -> bool:
    family, _, verb = said.type.rpartition(".")
    if said.type in _ENDS:
        draft.ended = True
        response = said.response or Response()
        status = (response.status or "completed") if verb == "done" else verb
        return said.response is not None and _take_response(draft, response, status)
    if verb == "delta":
        return _take_delta(draft, family, said)
    if family == "response.output_item" and said.item:
        return _take_item(draft, _output(draft, said), said.item)
    if verb == "done":
        return _take_whole(draft, family, said)
    return said.response is not None and _take_response(draft, said.response, None)


def _take_delta(draft: Draft, family: str, said: Streamed) -> bool:
    if family in _SOUNDS:
        return _take_sound(draft, (_output(draft, said), _MEDIA, said.content_index or 0), said.delta)
    parts = _parts(draft, family, said)
    if parts is None or not said.delta:
        return False
    parts.append(said.delta)
    return True


def _take_sound(draft: Draft, place: Place, sound: str) -> bool:
    block = draft.block(place, "media")
    block.media = MediaPart("audio", size=(block.media.size if block.media else 0) + len(sound))
    return bool(sound)


def _take_whole(draft: Draft, family: str, said: Streamed) -> bool:
    sent = (said.text, said.transcript, said.refusal, said.arguments, said.input, said.code)
    whole = next((text for text in sent if text and isinstance(text, str)), "")
    parts = _parts(draft, family, said) if whole else None
    return parts is not None and _replace(parts, whole)


def _replace(parts: list[str], whole: str) -> bool:
    """Replace the pieces by `whole`. True if there were none, so that it is new content."""
    new = not parts
    parts[:] = [whole]
    return new


def _parts(draft: Draft, family: str, said: Streamed) -> list[str] | None:
    """The pieces of the text that such an event belongs to."""
    if family in _TEXTS:
        return draft.block((_output(draft, said), _CONTENT, said.content_index or 0), "text").parts
    if family in _INPUTS:
        return draft.block((_output(draft, said), _CONTENT, 0), "call").parts
    if family in _THOUGHTS:
        index, kind = (said.content_index, _CONTENT) if said.summary_index is None else (said.summary_index, _SUMMARY)
        return _thought(draft, (_output(draft, said), kind, index or 0))
    return None


def _output(draft: Draft, said: Streamed) -> int:
    """The index of the output that an event is about. If it has none: by the id of the item, else the newest item."""
    if said.output_index is not None:
        return said.output_index
    item = said.item
    key = said.item_id or (item and (item.id or item.call_id or str(len(draft.items))))
    return draft.items.setdefault(key, len(draft.items)) if key else max(0, len(draft.items) - 1)


def _take_item(draft: Draft, output: int, item: Item) -> bool:
    """An item of a whole answer, or the beginning or end of one in a stream."""
    if item.type.endswith("_call"):  # also tools that the server runs: web_search_call, mcp_call
        call = draft.block((output, _CONTENT, 0), "call")
        call.server = is_server_tool(item.type)
        call.id = item.call_id or item.id or call.id
        call.name = item.name or call.name or item.type.removesuffix("_call")
        sent = item.call_input()
        return bool(sent) and _replace(call.parts, sent)
    new = False
    for kind, parts in ((_SUMMARY, item.summary), (_CONTENT, item.content)):
        for index, part in enumerate(parts or ()):
            text, place = part.said(), (output, kind, index)
            if text:
                new |= _replace(_texts(draft, item, place), text)
    return new


def _texts(draft: Draft, item: Item, place: Place) -> list[str]:
    return _thought(draft, place) if item.type == "reasoning" else draft.block(place, "text").parts


def _thought(draft: Draft, place: Place) -> list[str]:
    draft.gap = "\n\n"
    return draft.block(place, "reasoning").parts


def _take_response(draft: Draft, response: Response, status: str | None) -> bool:
    """A whole response, or that at the beginning or, with a `status`, at the end of a stream."""
    draft.id = response.id or draft.id
    draft.model = response.model or draft.model
    details = response.incomplete_details or response.status_details or Ending()
    draft.error = failure_text(response.error or details.error) or draft.error
    take_response_usage(draft, response.usage)
    reason = (status == "incomplete" and details.reason) or _REASONS.get(status or "")
    draft.choices[0] = reason or draft.choices.get(0)
    if status is None:
        return False
    whole = Draft()
    for output, item in enumerate(response.output or ()):
        _take_item(whole, output, item)
    new = bool(whole.blocks) and not draft.blocks
    # One that is completed has all outputs; some servers number them differently here, which must not double them
    kinds = {block.kind for block in (whole if status == "completed" else draft).blocks.values()}
    first, second = (whole, draft) if status == "completed" else (draft, whole)
    rest = {place: block for place, block in second.blocks.items() if block.kind not in kinds}
    draft.blocks = rest | first.blocks
    draft.gap = draft.gap or whole.gap
    return new


def answer(body: bytes, /) -> Draft:
    """A whole response."""
    draft = Draft()
    found = _RESPONSE.read(body)
    if found:
        draft.note(found.unknown)
        _take_response(draft, found.value, found.value.status or "")
        draft.pending = found.value.status in ("queued", "in_progress")
    return draft


def _speaks(fields: IdentifyingFields) -> bool:
    if fields.type == "error":
        coded = isinstance(fields.error, Failure) and fields.error.code is not None
        return coded or fields.status is not None or fields.sequence_number is not None
    return fields.type.startswith("response.") and fields.event_id is None  # Realtime has ids


OPENAI_RESPONSES = Provider(
    name="openai_responses",
    label="openai",
    hosts=(("openai.azure.com", "azure.ai.openai"), ("openai.com", "openai"), ("chatgpt.com", "openai")),
    # Any prefix whose last word is a version or a name without digits: /v1, /openai, /codex, /api/v3, …, but not /surveys/7
    path=re.compile(r"(?:/deployments/(?P<model>[^/]+)|/v\d\w*|(?:^|/)[a-z_.-]+|^)/responses(?:/compact)?/?$"),
    speaks=_speaks,
    asks=request,
    asks_again=request.again,
    answers=answer,
    take=take,
    end_marks=(b"[DONE]", b"error", *(name.encode() for name in sorted(_ENDS))),
    poll=re.compile(
        r"/responses/(?P<id>resp_[^/]+)$"
    ),  # of `background`; with `stream` and `starting_after` it goes on streaming
)
