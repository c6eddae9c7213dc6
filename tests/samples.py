"""One value of each kind of event and row, with something in every field; a new kind needs nothing here."""

from __future__ import annotations

import types
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

from agentsight_rx.view import Output

__all__ = ["OUTPUTS", "sample"]

_NUMBERS: dict[Any, Any] = {int: 3, bool: True, float: 1.5, type(None): None}


def sample(kind: Any, *, text: str = "text") -> Any:
    """A value of a type that events and rows use in their fields. Each text, and all bytes, contain `text`."""
    inner = get_args(kind)
    simple = {**_NUMBERS, str: text, bytes: b"\xff " + text.encode()}
    if kind in simple:
        return simple[kind]
    if get_origin(kind) in (Union, types.UnionType):
        return sample(inner[0], text=text)
    if get_origin(kind) is Literal:
        return inner[0]
    if get_origin(kind) is tuple:
        return tuple(sample(each, text=text) for each in inner if each is not Ellipsis)
    if get_origin(kind) is dict:
        return {sample(inner[0], text=text): sample(inner[1], text=text)}
    if issubclass(kind, Enum):
        return next(iter(kind))
    return kind(**{field.name: sample(field.type, text=text) for field in msgspec.structs.fields(kind)})


OUTPUTS: tuple[Any, ...] = tuple(sample(kind) for kind in dict.fromkeys(get_args(Output)))
