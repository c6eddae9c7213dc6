"""All providers, and how to find the one that a request or a stream belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from ..events import SseEvent
from .anthropic.answer import ANTHROPIC
from .bedrock.answer import BEDROCK
from .bedrock_converse.answer import BEDROCK_CONVERSE
from .cohere.answer import COHERE
from .cohere_v1.answer import COHERE_V1
from .decode import decoded
from .gemini.answer import GEMINI
from .gemini_interactions.answer import GEMINI_INTERACTIONS
from .gemini_live.answer import GEMINI_LIVE
from .hosts import label_of_host
from .lenient import Fields
from .mcp.answer import MCP
from .mistral_conversations.answer import MISTRAL_CONVERSATIONS
from .ollama.answer import OLLAMA
from .openai_assistants.answer import OPENAI_ASSISTANTS
from .openai_chat.answer import OPENAI_CHAT
from .openai_realtime.answer import OPENAI_REALTIME
from .openai_responses.answer import OPENAI_RESPONSES
from .plain_text.providers import ALEPH_ALPHA, ANTHROPIC_COMPLETE, COHERE_GENERATE, HUGGING_FACE
from .provider import IdentifyingFields, Provider
from .replicate.answer import REPLICATE
from .sagemaker.answer import SAGEMAKER
from .tgi.answer import TGI
from .vertex_chat.answer import VERTEX_CHAT
from .watsonx.answer import WATSONX

__all__ = ["PROVIDERS", "add_provider", "dialect_of", "find", "provider_at", "provider_label", "provider_named", "providers"]

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

_FOUND_MOST = 512  # hosts and paths, of which a capture has a few: to ask every provider takes 10 us
_SHORT = 256  # characters of a target that is remembered as it is
_FIELDS = Fields(IdentifyingFields)


_by_name = {provider.name: provider for provider in PROVIDERS}  # with those of other packages, behind ours


def providers() -> Iterable[Provider]:
    """All of them."""
    return _by_name.values()


def add_provider(provider: Provider, /) -> None:
    """Know a provider of another package from here on. Its name is one that no other has."""
    _by_name[provider.name] = provider
    for remembered in (_label, _known, _found):
        remembered.cache_clear()


def provider_named(name: str | None, /) -> Provider | None:
    """The provider of that dialect; None if there is none."""
    return _by_name.get(name) if name else None


def provider_at(host: str | None, dialect: Provider, /) -> str:
    """`gen_ai.provider.name` of OpenTelemetry: what the host says, else what is spoken there. The host stands beside it."""
    return _label(host or "") or dialect.label


def provider_label(host: str, /) -> str:
    """Who sells what runs at a host; for an unknown one the host itself with its port."""
    return _label(host) or host


@lru_cache(_FOUND_MOST)
def _label(host: str) -> str | None:
    lower = host.lower()
    return label_of_host(host) or next((label for part, label in _hosts() if part in lower), None)


def _hosts() -> Iterator[tuple[str, str]]:
    return (host for provider in providers() for host in provider.hosts)


def find(host: str, target: str, /) -> Provider | None:
    """
    The provider whose API a request for `target` (path, perhaps with a query) calls; None if it is not a call to a model.

    The path decides, since many hosts speak the same dialect. The host decides only if two providers match the path.
    """
    return _known(host, target) if len(target) <= _SHORT else _found(host.lower(), target.partition("?")[0])


@lru_cache(_FOUND_MOST)
def _known(host: str, target: str) -> Provider | None:
    return _found(host.lower(), target.partition("?")[0])


@lru_cache(_FOUND_MOST)
def _found(lower: str, path: str) -> Provider | None:
    takers = [each for each in providers() if each.is_call(path) and (each.anywhere or each.is_home(lower))]
    at_home = [each for each in takers if each.is_home(lower)]
    return next(iter(at_home + takers), None)


def dialect_of(event: SseEvent, /) -> Provider | None:
    """The provider that sends such an event; None if several could: try again with the next event."""
    if not event.data.lstrip(" \t\r\n").startswith("{"):
        return None
    fields = decoded(_FIELDS.strict, event.data) or _FIELDS.value(event.data)
    if fields is None:
        return None
    return next((provider for provider in providers() if event.event in provider.events or provider.speaks(fields)), None)
