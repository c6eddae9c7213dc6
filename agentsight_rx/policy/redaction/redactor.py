"""Bytes and texts -> the same without secrets: a label in the place of each."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence

from ...core.bounded import Recent
from ...core.start import regex
from ...events import Headers
from .commands import secrets_of_argv, secrets_of_command
from .fields import Secret, secrets_of_field
from .find import OPENS_TEXT, SMALL, find_secrets, has_known, hinted, is_frame
from .names import HEADER_ENDS, SECRET_HEADERS, is_secret_header
from .scan import may_hold_base64, may_hold_key
from .shapes import SPECIAL, kind_of

_LABEL_HINT = b"[redacted:"
_CLEAR_MOST, _LONGEST = 4096, 256  # texts without secrets that are remembered, and characters of one: 1 MB of all
_FRAME_LEAST = 32  # characters of what events of a stream begin with; their texts are searched together too
_SHORTEST = 5  # a parameter named `key` with one letter is the shortest text with a secret
# As APIs name answers, requests and calls of tools
_ID = regex(r"(?:msg|req|toolu|srvtoolu|call|fc|resp|rs|chatcmpl|gen|run|prt|ses)[_-][A-Za-z0-9]{8,64}")
LABEL = regex(rb"\[redacted:[a-z-]{1,40}:[0-9a-f]{8}\]")  # no digit in the kind: no key fits into one


class Redactor:
    """Replaces secrets by `[redacted:KIND:HMAC]`. Under one key, equal secrets get equal labels."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._frame = ""  # what the last events of a stream began with, up to their text
        self._before = ""  # the last text that began otherwise
        self._clear: Recent[str, None] = Recent(_CLEAR_MOST)

    def label(self, kind: str, secret: bytes, /) -> bytes:
        """
        With 8 hexadecimal digits of HMAC-SHA256 (RFC 2104). Line breaks in a private key do not change it. A secret that has a
        name or a place is of the kind that its own shape says.
        """
        kind = kind if kind == "cookie" else kind_of(secret) or kind
        named = "".join(letter for letter in kind if letter == "-" or "a" <= letter <= "z")[:40] or "secret"
        value = _WITHOUT_BREAKS.sub(b"", secret) if kind == "private-key" else secret
        return b"[redacted:%b:%b]" % (named.encode(), hmac.digest(self._key, value, "sha256").hex()[:8].encode())

    def data(self, data: bytes, /, *, cut: bool = False) -> bytes:
        """The same without secrets; `data` itself if there are none."""
        found = find_secrets(data, cut=cut)
        return self.replaced(data, found) if found else data

    def finds(self, text: str, /, *, is_head: bool = False) -> bool:
        """Is there a secret in this text? A fast check of many texts, joined. `is_head`: they are values of fields."""
        return (len(text) >= SMALL or hinted(text, is_head=is_head)) and bool(find_secrets(text.encode("latin-1", "replace")))

    def text(self, text: str, /, *, cut: bool = False) -> str:
        """The same without secrets; `text` itself if there are none."""
        if not cut and len(text) < SMALL:
            new = text.removeprefix(self._frame) if self._frame else text
            if not hinted(text, new):
                if new is text and OPENS_TEXT in text:
                    self._learn(text)
                return text
        data = text.encode("utf-8", "surrogatepass")
        made = self.data(data, cut=cut)
        return text if made is data else made.decode("utf-8", "surrogatepass")

    def short(self, text: str, /) -> str:
        """
        As `text`, for texts that are mostly too short for a secret, which are not looked at, or that come again, such as paths:
        those without secrets are remembered, and ids of answers are known by their shape, which changes no outcome.
        """
        if len(text) <= _SHORTEST or text in self._clear or _is_id(text):
            return text
        made = self.text(text)
        if made is text and len(text) <= _LONGEST:
            self._clear.put(text, None)
        return made

    def _learn(self, text: str) -> None:
        """Events of a stream begin alike, mostly with all but their text: that is searched once."""
        frame = text[: text.rindex(OPENS_TEXT) + len(OPENS_TEXT)]
        if len(frame) >= _FRAME_LEAST and self._before.startswith(frame) and is_frame(frame):
            self._frame = frame
        self._before = text

    def replaced(self, data: bytes, found: Iterable[Secret], /) -> bytes:
        """`data` with a label in the place of each secret; `data` itself if nothing changes."""
        spans = [secret for secret in settled(data, found) if secret.start < secret.end]
        if not spans:
            return data
        parts: list[bytes] = []
        done = 0
        for secret in spans:
            parts += data[done : secret.start], self.label(secret.kind, secret.value or data[secret.start : secret.end])
            done = secret.end
        return b"".join([*parts, data[done:]])


_WITHOUT_BREAKS = regex(rb"\\[nrt]|[\s\\]")


def _is_id(text: str) -> bool:
    """Nothing stands before the letters of an id that says they are a secret, so only a known key in them can be one."""
    return _ID.fullmatch(text) is not None and not (has_known(text) or may_hold_key(text) or may_hold_base64(text))


def settled(data: bytes, found: Iterable[Secret], /) -> list[Secret]:
    """In order, without overlaps and without labels. Of two for the same bytes, the one of the more special kind stays."""
    labels = [hit.span() for hit in LABEL.finditer(data)] if _LABEL_HINT in data else []
    kept: list[Secret] = []
    place = 0
    for secret in sorted(found, key=_rank):
        while place < len(labels) and labels[place][1] <= secret.start:
            place += 1
        inside = place < len(labels) and labels[place][0] <= secret.start and secret.end <= labels[place][1]
        if inside or (secret.start == secret.end and not secret.run):
            continue
        if kept and secret.start < kept[-1].end + bool(kept[-1].run):  # an open one ends with the data
            if secret.end > kept[-1].end:
                kept[-1] = kept[-1]._replace(end=secret.end, run=secret.run)
            elif secret.end == kept[-1].end and secret.run and not kept[-1].run:
                kept[-1] = kept[-1]._replace(run=secret.run)
            continue
        kept.append(secret)
    return kept


def _rank(secret: Secret) -> tuple[int, int, bool, bool]:
    return secret.start, -secret.end, secret.kind not in SPECIAL, not secret.value


# -- masking -------------------------------------------------------------------------------------------------------
# Fields of heads, words of commands and command lines -> the same without secrets.


def mask_field(name: str, value: str, redactor: Redactor, /) -> str:
    """The value of a secret field, or of `sec-websocket-protocol`, with labels; the rest of its syntax stays."""
    data = value.encode("utf-8", "surrogatepass")
    keys = find_secrets(data) if name == "sec-websocket-protocol" else ()
    made = redactor.replaced(data, [*secrets_of_field(name, data), *keys])
    return value if made is data else made.decode("utf-8", "surrogatepass")


def mask_words(argv: tuple[str, ...], redactor: Redactor, /, *, cut: bool = False) -> tuple[str, ...]:
    """The words of a command without secrets; `argv` itself if there are none. `cut`: the end of the last one is missing."""
    words = [word.encode("utf-8", "surrogatepass") for word in argv]
    made: list[str] = []
    for index, (word, data, secrets) in enumerate(zip(argv, words, secrets_of_argv(words), strict=True)):
        found = [*secrets, *find_secrets(data, cut=cut and index == len(argv) - 1)]
        masked = redactor.replaced(data, found)
        made.append(word if masked is data else masked.decode("utf-8", "surrogatepass"))
    return argv if all(new is old for new, old in zip(made, argv, strict=True)) else tuple(made)


def mask_command(command: str, redactor: Redactor, /) -> str:
    """A shell command line without secrets; `command` itself if there are none."""
    data = command.encode("utf-8", "surrogatepass")
    made = redactor.replaced(data, [*secrets_of_command(data), *find_secrets(data)])
    return command if made is data else made.decode("utf-8", "surrogatepass")


# -- heads ---------------------------------------------------------------------------------------------------------
# Fields of heads -> the same without secrets, without a second search of what earlier heads said.
#
# A client sends nearly the same fields with each request, and a server with each answer. To search them takes as long as to
# search 10 KB of a body.


_SEARCHED = SECRET_HEADERS | {"sec-websocket-protocol"}  # their values are not all of them a secret
_KNOWN_MOST = 2048  # fields: those of a client and a server are 40, and of an answer four are its own
_FIELD_LONGEST = 512  # characters of one that is kept: 1 MB of all


class Heads:
    """It remembers fields without secrets, and never a secret one. That changes no outcome."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self.known: Recent[tuple[str, str], bool] = Recent(_KNOWN_MOST)  # without secrets

    def without_secret_fields(
        self, headers: Headers, trailers: Headers, *texts: str, said: str = ""
    ) -> tuple[Headers, Headers] | None:
        """
        Both without their secret fields, where neither another field nor one of `texts` nor `said` holds a secret; else None.
        One search of all is faster than one of each. `texts` are such as other heads have too.
        """
        known = self.known
        new = [field for field in (*headers, *trailers, *[("", text) for text in texts]) if field not in known]
        said = "\n".join([*[value for name, value in new if name not in SECRET_HEADERS], said])
        if self._redactor.finds(said, is_head=True):
            return None
        for field in new:
            if len(field[0]) + len(field[1]) <= _FIELD_LONGEST and not _may_be_secret(field[0]):
                known.put(field, True)
        return self._fields(headers, new), self._fields(trailers, new)

    def clean(self, headers: Headers) -> Headers:
        """All fields without secrets."""
        fields = self._fields(headers, headers)
        made = tuple((name, value if is_secret_header(name) else self._redactor.short(value)) for name, value in fields)
        return headers if all(new[1] is old[1] for new, old in zip(made, headers, strict=True)) else made

    def _fields(self, headers: Headers, new: Sequence[tuple[str, str]]) -> Headers:
        """The secret fields among `new` without secrets."""
        changed = {
            (name, value): masked
            for name, value in new
            if _may_be_secret(name) and (masked := mask_field(name, value, self._redactor)) is not value
        }
        if not changed:
            return headers
        return tuple([(field[0], changed.get(field, field[1])) for field in headers])


def _may_be_secret(name: str) -> bool:
    return name in _SEARCHED or name.endswith(HEADER_ENDS)
