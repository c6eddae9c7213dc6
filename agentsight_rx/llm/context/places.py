"""JSON text -> where each value in it stands. Nothing is decoded, and of a text that is cut all is placed that is there."""

from __future__ import annotations

import binascii
import math
import re
from collections.abc import Iterator

from msgspec import Struct

from ...core.start import regex

# -- media ---------------------------------------------------------------------------------------------------------
# An image in a request -> its size in pixels, and what providers count for it.
#
# Sources: platform.claude.com/docs/en/build-with-claude/vision, platform.openai.com/docs/guides/images-vision,
# ai.google.dev/gemini-api/docs/tokens. PNG: RFC 2083 4.1.1; GIF89a 18; JPEG: ITU-T T.81 B.2.2; WebP: RFC 9649 2.


_BASE64 = regex(rb'(?:;base64,|"(?:data|bytes|image|image_url)"\s*:\s*"|\A")([A-Za-z0-9+/]{44,87380})')
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # start of frame


def pixels_of(element: bytes, /) -> tuple[int, int] | None:
    """Width and height of the image in an element; None where none was sent along, or its format is not known."""
    found = _BASE64.search(element)
    if found is None:
        return None
    text = found[1][: len(found[1]) & ~3]
    try:
        data = binascii.a2b_base64(text)
    except binascii.Error:
        return None
    size = _size(data)
    return size if size and min(size) > 0 else None


def image_tokens(pixels: tuple[int, int], dialect: str, /) -> int | None:
    """What a provider counts for an image of this size, in the detail that it takes by itself; None: it says no formula."""
    width, height = pixels
    if dialect in ("anthropic", "bedrock", "bedrock_converse"):
        shrink = min(1.0, 1568 / max(width, height), math.sqrt(1_200_000 / (width * height)))
        return math.ceil(width * shrink * height * shrink / 750)
    if dialect in ("gemini", "vertex", "gemini_interactions"):
        return 258 if max(width, height) <= 384 else 258 * math.ceil(width / 768) * math.ceil(height / 768)
    if dialect.startswith("openai"):
        shrink = min(1.0, 2048 / max(width, height))
        shrink = min(shrink, 768 / min(width, height)) if min(width, height) * shrink > 768 else shrink
        return 85 + 170 * math.ceil(width * shrink / 512) * math.ceil(height * shrink / 512)
    return None


def _size(data: bytes) -> tuple[int, int] | None:
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) >= 24:
        return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    if data[:4] == b"GIF8" and len(data) >= 10:
        return int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP" and len(data) >= 30:
        return _webp(data)
    return _jpeg(data) if data[:2] == b"\xff\xd8" else None


def _webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    return None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        if data[at + 1] in _FRAMES:
            return int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7])
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return None


# ------------------------------------------------------------------------------------------------------------------------


OBJECT, LIST, TEXT, OTHER = "{", "[", '"', ""

# A string to its end, or to the end of the text; a sign; a number, true, false, null. No part of it is tried twice
_TOKEN = regex(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[{}\[\],:]|[^\s"{}\[\],:]++', re.DOTALL)
_DEEP = 64  # values in values; those further inside are not placed
_QUOTE, _OPEN, _CLOSE, _COLON, _COMMA, _OPEN_LIST, _CLOSE_LIST = b'"{}:,[]'


class Place(Struct, gc=False):
    """
    A value: `body[start:end]`. `kind` is "{", "[", '"' or "" for others. `inner` has the values in it. The values of an
    object have their names, as written.
    """

    kind: str
    start: int
    end: int
    inner: list[tuple[bytes, Place]]

    def get(self, *names: bytes) -> Place | None:
        """The member with the first of these names that is there."""
        return next((each for wanted in names for name, each in self.inner if name == wanted), None)

    def text(self, body: bytes) -> str:
        """A string as it is written, without its quotes; "" for other values."""
        return body[self.start + 1 : self.end - 1].decode(errors="replace") if self.kind == TEXT else ""


def place_at(body: bytes, at: int, /) -> Place | None:
    """The value that begins at `at`, or behind spaces; None where there is none."""
    tokens = _TOKEN.finditer(body, at)
    first = next(tokens, None)
    if first is None or body[first.start()] in b"}],:":
        return None
    kind = _kind(body[first.start()])
    top = Place(kind, first.start(), first.end(), [])
    if kind in (OBJECT, LIST):
        top.end = _fill(top, body, tokens)
    return top


def member_at(body: bytes, at: int, /) -> tuple[str, int, int] | None:
    """
    The next member of an object, from behind its "{" or a value on: its name, where that begins, and where its value does.
    """
    found = _MEMBER.match(body, at)
    return None if found is None else (found[1].decode(errors="replace"), found.start(1) - 1, found.end())


def element_at(body: bytes, at: int, /) -> int | None:
    """Where the next value of a list begins, from behind its "[" or a value on; None at its end."""
    found = _BETWEEN.match(body, at)
    return None if found is None else found.end()


_MEMBER = regex(rb'[\s,]*+"([^"\\]*+(?:\\.[^"\\]*+)*+)"\s*+:\s*+', re.DOTALL)
_BETWEEN = regex(rb"[\s,]*+(?=[^\]}\s,])")


def _kind(sign: int) -> str:
    return TEXT if sign == _QUOTE else OBJECT if sign == _OPEN else LIST if sign == _OPEN_LIST else OTHER


def _fill(top: Place, body: bytes, tokens: Iterator[re.Match[bytes]]) -> int:
    """Put all that is in `top` into it; returns where it ends."""
    inside: list[Place] = [top]
    here, deeper = top, 0
    name = b""
    awaits_name = here.kind == OBJECT
    for token in tokens:
        start, end = token.span()
        sign = body[start]
        if sign == _QUOTE:
            if awaits_name:
                name, awaits_name = body[start + 1 : end - 1], False
            elif not deeper:
                here.inner.append((name, Place(TEXT, start, end, [])))
        elif sign in (_OPEN, _OPEN_LIST):
            if deeper or len(inside) >= _DEEP:
                deeper += 1
                awaits_name = False
                continue
            made = Place(_kind(sign), start, end, [])
            here.inner.append((name, made))
            inside.append(made)
            here, name, awaits_name = made, b"", sign == _OPEN
        elif sign in (_CLOSE, _CLOSE_LIST):
            if deeper:
                deeper -= 1
                continue
            here.end = end
            inside.pop()
            if not inside:
                return end
            here, name, awaits_name = inside[-1], b"", False
        elif sign == _COMMA:
            awaits_name = here.kind == OBJECT and not deeper
            name = b""
        elif sign != _COLON and not deeper:
            here.inner.append((name, Place(OTHER, start, end, [])))
    for each in inside:  # the text is cut
        each.end = len(body)
    return len(body)
