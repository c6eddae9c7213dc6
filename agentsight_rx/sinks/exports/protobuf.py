"""Fields -> bytes of a message in the wire format of Protocol Buffers (https://protobuf.dev/programming-guides/encoding)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import TypeAlias

__all__ = ["Field", "Fixed64", "message"]


class Fixed64(int):
    """A number that is written in 8 bytes."""


# (number of the field, its value); None: it is not set
Field: TypeAlias = tuple[int, "int | float | str | bytes | None"]

_VARINT, _EIGHT_BYTES, _LENGTH = 0, 1, 2
_MOST = (1 << 64) - 1


def message(*fields: Field) -> bytes:
    """The message. A nested message is bytes, a float a double, any other number a varint; a negative one takes ten bytes."""
    return b"".join(_encoded(fields))


def _encoded(fields: Iterable[Field]) -> Iterable[bytes]:
    for number, value in fields:
        match value:
            case None:
                continue
            case Fixed64():
                yield _varint(number << 3 | _EIGHT_BYTES) + struct.pack("<Q", value)
            case int():
                yield _varint(number << 3 | _VARINT) + _varint(value & _MOST)
            case float():
                yield _varint(number << 3 | _EIGHT_BYTES) + struct.pack("<d", value)
            case _:
                content = value.encode("utf-8", "backslashreplace") if isinstance(value, str) else value
                yield _varint(number << 3 | _LENGTH) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
