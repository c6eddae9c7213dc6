"""
Bytes -> the values that the name before them shows to be secrets: members of JSON, fields, variables, flags of commands.

In a text a name is followed by many things, so what a value must look like depends on how the two are written:

    "token": "…"           a member of JSON, escaped any number of times: every secret, and a token that looks random
    token = "…"            a literal of source code: what looks random
    Authorization: …       a field, also x-api-key and Cookie: credentials with a scheme, pairs, what looks random
    TOKEN=…  --token …     in a command every value, as in arguments; elsewhere what looks random
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from .names import SCHEME, SCHEMES, Meaning, NameKind, is_secret_flag, is_secret_header, meaning_of, name_kind
from .patterns import HYPHENATED
from .scan import Marks, Span
from .secret import FLAG_KIND, Secret
from .shapes import TOKEN, is_basic
from .strings import end_of_string, open_string, opening
from .values import begins_random, is_no_words, is_random, is_value, is_very_random

__all__ = ["find_members"]


_AUTHORIZATION = re.compile(rb"(?i:rization)(\\*[\"'])?[ \t]{0,4}(?::|=|,(?<=[\"'],))")
_NAME_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
_NAME_MOST = 64
_QUOTE_MOST = 256  # bytes: of a string in a string, eight deep
_ESCAPE_BEFORE = re.compile(rb"u[0-9A-Fa-f]{4}|[abefnrtv]")

_BLANK = rb"(?:[ \t\r\n]|\\+[nrt]){0,16}"
_TO_MEMBER = re.compile(rb">?" + _BLANK + rb"(\[?)" + _BLANK)
_TO_NEXT = re.compile(_BLANK + rb"," + _BLANK)
_TO_BARE = re.compile(rb">?[ \t]{0,8}")
_BEFORE_BARE = (b">", b" ", b"\t")
_BARE = re.compile(rb"[^\s\"'\\,;&|<>`(){}\[\]]*")
_TRIES_MOST = 16  # names in one word without quotes
_LIST_MOST = 64  # values of one name


def find_members(data: bytes, cut: bool, marks: Marks, found: list[Secret], in_command: Callable[[int], bool], /) -> None:
    """
    Add the secrets that have a name to `found`. With `cut`, `data` may continue, and so may a value that reaches its end.
    `in_command`: does a command cover this place? Then its secrets are added.
    """
    text = _Text(data, cut, found, in_command)
    for at in marks.names:
        text.separator(at)
    for at in marks.authorizations:
        named = _AUTHORIZATION.match(data, at)
        if named is not None:
            text.separator(named.end() - 1)
    for at in marks.hyphens:
        field = HYPHENATED.match(data, at)
        if field is not None:
            text.separator(field.end() - 1)
        else:
            text.flag(at)


class _Text:
    def __init__(self, data: bytes, cut: bool, found: list[Secret], in_command: Callable[[int], bool]) -> None:
        self._data = data
        self._cut = cut
        self._found = found
        self._in_command = in_command
        self._meanings: dict[bytes, Meaning] = {}  # of the names so far, which are few
        self._bare_word = (0, 0)  # the last one; the ends of later names in it are the same
        self._tries = 0  # names in it
        self._hidden = (0, 0)  # the last one that is a secret

    def separator(self, at: int) -> None:
        """A name and the value after its `:` or `=`."""
        data = self._data
        name, quote = _name_before(data, at)
        meaning = self._meanings.get(name)
        if meaning is None:
            meaning = self._meanings[name] = meaning_of(name)
        plain, kind, is_secret = meaning
        if quote:
            if kind:
                self._members(kind, plain, at + 1, quote)
            return
        if not is_secret or self._in_command(at):
            return
        start = at + 1
        if data[start : at + 2] in _BEFORE_BARE:
            start = _end(_TO_BARE, data, start)
        opened = opening(data, start)
        if opened:
            if not data[
                start + len(opened) : start + len(opened) + 1
            ].isspace():  # else its quote ends a string: `grep 'key|token=' file`
                self._string(kind, plain, start + len(opened), opened, is_random)
        elif data[at : at + 1] != b":":
            if kind == "credentials" and SCHEME.match(data, start):
                self._field(kind, plain, start)
            else:
                self._bare(plain, start, is_random if plain.isupper() or plain != name else is_very_random)
        elif kind in ("credentials", "cookie"):
            self._field(kind, plain, start)
        elif is_secret_header(plain.decode().lower()):
            self._bare(plain, start, is_random)

    # -- strings -------------------------------------------------------------------------------------------------------

    def _members(self, kind: NameKind, name: bytes, at: int, quote: bytes) -> None:
        """The string after the name of a member, or the strings of its list."""
        data = self._data
        begin = _TO_MEMBER.match(data, at)
        if begin is None:
            return
        at = begin.end()
        for _ in range(_LIST_MOST if begin[1] else 1):
            opened = opening(data, at)
            if not opened or opened[:-1] != quote[:-1]:
                return
            check = _CHECKS.get(kind, is_value)
            end = self._string(kind, name, at + len(opened), opened, check)
            following = _TO_NEXT.match(data, end + len(opened)) if end >= 0 else None
            if following is None:
                return
            at = following.end()

    def _string(self, kind: NameKind, name: bytes, start: int, quote: bytes, check: Callable[[bytes], bool]) -> int:
        """The value between quotes; where it ends, -1: not in the data."""
        data = self._data
        end = end_of_string(data, start, quote)
        is_open = end < 0 and self._cut
        stop = end if end >= 0 else len(data) if is_open else _end(_BARE, data, start)
        for secret in _in_value(kind, name, data, (start, stop), check=check):
            self._found.append(secret)
        if is_open:
            self._found.append(Secret(start, stop, _kind(name, b""), open_string(data, start, quote)))
        return end

    # -- outside of strings --------------------------------------------------------------------------------------------

    def _field(self, kind: NameKind, name: bytes, start: int) -> None:
        """Credentials or cookies in the line of a field."""
        data = self._data
        if kind == "cookie":
            found = list(_pairs(name, data, start, len(data)))
            self._add(found, "cookies")
            return
        scheme = SCHEME.match(data, start)
        start = scheme.end() if scheme else start
        end = _end(_WORD, data, start)
        if scheme and not _ONE_WORD.match(scheme[0]):
            end = max(end, _end(_PARAMETERS, data, start))
        token = data[start:end]
        may_go_on = self._cut and end == len(data)
        if may_go_on and not scheme and any(name.startswith(token.lower()) for name in SCHEMES):
            return
        if is_basic(token, may_go_on) or is_random(token) or _TOKEN.fullmatch(token) or (may_go_on and begins_random(token)):
            self._add([Secret(start, end, "authorization")], "token")

    def _bare(self, name: bytes, start: int, check: Callable[[bytes], bool]) -> None:
        """A value without quotes."""
        data = self._data
        if self._hidden[0] <= start < self._hidden[1]:
            return
        if not self._bare_word[0] <= start <= self._bare_word[1]:
            self._bare_word, self._tries = (start, _end(_BARE, data, start)), 0
        self._tries += 1
        if self._tries > _TRIES_MOST:
            return
        end = self._bare_word[1]
        value = data[start:end]
        may_go_on = self._cut and end == len(data)
        if data[end : end + 1] not in (b"(", b"[", b"{") and (check(value) or (may_go_on and begins_random(value))):
            self._add([Secret(start, end, _kind(name, value))], "token")
            self._hidden = (start, end)

    def _add(self, found: list[Secret], run: str) -> None:
        """The last of these may go on behind the data."""
        if found and self._cut and found[-1].end == len(self._data):
            found[-1] = found[-1]._replace(run=run)
        self._found += found

    # -- flags ---------------------------------------------------------------------------------------------------------

    def flag(self, at: int) -> None:
        """A flag of a command: in a member with commands, or anywhere in a text."""
        data = self._data
        flag = _FLAG.match(data, at)
        name = flag[1] if flag else b""
        if flag and (is_secret_flag(name) or name_kind(name) in ("secret", "key", "token")):
            if not self._in_command(at):
                opened = opening(data, flag.end())
                if opened:
                    self._string("token", name, flag.end() + len(opened), opened, is_random)
                else:
                    self._bare(name, flag.end(), is_random)
        elif _CLIENT_FLAG.match(data, at) and not self._in_command(at) and self._is_of_client(at):
            user, cookies = _USER.match(data, at), _COOKIES.match(data, at)
            if user and not user[1].isdigit():
                self._add([Secret(user.start(1), user.end(1), FLAG_KIND)], "token")
            if cookies:
                self._add(list(_pairs(b"cookie", data, cookies.end(), len(data))), "cookies")

    def _is_of_client(self, at: int) -> bool:
        """Is this a flag of curl or wget?"""
        first = max(0, at - _CLIENT_MOST)
        client = max(self._data.rfind(b"curl", first, at), self._data.rfind(b"wget", first, at))
        return client >= 0 and _NEXT_COMMAND.search(self._data, client, at) is None


# -- names ---------------------------------------------------------------------------------------------------------------


def _name_before(data: bytes, at: int) -> tuple[bytes, bytes]:
    """The name that ends before the separator at `at`, and the quote after it."""
    end = at - (data[at - 1 : at] == b" ")
    quote = b""
    if data[end - 1 : end] in _QUOTE_ENDS:
        before = data[max(0, end - _QUOTE_MOST) : end - 1]
        quote = data[end - 1 - len(before) + len(before.rstrip(b"\\")) : end]
        end -= len(quote)
    window = data[max(0, end - _NAME_MOST) : end]
    name = window[len(window.rstrip(_NAME_LETTERS)) :]
    if data[end - len(name) - 1 : end - len(name)] == b"\\":
        escape = _ESCAPE_BEFORE.match(name)
        name = name[escape.end() :] if escape else name
    return name, quote


_QUOTE_ENDS = (b'"', b"'")


def _kind(name: bytes, value: bytes) -> str:
    """What the label of a value with this name says."""
    lower = name.lower()
    if _AWS_NAME.search(lower) and _AWS_SECRET.fullmatch(value):
        return "aws-secret"
    return "password" if b"pass" in lower or b"pwd" in lower else "member"


_AWS_NAME = re.compile(rb"secret[_-]?access[_-]?key")
_AWS_SECRET = re.compile(rb"[A-Za-z0-9+/]{40}")

# -- values --------------------------------------------------------------------------------------------------------------

_TOKEN = re.compile(TOKEN.encode())
_WORD = re.compile(rb"[^\s\"'\\,;<>`]*")
_ONE_WORD = re.compile(rb"(?i)basic|bearer|token")
_PARAMETERS = re.compile(rb"(?:[A-Za-z][\w-]*=(?:\\*\"[^\"\\]*\\*\"|[^\s,\"'\\]+),?[ \t]*)*")
_PAIR = re.compile(rb"[ \t]*([^\s=;,\"'\\<>]{1,256})=([^\s;,\"'\\<>`]*)(;?)")
_ATTRIBUTES = (b"path", b"domain", b"expires", b"max-age", b"samesite", b"version")
_FLAG = re.compile(rb"--?([A-Za-z][A-Za-z0-9_.-]{0,63})(?:[ \t]{1,8}(?!-)|\\*[\"'],[ \t\r\n]{0,8}(?=\\*[\"']))")
_CLIENT_FLAG = re.compile(rb"-[ub]|--user|--proxy-user|--cookie")
_USER = re.compile(rb"(?:-u|-U|--user|--proxy-user|-a|--auth)[ \t=]{0,8}(?:\\*[\"'])?[^\s:\"'\\]{0,256}:([^\s\"'\\]+)")
_COOKIES = re.compile(rb"(?:-b|--cookie)[ \t=]{0,8}(?:\\*[\"'])?(?=[^\s=;\"'\\]{1,256}=)")
_CLIENT_MOST = 500  # bytes between `curl` and one of its flags
_NEXT_COMMAND = re.compile(rb"[;|]|&&")
_CHECKS = {"token": is_random, "key": is_no_words}


def _in_value(kind: NameKind, name: bytes, data: bytes, span: Span, *, check: Callable[[bytes], bool]) -> Iterator[Secret]:
    """The secrets of a whole value."""
    start, end = span
    value = data[start:end]
    if kind == "cookie":
        pairs = list(_pairs(name, data, start, end))
        yield from pairs
        if not pairs and is_random(value):
            yield Secret(start, end, "cookie")
    elif kind == "credentials":
        scheme = SCHEME.match(data, start, end)
        start = scheme.end() if scheme else start
        token = data[start:end]
        if check(token) if scheme else is_random(token):
            yield Secret(start, end, "authorization")
    elif check(value) or is_basic(value):
        yield Secret(start, end, _kind(name, value))


def _pairs(name: bytes, data: bytes, start: int, end: int) -> Iterator[Secret]:
    """The values of `name=value; …`. In Set-Cookie the first is the cookie and the others are its attributes."""
    while True:
        pair = _PAIR.match(data, start, end)
        if pair is None:
            return
        if pair[1].lower() not in _ATTRIBUTES and pair[2] and is_value(pair[2]):
            yield Secret(pair.start(2), pair.end(2), "cookie")
        if not pair[3] or name.lower().startswith(b"set"):
            return
        start = pair.end()


def _end(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    found = pattern.match(data, at)
    return found.end() if found else at
