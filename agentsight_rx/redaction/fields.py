"""Values of HTTP fields -> the secrets in them: credentials, cookies, keys; and such fields in raw bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .names import SCHEME, is_secret_header
from .secret import RUNS, Secret

__all__ = ["find_fields", "secrets_of_cookies", "secrets_of_field"]

_CREDENTIALS = ("authorization", "authentication", "x-auth")
_SCHEME_ALONE = re.compile(rb"(?i)(?:basic|bearer|digest|negotiate|ntlm)[ \t]*")
_PAIR = re.compile(rb"[ \t]*([^=;]*=)?[ \t]*\"?([^;\"]*)\"?")

# Values of sec-websocket-protocol, such as `openai-insecure-api-key.sk-…`; its other values are names of protocols
_PROTOCOL = re.compile(rb"[^\s,]+")
_PROTOCOL_NAME = re.compile(
    rb"(?i)base64url\.bearer\.authorization\.k8s\.io\.|[\w.-]{0,80}?(?:api-?key|token|bearer|secret|authorization)[.:_-]"
)
_LONG_PROTOCOL = re.compile(rb"(?=[^0-9]*[0-9])[A-Za-z0-9_.~+/=-]{40,}")

_FIELD = re.compile(rb"\n(?:[<>] )?([A-Za-z][A-Za-z0-9-]{2,60})[ \t]{0,16}:")


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
