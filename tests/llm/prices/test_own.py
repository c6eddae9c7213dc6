from __future__ import annotations

import contextlib
import datetime
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.errors import UsageError
from agentsight_rx.llm.prices import own_prices

TOML = """
as_of = 2026-11-01

["my-model-*"]
input = 1.25
output = 10
cache_read = 0.125
cache_write = 1.5

["other/?"]
input = 0
output = 0.1
"""
JSON = """{"as_of": "2026-11-01",
"my-model-*": {"input": 1.25, "output": 10, "cache_read": 0.125, "cache_write": 1.5}, "other/?": {"input": 0, "output": 0.1}}"""


@pytest.mark.parametrize("text", [TOML, JSON, "\ufeff" + JSON], ids=["toml", "json", "json with a mark"])
def test_prices_are_read_in_their_order(text: str) -> None:
    first, second = own_prices(text, name="mine")
    assert ("my-model-*", Decimal("1.25"), Decimal(10)) == (first.pattern, first.input, first.output)
    assert (Decimal("0.125"), Decimal("1.5")) == (first.cache_read, first.cache_write)
    assert ("mine", datetime.date(2026, 11, 1)) == (first.by, first.as_of)
    assert ("other/?", Decimal(0), Decimal("0.1")) == (second.pattern, second.input, second.output)


def test_cached_tokens_cost_as_much_as_others_where_no_price_is_given() -> None:
    (price,) = own_prices('["m"]\ninput = 2\noutput = 3', name="mine")
    assert (Decimal(2), Decimal(2), None) == (price.cache_read, price.cache_write, price.as_of)


@pytest.mark.parametrize(
    ("model", "fits"), [("my-model-1", True), ("MY-MODEL-x", True), ("my-model", False), ("not-my-model-1", False), ("", False)]
)
def test_a_pattern_fits_all_of_a_name_in_any_case(model: str, fits: bool) -> None:
    assert fits == own_prices(TOML, name="mine")[0].fits(model)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "mine has no prices"),
        ("as_of = 2026-11-01", "mine has no prices"),
        ("{}", "mine has no prices"),
        ("input = ", "mine is not TOML"),
        ('{"a": ', "mine is not JSON"),
        ('{"a": {"input": NaN, "output": 1}}', "mine is not JSON: NaN is no price"),
        ('{"m": {"input": 1, "output": 1e99999999999999999999999}}', "is no price"),
        ('["m"]\ninput = 1e99999999999999999999999\noutput = 1', "is no price"),
        ('["m"]\ninput = 1e999999\noutput = 1', "input is 1E+999999; expected US dollars"),
        ('["m"]\ninput = 1', "mine: 'm' has no output: add it"),
        ('["m"]\ninput = 1\noutput = 2\ncached_read = 1', "'m' has 'cached_read'; did you mean cache_read?"),
        ('["m"]\ninput = 1\noutput = 2\nx = 1', "'m' has 'x'; known: input, output"),
        ('["m"]\ninput = -1\noutput = 2', "mine: 'm': input is -1; expected US dollars"),
        ('["m"]\ninput = inf\noutput = 2', "input is Infinity; expected US dollars"),
        ('["m"]\ninput = true\noutput = 2', "input is True; expected US dollars"),
        ('["m"]\ninput = "1"\noutput = 2', "input is '1'; expected US dollars"),
        ('["m"]\ninput = 1e9\noutput = 2', "input is 1E+9; expected US dollars"),
        ("m = 1", "mine: 'm' is 1; expected a table"),
        ('as_of = "soon"\n["m"]\ninput = 1\noutput = 2', "as_of is 'soon'; expected a date"),
        ('as_of = "2026-13-01"\n["m"]\ninput = 1\noutput = 2', "as_of is '2026-13-01'; expected a date"),
        ('as_of = 1\n["m"]\ninput = 1\noutput = 2', "as_of is 1; expected a date"),
        ("[" * 5000, "mine is not TOML"),
    ],
)
def test_a_file_that_is_not_usable_is_a_clear_error(text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        own_prices(text, name="mine")
    assert said in str(error.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_any_json_is_prices_or_an_error(value: object) -> None:
    text = json.dumps({"m": value, "n": {"input": value, "output": 1}})
    found = 0
    with contextlib.suppress(UsageError):
        found = len(own_prices(text, name="mine"))
    assert found in (0, 2)
