"""WebSocket messages of OpenAI's Responses API (platform.openai.com/docs/guides/websocket-mode) -> its requests and answers."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from .websocket_talk import NO_ANSWER, Question, ServerEvent, Talk, read

__all__ = ["ResponsesTalk"]


class _Said(Struct):
    """The fields that identify a message. A peer may send any value in them."""

    type: object = None
    status: object = None


_SAID = msgspec.json.Decoder(_Said)


class ResponsesTalk(Talk):
    """Each `response.create` is a request; the events after it are its answer, which has the same types as over HTTP."""

    in_order = True

    def take_client(self, message: bytes, /) -> Question | None:
        said = read(_SAID, message)
        return Question(message) if said is not None and said.type == "response.create" else None

    def take_server(self, message: bytes, /) -> ServerEvent:
        said = read(_SAID, message)
        if said is None or not isinstance(said.type, str):
            return NO_ANSWER
        known = said.type == "error" or said.type.startswith("response.")
        return ServerEvent(
            said.type, begins="unasked" if known else "", late=said.type != "response.created", status=said.status
        )
