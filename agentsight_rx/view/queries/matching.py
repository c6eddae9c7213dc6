"""Store, id of an exchange, rules -> whether a rule matches it."""

from __future__ import annotations

from ...policy.rules.http import HttpRules
from ...store.log.reading import read_exchange
from ...store.state import Store

__all__ = ["is_matched"]


def is_matched(store: Store, exchange: str, rules: HttpRules, /) -> bool:
    """
    One of the rules matches its request, its answer, or both together. False where the store has no bytes of it. `exchange` is
    the id of a CallRow or of an HttpRow, which differ in their first word.
    """
    found = read_exchange(store, exchange.replace("http-", "llm-", 1) if exchange.startswith("http-") else exchange)
    messages = [each for each in (found.request, found.response) if each is not None]
    return bool(messages) and rules.why(messages) is not None
