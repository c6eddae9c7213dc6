"""One case for each provider, in a file that is called like its dialect."""

from __future__ import annotations

from importlib import import_module

from agentsight_rx.llm import Provider
from tests.provider_component import ProviderCase

__all__ = ["case_of"]


def case_of(provider: Provider) -> ProviderCase:
    """Raises ModuleNotFoundError where it is missing."""
    case: ProviderCase = import_module(f"{__name__}.{provider.name}").CASE
    return case
