"""
Mistral's and AI21's models on Vertex AI (cloud.google.com/vertex-ai/generative-ai/docs/partner-models): OpenAI's chat, at other
paths.
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from ..openai_chat.answer import OPENAI_CHAT
from ..provider import IdentifyingFields, Provider

__all__ = ["VERTEX_CHAT"]


def _speaks(fields: IdentifyingFields) -> bool:
    return False  # its events are those of OpenAI's chat


VERTEX_CHAT: Provider = replace(
    OPENAI_CHAT,
    name="vertex_chat",
    label="gcp.gen_ai",
    hosts=(("aiplatform.googleapis", "gcp.gen_ai"),),
    path=re.compile(r"/publishers/(?:mistralai|ai21)/models/(?P<model>[^/]+):(?:r|(?P<stream>streamR))awPredict$"),
    speaks=_speaks,
)
