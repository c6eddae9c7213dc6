"""
A value that looks random -> whether something in its line, its table or its tag says that it is a secret.

A name and its value stand in too many shapes to look for each: `os.environ["K"] = "v"`, `define('K', 'v')`, `[["k", "v"]]`,
the cell of a table, a tag, a line of a cookie jar. But a text has few values that look random, and they are known. So this
begins with the value and reads back, in the line without its escapes.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...core.start import regex
from .fields import Secret, kind_of_name
from .lines import Line, Lines, words_of
from .names import NameKind, is_secret_flag, name_kind
from .programs import may_be_of_program, secrets_of_words
from .scan import Span
from .values import is_mixed, is_random, is_very_random, looks_secret
from .views import plain

_LONGEST = 256  # bytes of a value
_VALUE_BEFORE = regex(rb"[^\s\"'`,;|<>&(){}\[\]=:\x80-\xff]*\Z")
_VALUE = regex(rb"[^\s\"'`,;|<>&(){}\[\]\x80-\xff]*")
_QUOTES = (b'"', b"'", b"`")
_CDATA = b"<![CDATA["
_BRACKETS = (b"(", b"[", b"{")
_NAME_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
_OPENS, _CLOSES = b" \t\"'`*([{@", b" \t\"'`*)]}"
_BETWEEN = (
    b" is:",
    b" will be",
    b"\xef\xbc\x9a",
    b"=>",
    b":=",
    b"<-",
    b"->",
    b"=",
    b":",
    b",",
    b"|",
    b" is",
    b" to",
)  # a name and its value
_BEFORE_MOST = 128  # bytes in which the name is
_NO_NAME = frozenset((b"value", b"content", b"default", b"result", b"string", b"Value", b"Default", b"val", b"d", b"k"))
_WEAK: tuple[NameKind, ...] = ("token", "")
# Sums of files, names of models, and ids that APIs give
_SUM = (b"sha", b"claude-", b"gpt-", b"gemini-", b"toolu_", b"msg_", b"call_", b"req_", b"chatcmpl", b"resp_")


class Apart:
    """Of a text: adds its secrets to `found`."""

    def __init__(self, data: bytes, found: list[Secret], cut: bool) -> None:
        self._data, self.found, self._cut = data, found, cut
        self._lines = Lines(data)

    def look_at(self, runs: Sequence[Span], /) -> None:
        """These runs of letters may be values, or parts of some."""
        data = self._data
        for start, end in runs:
            if end - start > _LONGEST:
                start += data[start - 1 : start] == b"\\"  # the n of a line break
                if _PPK.search(data, max(0, start - _PPK_MOST), start):
                    self.found.append(Secret(start, end, "private-key", "lines" if self._cut and end == len(data) else ""))
            elif _MAY_BE.match(data, start, end) and not data.startswith(_SUM, start):
                self._look(start, end)

    def _look(self, start: int, end: int) -> None:
        data = self._data
        near = data[max(0, start - _NEAR_MOST) : start]
        if _IN_LABEL.search(near):
            return
        is_hinted = _IN_TABLE.search(near) or _HINT.search(near)
        if not is_hinted and (_MEMBER.search(near) or not may_be_of_program(near)):
            return
        if not looks_secret(data[start:end]):
            return
        line = self._lines.around(start)
        said, at = line.view.data, line.view.place(start)
        before = _VALUE_BEFORE.search(said, max(0, at - 64), at)
        at = before.start() if before else at
        quote = said[at - 1 : at] if said[at - 1 : at] in _QUOTES else b""
        last = said.find(quote, at) if quote else -1
        if last < 0:
            value = _VALUE.match(said, at)
            last = value.end() if value else at
            host = _HOST.search(said, at, last) if said[at - 1 : at] == b":" else None
            last = host.start() if host else last
        if not looks_secret(said[at:last]) or _OCTET.search(said, at, last) or (not quote and _is_code(said, at, last)):
            return
        kind = self._kind(line, at, said[at:last], quote)
        if kind:
            self._add(line, at, last, kind)
        self.commands(start)

    def behind(self, at: int, /) -> None:
        """A name with `passw` begins here: its value need not look random from afar."""
        value = _BEHIND.match(self._data, at)
        if value is not None:
            self._look(*value.span(1))

    def is_near_program(self, at: int, /) -> bool:
        """May a program that takes a secret stand before this place?"""
        return may_be_of_program(self._data, max(0, at - _PROGRAM_MOST), at + _FLAG_MOST)

    def commands(self, raw: int, /) -> None:
        """The secrets of the command at this place."""
        line = self._lines.around(raw)
        said, at = line.view.data, line.view.place(raw)
        if at < line.searched:
            return
        border = 0
        for found in _BORDER.finditer(said, 0, at):
            border = found.end()
        end = _CLOSING.search(said, at)
        line.searched = end.start() if end else len(said)
        text = said[: line.searched]
        if may_be_of_program(text, border):
            for secret in secrets_of_words(words_of(text, border), looks_secret):
                self._add(line, secret.start, secret.end, secret.kind)

    def _add(self, line: Line, start: int, end: int, kind: str) -> None:
        view = line.view
        first, last = view.raw(start), view.raw(end)
        said = view.data[start:end]
        run = "bare" if self._cut and last == len(self._data) else ""
        self.found.append(Secret(first, last, kind, run, said if last - first != len(said) else b""))

    # -- what says that it is one --------------------------------------------------------------------------------------

    def _kind(self, line: Line, at: int, value: bytes, quote: bytes) -> str:
        said = line.view.data
        tail = said[max(0, at - _BEFORE_MOST) : at]
        if quote and (prefix := _PREFIX.search(tail)):
            tail = tail[: prefix.start(1)]
        opened = tail.rstrip(_OPENS).removesuffix(_CDATA[:-1])
        mark = next((mark for mark in _BETWEEN if opened.endswith(mark)), b"")
        closed = opened.removesuffix(mark)
        named = closed.rstrip(_CLOSES)
        name = named[len(named.rstrip(_NAME_LETTERS)) :]
        if quote and mark == b"=" and (typed := _TYPED.search(named)):  # `String password = "v"` has it last, Go and Python not
            name = typed[1]
        kind: NameKind = "password" if _SAID.search(named) else _kind_of(name)
        if kind and self._fits(kind, value, mark, (closed[len(named) :], quote, opened != tail)):
            return kind_of_name(name, value)
        if (name in _NO_NAME and mark in (b"=", b":")) or opened.endswith(b">"):
            return self._in_object(line.view.raw(at), value)
        if _CREDENTIALS.search(tail) or (_USER.search(tail) and said[at + len(value) : at + len(value) + 1] == b"@"):
            return "password"
        if b"\t" in tail and _NETSCAPE.search(tail):
            return "cookie"
        cell = _IN_TABLE.search(tail)
        return self._in_table(line, at, cell[0][:1]) if cell and cell[0][:1] != b"\\" else ""

    def _fits(self, kind: NameKind, value: bytes, mark: bytes, around: tuple[bytes, bytes, bool]) -> bool:
        """May this mark stand between a name and its value?"""
        closed, quote, is_apart = around
        if mark in (b":", b"=") and not quote and not is_random(value):
            return False  # a program may say a name
        in_prose = mark[:1] == b" " and _is_mixed_in_cases(value)
        strong = kind not in _WEAK or is_very_random(value) or in_prose
        if mark == b",":
            return (_is_mixed_in_cases(value) or is_very_random(value)) and closed.strip(b" \t") != b""  # the name is in quotes
        if mark:
            return strong
        return is_apart and kind not in _WEAK and (bool(quote) or _is_mixed_in_cases(value) or is_very_random(value))

    def _in_object(self, raw: int, value: bytes) -> str:
        """The tag, the object, or the object around it names this value."""
        data = self._data
        before = plain(data, max(0, raw - _OBJECT_MOST), raw).data
        behind = plain(data, raw, min(len(data), raw + _OBJECT_MOST)).data
        end = _OBJECT_END.search(behind)
        text = before[max(before.rfind(b"}"), before.rfind(b"\n\n"), before.rfind(b"/>")) + 1 :]
        text += b" " + behind[len(value) : end.start() if end else len(behind)]
        if _COOKIE.search(text):
            return "cookie"
        if _SENSITIVE.search(text):
            return "member"
        return next((kind_of_name(name, value) for name in _SAID_NAME.findall(text) if _kind_of(name) not in ("", "token")), "")

    def _in_table(self, line: Line, at: int, separator: bytes) -> str:
        """The name of a cell stands in the head of its table, above it."""
        said = line.view.data
        column, count = said.count(separator, 0, at), said.count(separator)
        above: Line | None = line
        for _ in range(_ROWS_MOST):
            above = self._lines.before(above) if above else None
            if above is None or above.view.data.count(separator) != count:
                return ""
            name = above.view.data.split(separator)[column].strip(b" \t\r\"'`*")
            if _kind_of(name.replace(b" ", b"_")):
                return kind_of_name(name, b"")
        return ""


def _is_mixed_in_cases(value: bytes) -> bool:
    """Has this a digit and letters of both cases, or is it hexadecimal?"""
    return (is_mixed(value) and _IN_CASES.match(value) is not None) or _HEX.fullmatch(value) is not None


def _is_code(said: bytes, at: int, last: int) -> bool:
    """Is this without quotes an argument, or the name of a function?"""
    return (said[at - 1 : at] in _BRACKETS and not said.endswith(_CDATA, 0, at)) or said[last : last + 1] == b"("


def _kind_of(name: bytes) -> NameKind:
    return name_kind(name) or ("key" if name.isupper() and is_secret_flag(name) else "")


_MAY_BE = regex(  # with a digit, or with capitals that begin no words
    rb"[^0-9_/]*+[0-9]|[A-Za-z_/-]*+[0-9](?:(?<=[A-Za-z].)|(?=[A-Za-z]))|"
    rb"(?!(?:[A-Z]?[a-z]{2,})?(?:[A-Z][a-z]{2,})*\Z)(?=[^a-z]*[a-z]+[^a-z]*[A-Z]|[^A-Z]*[A-Z]+[^A-Z]*[a-z])[^0-9_/]+\Z"
)
_PPK = regex(rb"Private-Lines: [0-9]{1,4}(?:\r?\n|(?:\\+r)?\\+n)\Z")  # PuTTY's own format of a private key
_PPK_MOST = 32
_IN_LABEL = regex(rb"\[redacted:[a-z-]{0,40}:?\Z")
_MEMBER = regex(rb"[\"'][ \t]*:[ \t]*\\*[\"']\Z")
_PROGRAM_MOST, _FLAG_MOST = 300, 24  # bytes between a program and its flag, and of that
_NEAR_MOST = 72  # bytes before a value in which something says that it is a secret
_IN_TABLE = regex(rb"(?:\|[ \t]*\**|[,;\t]|\\t?)\\*[\"'`]?\Z")  # what stands before a cell
_HINT = regex(
    rb"(?:[Pp][Aa]?[Ss][SsWwKk]|PWD|pwd|ecret|ECRET|oken|OKEN|[Kk]ey|KEY|[Aa]uth|AUTH|red|RED|ookie|jwt|JWT|alue|efault|esult|ontent|kty|echo|printf|<<<|wort|contrase|senha|[Pp]w\W|\xd0|\xe5|\xe3|\w:)"
)
_OCTET = regex(rb"%[0-9A-Fa-f]{2}")  # percent-encoded: what it says is searched too
_HEX = regex(rb"(?=[a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{12,128}")
_IN_CASES = regex(rb"(?=[^a-z]*[a-z])[^A-Z]*[A-Z]")
_BEHIND = regex(
    rb"passw[\w.-]{0,40}[\"'\])}\\]{0,8}[ \t]{0,4}(?:=>|:=|<-|[=:,|>]|is:?)?[ \t]{0,4}[\\\"'`({\[*N]{0,8}"
    rb"([^\s\"'`,;|<>&(){}\[\]\\]{6,256})"
)
_BORDER = regex(rb"[\[{,:][ \t]{0,4}\"")
_CLOSING = regex(rb"\"[ \t]{0,4}[,:\]}]")
_NETSCAPE = regex(rb"\t(?:TRUE|FALSE)\t[^\t]+\t(?:TRUE|FALSE)\t[0-9]+\t[^\t]*\t\Z")
_OBJECT_MOST = 200  # bytes around a value
_OBJECT_END = regex(rb"[}>]")
_COOKIE = regex(rb"\"(?:domain|httpOnly|sameSite|expires|expirationDate)\"[ \t]*:")
_PREFIX = regex(rb"(?<![A-Za-z0-9])([A-Za-z]{1,2}|Some\(|String::from\(|SecretStr\()[\"']\Z")  # of a string
_TYPED = regex(rb"([A-Za-z_]\w*)(?:[ \t]*:[ \t]*|[ \t]+|(?=\[))(?:[A-Z][\w.<>]*|&?'?\w* ?str|string|bytes|\[\])\Z")
_SAID = regex(  # names of several words, and those of other languages
    rb"(?i)(?:\b(?:api|access|secret|private|license|auth|signing|recovery|encryption|master|pragma) key|client secret|\bpw|"
    rb"\bcreds|"
    rb"passwor[dt]e?|kennwort|mot de passe|contrase\xc3\xb1a|senha|wachtwoord|\xbf\xd0\xb0\xd1\x80\xd0\xbe\xd0\xbb\xd1\x8c|"
    rb"\xe5\xaf\x86\xe7\xa0\x81|\xe3\x83\x91\xe3\x82\xb9\xe3\x83\xaf\xe3\x83\xbc\xe3\x83\x89)\Z"
)
_CREDENTIALS = regex(rb"(?i)(?:auth[ \t]*=[ \t]*\(|(?:basic|digest)auth\()[^()]{1,64},[ \t]*[\"']\Z")
_USER, _HOST = (
    regex(rb"(?:\A|[\s\"'=])[A-Za-z_][\w.-]{0,30}:\Z"),
    regex(rb"@(?!sha256:)[\w.-]+"),
)  # of name:password@host
_SENSITIVE = regex(rb"random_password|\"kty\"|\"sensitive\"[ \t]*:[ \t]*true|type=[\"']?password\b")
_SAID_NAME = regex(rb"[\"'<>=]([A-Za-z_][\w.-]{1,60})(?=[\"'<> ])")
_ROWS_MOST = 8  # of a table above a cell


def looked_at(data: bytes, runs: Sequence[Span]) -> Sequence[Span]:
    """
    In a short text also the words that have no rare letter. If one does not fit from its begin on, it fits nowhere: a search
    that tried each of its letters took twice as long.
    """
    words: list[Span] = []
    hit = _WORD.search(data)
    while hit is not None:
        start, end = hit.span()
        words.append((start, end))
        on = _WORD_ON.match(data, end) if end - start == _WORD_MOST else None
        hit = on or _WORD.search(data, end)
    return [*runs, *words]


_WORD_MOST = 64  # bytes: of a longer one the next bytes are a word too
_ON = (
    rb"(?=[A-Za-z!-.?@^_~]*[0-9]|[a-z!-.?@^_~]*[A-Z][A-Z!-.?@^_~]*[a-z])"
    rb"[A-Za-z0-9+/_!#$%*.?@^~-]{8,64}"
)
_WORD, _WORD_ON = regex(rb"(?<![A-Za-z0-9+_!#$%*.?@^~-])" + _ON), regex(_ON)
