"""Values of HTTP fields -> the secrets in them: credentials, cookies, keys; and such fields in raw bytes. What a Secret is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from ...core.start import regex
from .names import ANY_SCHEME, SCHEME, NameKind, is_secret_header
from .values import is_basic, is_random, is_value

# -- secret --------------------------------------------------------------------------------------------------------
# A secret: where it is in a text, of which kind, and how far one that is cut goes on.


FLAG_KIND = "argument"


class Secret(NamedTuple):
    """
    `data[start:end]` is a secret. `run` is "" if it has ended. Otherwise it reached the end of data that may continue, and
    `run` is the name in RUNS of the bytes it may continue with, or a name that `open_string` gave.

    `value`: what it says, where that is not `data[start:end]` itself: it is percent-encoded or in Base64.
    """

    start: int
    end: int
    kind: str
    run: str = ""
    value: bytes = b""


# The bytes a secret may consist of: how far one that was cut continues
RUNS = {
    name: regex(pattern)
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
        "lines": rb"(?:[A-Za-z0-9+/=]|\r?\n[ \t]*|\\+[nr])*",
        "line": rb"[^\n]*(?:\n[ \t][^\n]*)*",
        "beside": rb"[A-Za-z0-9+/]*",
        "dollar": rb"[a-z0-9$]*",
        "percent": rb"[A-Za-z0-9%]*",
        "tilde": rb"[A-Za-z0-9_~.-]*",
        "bare": rb"[^\s\"'\\,;&|<>`(){}\[\]]*",
        "parameters": rb"[^\r\n'<>`{}]*",
        "markup": rb"[^<>]*",
        "cookies": rb"[^\r\n\"'\\<>`]*",
        "encoded": rb"[A-Za-z0-9%._~+/=\\-]*",  # a private key, percent-encoded, and what is written with escapes
    }.items()
}


# ------------------------------------------------------------------------------------------------------------------------


_CREDENTIALS = ("authorization", "authentication", "x-auth")
_SCHEME_ALONE = regex(rb"(?i)(?:basic|bearer|digest|negotiate|ntlm)[ \t]*")
_PAIR = regex(rb"[ \t]*([^=;]*=)?[ \t]*\"?([^;\"]*)\"?")

# Values of sec-websocket-protocol, such as `openai-insecure-api-key.sk-…`; its other values are names of protocols
_PROTOCOL = regex(rb"[^\s,]+")
_PROTOCOL_NAME = regex(
    rb"(?i)base64url\.bearer\.authorization\.k8s\.io\.|[\w.-]{0,80}?(?:api-?key|token|bearer|secret|authorization)[.:_-]"
)
_LONG_PROTOCOL = regex(rb"(?=[^0-9]*[0-9])[A-Za-z0-9_.~+/=-]{40,}")

_FIELD = regex(rb"\n(?:[<>] )?([A-Za-z][A-Za-z0-9-]{2,60})[ \t]{0,16}:")


def secrets_of_field(name: str, data: bytes) -> Iterator[Secret]:
    if name.endswith(("cookie", "cookie2")):
        yield from secrets_of_cookies(data, first_only=name.startswith("set-"))
    elif name == "sec-websocket-protocol":
        for protocol in _PROTOCOL.finditer(data):
            label = _PROTOCOL_NAME.match(data, protocol.start(), protocol.end())
            start = label.end() if label else protocol.start()
            value = data[start : protocol.end()]
            if label or _LONG_PROTOCOL.fullmatch(value):
                yield Secret(start, protocol.end(), name)
    else:
        if name.endswith(_CREDENTIALS) and _SCHEME_ALONE.fullmatch(data):
            return
        scheme = SCHEME.match(data) if name.endswith(_CREDENTIALS) else None
        start = scheme.end() if scheme else len(data) - len(data.lstrip())
        yield Secret(start, len(data.rstrip()), name)


def secrets_of_cookies(data: bytes, *, first_only: bool) -> Iterator[Secret]:
    """RFC 6265: `name=value` pairs. In Set-Cookie the first is the cookie and the others are its attributes."""
    place = 0
    while place < len(data):
        pair = _PAIR.match(data, place)
        end = data.find(b";", place)
        end = len(data) if end < 0 else end
        if pair is not None:
            start = pair.start(2)
            value = data[start:end].rstrip(b' \t"')
            yield Secret(start, start + len(value), "cookie")
        if first_only:
            return
        place = end + 1


def find_fields(data: bytes, /) -> list[Secret]:
    """The values of secret fields in raw bytes that may hold HTTP heads, with folded lines; more may follow `data`."""
    found: list[Secret] = []
    for field in _FIELD.finditer(data):
        name = field[1].decode().lower()
        if is_secret_header(name) or name == "sec-websocket-protocol":
            value = RUNS["line"].match(data, field.end())
            end = value.end() if value else field.end()
            goes_on = end >= len(data) - 1  # nothing but a line end may follow in `data`: the next line may be folded
            found.append(Secret(field.end(), end, name, "line" if goes_on else ""))
    return found


# -- values in a text -----------------------------------------------------------------------------------------------------

_COOKIE = regex(rb"[ \t]*([^\s=;,\"'\\<>]{1,256})=([^\s;,\"'\\<>`]*)(;?)")
_ATTRIBUTES = (b"path", b"domain", b"expires", b"max-age", b"samesite", b"version")


def secrets_of_value(
    kind: NameKind, name: bytes, data: bytes, span: tuple[int, int], *, check: Callable[[bytes], bool]
) -> Iterator[Secret]:
    """The secrets of a whole value."""
    start, end = span
    value = data[start:end]
    if kind == "cookie":
        pairs = list(secrets_of_pairs(name, data, start, end))
        yield from pairs
        if not pairs and is_random(value):
            yield Secret(start, end, "cookie")
    elif kind == "credentials":
        known = SCHEME.match(data, start, end)
        scheme = known or ANY_SCHEME.match(data, start, end)
        start = scheme.end() if scheme else start
        token = data[start:end]
        if check(token) if known else is_random(token):
            yield Secret(start, end, "authorization")
    elif check(value) or is_basic(value):
        yield Secret(start, end, kind_of_name(name, value))


def secrets_of_pairs(name: bytes, data: bytes, start: int, end: int) -> Iterator[Secret]:
    """The values of `name=value; …`. In Set-Cookie the first is the cookie and the others are its attributes."""
    while True:
        pair = _COOKIE.match(data, start, end)
        if pair is None:
            return
        if pair[1].lower() not in _ATTRIBUTES and pair[2] and is_value(pair[2]):
            yield Secret(pair.start(2), pair.end(2), "cookie")
        if not pair[3] or name.lower().startswith(b"set"):
            return
        start = pair.end()


def kind_of_name(name: bytes, value: bytes) -> str:
    """What the label of a value with this name says."""
    lower = name.lower()
    if _AWS_NAME.search(lower) and _AWS_SECRET.fullmatch(value):
        return "aws-secret"
    return "password" if b"pass" in lower or b"pwd" in lower else "member"


_AWS_NAME = regex(rb"secret[_-]?access[_-]?key")
_AWS_SECRET = regex(rb"[A-Za-z0-9+/]{40}")
