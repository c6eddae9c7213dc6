"""Every provider, and how to find the one that a request or a stream belongs to."""

from __future__ import annotations

from ..events import SseEvent
from .anthropic import ANTHROPIC
from .openai_chat import OPENAI_CHAT
from .provider import Provider

__all__ = ["PROVIDERS", "dialect_of", "find", "provider_label"]

PROVIDERS: tuple[Provider, ...] = (ANTHROPIC, OPENAI_CHAT)

_HOSTS = (
    *(host for provider in PROVIDERS for host in provider.hosts),
    # Labels of hosts whose dialects have no file yet. Most of googleapis.com is no model.
    ("generativelanguage", "gcp.gen_ai"),
    ("aiplatform.googleapis", "gcp.gen_ai"),
    ("cloudcode-pa.googleapis", "gcp.gen_ai"),
    ("bedrock", "aws.bedrock"),
)


def provider_label(host: str, /) -> str:
    """`gen_ai.provider.name` of OpenTelemetry for a host; the host itself, port included, where it is nobody we know."""
    lower = host.lower()
    return next((label for part, label in _HOSTS if part in lower), host)


def find(host: str, target: str, /) -> Provider | None:
    """
    The provider whose API a request for `target` (path, perhaps with a query) calls; None if it asks no model.

    The path decides, since many hosts speak the same dialect; the host chooses where two providers know the path.
    """
    lower = host.lower()
    takers = [provider for provider in PROVIDERS if provider.is_call(target)]
    at_home = [provider for provider in takers if any(part in lower for part, _ in provider.hosts)]
    return next(iter(at_home + takers), None)


def dialect_of(event: SseEvent, /) -> Provider | None:
    """The provider that sends such an event; None where it could be anybody's, so ask again with the next one."""
    return next((provider for provider in PROVIDERS if provider.speaks(event)), None)
