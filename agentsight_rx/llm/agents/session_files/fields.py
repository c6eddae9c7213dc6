"""Any JSON value -> the type that a field of a session file should have, or its empty value. Nothing here raises."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import cast

import msgspec

from ...resent import decoded

_COUNT_MOST = 2**53  # above it JavaScript, which wrote these files, cannot count
_LAST_MS = 32_503_680_000_000  # the year 3000
_SECONDS_MOST = 100_000_000_000  # a number below is in seconds, since 10^11 ms is in 1973
_NOTHING: Mapping[str, object] = {}


def text(value: object, /) -> str:
    return value if isinstance(value, str) else ""


def count(value: object, /) -> int:
    """A number of tokens."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _COUNT_MOST else 0


def mapping(value: object, /, *keys: str) -> Mapping[str, object]:
    """The object, or the one inside it under these keys."""
    for key in keys:
        value = cast("Mapping[str, object]", value).get(key) if isinstance(value, Mapping) else None
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else _NOTHING


def objects(value: object, /) -> list[Mapping[str, object]]:
    """The objects in a list."""
    return (
        [cast("Mapping[str, object]", one) for one in cast("list[object]", value) if isinstance(one, Mapping)]
        if isinstance(value, list)
        else []
    )


def moment(value: object, /) -> int:
    """Milliseconds since 1970 of an ISO 8601 text, or of a number of seconds or milliseconds; 0: unknown."""
    if isinstance(value, str):
        try:
            said = datetime.datetime.fromisoformat(value)
            value = (said if said.tzinfo else said.replace(tzinfo=datetime.UTC)).timestamp() * 1000
        except (ValueError, OverflowError):
            return 0
    elif isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    elif value < _SECONDS_MOST:
        value *= 1000
    return round(value) if 0 < value < _LAST_MS else 0


def shown(value: object, /) -> str:
    """A text as it is, nothing for None, and anything else as JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return msgspec.json.encode(value).decode()
    except (ValueError, TypeError, OverflowError, RecursionError, msgspec.MsgspecError):
        return ""


def spoken(content: object, /) -> str:
    """The text of a content: a string, or a list of parts of which some have a `text`."""
    if not isinstance(content, list):
        return text(content)
    parts = (one if isinstance(one, str) else text(mapping(one).get("text")) for one in cast("list[object]", content))
    return "\n".join(part for part in parts if part)


def at(value: object, path: str, /) -> object:
    """What stands in an object under names with dots between them; the object itself under none."""
    for name in path.split(".") if path else ():
        value = cast("Mapping[str, object]", value).get(name) if isinstance(value, Mapping) else None
    return value


_JSON: msgspec.json.Decoder[object] = msgspec.json.Decoder(object)


def unpacked(value: object, /) -> object:
    """The value of a text that is JSON, and any other value as it is."""
    return decoded(_JSON, value) if isinstance(value, str | bytes) else value
