"""All providers, and how to find the one that a request or a stream belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from itertools import chain

from ..events import SseEvent
from .decode import decoded
from .hosts import label_of_host
from .lenient import Fields
from .provider import IdentifyingFields, Provider

__all__ = ["add_provider", "dialect_of", "find", "provider_at", "provider_label", "provider_named", "providers"]

_FOUND_MOST = 512  # hosts and paths, of which a capture has a few: to ask every provider takes 10 us
_SHORT = 256  # characters of a target that is remembered as it is
_FIELDS = Fields(IdentifyingFields)


_added: dict[str, Provider] = {}  # those of other packages, behind ours


@cache
def _ours() -> dict[str, Provider]:
    """By name. Their modules take 30 ms to import, for which a recorded command need not wait: the first call asks for them."""
    from .dialects import PROVIDERS

    return {provider.name: provider for provider in PROVIDERS}


def providers() -> Iterable[Provider]:
    """All of them."""
    return chain(_ours().values(), _added.values())


def add_provider(provider: Provider, /) -> None:
    """Know a provider of another package from here on. Its name is one that no other has."""
    _added[provider.name] = provider
    for remembered in (_label, _known, _found):
        remembered.cache_clear()


def provider_named(name: str | None, /) -> Provider | None:
    """The provider of that dialect; None if there is none."""
    return (_ours().get(name) or _added.get(name)) if name else None


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
