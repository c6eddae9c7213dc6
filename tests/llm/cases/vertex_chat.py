from __future__ import annotations

from msgspec.structs import replace

from agentsight_rx.llm.dialects.openai.chat import OPENAI_CHAT, VERTEX_CHAT
from tests.llm.cases.openai import CASE as CHAT

CASE = replace(
    CHAT,
    provider=VERTEX_CHAT,
    host="us-central1-aiplatform.googleapis.com",
    path="/v1/projects/p/locations/l/publishers/mistralai/models/mistral-x:streamRawPredict",
    events_of=OPENAI_CHAT,
)
