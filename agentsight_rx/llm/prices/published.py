"""
Provider and model -> the price in the data of the genai-prices package.

The import takes 0.1 to 0.4 s, so only `prices` imports this file, when the first price is asked for. The data are part of the
package; its download of newer ones is never started.
"""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Iterator
from decimal import Decimal
from importlib.metadata import version

import genai_prices
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, ModelPrice, Provider, StartDateConstraint, TieredPrices, calc_unit_price
from msgspec import Struct

from ...events import Usage
from .own import Cost

# Our labels, those of OpenTelemetry's gen_ai.provider.name -> ids of the package
_PROVIDERS = {
    "anthropic": "anthropic",
    "openai": "openai",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "aws.bedrock": "aws",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "x_ai": "x-ai",
    "deepseek": "deepseek",
    "groq": "groq",
    "mistral_ai": "mistral",
    "cohere": "cohere",
    "moonshot_ai": "moonshotai",
    "perplexity": "perplexity",
}

# `models/gemini-2.5-pro`, `publishers/google/models/gemini-2.5-pro`, and of Azure or Fireworks `accounts/x/deployments/NAME`
_PREFIX = re.compile(r"(?:.*/)?(?:models|deployments|endpoints)/")
# `us.anthropic.claude-sonnet-4-5-20250929-v1:0`; a version such as gpt-5.1 has a digit in front of the dot
_OF_BEDROCK = re.compile(r"(?:[a-z-]+\.)?(?:anthropic|amazon|meta|mistral|cohere|deepseek|ai21|openai|qwen)\.[a-z]")
_LONGEST = 200  # characters of a name; the patterns of the package are not made for more
_LAST_MS = 32_503_680_000_000  # the year 3000


class Published(Struct, frozen=True):
    """The published price of a model at a provider."""

    provider: Provider
    model: ModelInfo

    def cost(self, usage: Usage, /, *, time_ms: int, today: datetime.date | None = None) -> Cost | None:
        """None where the package has no price for tokens that were used."""
        when = datetime.datetime.fromtimestamp(min(max(time_ms, 0), _LAST_MS) / 1000, datetime.UTC)
        price = self.model.get_prices(when)
        if min(usage.input, usage.output, usage.cache_read, usage.cache_creation) >= 0 and _is_plain(price):
            return self._plain_cost(price, usage, today)
        try:
            whole = self.model.calc_price(
                genai_prices.Usage(
                    input_tokens=usage.asked,
                    output_tokens=usage.output,
                    cache_read_tokens=usage.cache_read,
                    cache_write_tokens=usage.cache_creation,
                    cache_write_1h_tokens=min(usage.cache_creation_1h, usage.cache_creation),
                    output_reasoning_tokens=min(usage.reasoning, usage.output),
                ),
                self.provider,
                genai_request_timestamp=when,
            )
        except ValueError:  # numbers that cannot be
            return None
        price = whole.model_price
        if (usage.asked and price.input_mtok is None) or (usage.output and price.output_mtok is None):
            return None
        cache_read = _part(price, "cache_read_mtok", usage.cache_read, usage.asked)
        for_an_hour = min(usage.cache_creation_1h, usage.cache_creation)
        cache_write = _part(price, "cache_write_mtok", usage.cache_creation - for_an_hour, usage.asked)
        if for_an_hour:
            hourly = "cache_write_mtok" if getattr(price, _HOURLY, None) is None else _HOURLY
            cache_write += _part(price, hourly, for_an_hour, usage.asked)
        return Cost(
            usd=whole.total_price,
            input=whole.input_price - cache_read - cache_write,
            output=whole.output_price,
            cache_read=cache_read,
            cache_write=cache_write,
            by=f"{self.provider.name}, {_source()}",
            as_of=as_of(today) if today else None,
        )

    def _plain_cost(self, price: ModelPrice, usage: Usage, today: datetime.date | None) -> Cost | None:
        """The same sum as the package makes, in a tenth of its time: a report has thousands of calls."""
        base, output, cache_read, cache_write, hourly = (getattr(price, key, None) for key in _PLAIN)
        written = base if cache_write is None else cache_write
        for_an_hour = min(usage.cache_creation_1h, usage.cache_creation)
        asked = usage.asked
        if (asked and base is None) or (usage.output and output is None):
            return None

        def of(rate: Decimal | TieredPrices | None, count: int) -> Decimal:
            return calc_unit_price(rate, count, asked, 1_000_000) if count and rate is not None else _NOTHING

        parts = {
            "input": of(base, usage.input),
            "output": of(output, usage.output),
            "cache_read": of(base if cache_read is None else cache_read, usage.cache_read),
            "cache_write": of(written, usage.cache_creation - for_an_hour) + of(hourly or written, for_an_hour),
        }
        return Cost(
            usd=sum(parts.values(), _NOTHING),
            **parts,
            by=f"{self.provider.name}, {_source()}",
            as_of=as_of(today) if today else None,
        )


_NOTHING = Decimal(0)
_HOURLY = "cache_write_1h_mtok"
_PLAIN = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", _HOURLY)


# Parts of the names of prices for what calls are not counted by here
_UNCOUNTED = re.compile(r"_|.*(?:audio|image|video|search|_1h)")


def _is_plain(price: ModelPrice) -> bool:
    """True where only tokens have a price, and not the request besides."""
    return all(key in _PLAIN or _is_uncounted(key) for key, value in price.__dict__.items() if value is not None)


@functools.cache
def _is_uncounted(key: str) -> bool:
    return _UNCOUNTED.match(key) is not None


def _part(price: ModelPrice, key: str, count: int, asked: int) -> Decimal:
    """The cost of cached tokens. Without a price of their own they cost as much as others."""
    own = getattr(price, key)
    return calc_unit_price(price.input_mtok if own is None else own, count, asked, 1_000_000)


def published(provider: str | None, model: str, /) -> Published | None:
    """The price of `model` at `provider`; of an unknown one, the price at its maker, or at the only provider that has one."""
    name = model.strip().lower()
    if not name or len(name) > _LONGEST:
        return None
    names = [name]
    short = _PREFIX.sub("", name, count=1)
    if short != name:
        names.append(short)
    at = _provider(provider) if provider else None
    found = (_at(at, each) if at is not None else _anywhere(each) for each in names)
    return next((each for each in found if each is not None), None)


def _provider(label: str) -> Provider | None:
    known = _PROVIDERS.get(label)
    host = label.lower().partition("://")[2] or label.lower()
    url = f"https://{re.sub(r':[0-9]+$', '', host)}/"
    for each in get_snapshot().providers:
        if each.id == known or (known is None and "." in host and re.match(each.api_pattern, url)):
            return each
    return None


def _at(provider: Provider, model: str) -> Published | None:
    found = provider.find_model(model, all_providers=get_snapshot().providers)
    return Published(provider, found) if found else None


def _anywhere(model: str) -> Published | None:
    """Names with a slash come from OpenRouter, and some names with a dot from Bedrock."""
    providers = get_snapshot().providers
    if _OF_BEDROCK.match(model):
        return next((_at(each, model) for each in providers if each.id == "aws"), None)
    makers = [each for each in providers if each.model_match is not None and each.model_match.is_match(model)]
    routers = [each for each in providers if each.id == "openrouter"] if "/" in model else []
    for each in (*makers, *routers):
        found = each.find_model(model)
        if found:
            return Published(each, found)
    all_found = [Published(each, found) for each in providers if (found := each.find_model(model))]
    return all_found[0] if len(all_found) == 1 else None


@functools.cache
def _source() -> str:
    return f"genai-prices {version('genai-prices')}"


@functools.cache
def as_of(day: datetime.date, /) -> datetime.date | None:
    """The newest change of a price that the package has, up to `day`: its data are not older than that."""
    return max((start for start in _starts() if start <= day), default=None)


@functools.cache
def _starts() -> tuple[datetime.date, ...]:
    return tuple(sorted(set(_all_starts())))


def _all_starts() -> Iterator[datetime.date]:
    for provider in get_snapshot().providers:
        for model in provider.models:
            if isinstance(model.prices, list):
                for each in model.prices:
                    if isinstance(each.constraint, StartDateConstraint):
                        yield each.constraint.start_date
