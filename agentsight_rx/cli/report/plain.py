"""Struct -> what JSON shows of it, a line of standard output: every field, unknown ones null; rows as in a snapshot."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from decimal import Decimal
from typing import cast

import msgspec
from msgspec import Struct

from ...view import AnyRow
from ...view.snapshot.schema import value_of
from ..streams import write_line

__all__ = ["plain", "write_json"]


def write_json(value: object) -> None:
    """One JSON value, as a line of standard output."""
    write_line(msgspec.json.encode(plain(value)).decode())


def plain(value: object) -> object:
    """Structs become objects with all of their fields, in their order; one of several kinds has its name as `type`."""
    match value:
        case AnyRow():
            return {name: plain(each) for name, each in value_of(value).items()}
        case Struct():
            tag = value.__struct_config__.tag
            fields = {name: plain(getattr(value, name)) for name in value.__struct_fields__}
            return fields if tag is None else {"type": tag, **fields}
        case Decimal():
            return float(value)
        case datetime.date():
            return value.isoformat()
        case dict():
            return {str(key): plain(each) for key, each in cast("dict[object, object]", value).items()}
        case list() | tuple() | set() | frozenset():
            return [plain(each) for each in cast("Iterable[object]", value)]
        case bytes():
            return value.decode("utf-8", "replace")
        case _:
            return value
