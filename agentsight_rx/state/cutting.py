"""Bytes -> pieces of them, such that what two contents have in common is cut in the same places."""

from __future__ import annotations

import re
from itertools import pairwise
from zlib import crc32

__all__ = ["cut"]

# Behind an element of JSON, a line in a text in JSON, an indented line, a sentence. Two sets are found in a third of the time
# that alternatives take
_ENDS = re.compile(rb'[\\\]}".\n][n, ]')
_ELEMENT = b"]}"  # what a list or an object ends with
_AROUND = 8  # bytes before and behind another place that decide whether it is cut there
_ONE_OF = 8  # such places; they are some 60 bytes apart, so a piece has 500
_LEAST, _MOST = 128, 4096  # bytes of a piece


def cut(content: bytes, /) -> list[bytes]:
    """
    The pieces of `content`, in order.

    Only the bytes around a place decide whether it is cut there, so behind a difference the pieces of two contents are soon
    the same again. What has no such place for long, as an image, is cut where it begins and then at the most a piece may have.
    """
    pieces: list[bytes] = []
    last, ends = 0, [found.end() for found in _ENDS.finditer(content)]
    for end, after in pairwise((*ends, len(content))):
        if after - end > _MOST or (
            end - last >= _LEAST
            and (crc32(content[end - _AROUND : end + _AROUND]) % _ONE_OF == 0 or content[end - 2] in _ELEMENT)
        ):
            _add(pieces, content, last, end)
            last = end
    _add(pieces, content, last, len(content))
    return pieces


def _add(pieces: list[bytes], content: bytes, start: int, end: int) -> None:
    pieces += [content[at : min(at + _MOST, end)] for at in range(start, end, _MOST)]
