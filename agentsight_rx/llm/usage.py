"""Counts of tokens of one event and those before it -> the counts so far, as a provider spells them."""

from __future__ import annotations

import msgspec
from msgspec import Raw

__all__ = ["restated"]

_COUNTS = msgspec.json.Decoder(dict[str, Raw])


def restated(before: str, raw: Raw, /) -> Raw:
    """
    The newest of each count: what a later event states again takes the place of what was said before; what it leaves out, or
    sends as null, stays. `before` is "" or the JSON of earlier counts; `raw` is returned as it is where it is no JSON object.
    """
    try:
        counts = _COUNTS.decode(raw)
        said = {name: count for name, count in counts.items() if bytes(count) != b"null"}
        return Raw(msgspec.json.encode((_COUNTS.decode(before) if before else {}) | said))
    except (msgspec.DecodeError, UnicodeError):
        return raw
