"""Bytes -> the keys that are recognised by their beginning: `sk-…`, `ghp_…`, `eyJ…`, and tokens after `Bearer`."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from ...core.start import regex
from .fields import RUNS, Secret
from .kinds import KEY_IN_BASE64, KINDS, LETTERS, Kind, by_first_letter
from .values import is_basic


class _Shape(NamedTuple):
    """
    A secret that is recognised by its beginning. After `begin` its pattern is `rest`, and `run` the bytes it consists of.

    If it does not match, no later beginning in the same run (of a dotted one: up to its first dot) matches either. So each run
    is tried once, however many keys seem to begin in it. `named`: `begin` is a name before the secret, not a part of it.
    `check`: a further condition; with True the secret may continue.
    """

    kind: str
    begin: str
    rest: str
    run: str
    named: bool = False
    check: Callable[[bytes, bool], bool] | None = None


# A key has a digit, or capitals that no word has. Behind a beginning that is a word it has a digit and letters of both cases
_NO_NAME = r"(?=[A-Za-z_.+/$%-]*?(?:[0-9]|[a-z][A-Z]))"
_RANDOM_IN_CASES = r"(?=[A-Za-z_.+/-]*+[0-9])(?=[a-z0-9_.+/-]*+[A-Z])(?=[A-Z0-9_.+/-]*+[a-z])"
_RANDOM_IN_CASE = r"(?=[A-Za-z_.+/-]*+[0-9])(?=[0-9_.+/-]*+[A-Za-z])"
_OF_ONE_WORD, _LONG_WORD = ("hex", "xhex", "lower", "plain", "capitals"), 20
_ONE_CASE = ("hex", "lower", "capitals", "hexdash", "hexdot")
_BEGUN_LEAST = 3  # letters behind the beginning, so that words that are cut stay
_BEGUN_RANDOM = regex(rb"(?=.{6})(?=[^0-9]*[0-9])[^A-Za-z]*[A-Za-z]|(?=.{8})[A-Za-z0-9]*[a-z][A-Z]")


def _shape_of(kind: Kind) -> _Shape:
    letters, run = LETTERS[kind.letters]
    if not kind.is_word and kind.letters in _OF_ONE_WORD:
        random = "" if kind.least >= _LONG_WORD else "(?=[a-z]*+[A-Z0-9])"
    else:
        random = _NO_NAME if not kind.is_word else _RANDOM_IN_CASE if kind.letters in _ONE_CASE else _RANDOM_IN_CASES
    size = len(kind.begin)

    def may_be(value: bytes, cut: bool) -> bool:
        begun = len(value) - size if cut else _BEGUN_LEAST
        return begun >= _BEGUN_LEAST and (not cut or not kind.is_word or _BEGUN_RANDOM.match(value, size) is not None)

    return _Shape(kind.kind, kind.begin, rf"{random}{letters}{{{kind.least},}}(?<!\.)={{0,2}}", run, check=may_be)


# With a digit, and with a capital letter or 16 characters without separators: so `sk-learn-v2-contrib-module` is no secret
_RANDOM = r"(?=[A-Za-z_-]*[0-9])(?:(?=[a-z0-9_-]*[A-Z])|(?=(?:[a-z0-9]{0,15}[_-])*[a-z0-9]{16}))"
# At least 8 characters that are not a word: a digit, a capital after a small letter, padding, or 20 characters and more
TOKEN = (
    r"(?=[A-Za-z._~+/-]*[0-9]|[A-Z0-9._~+/-]*[a-z][a-z0-9._~+/-]*[A-Z]|[A-Za-z0-9._~+/-]*=|[A-Za-z0-9._~+/-]{20})"
    r"[A-Za-z0-9._~+/-]{7,}[A-Za-z0-9_~+/-]=*"
)
_AWS_SECRET = r"[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=])"
_BLANK = r"[ \t]{1,8}"
_BLANK_OF_FORM = r"(?:\+|%20)"
_TOKEN_OF_FORM = TOKEN.replace("~+", "~")  # there a plus sign is a blank
_IS = r"[\"'\\]{0,4}[ \t]{0,8}[=:][ \t]{0,8}[\"'\\]{0,4}"  # between a name and its value, also in JSON in JSON

_BREAK = r"(?:\r?\n|(?:\\+r)?\\+n)"

_SHAPES = (
    _Shape("anthropic", "sk-ant-", rf"{_RANDOM}[A-Za-z0-9_-]{{13,}}", "key"),
    _Shape("openrouter", "sk-or-", rf"{_RANDOM}[A-Za-z0-9_-]{{14,}}", "key"),
    _Shape("openai", "sk-", rf"{_RANDOM}[A-Za-z0-9_-]{{17,}}", "key"),
    _Shape("google", "AIza", r"[A-Za-z0-9_-]{30,}", "key"),
    _Shape("google", r"ya29\.", r"[A-Za-z0-9_-]{20,}", "key"),
    _Shape("aws", "AKIA", r"[A-Z0-9]{16}(?![A-Za-z0-9])", "capitals"),
    _Shape("aws", "ASIA", r"[A-Z0-9]{16}(?![A-Za-z0-9])", "capitals"),
    _Shape("jwt", "eyJ", r"[A-Za-z0-9_-]{12,}(?:\.[A-Za-z0-9_-]*){2,4}(?<=[A-Za-z0-9_-]{4})", "dotted"),
    _Shape("slack", "xox[a-z]-", r"(?=[A-Za-z-]*[0-9])[A-Za-z0-9-]{16,}", "dashed"),
    _Shape(
        "private-key",
        f"(?:{KEY_IN_BASE64})",
        rf"[A-Za-z0-9+/]{{24,}}(?:{_BREAK}[ \t]*[A-Za-z0-9+/]{{16,}})*(?:{_BREAK}[A-Za-z0-9+/]+=)?={{0,2}}",
        "lines",
    ),
    _Shape("telegram", "(?:bot)?[0-9]{8,10}:AA", r"[A-Za-z0-9_-]{30,}", "key"),
    _Shape("terraform", r"[A-Za-z0-9]{14}\.atlasv1\.", r"[A-Za-z0-9_-]{60,}", "key"),
    _Shape("discord", r"[MNO][A-Za-z0-9_-]{22,27}\.[A-Za-z0-9_-]{6}\.", r"(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{27,}", "key"),
    _Shape("azure", "[A-Za-z0-9_~.]{3}[0-9]Q~", r"[A-Za-z0-9_~.-]{30,}", "tilde"),
    _Shape("slack", "services/T[A-Z0-9]{6,14}/B[A-Z0-9]{6,14}/", r"[A-Za-z0-9]{20,}", "plain", True),
    _Shape("discord", "webhooks/[0-9]{17,20}/", r"[A-Za-z0-9_-]{60,}", "key", True),
    _Shape("authorization", rf"Bearer{_BLANK}", TOKEN, "token", True),
    _Shape("authorization", rf"Bearer{_BLANK_OF_FORM}", _TOKEN_OF_FORM, "token", True),
    _Shape(
        "authorization", rf"Basic(?:{_BLANK}|{_BLANK_OF_FORM})", r"[A-Za-z0-9+/_-]{4,}={0,2}", "token", True, check=is_basic
    ),
    _Shape("aws-secret", f"secret_access_key{_IS}", _AWS_SECRET, "base64", True),
    _Shape("aws-secret", f"SECRET_ACCESS_KEY{_IS}", _AWS_SECRET, "base64", True),
    _Shape("aws-secret", f"secretAccessKey{_IS}", _AWS_SECRET, "base64", True),
    _Shape("aws-secret", f"SecretAccessKey{_IS}", _AWS_SECRET, "base64", True),
)
_NAMED, _UNNAMED = ([shape for shape in _SHAPES if shape.named == named] for named in (True, False))
_ALL = [*_NAMED, *map(_shape_of, KINDS), *_UNNAMED]  # in this order, a longer beginning comes before a shorter one


@cache
def _begins() -> re.Pattern[bytes]:
    """All beginnings. To compile them takes 4 ms of a start, and many captures need none."""
    named, unnamed = ([f"{shape.begin}()" for shape in shapes] for shapes in (_NAMED, _UNNAMED))
    return re.compile("|".join([*named, by_first_letter([kind.begin for kind in KINDS]), *unnamed]).encode())


@cache
def _rest(number: int) -> re.Pattern[bytes]:
    """Of a shape. There are 140, a text has few of them, and to compile all of them takes 6 ms of a start."""
    return re.compile(_ALL[number].rest.encode())


# Not inside a word. The last letter of an escape (\n, \u003c, %3D) or of a terminal colour is not part of a word.
_BOUNDARY = regex(
    rb"(?:(?<![A-Za-z0-9])|(?<=\\[abefnrtv])|(?<=\\u[0-9A-Fa-f]{4})|(?<=\\x[0-9A-Fa-f]{2})|(?<=%[0-9A-Fa-f]{2})|(?<=[0-9\[]m))"
)

SPECIAL = frozenset(shape.kind for shape in _ALL)


def kind_of(secret: bytes, /) -> str:
    """The kind of key that `secret` is as a whole; "": none."""
    begin = _begins().match(secret)
    if begin is None or begin.lastindex is None:
        return ""
    shape, rest = _ALL[begin.lastindex - 1], _rest(begin.lastindex - 1)
    return shape.kind if not shape.named and rest.fullmatch(secret, begin.end()) else ""


def find_shapes(data: bytes, cut: bool, places: list[int], found: list[Secret], /) -> None:
    """Add the shapes that begin at these places of `data` to `found`; with `cut` also one that only begins at its end."""
    keys: list[int] = []  # the ends of AWS's key ids
    tried: dict[bytes, int] = {}  # by beginning: the end of its last run, of a dotted one the end of the first part
    ends: dict[bytes, int] = {}  # by beginning: the end of its last run
    if cut:
        places += _begun(data)
    begins = _begins()
    for place in sorted(places):
        begin = begins.match(data, place)
        if begin is None:
            continue
        at, after = begin.span()
        number = (begin.lastindex or 1) - 1
        shape = _ALL[number]
        if at < tried.get(begin[0], 0) or not (shape.named or _BOUNDARY.match(data, at)):
            continue
        if after > ends.get(begin[0], -1):
            ends[begin[0]] = _end_of(shape.run, data, after)
        end = ends[begin[0]]
        tried[begin[0]] = _end_of("key", data, after) if shape.run == "dotted" else end
        start = after if shape.named else at
        if cut and end == len(data):
            if shape.check is None or shape.check(data[start:], True):
                found.append(Secret(start, end, shape.kind, shape.run))
            continue
        whole = _rest(number).match(data, after)
        if whole is not None and (shape.check is None or shape.check(whole[0], False)):
            kind = kind_of(whole[0]) if shape.named else ""
            found.append(Secret(start, whole.end(), kind or shape.kind))
            if shape.kind == "aws":
                keys.append(whole.end())
    if keys:
        find_beside(data, cut, keys, found)


_OF_KEYS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.~$+:/-"
_BEGUN_MOST = 80  # bytes: a beginning, and as much as `scan` wants to see behind it


def _begun(data: bytes) -> list[int]:
    """Where keys may begin in the last word, which may continue."""
    first = max(0, len(data) - _BEGUN_MOST)
    word = len(data[first:].rstrip(_OF_KEYS))
    return [hit.start() for hit in _begins().finditer(data, first + word)]


BESIDE_MOST = 200  # bytes between a key id and its secret, in a table, a file of credentials or JSON
_BESIDE = regex(rb"(?<![A-Za-z0-9+/=])(?:[A-Za-z0-9+]|\\?/){40}(?![A-Za-z0-9+/=])")
_BEGUN_BESIDE = regex(rb"[^A-Za-z0-9+/]{1,8}((?=[a-z/]*[A-Z0-9+])[A-Za-z0-9+/]{4,40})\Z")
_MIXED = regex(rb"(?=[^0-9]*[0-9])(?=[^A-Z]*[A-Z])[^a-z]*[a-z]")


def find_beside(data: bytes, cut: bool, keys: list[int], found: list[Secret]) -> None:
    """The secret of an AWS key has no beginning of its own: 40 characters beside the id."""
    done = 0
    for end in sorted(keys):
        hits = _BESIDE.finditer(data, max(done, end - 20 - BESIDE_MOST), end + BESIDE_MOST + 80)
        whole = (hit for hit in hits if _MIXED.match(hit[0]) and not _goes_on(data, hit.end()))
        found += [Secret(hit.start(), hit.end(), "aws-secret") for hit in whole]
        done = max(done, end + BESIDE_MOST)
        begun = _BEGUN_BESIDE.match(data, end) if cut else None
        if begun is not None:
            found.append(Secret(begun.start(1), len(data), "aws-secret", "beside"))


def _goes_on(data: bytes, end: int) -> bool:
    return data[end : end + 1].isalnum() or data[end : end + 1] in (b"+", b"/", b"=")


def _end_of(run: str, data: bytes, start: int) -> int:
    matched = RUNS[run].match(data, start)
    return matched.end() if matched else start
