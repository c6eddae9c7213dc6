"""
A value without quotes behind a name -> whether it is a secret, and where it ends.

It may be a secret of a configuration, or a name, a type or an expression of a program. What it is depends on the name, on how
the value looks, and on what stands around both:

    password: <word with 2>  a password with a digit or a sign is one wherever it stands
    password: <word>       a word is one where the line has nothing else (YAML, a table), and it is no type and no message
    DB_PASSWORD=<word>     also right behind the name of a variable, or in a list such as `user=me password=word`
    password = word        between blanks a name is a name: this is a program
    secret: <word with 2>  another secret has a digit, and its line has nothing else
    token=…                a token looks random: a parser has tokens too
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .names import NameKind
from .values import (
    begins_random,
    is_bare_password,
    is_mixed,
    is_name_in_code,
    is_odd_word,
    is_random,
    is_said_word,
    is_value,
    is_very_random,
)

__all__ = ["Place", "end_of_bare", "may_begin_bare", "stands_alone"]


class Place(NamedTuple):
    """Where a value stands: it begins at `start`, behind the separator at `at`, whose name begins at `name`."""

    name: int
    at: int
    start: int
    kind: NameKind
    is_variable: bool  # the name is in capitals, or a flag

    def is_tight(self, data: bytes) -> bool:
        return self.start == self.at + 1 and data[self.at : self.at + 1] != b":"


_LINE_BEFORE = re.compile(rb"(?:\A|[\n\r\"'`]|\\[nrt])[ \t]*(?:[-+>#*]{1,3}[ \t]*)?(?:(?:export|set|ENV)[ \t]+)?[\"']?\Z")
_BEFORE_MOST = 48  # bytes
_LINE_BEHIND = re.compile(rb"[ \t]{0,8}(?:\Z|[\n\r\"'`]|[ \t]#|\\+[nrt\"'])")
_LIST_BEHIND = re.compile(rb"[ \t]+[A-Za-z_]{1,30}(?:=|\Z)|;[ \t]*[A-Z][A-Za-z_ ]{1,30}=|[ \t;]{0,4}\Z")
_WHOLE = re.compile(rb"[^\s\"'\\`]+")
_CALL = re.compile(rb"[(\[{]")
_CALLED = re.compile(rb"[A-Za-z_$][\w.:$]*[(\[{<].*", re.DOTALL)
_PIN = re.compile(rb"[0-9]{4,}")
_WHOLE_MOST = 256  # bytes


def stands_alone(data: bytes, name: int, end: int) -> bool:
    """Has the line nothing but this name and its value?"""
    return _LINE_BEHIND.match(data, end) is not None and _begins_line(data, name)


def _begins_line(data: bytes, name: int) -> bool:
    return _LINE_BEFORE.search(data[max(0, name - _BEFORE_MOST) : name]) is not None


def end_of_bare(data: bytes, place: Place, end: int) -> int:
    """Where the secret ends whose letters end at `end` as far as no program would say more; -1: it is none."""
    value = data[place.start : end]
    if _CALL.match(data, end):
        return _end_of_whole(data, place)
    looks_random = is_random(value)
    if (looks_random and (place.is_variable or is_very_random(value))) or (place.is_variable and is_odd_word(value)):
        return end
    if place.kind == "password":
        return end if _is_password(data, place, value) else _end_of_whole(data, place)
    if place.kind in ("secret", "key"):
        is_one = (is_mixed(value) or is_odd_word(value)) and (place.is_tight(data) or stands_alone(data, place.name, end))
        return end if is_one or (place.is_variable and place.is_tight(data) and is_said_word(value)) else -1
    is_type = b"." in value and is_name_in_code(value)
    return end if place.kind == "token" and looks_random and not is_type and stands_alone(data, place.name, end) else -1


def _is_password(data: bytes, place: Place, value: bytes) -> bool:
    if is_bare_password(value) or (
        is_odd_word(value) and (place.is_tight(data) or stands_alone(data, place.name, place.start + len(value)))
    ):
        return True
    end = place.start + len(value)
    if _PIN.fullmatch(value):
        return place.is_tight(data) or stands_alone(data, place.name, end)
    if not is_said_word(value):
        return False
    if place.is_tight(data):
        return place.is_variable or _LIST_BEHIND.match(data, end) is not None or stands_alone(data, place.name, end)
    return data[place.at : place.at + 1] == b":" and stands_alone(data, place.name, end)


def _end_of_whole(data: bytes, place: Place) -> int:
    """A password with marks that a program has between names: where the line has nothing else, and it is no call."""
    whole = _WHOLE.match(data, place.start, place.start + _WHOLE_MOST) if place.kind == "password" else None
    if whole is None or _CALLED.fullmatch(whole[0]) or is_name_in_code(whole[0]) or not is_mixed(whole[0]):
        return -1
    return whole.end() if stands_alone(data, place.name, whole.end()) else -1


_NO_BEGIN = re.compile(rb"[$<{\[%@:&*!?(|\"']|[bBfFrRuU]{0,2}\Z")  # a reference, or what stands before a quote


def may_begin_bare(data: bytes, place: Place) -> bool:
    """The data ends with this value: may it become a secret?"""
    value = data[place.start :]
    if begins_random(value):
        return True
    if place.kind not in ("password", "secret", "key") or _NO_BEGIN.match(value) or not is_value(value):
        return False
    if any(letter in b"0123456789" for letter in value):
        return True
    return place.is_tight(data) or _begins_line(data, place.name)
