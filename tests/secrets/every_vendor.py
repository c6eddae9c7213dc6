"""A key of each vendor in each place, through the product's graph into every sink -> those that show."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from agentsight_rx.graphs import TraceOptions
from tests.secrets.kinds import PARTS
from tests.secrets.matrix import outputs, shown
from tests.secrets.places import CANNOT, PLACES, Captured, is_raw
from tests.secrets.vendors import VENDORS, fresh_key

__all__ = ["leaked_keys"]

_TOGETHER = 6  # keys in one text: it is as long as a text with a key usually is, and longer than what is looked at first
_PUBLIC = 24  # characters of a key that may be those of every key of its vendor


def leaked_keys() -> tuple[int, list[str]]:
    """How many keys there were, and a line for each that leaked."""
    count, lines = 0, list[str]()
    for raw in (False, True):
        captured, parts = Captured(), dict[str, str]()
        for number, (place, keys) in enumerate(_texts(raw)):
            made = PLACES[place](number, " and ".join(keys.values()) + " end")
            if made is not None:
                captured += made
                parts |= {key[_PUBLIC:]: f"{place}, {vendor}: {key}" for vendor, key in keys.items() if _is_long(key)}
        count += len(parts)
        with tempfile.TemporaryDirectory() as folder:
            for _, blob in outputs(captured, TraceOptions(raw=raw), Path(folder)):
                lines += [parts[part] for part in shown(blob, parts)]
    return count, sorted(set(lines))


def _texts(raw: bool) -> Iterator[tuple[str, dict[str, str]]]:
    vendors = sorted(VENDORS)
    for place in PLACES:
        if is_raw(place) == raw and place not in CANNOT:
            for first in range(0, len(vendors), _TOGETHER):
                yield place, {vendor: fresh_key(vendor) for vendor in vendors[first : first + _TOGETHER]}


def _is_long(key: str) -> bool:
    return re.search(rf"[A-Za-z0-9_-]{{{PARTS + 3}}}", key[_PUBLIC:]) is not None
