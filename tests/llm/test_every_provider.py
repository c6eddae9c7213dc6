"""Every provider keeps the promises that all of them make: see provider_component.py."""

from __future__ import annotations

import pytest

from agentsight_rx.llm import PROVIDERS, Provider, dialect_of
from tests.llm.cases import case_of
from tests.provider_component import check_provider


def name_of(provider: Provider) -> str:
    return provider.name


@pytest.mark.parametrize("provider", PROVIDERS, ids=name_of)
def test_provider(provider: Provider) -> None:
    case = case_of(provider)
    assert case.provider is provider
    check_provider(case)


@pytest.mark.parametrize("provider", PROVIDERS, ids=name_of)
def test_no_other_provider_claims_its_events(provider: Provider) -> None:
    case = case_of(provider)
    assert {found for event in case.events if (found := dialect_of(event))} == {case.shown} - {None}
