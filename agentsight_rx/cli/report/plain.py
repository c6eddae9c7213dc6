"""Struct -> what JSON shows of it: every field, unknown ones null."""

from __future__ import annotations

import datetime
from decimal import Decimal

import msgspec
from msgspec import Struct

__all__ = ["plain"]


def plain(value: object) -> object:
    """Structs become objects with all of their fields, in their order; numbers of money become JSON numbers."""
    match value:
        case Struct():
            return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
        case Decimal():
            return float(value)
        case datetime.date():
            return value.isoformat()
        case dict():
            return {str(key): plain(each) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(each) for each in value]
        case bytes():
            return value.decode("utf-8", "replace")
        case msgspec.UnsetType():
            return None
        case _:
            return value
