"""The Realtime API of OpenAI over WebSocket (platform.openai.com/docs/api-reference/realtime): each response is one answer."""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from ....events import SseEvent
from ...canonical import Asked, Message, Parameters, TextPart
from ...lenient import Fields
from ...provider import IdentifyingFields, Provider
from ...reader import Draft
from ...request_fields import RequestFields, asked_of
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
    temperature: float | None = None
    max_output_tokens: Whole | str | None = None  # or `inf`
    max_response_output_tokens: Whole | str | None = None  # its older name
    output_modalities: list[str] | None = None
    modalities: list[str] | None = None
    input: list[RequestItem] | None = None  # of a response that does not go on from the conversation

    def most(self) -> int | None:
        sent = self.max_output_tokens or self.max_response_output_tokens
        return sent if isinstance(sent, int) else None


class _Request(RequestFields):
    session: _Options | None = None
    items: list[RequestItem] | None = None
    response: _Options | None = None


_REQUEST = Fields(_Request)


def request(body: bytes, /) -> Asked:
    """
    `{"type":"response.create","session":{…},"items":[…],"response":{…}}`: the session as it then was, its conversation, and the
    event. Never raises: a body that is not such a request gives an empty Asked.
    """
    found = _REQUEST.read(body)
    if found is None:
        return Asked()
    asked = found.value
    session, response = asked.session or _Options(), asked.response or _Options()
    instructions = response.instructions or session.instructions
    system = [Message("system", (TextPart(instructions),))] if instructions else []
    items = (asked.items or ()) if response.input is None else response.input
    most = response.most()
    made = asked_of(
        asked,
        [*system, *map(message_of, items)],
        tools=[each for tool in response.tools or session.tools or () for each in tool.definitions()],
        parameters=Parameters(
            max_tokens=session.most() if most is None else most,
            temperature=session.temperature if response.temperature is None else response.temperature,
            output_type=_output_type(response) or _output_type(session),
        ),
        unknown=found.unknown,
    )
    is_session = asked.session is not None or asked.response is not None
    return replace(made, model=made.model or response.model or session.model, stream=made.stream or is_session)


def _output_type(options: _Options) -> str | None:
    sent = options.output_modalities or options.modalities
    return None if not sent else "speech" if "audio" in sent else sent[0]


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
