"""Bytes -> the secrets in text that is percent-encoded, written with escapes of JSON, or in Base64."""

from __future__ import annotations

import binascii
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

from ...core.start import regex
from .fields import Secret
from .kinds import COMPRESSED
from .lines import open_encoded
from .patterns import matches
from .scan import OF_TEXT, SHORT_TEXT, Marks, Span
from .views import View, unescaped, unquoted, unquoted_form

Finder: TypeAlias = Callable[[bytes, bool], Sequence[Secret]]  # find_secrets, with `cut`


def find_encoded(data: bytes, cut: bool, found: list[Secret], marks: Marks, inner: Finder, /) -> None:
    """Add the secrets that `inner` finds in what these bytes say."""
    if data.find(b"%") >= 0:
        hits = [hit.start() for hit in matches(data, b"%", _OCTET)]
        _find_decoded(data, cut, found, inner, hits, coding=_URL)
        if data.find(b"+") >= 0:
            _find_decoded(data, cut, found, inner, hits, coding=_FORM)
    if marks.escapes:
        _find_decoded(data, cut, found, inner, sorted(marks.escapes), coding=_STRING)
    for start, end in marks.runs:
        if end - start >= _RUN_LEAST or end == len(data):
            _find_in_run(data, (start, end), cut and end == len(data), found, inner)


# -- percent-encoding and escapes ------------------------------------------------------------------------------------------


class _Around:
    """The bytes that may stand around an encoded one: all but these."""

    def __init__(self, ends: bytes) -> None:
        self._others = bytes(set(range(256)) - set(ends))
        self._run = re.compile(b"[^" + re.escape(ends) + b"]*")

    def span(self, data: bytes, at: int, first: int) -> tuple[int, int]:
        window = data[max(first, at - _BEFORE_MOST) : at]
        found = self._run.match(data, at)
        return at - (len(window) - len(window.rstrip(self._others))), found.end() if found else at


_BEGUN = regex(rb"(?:%[0-9A-Fa-f]?|\\(?:u[0-9A-Fa-f]{0,3})?)\Z")  # an encoded byte whose end is missing
_BEGUN_MOST = 5
_ENCODED_LEAST = 8  # bytes: a parameter of one letter whose name has three, with one byte encoded
_BEFORE_MOST = 256  # bytes before the first encoded one: a name, and the beginning of a key
_OCTET = regex(rb"%[0-9A-Fa-f]{2}")
_OF_URL = _Around(b" \t\r\n\f\v\"'<>\\`")
_OF_STRING = _Around(b'\r\n"')


class _Coding(NamedTuple):
    around: _Around
    decode: Callable[[bytes, int, int], View]
    open_run: Callable[[bytes, int, str], str]  # the run of a secret that goes on behind the data
    of: bytes | None = None  # without it, another coding finds the same


def _find_decoded(
    data: bytes,
    cut: bool,
    found: list[Secret],
    inner: Finder,
    hits: Iterable[int],
    *,
    coding: _Coding,
) -> None:
    done = 0
    for at in hits:
        if at < done:
            continue
        start, done = coding.around.span(data, at, done)
        may_go_on = cut and done == len(data)
        if not may_go_on and (done - start < _ENCODED_LEAST or (coding.of is not None and coding.of not in data[start:done])):
            continue
        begun = _BEGUN.search(data, max(start, done - _BEGUN_MOST)) if may_go_on else None
        view = coding.decode(data, start, begun.start() if begun else done)
        for secret in inner(view.data, may_go_on):
            value = secret.value or view.data[secret.start : secret.end]
            first = view.raw(secret.start)
            if secret.run:
                found.append(Secret(first, done, secret.kind, coding.open_run(data, first, secret.run), value))
            else:
                found.append(Secret(first, view.raw(secret.end), secret.kind, value=value))


def _run_of_url(data: bytes, start: int, run: str) -> str:
    return "encoded" if run == "pem" else open_encoded(data, start)


def _run_of_string(data: bytes, start: int, run: str) -> str:
    return "encoded"


_URL = _Coding(_OF_URL, unquoted, _run_of_url)
_FORM = _Coding(_OF_URL, unquoted_form, _run_of_url, b"+")
_STRING = _Coding(_OF_STRING, unescaped, _run_of_string)


# -- Base64 ----------------------------------------------------------------------------------------------------------------

_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_FIRST_MOST = 512  # bytes of a run: if they are no text, it is an image or an archive

_BREAK = regex(rb"\n|\r\n|\\\\*(?:r\\+)?n")  # each begins with a letter, by which `re` searches 15 times as fast


def _find_in_run(data: bytes, span: Span, cut: bool, found: list[Secret], inner: Finder) -> None:
    start, end = span
    packed = _COMPRESSED.search(data, start, min(end, start + _FIRST_MOST))
    if packed is not None:
        _find_in_compressed(data, (packed.start(1), end), cut, found, inner)
    breaks: list[Span] = []
    if end - start > _LINE_LEAST and (data.find(b"\n", start, end) >= 0 or data.find(b"\\", start, end) >= 0):
        breaks = [hit.span() for hit in _BREAK.finditer(data, start, end)]
    elif not cut and not OF_TEXT.search(data[start : min(end, start + _FIRST_MOST)].translate(_TO_STANDARD)):
        return
    at, raw, parts, size = [0], [start], list[bytes](), 0
    for first, last in breaks:
        parts.append(data[raw[-1] : first])
        size += len(parts[-1])
        at.append(size)
        raw.append(last)
    digits = b"".join([*parts, data[raw[-1] : end]]).translate(_TO_STANDARD)
    texts = {hit.start() % 4 for hit in OF_TEXT.finditer(digits, 0, _FIRST_MOST)}
    if cut and not texts:
        texts = {hit.start() % 4 for hit in SHORT_TEXT.finditer(digits, max(0, len(digits) - 64))}
    lines = View(digits, at, raw)
    for shift in sorted(texts):
        size = (len(digits) - shift) & ~3
        rest = digits[shift + size :] if (len(digits) - shift) % 4 > 1 else b""
        said = binascii.a2b_base64(digits[shift : shift + size] + rest + b"=" * (-len(rest) % 4))
        for secret in inner(said, cut):
            first = lines.raw(shift + secret.start * 4 // 3)
            last = lines.raw(min(len(digits), shift - (-secret.end * 4 // 3)))
            value = secret.value or said[secret.start : secret.end]
            found.append(Secret(first, end if secret.run else last, secret.kind, "base64" if secret.run else "", value))


_RUN_LEAST = 20  # digits: `Bearer` and eight characters
_LINE_LEAST = 60  # digits of a line that is followed by another

# -- compressed ------------------------------------------------------------------------------------------------------------

_COMPRESSED = regex(rf"(?:(?<![A-Za-z0-9+_-])|(?<=\\[nrt]))({COMPRESSED})".encode())  # also as a part of a path
_SAID_LEAST, _SAID_TIMES = 4096, 32  # bytes that are decompressed, and as multiple of the compressed ones: a bomb says no more
_NO_DIGIT = regex(rb"[^A-Za-z0-9+/]+")
_ESCAPED_BREAK = regex(rb"\\+[nr]")


def _find_in_compressed(data: bytes, span: Span, cut: bool, found: list[Secret], inner: Finder) -> None:
    """A secret in compressed text hides all of it, since no part of it can be written again. So does one that may go on."""
    start, end = span
    digits = _NO_DIGIT.sub(b"", _ESCAPED_BREAK.sub(b"", data[start:end]).translate(_TO_STANDARD))
    compressed = binascii.a2b_base64(digits[: len(digits) & ~3])
    try:
        said = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(compressed, _SAID_LEAST + _SAID_TIMES * len(compressed))
    except zlib.error:
        return
    if cut or inner(said, True):
        found.append(Secret(start, end, "compressed", "base64" if cut else ""))
