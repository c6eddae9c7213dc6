"""The path of a WebSocket -> the dialect in which a model is called on it."""

from __future__ import annotations

import re

from ...llm import find
from .websocket_gemini import GeminiLiveTalk
from .websocket_realtime import RealtimeTalk
from .websocket_responses import ResponsesTalk
from .websocket_talk import Talk

__all__ = ["DIALECTS", "talk_at"]

# Found in the path, without query
DIALECTS: tuple[tuple[re.Pattern[str], type[Talk]], ...] = (
    (re.compile(r"/realtime/?$"), RealtimeTalk),
    (re.compile(r"BidiGenerateContent(?:Constrained)?$"), GeminiLiveTalk),
)


def talk_at(host: str, target: str) -> type[Talk] | None:
    """The dialect; None where no model is called. The other APIs of models, where they are on a WebSocket, speak Responses."""
    path = target.partition("?")[0]
    found = next((talk for pattern, talk in DIALECTS if pattern.search(path)), None)
    return found or (ResponsesTalk if find(host, target) is not None else None)
