"""The providers that this package knows. Importing this imports the modules of all of them."""

from __future__ import annotations

from .anthropic.answer import ANTHROPIC
from .bedrock.answer import BEDROCK
from .bedrock_converse.answer import BEDROCK_CONVERSE
from .cohere.answer import COHERE
from .cohere_v1.answer import COHERE_V1
from .gemini.answer import GEMINI
from .gemini_interactions.answer import GEMINI_INTERACTIONS
from .gemini_live.answer import GEMINI_LIVE
from .mcp.answer import MCP
from .mistral_conversations.answer import MISTRAL_CONVERSATIONS
from .ollama.answer import OLLAMA
from .openai_assistants.answer import OPENAI_ASSISTANTS
from .openai_chat.answer import OPENAI_CHAT
from .openai_realtime.answer import OPENAI_REALTIME
from .openai_responses.answer import OPENAI_RESPONSES
from .plain_text.providers import ALEPH_ALPHA, ANTHROPIC_COMPLETE, COHERE_GENERATE, HUGGING_FACE
from .provider import Provider
from .replicate.answer import REPLICATE
from .sagemaker.answer import SAGEMAKER
from .tgi.answer import TGI
from .vertex_chat.answer import VERTEX_CHAT
from .watsonx.answer import WATSONX

__all__ = ["PROVIDERS"]

PROVIDERS: tuple[Provider, ...] = (
    ANTHROPIC,
    OPENAI_REALTIME,
    OPENAI_RESPONSES,
    OPENAI_ASSISTANTS,
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
