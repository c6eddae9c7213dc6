"""
Bytes -> the places where secrets may begin, for readers that know how they go on.

A long text is searched a few times, each time for one letter, because that is what CPython does fastest. In 60 KB of text, a
search for one byte takes 1 µs, and 0.1 µs for each hit; `re` for one byte with look-behinds takes 15 µs, and 0.01 to 0.05 µs
for each hit; a search for two letters and more branches at nearly each of them and takes 10 to 50 µs.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple, TypeAlias

from ...core.start import regex
from .kinds import AHEAD_MOST, BEGINS_IN_RUN, HYPHEN_OF_KEYS, IN_RUN, UNDERSCORE_OF_KEYS
from .patterns import HYPHEN_OF_NAMES, MARKUP, MEMBER, UNDERSCORE_OF_NAMES, VARIABLE, matches, matches_around, pattern, places

Span: TypeAlias = tuple[int, int]


class Marks:
    """Places, each list in no order, except `runs`."""

    __slots__ = ("authorizations", "escapes", "hyphens", "names", "pems", "runs", "shapes")

    def __init__(self) -> None:
        self.shapes: list[int] = []  # a key that is known by its beginning
        self.names: list[int] = []  # the separator after the name of a secret
        self.hyphens: list[int] = []  # in a flag, or in the name of a field
        self.authorizations: list[int] = []  # `rization`
        self.pems: list[int] = []
        self.escapes: list[int] = []  # a member whose quotes are written \u0022
        self.runs: list[Span] = []  # many digits of Base64


# -- letters ---------------------------------------------------------------------------------------------------------------

DIGITS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"  # of Base64, RFC 4648 4 and 5
# Many others stand beside this one: 12 in all; in the middle of them only letters and digits, as a password has
_NEAR = r"(?:(?=[A-Za-z0-9+/_-]{11})|(?<=[A-Za-z0-9+/_-]{12}))"
_MIDDLE = r"(?<=[A-Za-z0-9]{4})(?:(?=[A-Za-z0-9]{8})|(?=[A-Za-z0-9]{4})(?<=[A-Za-z0-9]{8}))"
_IN_NAMES = "BIz"  # in the middle of too many names

# No search for runs of Base64 is fast enough. These letters are rare in a text and one in five of the letters of Base64. Of
# runs of 27 digits (20 bytes) one in 270 has none of them, of 43 digits one in 7,000, of 32 hexadecimal ones one in 10,000
_RARE = "5789BIJKVWZz"
_FEW = 48  # hits; then the letter is not rare


class _Known(NamedTuple):
    """A text with a rare letter, and the list of Marks it belongs to."""

    before: str
    letter: str
    after: str
    kind: str


_KNOWN = (
    _Known("ey", "J", "", "shapes"),
    _Known("AI", "z", "a", "shapes"),
    _Known("AK", "I", "A", "shapes"),
    _Known("AS", "I", "A", "shapes"),
    _Known("ya2", "9", ".", "shapes"),
    _Known("", "B", "earer", "shapes"),
    _Known("", "B", "asic", "shapes"),
    _Known("secretAccess", "K", "ey", "shapes"),
    _Known("SecretAccess", "K", "ey", "shapes"),
    _Known("ri", "z", "ation", "authorizations"),
    _Known("RI", "Z", "ATION", "authorizations"),
    _Known("-----", "B", "EGIN", "pems"),
    _Known("PRI", "V", "ATE KEY", "pems"),
)


class _Letter(NamedTuple):
    byte: bytes
    known: tuple[_Known, ...]
    pattern: re.Pattern[bytes]  # a group for each of `known`, then one for a run
    near: re.Pattern[bytes]


def _letter(letter: str) -> _Letter:
    known = tuple(each for each in _KNOWN if each.letter == letter)
    texts = [f"(?<={re.escape(each.before + letter)})(?={re.escape(each.after)})()" for each in known]
    beside = _NEAR if letter in _IN_NAMES else f"(?:{_NEAR}|{_MIDDLE})"
    pattern = "|".join([*texts, f"{beside}()"])
    return _Letter(letter.encode(), known, regex(f"{letter}(?:{pattern})".encode()), regex(f"{letter}{beside}".encode()))


HYPHEN = rf"-(?:{HYPHEN_OF_KEYS}|{HYPHEN_OF_NAMES})"
UNDERSCORE = rf"_(?:{UNDERSCORE_OF_NAMES}|{UNDERSCORE_OF_KEYS})"

_TILDE, _BEFORE_TILDE = regex(rb"~(?<=[0-9]Q~)"), 5  # in a secret of Azure
_LETTERS = tuple((letter.byte, letter) for letter in map(_letter, _RARE))


def scan(data: bytes, cut: bool, /) -> Marks:
    """Where secrets may begin. With `cut`, `data` may continue: a short run at its end counts."""
    marks = Marks()
    for hit in matches(data, b"-", pattern(HYPHEN)):
        if hit.lastindex:
            marks.shapes.append(hit.start(hit.lastindex))
        else:
            marks.hyphens.append(hit.start())
    marks.shapes += [hit.start(hit.lastindex or 0) for hit in matches_around(data, b"_", pattern(UNDERSCORE), ahead=AHEAD_MOST)]
    for hit in matches_around(data, b":", pattern(MEMBER)):
        at = hit.start()
        if data[at - 6 : at - 1] == b"\\u002":
            marks.escapes.append(at - 6)
        else:
            marks.names.append(at)
    marks.shapes += [hit.start() - _BEFORE_TILDE for hit in matches(data, b"~", _TILDE) if hit.start() >= _BEFORE_TILDE]
    marks.names += [hit.start() for hit in matches_around(data, b"=", pattern(VARIABLE))]
    marks.names += [hit.start() for hit in matches_around(data, b">", pattern(MARKUP))]
    near: list[int] = []
    frequent: list[tuple[_Letter, int]] = []
    for byte, letter in _LETTERS:
        at = data.find(byte)
        if at >= 0:
            at = _look_around(data, letter, at, marks, near)
            if at >= 0:
                frequent.append((letter, at))
    if near or frequent or cut:
        _find_runs(data, cut, near, frequent, marks)
        for start, end in marks.runs:
            _find_keys(data, start, end, marks.shapes)
    return marks


def _look_around(data: bytes, letter: _Letter, at: int, marks: Marks, near: list[int]) -> int:
    """Look at the first hits of a letter, from `at` on. Returns the next one; -1: there are no more."""
    last = len(letter.known) + 1
    byte, find, match = letter.byte, data.find, letter.pattern.match
    for _ in range(_FEW):
        hit = match(data, at)
        if hit is not None:
            group = hit.lastindex or last
            if group < last:
                known = letter.known[group - 1]
                getattr(marks, known.kind).append(at - len(known.before))
            if group == last or letter.near.match(data, at):
                near.append(at)
        at = find(byte, at + 1)
        if at < 0:
            return at
    for known in letter.known:
        text = f"{known.before}{known.letter}{known.after}".encode()
        getattr(marks, known.kind).extend(places(data, text, max(0, at - len(known.before))))
    return at


# -- runs of Base64 --------------------------------------------------------------------------------------------------------

#
# What is text follows a pattern, since text has few values of a byte. Names of calls and of files do not, nor do images.

_TEXT = (*b"\t\n\r", *range(0x20, 0x7F))


def _class(values: set[int]) -> bytes:
    return b"[" + re.escape(bytes(DIGITS[value] for value in sorted(values))) + b"]"


_GROUP = (
    _class({byte >> 2 for byte in _TEXT})
    + _class({(one & 3) << 4 | two >> 4 for one in _TEXT for two in _TEXT})
    + _class({(two & 15) << 2 | three >> 6 for two in _TEXT for three in _TEXT})
    + rb"[A-Za-z0-9+/_-]"
)
OF_TEXT = regex(b"(?:" + _GROUP + b"){5}")
SHORT_TEXT = regex(b"(?:" + _GROUP + b"){2}")
_NEAR_RARE = regex(f"[{_RARE}]{_NEAR}")
_IN_TEXT = regex(r"[9BIJKVWZz](?:(?=[A-Za-z0-9+/]{11})|(?<=[A-Za-z0-9+/]{12}))")  # fewer, since each is looked around
_TEXT_AROUND = regex(OF_TEXT.pattern.decode())
_AROUND = 64  # characters
_LOOKS_MOST = 4


def has_rare(text: str, /) -> bool:
    """Is there a rare letter at which `may_hold_base64` looks for text?"""
    return _NEAR_RARE.search(text) is not None


def may_hold_base64(text: str, /) -> bool:
    """False: this short text contains no text in Base64."""
    if len(text) <= _AROUND:
        return _IN_TEXT.search(text) is not None and _TEXT_AROUND.search(text) is not None
    for looks, hit in enumerate(_IN_TEXT.finditer(text)):
        first = max(0, hit.start() - _AROUND)
        if looks == _LOOKS_MOST or _TEXT_AROUND.search(text, first, hit.start() + _AROUND):
            return True
    return False


_IN_RUN_TEXT = regex(IN_RUN)
_BEGIN_MOST = 64  # bytes of a beginning
_BEFORE_RUN, _OF_RUN = 36, 256  # bytes around the beginning of a run in which a key may begin at any letter
# Behind that it begins where a word does in a form, in which a plus sign is a blank, or in a path. Two searches are faster
_BEGINS_WORD = tuple(re.escape(mark) + BEGINS_IN_RUN for mark in "+/")


def _find_keys(data: bytes, start: int, end: int, shapes: list[int]) -> None:
    """The keys that begin in a run, or in front of its beginning: the run is what follows the dot of a key."""
    if data.startswith(_SUM, start):
        return
    before = data[start - 1 : start]
    if before in _ENDS_ESCAPE:  # the letters of an escape belong to the run
        shapes += [start + size for size in _ESCAPES]
    first = max(0, start - _BEFORE_RUN) if before in _IN_KEY else start
    near = min(end, start + _OF_RUN)
    shapes += [hit.start() for hit in pattern(IN_RUN).finditer(data, first, near)]
    if near < end:
        shapes += [hit.start() + 1 for text in _BEGINS_WORD for hit in pattern(text).finditer(data, near - _BEGIN_MOST, end)]


_SUM = (b"sha512-", b"sha384-", b"sha256-", b"sha1-")  # of a file, in a lock file
_ENDS_ESCAPE, _ESCAPES = (b"\\", b"%"), (1, 2, 3, 5)
_IN_KEY = (b".", b":", b"~", b"$")


def may_hold_key(text: str, /) -> bool:
    """False: this short text contains no key that begins where a run of Base64 is."""
    done = 0
    for hit in _NEAR_RARE.finditer(text):
        if hit.start() >= done:
            run = _RUN_TEXT.match(text, hit.start())
            done = run.end() if run else hit.end()
            first = len(text[: hit.start()].rstrip(_DIGITS_TEXT)) - _BEFORE_RUN
            if _IN_RUN_TEXT.search(text, max(0, first), done):
                return True
    return False


_RUN_TEXT, _DIGITS_TEXT = regex(r"[A-Za-z0-9+/_-]*"), DIGITS.decode()


# Also in lines, as of PEM and of the program base64
_RUN = regex(rb"(?:[A-Za-z0-9+/_-]{60,}+(?:\r?\n|(?:\\+r)?\\+n))*[A-Za-z0-9+/_-]*")
_LINE = regex(rb"[A-Za-z0-9+/_-]*")
_BEGIN_BREAK = (b"\n", b"\r", b"\\")
_BEFORE_MOST = 256  # bytes of a run before the first rare letter
_AT_END_LEAST = 8  # bytes of a run that may go on


def _find_runs(data: bytes, cut: bool, near: list[int], frequent: list[tuple[_Letter, int]], marks: Marks) -> None:
    runs: list[Span] = []
    for at in sorted(near):
        if not runs or at >= runs[-1][1]:
            runs.append(_run_at(data, at, runs[-1][1] if runs else 0))
    for letter, start in frequent:
        more = _more_runs(data, letter, start, runs)
        runs = sorted(runs + more) if more else runs
    known = runs[-1][1] if runs else 0
    if cut and known < len(data):
        first = max(known, len(data) - _BEFORE_MOST)
        start = first + len(data[first:].rstrip(DIGITS))
        if len(data) - start >= _AT_END_LEAST:
            runs.append((start, len(data)))
    marks.runs = runs


def _run_at(data: bytes, at: int, first: int) -> Span:
    first = max(first, at - _BEFORE_MOST)
    line = _LINE.match(data, at)
    end = line.end() if line else at
    if data[end : end + 1] in _BEGIN_BREAK:
        lines = _RUN.match(data, at)
        end = lines.end() if lines else end
    return first + len(data[first:at].rstrip(DIGITS)), max(end, at + 1)


def _more_runs(data: bytes, letter: _Letter, at: int, runs: list[Span]) -> list[Span]:
    """The runs that hold a frequent letter and are not known."""
    found: list[Span] = []
    hit = letter.near.search(data, at)
    while hit is not None:
        at = hit.start()
        place = bisect_right(runs, (at, len(data)))
        end = runs[place - 1][1] if place else 0
        if at >= end:
            found.append(_run_at(data, at, max(end, found[-1][1] if found else 0)))
            end = found[-1][1]
        hit = letter.near.search(data, end)
    return found
