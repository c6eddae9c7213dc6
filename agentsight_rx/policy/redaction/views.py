"""A part of a text -> what it says, decoded, and where each decoded byte stands in the text."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable

from ...core.start import regex

_PERCENT = regex(rb"%([0-9A-Fa-f]{2})")
_ESCAPE = regex(rb"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


class View:
    """`data` is what the part says. `raw(at)` is the place in the text of its byte `at`, also of its end."""

    __slots__ = ("_at", "_raw", "_under", "data")

    def __init__(self, data: bytes, at: list[int], raw: list[int], under: View | None = None) -> None:
        self.data = data
        self._at = at  # places in `data` from which on the bytes stand in the text one by one,
        self._raw = raw  # beginning here
        self._under = under  # the view whose data is the text

    def raw(self, at: int) -> int:
        place = bisect_right(self._at, at) - 1
        raw = self._raw[place] + at - self._at[place]
        return self._under.raw(raw) if self._under else raw

    def place(self, raw: int) -> int:
        """
        The place in `data` of the byte that stands at `raw` in the text, or, inside of an escape, of what comes behind it. For
        a view with no view under it, whose stretches are letters and escapes in turn.
        """
        place = bisect_right(self._raw, raw) - 1
        if place % 2 and raw > self._raw[place]:
            return self._at[place + 1]
        return self._at[place] + raw - self._raw[place]

    def moved(self, by: int) -> View:
        """The same, where the text begins `by` bytes later."""
        return View(self.data, self._at, [raw + by for raw in self._raw], self._under)


def unquoted(text: bytes, start: int, end: int) -> View:
    """Percent-encoding removed (RFC 3986 2.1)."""
    return _decoded(text, start, end, _PERCENT, _octet)


def unquoted_form(text: bytes, start: int, end: int) -> View:
    """The same in a form, where `+` is a blank (WHATWG URL 5.1)."""
    return _decoded(text[start:end].replace(b"+", b" "), 0, end - start, _PERCENT, _octet).moved(start)


def unescaped(text: bytes, start: int, end: int, rounds: int = 1) -> View:
    """The escapes of JSON removed (RFC 8259 7), `rounds` times: the text is a string in a string."""
    view = _decoded(text, start, end, _ESCAPE, _character)
    for _ in range(1, rounds):
        view = _decoded(view.data, 0, len(view.data), _ESCAPE, _character, under=view)
    return view


def plain(text: bytes, start: int, end: int) -> View:
    """All escapes removed, however often the text is escaped; a backslash before a letter stays, as in an expression."""
    if text.find(b"\\", start, end) < 0 and text.find(b"&", start, end) < 0:
        return View(text[start:end], [0], [start])
    return _decoded(text, start, end, _ANY_ESCAPE, _any_character)


def _decoded(
    text: bytes,
    start: int,
    end: int,
    escape: re.Pattern[bytes],
    meaning: Callable[[re.Match[bytes]], bytes],
    under: View | None = None,
) -> View:
    parts: list[bytes] = []
    at, raw, size, done = [0], [start], 0, start
    for hit in escape.finditer(text, start, end):
        said = meaning(hit)
        parts += text[done : hit.start()], said
        size += hit.start() - done
        at += size, size + len(said)
        raw += hit.start(), hit.end()
        size += len(said)
        done = hit.end()
    parts.append(text[done:end])
    return View(b"".join(parts), at, raw, under)


_ANY_ESCAPE = regex(rb"\\+(?:u([0-9A-Fa-f]{4})|([nrt\n])|([^A-Za-z0-9\\]))|&(?:quot|#3[49]|apos);")


def _any_character(hit: re.Match[bytes]) -> bytes:
    if hit[1]:
        return chr(int(hit[1], 16)).encode("utf-8", "surrogatepass")
    if hit[2]:
        return b"\t" if hit[2] == b"t" else b" "
    return hit[3] or b'"'


def _octet(hit: re.Match[bytes]) -> bytes:
    return bytes((int(hit[1], 16),))


def _character(hit: re.Match[bytes]) -> bytes:
    if hit[1]:
        return chr(int(hit[1], 16)).encode("utf-8", "surrogatepass")
    return _LETTERS.get(hit[2], hit[2])
