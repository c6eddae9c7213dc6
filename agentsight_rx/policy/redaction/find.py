"""
Bytes -> the secrets in them: keys with a shape, values with a name, private keys, passwords and parameters of URLs.

Longer than 300 lines because the first check of a text stands beside the searches that it spares.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...core.start import regex
from .apart import Apart, looked_at
from .commands import Commands
from .encoded import find_encoded
from .fields import RUNS, Secret
from .members import find_members
from .names import is_secret_parameter
from .patterns import MARKUP, MEMBER, VARIABLE, places
from .scan import HYPHEN, UNDERSCORE, has_rare, may_hold_base64, may_hold_key, scan
from .shapes import find_shapes
from .values import is_value

# RFC 7468, and the armour of PGP. In JSON its lines end with the two characters \n. A mention in prose has no base64 after it.
_PEM_BEGIN = regex(rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_BODY = regex(rb"(?:\s|\\[nrt]|\\){0,16}(?:[A-Za-z0-9+/=]{16}|[A-Z][A-Za-z-]{2,40}: )")
_PEM_BODY_BEGUN = regex(rb"(?:\s|\\[nrt]|\\){0,16}(?:[A-Za-z0-9+/=]{0,15}|[A-Z][A-Za-z-]{0,40}:?)\Z")
_PEM_END = regex(rb"-----END[A-Z0-9 ]{0,50}(?:-----)?")
PEM_MOST = 65_536

_USERINFO = regex(rb"://[^\s/:@\"'<>\\?#]{0,256}:([^\s/\"'<>\\?#]{1,512})@")
_USERINFO_MOST = 780  # bytes of it
_USERINFO_CUT = regex(rb"://[^\s/:@\"'<>\\?#]{0,256}:(?![0-9]{1,5}\Z)([^\s/@\"'<>\\?#]{0,512})\Z")

_QUERY_END = regex(rb"[^\s\"'<>]*")
_PARAMETER = regex(rb"(?:[?&]|\\u0026)([A-Za-z0-9_.-]{1,64})(?:=|\\u003[dD])")

_DEPTH_MOST = 3  # Base64 in Base64, or percent-encoded three times


SMALL = 1000  # characters; in less, `hinted` is the faster first check


def hinted(text: str, new: str = "", /, *, is_head: bool = False) -> bool:
    """
    False: this short text contains no beginning of a secret. `new`: what it ends with, where what comes before is a frame.
    `is_head`: it holds values of fields, and neither commands nor tables.

    A search takes 20 ns, one for a single letter 8. So each letter is searched for before the texts that contain it.
    """
    new = new or text
    if (
        ("\\" in new and "\\u00" in new)
        or ("_" in new and _UNDERSCORE.search(text, len(text) - len(new)) is not None)
        or (":" in new and _MEMBER.search(text, len(text) - len(new)) is not None)
        or ("=" in new and _VARIABLE.search(text, len(text) - len(new)) is not None)
        or ("~" in new and "Q~" in text)
        or (">" in new and _MARKUP.search(text, len(text) - len(new)) is not None)
        or ("-" in new and _HYPHEN.search(text, len(text) - len(new)) is not None)
        or ("w" in new and _IN_PASSWORD in new and _NETRC_TEXT.search(text) is not None)
        or (not is_head and _MIXED_WORD.search(new) is not None and (new is text or _has_mixed_value(new)))
    ):
        return True
    if len(new) < _FEW and _RARER.search(new) is None:
        return False
    return (
        ("@" in new and "://" in text)
        or ("?" in new and _QUERY.search(text) is not None)
        or ("%" in new and _OCTET.search(new) is not None)
        or (
            ("J" in new or "I" in new or "z" in new or "B" in new or "9" in new or "K" in new or "Z" in new)
            and (has_known(text) or may_hold_base64(text) or may_hold_key(text))
        )
        or (
            ("V" in new or "W" in new or "5" in new or "7" in new or "8" in new)
            and (may_hold_base64(text) or may_hold_key(text))
        )
    )


OPENS_TEXT = '":"'  # between a name and its text


def is_frame(text: str, /) -> bool:
    """
    The beginning of a text that is not hinted, up to a `":"`: does it say nothing about a secret, whatever follows instead?
    Nothing that `hinted` looks for has such an end within it, but `://` before `@`, parameters of URLs, and text in Base64.
    """
    return "@" not in text and "?" not in text and "machine" not in text and "default" not in text and not has_rare(text)


_FEW = 60  # characters; in fewer, one search for all these letters is faster than one for each
_RARER = regex(r"[@?%JIzB9KZVW578]")


def has_known(text: str) -> bool:
    """A text that begins a secret, or names one, and has one of the rare letters."""
    return (
        "eyJ" in text
        or "AKIA" in text
        or "ASIA" in text
        or "AIza" in text
        or "rization" in text
        or "RIZATION" in text
        or "Bearer" in text
        or "Basic" in text
        or "-----BEGIN" in text
        or "PRIVATE KEY" in text
        or "ya29." in text
        or "ecretAccessKey" in text
    )


_QUERY = regex(
    r"(?i)[?&][a-z0-9_.-]{0,60}?(?:key|token|sig|signature|secret|password|passwd|pwd|credential|jwt|assertion)(?:=|\\u003d)"
)
# A digit beside a letter, or a capital behind a small letter or a sign
_MIXED = r"[A-Z0-9](?:(?<=[a-z].)|(?<=[A-Z][0-9])|(?<=[0-9])(?=[A-Za-z])|(?<=[!#$%^&*+?~].))"
_MIXED_WORD, _MIXED_IN_SHORT = regex(_MIXED), regex(_MIXED.encode())
_MIXED_LEAST = 6  # characters of a value that only its looks say to be one, with room for less


def _has_mixed_value(said: str) -> bool:
    """May one of these words of a person or a model be a value that looks random?"""
    return any(len(word) >= _MIXED_LEAST and _MIXED_WORD.search(word) is not None for word in said.split())


_OCTET = regex(r"%[0-9A-Fa-f]{2}")
_MARKUP, _MEMBER, _VARIABLE, _HYPHEN, _UNDERSCORE = (regex(each) for each in (MARKUP, MEMBER, VARIABLE, HYPHEN, UNDERSCORE))


def find_secrets(data: bytes, *, cut: bool = False) -> Sequence[Secret]:
    """
    The secrets of `data`, in no order; some may overlap. `cut`: the data may continue. Then a secret that only begins at its
    end counts too, however short, and so do parameters whose `?` was not seen.

    Takes time linear in the size of `data`, whatever it contains.
    """
    if not cut and len(data) < SMALL and not hinted(data.decode("latin-1")):
        return ()
    return _find(data, cut, 0)


def _find(data: bytes, cut: bool, depth: int) -> list[Secret]:
    found: list[Secret] = []
    marks = scan(data, cut)
    if marks.shapes or cut:
        find_shapes(data, cut, marks.shapes, found)
    is_short = len(data) < _SHORT
    is_mixed = is_short and _MIXED_IN_SHORT.search(data) is not None
    apart = Apart(data, found, cut)
    if is_mixed or marks.runs:
        apart.look_at(looked_at(data, marks.runs) if is_mixed else marks.runs)
    if is_mixed or marks.names or marks.authorizations or marks.hyphens:
        commands = Commands(data, found, cut)
        if is_mixed:
            commands.find()
        find_members(data, cut, marks, commands.cover, apart)
    if marks.pems:
        _find_pem(data, cut, marks.pems, found)
    _find_userinfo(data, found)
    _find_netrc(data, cut, found, apart)
    if cut:
        _find_open_userinfo(data, found)
    if cut or depth:
        found += _parameters(data, 0, len(data), cut) if data.find(b"=") >= 0 else ()
    else:
        found += _parameters_of_urls(data)
    if depth < _DEPTH_MOST:
        if is_short:
            marks.escapes = [hit.start() for hit in _ESCAPE.finditer(data)]
        find_encoded(data, cut, found, marks, lambda said, may_go_on: _inside(said, may_go_on, depth + 1))
    return found


def _inside(said: bytes, cut: bool, depth: int) -> Sequence[Secret]:
    """The secrets of encoded text: often little, and many times."""
    if not cut and len(said) < SMALL and b"&" not in said and not hinted(said.decode("latin-1")):
        return ()
    return _find(said, cut, depth)


_SHORT = 2000  # bytes; in a longer text, the search for letters that are written as escapes takes too long
_ESCAPE = regex(rb"\\u00[2-7]")


def find_parameters(data: bytes, /, *, cut: bool = False) -> list[Secret]:
    """The secrets of a body in application/x-www-form-urlencoded."""
    found = _parameters(b"&" + data, 0, len(data) + 1, cut)
    return [secret._replace(start=secret.start - 1, end=secret.end - 1) for secret in found]


def _find_pem(data: bytes, cut: bool, begins: list[int], found: list[Secret]) -> None:
    done = 0
    for place in sorted(begins):
        begin = _PEM_BEGIN.match(data, place) if place >= done else None
        if begin is None:
            done = max(done, _find_end_of_pem(data, place, done, found))
            continue
        body = _PEM_BODY.match(data, begin.end())
        if body is None and not (cut and _PEM_BODY_BEGUN.match(data, begin.end())):
            continue  # a mention; a key may follow right after it
        matched = RUNS["pem"].match(data, begin.end(), begin.end() + PEM_MOST)
        stop = matched.end() if matched else begin.end()
        end = _PEM_END.search(data, begin.end(), stop)
        if end is None and cut and stop == len(data):
            done = stop
            found.append(Secret(begin.start(), done, "private-key", "pem"))
        elif body:  # a backslash after an unfinished key escapes the quote that follows
            done = end.end() if end else begin.start() + len(data[begin.start() : stop].rstrip(b"\\"))
            found.append(Secret(begin.start(), done, "private-key"))


_PEM_LAST = regex(rb"-----END [A-Z0-9 ]{0,40}\Z")
_PEM_DIGITS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r\n\\"
_PEM_LINE = regex(rb"[a-z]{0,64}[A-Z0-9+/][A-Za-z0-9+/]*")  # no word


def _find_end_of_pem(data: bytes, place: int, done: int, found: list[Secret]) -> int:
    """A private key whose beginning is missing: the lines before `-----END PRIVATE KEY`. Returns where they end."""
    if not data.startswith(b"PRIVATE KEY", place):
        return 0
    last = _PEM_LAST.search(data, max(done, place - 60), place)
    if last is None:
        return 0
    first = max(done, last.start() - PEM_MOST)
    first += len(data[first : last.start()].rstrip(_PEM_DIGITS))
    line = _PEM_LINE.search(data, first, last.start())
    if line is not None:
        escaped = data[line.start() - 1 : line.start()] == b"\\"  # the n of a line break
        found.append(Secret(line.start() + escaped, last.start(), "private-key"))
    return last.end()


def _find_userinfo(data: bytes, found: list[Secret]) -> None:
    done = 0
    for at in places(data, b"@"):
        place = data.rfind(b"://", max(done, at - _USERINFO_MOST), at)
        whole = _USERINFO.match(data, place) if place >= 0 else None
        if whole is not None:
            done = whole.end()
            if not _REFERENCE.match(whole[1]):
                found.append(Secret(whole.start(1), whole.end(1), "password"))


# In a netrc file neither a colon nor an equals sign stands behind a name. Of its words, CPython finds this part fastest
_IN_PASSWORD = "passw"
_BLANKS = rb"(?:[ \t\r\n]|\\+[nrt]){1,8}"
_NETRC = regex(
    rb"(?:machine" + _BLANKS + rb"[^\s\"'\\]{1,128}|default)" + _BLANKS
    + rb"(?:(?:login|account)" + _BLANKS + rb"[^\s\"'\\]{1,128}" + _BLANKS + rb"){1,2}\Z"
)  # fmt: skip
_NETRC_VALUE = regex(rb"password" + _BLANKS + rb"([^\s\"'\\]{1,128})")
_NETRC_MOST = 300  # bytes before the password
_NETRC_TEXT = regex(r"(?:machine|default)[ \t\r\n\\].*password[ \t\r\n\\]", re.DOTALL)


def _find_netrc(data: bytes, cut: bool, found: list[Secret], apart: Apart) -> None:
    for place in places(data, _IN_PASSWORD.encode()):
        apart.commands(place)
        apart.behind(place)
        value = _NETRC_VALUE.match(data, place)
        if value is not None and is_value(value[1]) and _NETRC.search(data[max(0, place - _NETRC_MOST) : place]):
            found.append(Secret(value.start(1), value.end(1), "password", "bare" if cut and value.end() == len(data) else ""))


def _find_open_userinfo(data: bytes, found: list[Secret]) -> None:
    """At the end of a piece, a password cannot be distinguished from a port: more must follow."""
    place = data.rfind(b"://", max(0, len(data) - 800))
    open_end = _USERINFO_CUT.match(data, place) if place >= 0 else None
    if open_end is not None:
        found.append(Secret(open_end.start(1), len(data), "password", "password"))


def _parameters_of_urls(data: bytes) -> list[Secret]:
    """Those after a `?`."""
    found: list[Secret] = []
    at = data.find(b"?")
    while at >= 0:
        if data[at + 1 : at + 2] in _NO_QUERY:
            at = data.find(b"?", at + 1)
            continue
        end = _QUERY_END.match(data, at)
        stop = end.end() if end else at + 1
        if data.find(b"=", at, stop) >= 0 or data.find(b"\\u003", at, stop) >= 0:
            found += _parameters(data, at, stop, False)
        at = data.find(b"?", stop)
    return found


_REFERENCE = regex(rb"[${<]")  # begins what a template has for a value
_OF_CODE = regex(rb"[A-Za-z_]{1,2}\.")  # `a?b.key=c:d` in a small program
_NO_QUERY = (b"", b" ", b"\n", b"\r", b'"', b"'", b"\\", b"?", b")", b"<")


def _parameters(data: bytes, start: int, end: int, cut: bool) -> list[Secret]:
    found: list[Secret] = []
    done = start
    for name in _PARAMETER.finditer(data, start, end):
        if name.start() >= done and is_secret_parameter(name[1]) and not _OF_CODE.match(name[1]):
            value = RUNS["parameter"].match(data, name.end(), end)
            done = value.end() if value else name.end()
            run = "parameter" if cut and done == len(data) else ""
            if run or (done > name.end() and not _REFERENCE.match(data, name.end())):
                found.append(Secret(name.end(), done, "parameter", run))
    return found
