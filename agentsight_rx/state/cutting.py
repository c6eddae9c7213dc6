"""Bytes -> pieces of them, such that what two contents have in common is cut in the same places."""

from __future__ import annotations

import re
from zlib import crc32

__all__ = ["cut"]

_ENDS = re.compile(rb'\\n|\n|[\]}"],')  # behind an element of JSON and behind a line, also of a text in JSON
_BEFORE, _BEHIND = 8, 8  # bytes around such a place that decide whether it is cut there
_ONE_OF = 8  # such places; they are some 60 bytes apart, so a piece has 500
_MOST = 8192  # bytes of a piece


def cut(content: bytes, /) -> list[bytes]:
    """
    The pieces of `content`, in order.

    Only the bytes around a place decide whether it is cut there, so behind a difference the pieces of two contents are soon
    the same again. Where there is no such place for long, as in an image, it is cut at the most a piece may have.
    """
    places = [
        end
        for found in _ENDS.finditer(content)
        if crc32(content[max((end := found.end()) - _BEFORE, 0) : end + _BEHIND]) % _ONE_OF == 0
    ]
    pieces: list[bytes] = []
    last = 0
    for place in (*places, len(content)):
        while place - last > _MOST:
            pieces.append(content[last : last + _MOST])
            last += _MOST
        if place > last:
            pieces.append(content[last:place])
            last = place
    return pieces
