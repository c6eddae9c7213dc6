from __future__ import annotations

import datetime
import socket
import subprocess
import sys
from decimal import Decimal

import genai_prices
import pytest
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.events import Usage
from agentsight_rx.llm.prices import Cost, Prices, own_prices
from agentsight_rx.llm.prices.published import Published

TIME_MS = 1_790_000_000_000  # in 2026
WHEN = datetime.datetime.fromtimestamp(TIME_MS / 1000, datetime.UTC)
USAGE = Usage(1000, 200, cache_creation=300, cache_read=5000, reasoning=50)
COUNTS = st.integers(0, 10_000_000)


def cost(provider: str | None, model: str | None, usage: Usage = USAGE) -> Cost:
    found = Prices().cost_of(provider, model, usage, time_ms=TIME_MS)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("label", "model", "package_id"),
    [
        ("anthropic", "claude-sonnet-4-5-20250929", "anthropic"),
        ("openai", "gpt-5-mini", "openai"),
        ("gcp.gen_ai", "gemini-2.5-pro", "google"),
        ("gcp.vertex_ai", "gemini-2.5-pro", "google"),
        ("aws.bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "aws"),
        ("azure.ai.openai", "gpt-4o", "azure"),
        ("x_ai", "grok-code-fast-1", "x-ai"),
        ("deepseek", "deepseek-chat", "deepseek"),
        ("api.deepseek.com:443", "deepseek-chat", "deepseek"),
        ("mistral_ai", "mistral-large-latest", "mistral"),
        ("groq", "openai/gpt-oss-120b", "groq"),
        ("moonshot_ai", "kimi-k2-0905-preview", "moonshotai"),
        ("cohere", "command-r-plus", "cohere"),
    ],
)
def test_the_price_is_that_of_the_provider(label: str, model: str, package_id: str) -> None:
    usage = genai_prices.Usage(
        input_tokens=6300, output_tokens=200, cache_read_tokens=5000, cache_write_tokens=300, output_reasoning_tokens=50
    )
    expected = genai_prices.calc_price(usage, model, provider_id=package_id, genai_request_timestamp=WHEN)
    found = cost(label, model)
    assert expected.total_price == found.usd > 0
    assert expected.output_price == found.output
    assert expected.provider.name in found.by


def test_the_parts_of_a_cost_are_those_of_the_list() -> None:
    """USD 3, 15, 0.3 and 3.75 for a million tokens: claude.com/pricing."""
    found = cost("anthropic", "claude-sonnet-4-5")
    parts = (found.input, found.output, found.cache_read, found.cache_write)
    assert tuple(map(Decimal, ("0.003", "0.003", "0.0015", "0.001125"))) == parts
    assert Decimal("0.008625") == found.usd


@pytest.mark.parametrize("label", ["anthropic", "aws.bedrock"])
def test_a_cache_that_is_kept_for_an_hour_costs_twice_the_input(label: str) -> None:
    model = {"aws.bedrock": "anthropic.claude-sonnet-4-5-20250929-v1:0"}
    name = model.get(label, "claude-sonnet-4-5")
    brief, hourly, mixed = (
        cost(label, name, Usage(cache_creation=1000, cache_creation_1h=number)).cache_write for number in (0, 1000, 400)
    )
    twice = 2 * cost(label, name, Usage(1000)).input
    assert hourly == twice > brief
    assert mixed == (brief * 6 + hourly * 4) / 10
    assert cost(label, name, Usage(cache_creation=1000, cache_creation_1h=9999)).cache_write == twice, "it is a part of it"


def test_a_price_without_a_price_of_an_hour_is_the_price_of_writing() -> None:
    found = cost("openai", "gpt-5-mini", Usage(1000, cache_creation=1000, cache_creation_1h=500))
    assert found.cache_write == found.input


def test_a_long_prompt_costs_what_long_prompts_cost() -> None:
    short, long = (
        cost("gcp.gen_ai", "gemini-2.5-pro", Usage(100_000)),
        cost("gcp.gen_ai", "gemini-2.5-pro", Usage(100_000, cache_read=150_000)),
    )
    assert long.input > short.input > 0


@pytest.mark.parametrize("host", [None, "10.0.0.1:4000", "proxy.example", ""])
def test_behind_a_proxy_the_model_decides(host: str | None) -> None:
    assert cost("anthropic", "claude-sonnet-4-5").usd == cost(host, "claude-sonnet-4-5").usd
    assert "Z.AI" in cost(host, "glm-4.6").by
    assert "AWS" in cost(host, "us.anthropic.claude-sonnet-4-5-20250929-v1:0").by


@pytest.mark.parametrize("model", ["models/gemini-2.5-flash", "publishers/google/models/gemini-2.5-flash", "Gemini-2.5-Flash"])
def test_the_path_of_a_model_is_not_part_of_its_name(model: str) -> None:
    assert cost("gcp.gen_ai", "gemini-2.5-flash").usd == cost("gcp.gen_ai", model).usd


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("anthropic", "no-such-model"),
        (None, "no-such-model"),
        ("openai", "claude-sonnet-4-5"),
        ("openai", None),
        ("openai", ""),
        ("openai", "x" * 9000),
    ],
)
def test_the_cost_of_an_unknown_model_is_unknown(provider: str | None, model: str | None) -> None:
    assert Prices().cost_of(provider, model, USAGE, time_ms=TIME_MS) is None


def test_own_prices_come_first() -> None:
    own = own_prices(
        'as_of = 2026-11-01\n["claude-*"]\ninput = 1\noutput = 2\ncache_read = 0.1\ncache_write = 4', name="mine.toml"
    )
    prices = Prices(own)
    found = prices.cost_of("anthropic", "claude-sonnet-4-5", USAGE, time_ms=TIME_MS)
    parts = {"input": "0.001", "output": "0.0004", "cache_read": "0.0005", "cache_write": "0.0012"}
    expected = {key: Decimal(value) for key, value in parts.items()}
    assert Cost(usd=Decimal("0.0031"), **expected, by="mine.toml", as_of=datetime.date(2026, 11, 1)) == found
    other = prices.cost_of("openai", "gpt-5", USAGE, time_ms=TIME_MS)
    assert other is not None
    assert "OpenAI" in other.by


def test_published_prices_have_the_date_of_their_newest_change() -> None:
    today = datetime.date(2026, 6, 1)
    found = Prices(today=today).cost_of("openai", "gpt-5", USAGE, time_ms=TIME_MS)
    assert found is not None
    assert found.as_of is not None
    assert datetime.date(2025, 1, 1) < found.as_of <= today


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_a_cost_is_the_sum_of_its_parts(asked: int, answered: int, written: int, read: int) -> None:
    usage = Usage(asked, answered, cache_creation=written, cache_read=read, reasoning=answered + 1)
    for provider, model in (("anthropic", "claude-sonnet-4-5"), ("openai", "gpt-5"), ("gcp.gen_ai", "gemini-2.5-pro")):
        found = cost(provider, model, usage)
        parts = (found.input, found.output, found.cache_read, found.cache_write)
        assert found.usd == sum(parts)
        assert all(part >= 0 for part in parts)


@given(st.one_of(st.none(), st.text(max_size=30)), st.text(max_size=30), st.integers(-(2**63), 2**63))
def test_any_names_and_time_give_a_cost_or_none(provider: str | None, model: str, time_ms: int) -> None:
    found = Prices().cost_of(provider, model, USAGE, time_ms=time_ms)
    assert found is None or found.usd >= 0


def test_the_network_is_never_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was made")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    assert cost("anthropic", "claude-sonnet-4-5").usd > 0


def test_prices_are_loaded_only_when_a_cost_is_asked_for() -> None:
    code = """
import sys
from agentsight_rx.runtime.recording.price_file import load_prices
from agentsight_rx.events import Usage
prices = load_prices(None)
before = "genai_prices" in sys.modules
prices.cost_of("openai", "gpt-5", Usage(1), time_ms=0)
print(before, "genai_prices" in sys.modules)
"""
    assert "False True\n" == subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def _is_never(_: object) -> bool:
    return False


USAGES = (USAGE, Usage(300_000, 7), Usage(cache_read=10), Usage(output=5), Usage(150_000, 1, cache_read=149_999))


def test_the_short_way_to_a_sum_is_that_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    every = [Published(provider, model) for provider in get_snapshot().providers for model in provider.models]

    def costs() -> list[Cost | None]:
        return [price.cost(usage, time_ms=TIME_MS) for price in every for usage in USAGES]

    short = costs()
    monkeypatch.setattr("agentsight_rx.llm.prices.published._is_plain", _is_never)
    assert costs() == short
