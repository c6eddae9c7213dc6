"""
Bytes -> the values that the name before them shows to be secrets: members of JSON, fields, variables, flags of commands.

In a text a name is followed by many things, so what a value must look like depends on how the two are written:

    "token": "…"           a member of JSON, escaped any number of times: every secret, and a token that looks random
    token = "…"            a literal of source code: what looks random
    Authorization: …       a field, also x-api-key and Cookie: credentials with a scheme, pairs, what looks random
    token: …  TOKEN=…      without quotes: see bare.py; in a command every value, as in arguments
    <token>…</token>       an element of XML, as a member
    "name": "token", "value": "…"   a name and its value apart
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ...core.start import regex
from .apart import Apart
from .fields import Secret, kind_of_name, secrets_of_pairs, secrets_of_value
from .lines import end_of_string, name_before, open_string, opening
from .names import (
    ANY_SCHEME,
    SCHEME,
    SCHEMES,
    Meaning,
    NameKind,
    Place,
    end_of_bare,
    is_secret_flag,
    is_secret_header,
    may_begin_bare,
    meaning_of,
    name_kind,
)
from .patterns import HYPHENATED
from .scan import Marks
from .shapes import TOKEN
from .values import begins_random, is_basic, is_literal_password, is_no_words, is_one_mixed_word, is_random, is_value

_AUTHORIZATION = regex(rb"(?i:rization)(\\*[\"'])?[ \t]{0,4}(?::|=|,(?<=[\"'],))")

_BLANK = rb"(?:[ \t\r\n]|\\+[nrt]){0,16}"
_TO_MEMBER = regex(rb">?" + _BLANK + rb"(\[?)" + _BLANK)
_TO_NEXT = regex(_BLANK + rb"," + _BLANK)
_TO_BARE = regex(rb">?[ \t]{0,8}")
_BEFORE_BARE = (b">", b" ", b"\t")
_BARE = regex(rb"[^\s\"'\\,;&|<>`(){}\[\]]*")
_TRIES_MOST = 16  # names in one word without quotes
_LIST_MOST = 64  # values of one name


def find_members(data: bytes, cut: bool, marks: Marks, in_command: Callable[[int], bool], apart: Apart, /) -> None:
    """
    Add the secrets that have a name to `apart.found`. With `cut`, `data` may continue, and so may a value at its end.
    `in_command`: does a command cover this place? Then its secrets are added.
    """
    text = _Text(data, cut, in_command, apart)
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
    def __init__(self, data: bytes, cut: bool, in_command: Callable[[int], bool], apart: Apart) -> None:
        self._apart = apart
        self._data = data
        self._cut = cut
        self._found = apart.found
        self._in_command = in_command
        self._bare_word = (0, 0)  # the last one; the ends of later names in it are the same
        self._tries = 0  # names in it
        self._hidden = (0, 0)  # the last one that is a secret

    def separator(self, at: int) -> None:
        """A name and the value after its `:` or `=`."""
        data = self._data
        name, quote = name_before(data, at)
        meaning = meaning_of(name)
        plain, kind, is_secret = meaning
        if quote:
            if kind:
                self._members(kind, plain, at + 1, quote)
            elif plain == b"value":
                self._pair(at, at - len(name) - len(quote) - (data[at - 1 : at] == b" "))
            return
        if not is_secret:
            if plain.lower() == b"value":
                self._pair(at, at - len(name) - len(quote) - (data[at - 1 : at] == b" "))
            elif data[at : at + 1] == b":" and not kind:
                self._pgpass(at)
            return
        if self._in_command(at) and kind in ("", "token") and data[at : at + 1] == b"=":
            return
        if data[at : at + 1] == b">":
            if data[at - len(name) - 1 : at - len(name)] in _BEFORE_ELEMENT:
                self._element(kind, plain, at + 1)
            return
        self._assigned(meaning, at, name)

    def _assigned(self, meaning: Meaning, at: int, name: bytes) -> None:
        """What is behind a name without quotes: a literal of code, or what no quote begins."""
        data, kind, plain = self._data, meaning.kind, meaning.plain
        is_colon = data[at : at + 1] == b":"
        start = _end(_TO_BARE, data, at + 1) if data[at + 1 : at + 2] in _BEFORE_BARE else at + 1
        typed = _TYPED.match(data, start) if is_colon and kind not in ("credentials", "cookie") else None
        opened = opening(data, typed.end() if typed else _end(_PREFIX, data, start))
        if opened:
            start = (typed.end() if typed else _end(_PREFIX, data, start)) + len(opened)
            if not data[start : start + 1].isspace():  # else its quote ends a string: `grep 'key|token=' file`
                self._string(kind, plain, start, opened, _LITERALS.get(kind, is_random))
        elif kind in ("credentials", "cookie") and (is_colon or SCHEME.match(data, start)):
            self._field(kind, plain, start)
        elif data[at + 1 : at + 2] != b"=" and (not is_colon or start > at + 1 or is_secret_header(plain.decode().lower())):
            is_variable = plain.isupper() or plain != name or (is_colon and is_secret_header(plain.decode().lower()))
            self._bare(plain, Place(data.rfind(name, 0, at), at, _end(_TO_BLOCK, data, start), kind, is_variable))

    def _pair(self, at: int, name: int) -> None:
        """A member before it names this value: `{"name": "DB_PASSWORD", "value": "…"}`."""
        data = self._data
        named = _NAMED.search(data[max(0, name - _NAMED_MOST) : name])
        kind = name_kind(named[1]) if named else ""
        if not named or not kind:
            return
        start = _end(_TO_BARE, data, at + 1)
        opened = opening(data, start)
        if opened:
            check = is_value if kind == "password" else _LITERALS.get(kind, is_random)
            self._string(kind, named[1], start + len(opened), opened, check)
        else:
            self._bare(named[1], Place(name, at, start, kind, is_variable=True))

    def _pgpass(self, at: int) -> None:
        line = _PGPASS.match(self._data, at)
        if line is not None and is_value(line[1]):
            self._add([Secret(line.start(1), line.end(1), "password")], "bare")

    def _element(self, kind: NameKind, name: bytes, start: int) -> None:
        """The text of an element of XML."""
        data = self._data
        end = _end(_TEXT, data, start)
        if self._cut and data[end:] in (b"", b"<"):
            if end > start:
                self._found.append(Secret(start, end, kind_of_name(name, b""), "markup" if end == len(data) else ""))
        elif data[end : end + 2] == b"</":
            for secret in secrets_of_value(kind, name, data, (start, end), check=_ELEMENTS.get(kind, is_random)):
                self._found.append(secret)

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
            end = self._string(kind, name, at + len(opened), opened, _CHECKS.get(kind, is_value))
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
        if data.find(b"\n", start, stop) < 0 or data.find(b"-----", start, stop) >= 0:  # no string of JSON, and of no program
            self._found += secrets_of_value(kind, name, data, (start, stop), check=check)
        if is_open:
            self._found.append(Secret(start, stop, kind_of_name(name, b""), open_string(data, start, quote)))
        return end

    # -- outside of strings --------------------------------------------------------------------------------------------

    def _field(self, kind: NameKind, name: bytes, start: int) -> None:
        """Credentials or cookies in the line of a field."""
        data = self._data
        if kind == "cookie":
            found = list(secrets_of_pairs(name, data, start, len(data)))
            self._add(found, "cookies")
            return
        scheme = SCHEME.match(data, start) or ANY_SCHEME.match(data, start)
        start = scheme.end() if scheme else start
        end = _end(_WORD, data, start)
        if scheme and not _ONE_WORD.match(scheme[0]):
            parameters = _end(_PARAMETERS, data, start)
            if (
                parameters > end or data.find(b"=", start, end) > 0 or (self._cut and end == len(data))
            ):  # as of Digest: any of them may be what is signed
                self._add([Secret(start, max(end, parameters), "authorization")], "parameters")
                return
        token = data[start:end]
        may_go_on = self._cut and end == len(data)
        if may_go_on and not scheme and any(name.startswith(token.lower()) for name in SCHEMES):
            return
        if is_basic(token, may_go_on) or is_random(token) or _TOKEN.fullmatch(token) or (may_go_on and begins_random(token)):
            self._add([Secret(start, end, "authorization")], "token")

    def _bare(self, name: bytes, place: Place) -> None:
        """A value without quotes."""
        data, start = self._data, place.start
        if self._hidden[0] <= start < self._hidden[1]:
            return
        if not self._bare_word[0] <= start <= self._bare_word[1]:
            self._bare_word, self._tries = (start, _end(_BARE, data, start)), 0
        self._tries += 1
        if self._tries > _TRIES_MOST or start == len(data):
            return
        end = end_of_bare(data, place, self._bare_word[1])
        if self._cut and self._bare_word[1] == len(data) and (end >= 0 or may_begin_bare(data, place)):
            end = len(data)
        if end > start:
            self._add(
                [Secret(start, end, kind_of_name(name, data[start:end]))], "bare" if place.kind == "password" else "token"
            )
            self._hidden = (start, end)

    def _add(self, found: list[Secret], run: str) -> None:
        """The last of these may go on behind the data."""
        if found and self._cut and found[-1].end == len(self._data):
            found[-1] = found[-1]._replace(run=run)
        self._found += found

    # -- flags ---------------------------------------------------------------------------------------------------------

    def flag(self, at: int) -> None:
        """A flag of a command: in a member with commands, or anywhere in a text."""
        data, flag = self._data, _FLAG.match(self._data, at)
        name = flag[1] if flag else b""
        kind = name_kind(name)
        is_named = flag is not None and (is_secret_flag(name) or kind in ("password", "secret", "key", "token"))
        is_of_program = self._apart.is_near_program(at)
        if not (is_named or is_of_program) or self._in_command(at):
            return
        if is_of_program:
            self._apart.commands(at)
        if flag and is_named:
            if opened := opening(data, flag.end()):
                self._string("token", name, flag.end() + len(opened), opened, _LITERALS.get(kind, is_random))
            else:
                start = flag.end() + len(_OF_OPENSSL) * data.startswith(_OF_OPENSSL, flag.end())
                self._bare(name, Place(at, start, start, kind, is_variable=True))


# -- values --------------------------------------------------------------------------------------------------------------

_TOKEN = regex(TOKEN.encode())
_WORD = regex(rb"[^\s\"'\\,;<>`]*")
_ONE_WORD = regex(rb"(?i)basic|bearer|token")
_PARAMETERS = regex(rb"(?:[A-Za-z][\w-]*=(?:\\*\"[^\"\\]*(?:\\*\"|\Z)|[^\s,\"'\\]+),?[ \t]*)*(?:[A-Za-z][\w-]*=?\Z)?")
_FLAG = regex(rb"--?([A-Za-z][A-Za-z0-9_.-]{0,63})(?:[ \t]{1,8}(?!-)|\\*[\"'],[ \t\r\n]{0,8}(?=\\*[\"']))")
_CHECKS = {"token": is_random, "key": is_no_words}  # of members: other kinds need is_value
_ELEMENTS = {"password": is_literal_password, "secret": is_no_words, "key": is_no_words, "credentials": is_value}
_LITERALS: dict[str, Callable[[bytes], bool]] = {
    "password": lambda value: is_random(value) or is_literal_password(value),
    **dict.fromkeys(("secret", "key"), lambda value: is_random(value) or is_one_mixed_word(value)),
}
_OF_OPENSSL = b"pass:"
_PREFIX = regex(rb"(?:[bBfFrRuUN]{1,2}(?=\\*[\"']))?")
_TYPED = regex(rb"[&\w.<>\[\]|: ]{1,40}?[ \t]=[ \t]*[bBfFrRuU]{0,2}(?=\\*[\"'])")
_TO_BLOCK = regex(rb"(?:!!\w{1,8} )?(?:[|>][+-]?[ \t]*(?:\r?\n|\\+n)[ \t]+)?")
_BEFORE_ELEMENT = (b"<", b":")
_TEXT = regex(rb"(?:[^<>\s\"'\\][^<>]{0,512})?")
_PGPASS = regex(rb"(?:(?<=:[56]4[0-9][0-9])|(?<=:\*)):[^:\s\"'\\]{1,64}:[^:\s\"'\\]{1,64}:([^\s\"'\\:*`][^\s\"'\\:`]{0,127})")
_NAMED = regex(
    rb"(?i)(?:name|key|id|field|variable|header)\\*[\"']?[ \t]*[:=][ \t]*\\*[\"']?([a-z][\w.-]{1,60})\\*[\"']?"
    rb"(?:,|[ \t\r\n]|\\[nrt])(?:[ \t\r\n]|\\[nrt]){0,16}\\*[\"']?\Z"
)
_NAMED_MOST = 120  # bytes


def _end(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    found = pattern.match(data, at)
    return found.end() if found else at
