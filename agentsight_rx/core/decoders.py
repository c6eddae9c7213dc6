"""
A type -> its decoder, made by one thread at a time.

msgspec learns what a Struct consists of when it is first used, and ends the process by a segmentation fault where two
threads use it first at the same time. So what a thread of its own decodes gets its decoder here, when its module is loaded.
"""

from __future__ import annotations

import builtins
from threading import RLock
from types import UnionType
from typing import TypeVar, cast

import msgspec

__all__ = ["json_decoder", "msgpack_decoder"]

T = TypeVar("T")

_lock = RLock()


def msgpack_decoder(type: builtins.type[T] | UnionType, /) -> msgspec.msgpack.Decoder[T]:
    with _lock:
        return msgspec.msgpack.Decoder(cast("builtins.type[T]", type))


def json_decoder(type: builtins.type[T] | UnionType, /) -> msgspec.json.Decoder[T]:
    with _lock:
        return msgspec.json.Decoder(cast("builtins.type[T]", type))
