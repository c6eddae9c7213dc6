"""The providers that this package knows. Importing this imports the modules of all of them."""

from __future__ import annotations

from .dialects.anthropic import ANTHROPIC
from .dialects.aws.bedrock import BEDROCK, SAGEMAKER
from .dialects.aws.converse import BEDROCK_CONVERSE
from .dialects.cohere import COHERE
from .dialects.cohere_v1 import COHERE_V1
from .dialects.google.gemini import GEMINI
from .dialects.google.interactions import GEMINI_INTERACTIONS
from .dialects.google.live import GEMINI_LIVE
from .dialects.mcp import MCP
from .dialects.mistral import MISTRAL_CONVERSATIONS
from .dialects.ollama import OLLAMA
from .dialects.openai.chat import OPENAI_CHAT, VERTEX_CHAT
from .dialects.openai.realtime import OPENAI_REALTIME
from .dialects.openai.responses import OPENAI_RESPONSES
from .dialects.plain_text import ALEPH_ALPHA, ANTHROPIC_COMPLETE, COHERE_GENERATE, HUGGING_FACE
from .dialects.replicate import REPLICATE
from .dialects.tgi import TGI
from .dialects.watsonx import WATSONX
from .provider import Provider

PROVIDERS: tuple[Provider, ...] = (
    ANTHROPIC,
    OPENAI_REALTIME,
    OPENAI_RESPONSES,
    COHERE_V1,  # before OpenAI's chat, which one vendor has at the same path
    OPENAI_CHAT,
    MISTRAL_CONVERSATIONS,
    BEDROCK,
    BEDROCK_CONVERSE,
    COHERE,
    GEMINI_LIVE,  # before Gemini, whose field for tokens it has too
    GEMINI_INTERACTIONS,
    GEMINI,
    OLLAMA,
    REPLICATE,
    SAGEMAKER,
    TGI,
    HUGGING_FACE,
    ANTHROPIC_COMPLETE,
    COHERE_GENERATE,
    ALEPH_ALPHA,
    VERTEX_CHAT,
    WATSONX,
    MCP,
)
