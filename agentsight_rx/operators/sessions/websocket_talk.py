"""What each dialect of conversations on a WebSocket has: messages in, requests and events of answers out."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import ClassVar, Literal, TypeVar

import msgspec
from msgspec import Raw, Struct

from ...core.start import regex

T = TypeVar("T")

_PARTS_MOST = 1 << 20  # bytes that one request is put together of; text of a turn has a few KiB
_MEDIA_LEAST = 1024  # bytes: shorter ones may as well stay

# Base64 of sound and images, as a value of these names or as a URL. A quote inside of a string is escaped: no text matches
_MEDIA = regex(
    rb'(?P<name>"(?:audio|data)"\s*+:\s*+)?"(?P<url>data:[^",\\]{1,100}?;base64,)?(?P<coded>(?:[A-Za-z0-9+/_=-]++|\\/)++)"'
)


class Question(Struct, frozen=True):
    """The body of a request. `lost`: bytes that were not kept."""

    body: bytes
    lost: int = 0


class ServerEvent(Struct, frozen=True):
    """
    What a message of the server is, as an event of an answer. `kind` is the type of the event; "": of no answer.

    `key` names the answer among the open ones. An answer that is not open may begin with it: never (""), only if one is waited
    for ("asked"), or also without that ("unasked"). `late`: then its beginning is missing.
    """

    kind: str
    key: str = ""
    begins: Literal["", "asked", "unasked"] = ""
    late: bool = False
    ends: bool = False
    status: object = None


NO_ANSWER = ServerEvent("")


class Talk(ABC):
    """
    What both ends say in one dialect: `take_client` takes each message of the client, `take_server` each of the server.

    `in_order`: answers have no keys and come in the order of their requests; then the reader of the provider sees their end.
    `one_at_a_time`: a request that is not yet answered gives way to the next one.
    """

    kinds: ClassVar[tuple[str, ...]] = ("text",)  # of WebSocket messages
    in_order: ClassVar[bool] = False
    one_at_a_time: ClassVar[bool] = False

    @abstractmethod
    def take_client(self, message: bytes, /) -> Question | None:
        """The request that this message completes; None if it does not."""

    @abstractmethod
    def take_server(self, message: bytes, /) -> ServerEvent: ...

    def unasked(self) -> Question | None:
        """The request of an answer that the server began by itself, such as when the user stopped to speak; None: unknown."""
        return None

    def kept(self) -> int:
        """Bytes of memory."""
        return 0

    def snapshot(self) -> bytes:
        return b""

    def restore(self, state: bytes, /) -> None:
        """Go on from a snapshot."""
        del state  # there is none


class Parts(Struct, array_like=True):
    """JSON values for the next request, as text. What does not fit is counted."""

    values: list[bytes] = []
    size: int = 0
    lost: int = 0

    def add(self, value: bytes) -> None:
        if self.size + len(value) > _PARTS_MOST:
            self.lost += len(value)
        else:
            self.values.append(value)
            self.size += len(value) + 50  # of memory

    def taken(self) -> tuple[bytes, int]:
        """All as a JSON array, and the bytes that are missing in it; there is none left."""
        made, lost = b"[" + b",".join(self.values) + b"]", self.lost
        self.values, self.size, self.lost = [], 0, 0
        return made, lost


def read(decoder: msgspec.json.Decoder[T], message: bytes | Raw) -> T | None:
    """The message; None if it is another one, or no JSON."""
    try:
        return decoder.decode(message)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def joined(**fields: bytes) -> bytes:
    """A JSON object of values that are JSON; empty ones are left out."""
    return b"{" + b",".join(b'"%b":%b' % (name.encode(), value) for name, value in fields.items() if value) + b"}"


def without_media(value: bytes | Raw) -> bytes:
    """JSON with `{"omitted_bytes": n}` in the place of sound and images."""
    text = bytes(value)
    return text if len(text) < _MEDIA_LEAST else _MEDIA.sub(_marker, text)


def _marker(found: re.Match[bytes]) -> bytes:
    name, coded = found["name"] or b"", found["coded"]
    if len(coded) < _MEDIA_LEAST or not (name or found["url"]):
        return found[0]
    return b'%b{"omitted_bytes":%d}' % (name, size_of_base64(coded))


def size_of_base64(coded: bytes | Raw) -> int:
    """Bytes that it stands for, with or without quotes around it; 0 for null."""
    text = bytes(coded).strip(b'"').rstrip(b"=")
    return 0 if text == b"null" else (len(text) - text.count(b"\\")) * 3 // 4


def elements(value: Raw) -> bytes:
    """The elements of an array, with the commas between them; any other value is one element."""
    text = bytes(value)
    return text[1:-1].strip() if text.startswith(b"[") else text
