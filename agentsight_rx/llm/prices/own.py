"""The text of a file of prices, TOML or JSON -> OwnPrices, in the order of the file."""

from __future__ import annotations

import datetime
import difflib
import fnmatch
import json
import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn, cast

from msgspec import Struct

from ...core.errors import UsageError

# -- cost ----------------------------------------------------------------------------------------------------------
# What one call costs, in parts.


class Cost(Struct, frozen=True, kw_only=True):
    """
    US dollars of one call. `usd` is all of it: the four parts, and what a few providers charge for each request besides.

    `by` names whose price it is, and `as_of` the date of the prices, where it is known. Prices of a subscription, of a contract
    and of batches are not known: this is what the tokens cost at list price.
    """

    usd: Decimal
    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write: Decimal
    by: str
    as_of: datetime.date | None = None


# ------------------------------------------------------------------------------------------------------------------------


_AS_OF = "as_of"
_NEEDED = ("input", "output")
_FIELDS = (*_NEEDED, "cache_read", "cache_write", "cache_write_1h")
_DEAREST = 1_000_000  # USD for a million tokens; above it is a mistake in the unit


class OwnPrice(Struct, frozen=True, kw_only=True):
    """US dollars for a million tokens of the models that fit `pattern`; `by` is the name of the file."""

    pattern: str
    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write: Decimal
    cache_write_1h: Decimal  # of what is kept for an hour
    by: str
    as_of: datetime.date | None = None

    def fits(self, model: str, /) -> bool:
        """Shell patterns (`*`, `?`, `[…]`) for all of the name, in any case."""
        return fnmatch.fnmatchcase(model.lower(), self.pattern.lower())


def own_prices(text: str, /, *, name: str) -> tuple[OwnPrice, ...]:
    """
    The prices in a file `name`, which is JSON where it begins with `{`, else TOML:

        as_of = 2026-11-01     # optional, shown beside the costs

        ["my-model-*"]         # a pattern of names of models; the first in the file that fits is used
        input = 1.25           # US dollars for a million tokens
        output = 10
        cache_read = 0.125     # this and cache_write as input where they are not given
        cache_write = 1.25
        cache_write_1h = 2.5   # kept for an hour; as cache_write where it is not given

    Raises UsageError, which names the mistake.
    """
    values = _parsed(text, name)
    as_of = _date(values.pop(_AS_OF, None), name)
    if not values:
        raise UsageError(f'{name} has no prices: expected a table for each model, such as ["gpt-5*"] with input and output')
    return tuple(_price(pattern, value, name=name, as_of=as_of) for pattern, value in values.items())


def _parsed(text: str, name: str) -> dict[str, Any]:
    is_json = text.lstrip("\ufeff \t\r\n").startswith("{")
    try:
        if is_json:
            plain: object = json.loads(text.lstrip("\ufeff"), parse_float=_number, parse_constant=_no_number)
        else:
            plain = tomllib.loads(text, parse_float=_number)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} is not {'JSON' if is_json else 'TOML'}: {error}") from error
    return dict(cast("Mapping[str, Any]", plain))  # both give a dict here: JSON begins with {


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent that Decimal cannot have; it is no ValueError
        raise ValueError(f"{text} is no price") from None


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no price")


_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")


def _date(value: object, name: str) -> datetime.date | None:
    if value is None or (isinstance(value, datetime.date) and not isinstance(value, datetime.datetime)):
        return value
    if isinstance(value, str) and _DATE.match(value):
        try:
            return datetime.date.fromisoformat(value)
        except ValueError:
            pass
    raise UsageError(f"{name}: {_AS_OF} is {_shown(value)}; expected a date, such as 2026-11-01")


def _price(pattern: str, value: object, *, name: str, as_of: datetime.date | None) -> OwnPrice:
    where = f"{name}: {_shown(pattern)}"
    if not isinstance(value, Mapping):
        raise UsageError(f"{where} is {_shown(value)}; expected a table with {', '.join(_FIELDS)}")
    fields = cast("Mapping[str, object]", value)
    for key in fields:
        if key not in _FIELDS:
            near = difflib.get_close_matches(key, _FIELDS, 1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(_FIELDS)}"
            raise UsageError(f"{where} has {_shown(key)}; {hint}")
    for key in _NEEDED:
        if key not in fields:
            raise UsageError(f"{where} has no {key}: add it, in US dollars for a million tokens")
    amounts = {key: _amount(amount, f"{where}: {key}") for key, amount in fields.items()}
    written = amounts.get("cache_write", amounts["input"])
    return OwnPrice(
        pattern=pattern,
        input=amounts["input"],
        output=amounts["output"],
        cache_read=amounts.get("cache_read", amounts["input"]),
        cache_write=written,
        cache_write_1h=amounts.get("cache_write_1h", written),
        by=name,
        as_of=as_of,
    )


def _amount(value: object, where: str) -> Decimal:
    if isinstance(value, Decimal) or (isinstance(value, int) and not isinstance(value, bool)):
        amount = Decimal(value)
        if amount.is_finite() and 0 <= amount <= _DEAREST:
            return amount
    raise UsageError(f"{where} is {_shown(value)}; expected US dollars for a million tokens, from 0 to {_DEAREST:,}")


def _shown(value: object) -> str:
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
