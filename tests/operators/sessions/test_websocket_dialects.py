from __future__ import annotations

import pytest

from agentsight_rx.operators.sessions.websocket_dialects import RealtimeTalk, ResponsesTalk, talk_at
from agentsight_rx.operators.sessions.websocket_gemini import GeminiLiveTalk
from agentsight_rx.operators.sessions.websocket_talk import Talk


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/v1/responses", ResponsesTalk),
        ("/v1/realtime?model=gpt-realtime", RealtimeTalk),
        ("/openai/realtime?api-version=2025-04-01-preview&deployment=x", RealtimeTalk),
        ("/openai/v1/realtime", RealtimeTalk),
        ("/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=k", GeminiLiveTalk),
        ("/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContentConstrained", GeminiLiveTalk),
        ("/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent", GeminiLiveTalk),
        ("/chat", None),
        ("/chat?next=/v1/realtime", None),
        ("/realtime/updates", None),
    ],
)
def test_the_path_decides(target: str, expected: type[Talk] | None) -> None:
    assert talk_at("api.example", target) is expected
