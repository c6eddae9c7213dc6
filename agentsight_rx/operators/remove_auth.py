"""HTTP events -> the same without credentials in heads and request targets."""

from __future__ import annotations

import re
from typing import TypeVar, cast

from msgspec.structs import replace

from ..events import Event, Headers, HttpRequest, HttpResponse, SseMessage, StdioChunk, TlsChunk
from ..kernels import change
from ..stream import Operator

__all__ = ["SECRET_HEADERS", "remove_auth"]

E = TypeVar("E", bound=Event)

SECRET_HEADERS = frozenset(
    {
        "api-key",
        "authorization",
        "bearer",
        "cookie",
        "proxy-authorization",
        "sec-websocket-protocol",
        "set-cookie",
        "token",
        "x-access-token",
        "x-amz-security-token",
        "x-api-key",
        "x-auth-token",
        "x-goog-api-key",
        "x-session-token",
    }
)

# `key=`, and also `x-goog-signature=` or `client_secret=`
_PARAMETER = r"[?&](?:[\w.-]*[_.-])?(?:api|access)?(?:key|token|sig|signature|secret|password|credential)="
_QUERY = re.compile(rf"({_PARAMETER})[^&#]+", re.IGNORECASE)
_REDACTED = r"\1[redacted]"

# In bytes that were not parsed: the value of such a header line, up to its end or the end of the record, or of a parameter
_RAW = re.compile(
    rb"(?i)(?:(?:^|\n)(?:" + b"|".join(re.escape(name.encode()) for name in sorted(SECRET_HEADERS)) + rb")[ \t]*:"
    rb"(?P<field>[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)|" + _PARAMETER.encode() + rb"(?P<parameter>[^&#\s\"]+))"
)
_RAW_HINT = re.compile(rb"(?i)auth|key|token|cookie|bearer|protocol|sig|secret|password|credential")
_SEEN = re.compile(rb"[^\r\n]")


def remove_auth() -> Operator[E, E]:
    """
    Remove headers that carry credentials and mask secret query parameters. In raw records the values of such header
    lines and parameters are overwritten by `*`, so that lengths and offsets stay true.
    """
    return cast("Operator[E, E]", change(_clean, name="remove_auth"))


def _clean(event: Event) -> Event:
    if isinstance(event, HttpRequest | HttpResponse):
        headers = _without_secrets(event.headers)
        target = _masked(event.target) if event.target else event.target
        if headers is event.headers and target == event.target:
            return event
        if isinstance(event, HttpRequest):
            return replace(event, headers=headers, target=target or "")
        return replace(event, headers=headers, target=target)
    if isinstance(event, SseMessage):
        target = _masked(event.target) if event.target else event.target
        return event if target == event.target else replace(event, target=target)
    if isinstance(event, TlsChunk | StdioChunk) and _RAW_HINT.search(event.data):
        return replace(event, data=_RAW.sub(_starred, event.data))
    return event


def _without_secrets(headers: Headers) -> Headers:
    kept = tuple(header for header in headers if header[0] not in SECRET_HEADERS)
    return headers if len(kept) == len(headers) else kept


def _masked(target: str) -> str:
    return _QUERY.sub(_REDACTED, target) if "?" in target else target


def _starred(found: re.Match[bytes]) -> bytes:
    value = found[found.lastgroup or 0]
    return found[0].removesuffix(value) + _SEEN.sub(b"*", value)
