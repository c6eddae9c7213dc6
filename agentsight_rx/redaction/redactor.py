"""Bytes -> the secrets in them: known shapes of keys, tokens after their names, passwords and parameters of URLs."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Sequence

from .shapes import RUNS, SMALL, SPECIAL, Secret, find_shapes, hinted, kind_of, places, places_by_letter

__all__ = ["PEM_MOST", "Redactor", "find_parameters", "find_secrets", "is_secret_parameter", "settled"]

# RFC 7468, and the armour of PGP. In JSON its lines end with the two characters \n. A mention in prose has no base64 after it.
_PEM_FIND = b"-----BEGIN"
_PEM_BEGIN = re.compile(rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_BODY = re.compile(rb"(?:\s|\\[nrt]|\\){0,16}(?:[A-Za-z0-9+/=]{16}|[A-Z][A-Za-z-]{2,40}: )")
_PEM_BODY_MOST = 80  # bytes that it matches at most
_PEM_END = re.compile(rb"-----END[A-Z0-9 ]{0,50}(?:-----)?")
PEM_MOST = 65_536

_USERINFO = re.compile(rb"://[^\s/:@\"'<>\\?#]{0,256}:([^\s/\"'<>\\?#]{1,512})@")
_USERINFO_CUT = re.compile(rb"://[^\s/:@\"'<>\\?#]{1,256}:(?![0-9]{1,5}\Z)([^\s/@\"'<>\\?#]{0,512})\Z")

_QUERY_END = re.compile(rb"[^\s\"'<>]*")
_PARAMETER = re.compile(rb"(?:[?&]|\\u0026)([A-Za-z0-9_.-]{1,64})=")
_PARAMETER_NAME = re.compile(
    rb"(?i)(?:[\w.-]*[_.-])?(?:api|access|auth|refresh|client|session|id)?"
    rb"(?:key|token|sig|signature|secret|password|passwd|pwd|credential|jwt|assertion)"
)

_LABEL_HINT = b"[redacted:"
_LABEL = re.compile(rb"\[redacted:[a-z-]{1,40}:[0-9a-f]{8}\]")  # no digit in the kind: no key fits into one


def is_secret_parameter(name: bytes, /) -> bool:
    """Is this the name of a parameter with a secret: `key`, also `x-goog-signature` or `client_secret`, not `monkey`?"""
    return _PARAMETER_NAME.fullmatch(name) is not None


def find_secrets(data: bytes, *, cut: bool = False) -> Sequence[Secret]:
    """
    The secrets of `data`, in no order; some may overlap. `cut`: the data may continue. Then a secret that only begins at its
    end counts too, however short, and so do parameters whose `?` was not seen.

    Takes time linear in the size of `data`, whatever it contains.
    """
    suspicious = len(data) >= SMALL or hinted(data.decode("latin-1"))
    if not suspicious and not cut:
        return ()
    found: list[Secret] = []
    if suspicious:
        find_shapes(data, cut, found)
        _find_pem(data, cut, found)
        _find_userinfo(data, found)
    if cut:
        _find_open_userinfo(data, found)
        found += _parameters(data, 0, len(data), True) if data.find(b"=") >= 0 else ()
    else:
        found += _parameters_of_urls(data)
    return found


def find_parameters(data: bytes, /, *, cut: bool = False) -> list[Secret]:
    """The secrets of a body in application/x-www-form-urlencoded."""
    found = _parameters(b"&" + data, 0, len(data) + 1, cut)
    return [secret._replace(start=secret.start - 1, end=secret.end - 1) for secret in found]


class Redactor:
    """Replaces secrets by `[redacted:KIND:HMAC]`. Under one key, equal secrets get equal labels."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def label(self, kind: str, secret: bytes, /) -> bytes:
        """With 8 hexadecimal digits of HMAC-SHA256 (RFC 2104). Line breaks in a private key do not change it."""
        named = "".join(letter for letter in kind if letter == "-" or "a" <= letter <= "z")[:40] or "secret"
        value = _WITHOUT_BREAKS.sub(b"", secret) if kind == "private-key" else secret
        return b"[redacted:%b:%b]" % (named.encode(), hmac.digest(self._key, value, "sha256").hex()[:8].encode())

    def data(self, data: bytes, /, *, cut: bool = False) -> bytes:
        """The same without secrets; `data` itself if there are none."""
        found = find_secrets(data, cut=cut)
        return self.replaced(data, found) if found else data

    def finds(self, text: str, /) -> bool:
        """Is there a secret in this text? A fast check of many texts, joined."""
        if len(text) < SMALL:
            return hinted(text) and bool(find_secrets(text.encode("latin-1", "replace")))
        return bool(find_secrets(text.encode("latin-1", "replace")))

    def text(self, text: str, /, *, cut: bool = False) -> str:
        """The same without secrets; `text` itself if there are none."""
        if len(text) < SMALL and not hinted(text):
            return text
        data = text.encode("utf-8", "surrogatepass")
        made = self.data(data, cut=cut)
        return text if made is data else made.decode("utf-8", "surrogatepass")

    def replaced(self, data: bytes, found: Iterable[Secret], /) -> bytes:
        """`data` with a label in the place of each secret; `data` itself if nothing changes."""
        spans = [secret for secret in settled(data, found) if secret.start < secret.end]
        if not spans:
            return data
        parts: list[bytes] = []
        done = 0
        for secret in spans:
            parts += data[done : secret.start], self.label(secret.kind, data[secret.start : secret.end])
            done = secret.end
        return b"".join([*parts, data[done:]])


_WITHOUT_BREAKS = re.compile(rb"\\[nrt]|[\s\\]")


def settled(data: bytes, found: Iterable[Secret], /) -> list[Secret]:
    """In order, without overlaps and without labels. Of two for the same bytes, the one of the more special kind stays."""
    labels = [hit.span() for hit in _LABEL.finditer(data)] if _LABEL_HINT in data else []
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


def _rank(secret: Secret) -> tuple[int, int, bool]:
    return secret.start, -secret.end, secret.kind not in SPECIAL


def _find_pem(data: bytes, cut: bool, found: list[Secret]) -> None:
    done = 0
    for place in places_by_letter(data, _PEM_FIND, b"G"):
        begin = _PEM_BEGIN.match(data, place) if place >= done else None
        if begin is None:
            continue
        body = _PEM_BODY.match(data, begin.end())
        if body is None and not (cut and len(data) - begin.end() < _PEM_BODY_MOST):
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


def _find_userinfo(data: bytes, found: list[Secret]) -> None:
    if data.find(b"@") < 0:
        return
    for place in places(data, b"://"):
        whole = _USERINFO.match(data, place)
        if whole is not None:
            found.append(Secret(whole.start(1), whole.end(1), kind_of(whole[1]) or "password"))


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
        found += _parameters(data, at, stop, False)
        at = data.find(b"?", stop)
    return found


_NO_QUERY = (b"", b" ", b"\n", b"\r", b'"', b"'", b"\\", b"?", b")", b"<")


def _parameters(data: bytes, start: int, end: int, cut: bool) -> list[Secret]:
    found: list[Secret] = []
    done = start
    for name in _PARAMETER.finditer(data, start, end):
        if name.start() >= done and is_secret_parameter(name[1]):
            value = RUNS["parameter"].match(data, name.end(), end)
            done = value.end() if value else name.end()
            run = "parameter" if cut and done == len(data) else ""
            if done > name.end() or run:
                found.append(Secret(name.end(), done, kind_of(data[name.end() : done]) or "parameter", run))
    return found
