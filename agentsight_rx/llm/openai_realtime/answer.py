"""The Realtime API of OpenAI over WebSocket (platform.openai.com/docs/api-reference/realtime): each response is one answer."""

from __future__ import annotations

import re

from msgspec import Struct

from ...events import SseEvent
from ..lenient import Fields
from ..openai_responses.answer import answer, take
from ..provider import IdentifyingFields, Provider
from ..reader import Draft
from .prompt import request

__all__ = ["OPENAI_REALTIME"]


class _Event(Struct, gc=False):
    type: str


_EVENT = Fields(_Event)
# What is said about the session while a response is made
_AROUND = ("session.", "conversation.", "input_audio_buffer.", "output_audio_buffer.", "rate_limits.", "mcp_list_tools.")


def _take(draft: Draft, event: SseEvent) -> bool | None:
    content = take(draft, event)
    if content is not None:
        return content
    found = _EVENT.value(event.data)
    return False if found is not None and found.type.startswith(_AROUND) else None


def _speaks(fields: IdentifyingFields) -> bool:
    return fields.event_id is not None and (fields.type == "error" or fields.type.startswith(("response.", *_AROUND)))


OPENAI_REALTIME = Provider(
    name="openai_realtime",
    label="openai",
    hosts=(("openai.azure.com", "azure.ai.openai"), ("openai.com", "openai")),
    path=re.compile(r"(?:/v\d\w*|/openai|^)/realtime/?$"),
    speaks=_speaks,
    asks=request,
    answers=answer,
    take=_take,
)
