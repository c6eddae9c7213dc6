"""Bytes -> the keys that are recognised by their beginning: `sk-…`, `ghp_…`, `eyJ…`, and tokens after `Bearer`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["RUNS", "SMALL", "SPECIAL", "Secret", "find_shapes", "hinted", "kind_of", "places", "places_by_letter"]


class Secret(NamedTuple):
    """
    `data[start:end]` is a secret. `run` is "" if it has ended. Otherwise it reached the end of data that may continue, and
    `run` is the name in RUNS of the bytes it may continue with.
    """

    start: int
    end: int
    kind: str
    run: str = ""


# The bytes a secret may consist of: how far one that was cut continues
RUNS = {
    name: re.compile(pattern)
    for name, pattern in {
        "key": rb"[A-Za-z0-9_-]*",
        "word": rb"[A-Za-z0-9_]*",
        "plain": rb"[A-Za-z0-9]*",
        "dashed": rb"[A-Za-z0-9-]*",
        "capitals": rb"[A-Z0-9]*",
        "dotted": rb"[A-Za-z0-9_.-]*",
        "token": rb"[A-Za-z0-9._~+/-]*=*",
        "base64": rb"[A-Za-z0-9+/_-]*=*",  # with the bytes of other keys: when cut, `…_key = sk` may begin one
        "password": rb"[^\s/\"'<>\\?#@]*",
        "parameter": rb"[^&#\s\"'<>\\]*",
        "pem": rb"[A-Za-z0-9+/=\s:,.()@_<>\\-]*",
        "line": rb"[^\n]*(?:\n[ \t][^\n]*)*",
    }.items()
}


class _Shape(NamedTuple):
    """
    A secret that is recognised by its beginning. After `begin` its pattern is `rest`, and `run` the bytes it consists of.

    If it does not match, no later beginning in the same run (of a dotted one: up to its first dot) matches either. So each run
    is tried once, however many keys seem to begin in it. `named`: `begin` is a name before the secret, not a part of it.
    """

    kind: str
    begin: str
    rest: str
    run: str
    named: bool = False


# With a digit, and with a capital letter or 16 characters without separators: so `sk-learn-v2-contrib-module` is no secret
_RANDOM = r"(?=[A-Za-z_-]*[0-9])(?:(?=[a-z0-9_-]*[A-Z])|(?=(?:[a-z0-9]{0,15}[_-])*[a-z0-9]{16}))"
# At least 8 characters that are not a word: a digit, a capital after a small letter, padding, or 20 characters and more
_TOKEN = (
    r"(?=[A-Za-z._~+/-]*[0-9]|[A-Z0-9._~+/-]*[a-z][a-z0-9._~+/-]*[A-Z]|[A-Za-z0-9._~+/-]*=|[A-Za-z0-9._~+/-]{20})"
    r"[A-Za-z0-9._~+/-]{7,}[A-Za-z0-9_~+/-]=*"
)
_AWS_SECRET = r"[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=])"
_IS = r"[\"'\\]{0,4}[ \t]{0,8}[=:][ \t]{0,8}[\"'\\]{0,4}"  # between a name and its value, also in JSON in JSON

_SHAPES = (
    _Shape("anthropic", "sk-ant-", rf"{_RANDOM}[A-Za-z0-9_-]{{13,}}", "key"),
    _Shape("openrouter", "sk-or-", rf"{_RANDOM}[A-Za-z0-9_-]{{14,}}", "key"),
    _Shape("openai", "sk-", rf"{_RANDOM}[A-Za-z0-9_-]{{17,}}", "key"),
    _Shape("google", "AIza", r"[A-Za-z0-9_-]{30,}", "key"),
    _Shape("google", r"ya29\.", r"[A-Za-z0-9_-]{20,}", "key"),
    _Shape("github", "gh[pousr]_", r"[A-Za-z0-9_]{30,}", "word"),
    _Shape("github", "github_pat_", r"[A-Za-z0-9_]{30,}", "word"),
    _Shape("aws", "AKIA", r"[A-Z0-9]{16}(?![A-Za-z0-9])", "capitals"),
    _Shape("aws", "ASIA", r"[A-Z0-9]{16}(?![A-Za-z0-9])", "capitals"),
    _Shape("jwt", "eyJ", r"[A-Za-z0-9_-]{12,}(?:\.[A-Za-z0-9_-]*){2,4}(?<=[A-Za-z0-9_-]{4})", "dotted"),
    _Shape("slack", "xox[a-z]-", r"(?=[A-Za-z-]*[0-9])[A-Za-z0-9-]{16,}", "dashed"),
    _Shape("gitlab", "glpat-", r"[A-Za-z0-9_-]{20,}(?:\.[A-Za-z0-9_-]+)*", "dotted"),
    _Shape("huggingface", "hf_", r"[A-Za-z0-9]{30,}", "plain"),
    _Shape("npm", "npm_", r"[A-Za-z0-9]{30,}", "plain"),
    _Shape("authorization", r"Bearer[ \t]{1,8}", _TOKEN, "token", True),
    _Shape("aws-secret", f"secret_access_key{_IS}", _AWS_SECRET, "base64", True),
    _Shape("aws-secret", f"SECRET_ACCESS_KEY{_IS}", _AWS_SECRET, "base64", True),
    _Shape("aws-secret", f"secretAccessKey{_IS}", _AWS_SECRET, "base64", True),
    _Shape("aws-secret", f"SecretAccessKey{_IS}", _AWS_SECRET, "base64", True),
)
_BEGINS = re.compile("|".join(f"({shape.begin})" for shape in _SHAPES).encode())
_ANY_BEGIN = re.compile("|".join(shape.begin for shape in _SHAPES).encode())  # a search without groups is 50 times as fast
_RESTS = [re.compile(shape.rest.encode()) for shape in _SHAPES]

# How the beginnings are found in a long text. In 60 KB that are not in the cache, a search for several letters branches at each
# and takes 8 to 50 µs, depending on how common they are; `re` for one letter with look-behinds takes 17 µs, however many there
# are; a search for one rare letter takes 1 µs, and 0.1 µs for each hit.
_LOOK_BACK = (
    re.compile(rb"-(?:(?<=(sk-))|(?<=(xox[a-z]-))|(?<=(glpat-)))"),
    re.compile(
        rb"_(?:(?<=[pousrfmS]_)(?:(?<=(gh[pousr]_))|(?<=(hf_))|(?<=(npm_))|(?<=(secret_access_))|(?<=(SECRET_ACCESS_)))"
        rb"|(?<=pat_)(?<=(github_pat_)))"
    ),
)
_BY_LETTER = (
    (b"eyJ", b"J"), (b"AIza", b"z"), (b"AKIA", b"K"), (b"ASIA", b"S"), (b"ya29.", b"9"), (b"Bearer", b"B"),
    (b"ecretAccessKey", b"K"),
)  # fmt: skip
_BY_LETTER_MOST = 64  # hits; then the whole text is searched for: in base64 no letter is rare
SMALL = 2000  # bytes; up to this size `hinted` is the faster first check

# Not inside a word. The last letter of an escape (\n, \u003c, %3D) or of a terminal colour is not part of a word.
_BOUNDARY = re.compile(
    rb"(?:(?<![A-Za-z0-9])|(?<=\\[abefnrtv])|(?<=\\u[0-9A-Fa-f]{4})|(?<=\\x[0-9A-Fa-f]{2})|(?<=%[0-9A-Fa-f]{2})|(?<=[0-9\[]m))"
)

_WINDOW = 29_000  # bytes; in less than 30,000, CPython finds 6 bytes and more up to four times as fast

SPECIAL = frozenset(shape.kind for shape in _SHAPES)


def kind_of(secret: bytes, /) -> str:
    """The kind of key that `secret` is as a whole; "": none."""
    begin = _BEGINS.match(secret)
    if begin is None or begin.lastindex is None:
        return ""
    shape, rest = _SHAPES[begin.lastindex - 1], _RESTS[begin.lastindex - 1]
    return shape.kind if not shape.named and rest.fullmatch(secret, begin.end()) else ""


def hinted(text: str) -> bool:
    """
    False: this short text contains no beginning of a secret.

    A search takes 20 ns, one for a single letter 8. So each letter is searched for before the texts that contain it.
    """
    return (
        "@" in text
        or "?" in text
        or ("J" in text and "eyJ" in text)
        or ("K" in text and ("AKIA" in text or "ecretAccessKey" in text or "SECRET_ACCESS_KEY" in text))
        or ("A" in text and ("AIza" in text or "ASIA" in text))
        or ("B" in text and ("Bearer" in text or "-----BEGIN" in text))
        or ("-" in text and ("sk-" in text or "xox" in text or "glpat-" in text))
        or (
            "_" in text
            and ("gh" in text or "hf_" in text or "npm_" in text or "github_pat_" in text or "secret_access_key" in text)
        )
        or ("9" in text and "ya29." in text)
    )


def _begins(data: bytes) -> Iterator[re.Match[bytes]]:
    """The places where a shape may begin, in order for each beginning."""
    if len(data) < SMALL:
        for hit in _ANY_BEGIN.finditer(data):
            yield from _begin_at(data, hit.start())
        return
    for pattern in _LOOK_BACK:
        for hit in pattern.finditer(data):
            yield from _begin_at(data, hit.start(hit.lastindex or 0))
    for text, letter in _BY_LETTER:
        for place in places_by_letter(data, text, letter):
            yield from _begin_at(data, place - (text == b"ecretAccessKey"))


def _begin_at(data: bytes, place: int) -> Iterator[re.Match[bytes]]:
    begin = _BEGINS.match(data, max(0, place))
    if begin is not None:
        yield begin


def places_by_letter(data: bytes, text: bytes, letter: bytes, /) -> Iterator[int]:
    """The places of `text` in `data`, found by a rare letter of it."""
    before = text.index(letter)
    at = data.find(letter, before)
    for _ in range(_BY_LETTER_MOST):
        if at < 0:
            return
        if data.startswith(text, at - before):
            yield at - before
        at = data.find(letter, at + 1)
    if at >= 0:
        yield from places(data, text, at - before)


def places(data: bytes, text: bytes, start: int = 0) -> Iterator[int]:
    """The places of `text` in `data`."""
    at = _next(data, text, start)
    while at >= 0:
        yield at
        at = _next(data, text, at + len(text))


def _next(data: bytes, text: bytes, start: int) -> int:
    """`data.find(text, start)`, window by window."""
    size, more = len(data), len(text) - 1
    while start < size:
        at = data.find(text, start, start + _WINDOW)
        if at >= 0:
            return at
        start += _WINDOW - more
    return -1


def find_shapes(data: bytes, cut: bool, found: list[Secret], /) -> None:
    """Add the shapes in `data` to `found`; with `cut` also one that only begins at its end."""
    tried: dict[bytes, int] = {}  # by beginning: the end of its last run, of a dotted one the end of the first part
    ends: dict[bytes, int] = {}  # by beginning, since only the places of one are in order: the end of its last run
    for begin in _begins(data):
        at, after = begin.span()
        shape, rest = _SHAPES[(begin.lastindex or 1) - 1], _RESTS[(begin.lastindex or 1) - 1]
        if at < tried.get(begin[0], 0) or not (shape.named or _BOUNDARY.match(data, at)):
            continue
        if after > ends.get(begin[0], -1):
            ends[begin[0]] = _end_of(shape.run, data, after)
        end = ends[begin[0]]
        tried[begin[0]] = _end_of("key", data, after) if shape.run == "dotted" else end
        start = after if shape.named else at
        if cut and end == len(data):
            found.append(Secret(start, end, shape.kind, shape.run))
            continue
        whole = rest.match(data, after)
        if whole is not None:
            kind = kind_of(whole[0]) if shape.named else ""
            found.append(Secret(start, whole.end(), kind or shape.kind))


def _end_of(run: str, data: bytes, start: int) -> int:
    matched = RUNS[run].match(data, start)
    return matched.end() if matched else start
