"""The Realtime API of OpenAI over WebSocket (platform.openai.com/docs/api-reference/realtime): each response is one answer."""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct

from ....events import SseEvent
from ...canonical import Asked
from ...lenient import Fields
from ...provider import IdentifyingFields, Provider
from ...reader import Draft
from ...request_fields import RequestFields, said_by
from ...request_table import Place, Requests
from ...resent import Whole
from .responses import answer, take
from .responses_prompt import OfferedTool, RequestItem, message_of

# -- prompt --------------------------------------------------------------------------------------------------------
# What the client of a Realtime session said up to a `response.create` -> Asked.


class _Options(Struct):
    """Of the session, or of one response, which then go before the settings of the session."""

    model: str = ""
    instructions: str | None = None
    tools: list[OfferedTool] | None = None
    input: list[RequestItem] | None = None  # of a response that does not go on from the conversation


class _Request(RequestFields):
    session: _Options | None = None
    items: list[RequestItem] | None = None
    response: _Options | None = None


def _said(asked: _Request) -> Asked:
    """
    `{"type":"response.create","session":{…},"items":[…],"response":{…}}`: the session as it then was, its conversation, and the
    event.
    """
    session, response = asked.session or _Options(), asked.response or _Options()
    items = (asked.items or ()) if response.input is None else response.input
    return Asked(
        model=response.model or session.model,
        stream=asked.session is not None or asked.response is not None,
        messages=(*said_by("system", response.instructions or session.instructions), *map(message_of, items)),
        tools=tuple(each for tool in response.tools or session.tools or () for each in tool.definitions()),
    )


def _places(*names: str, type: Any = None) -> tuple[Place, ...]:
    return tuple(Place(f"{options}.{name}", type) for options in ("response", "session") for name in names)


request = Requests(
    _Request,
    _said,
    {
        "max_tokens": _places("max_output_tokens", "max_response_output_tokens", type=Whole | str),  # or `inf`
        "temperature": _places("temperature"),
        "output_type": _places("output_modalities", "modalities", type=list[str]),
    },
)


# ------------------------------------------------------------------------------------------------------------------------


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
