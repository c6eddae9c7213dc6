"""The fields of an options Struct -> the same, or a UsageError: what a person chooses is checked where it is made."""

from __future__ import annotations

import builtins
import math
import os
from collections.abc import Callable, Iterator
from functools import cache
from threading import RLock
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, Union, cast, get_args, get_origin

import msgspec
from msgspec import Struct
from msgspec.structs import fields, force_setattr

from .errors import UsageError

# -- decoders ------------------------------------------------------------------------------------------------------
# A type -> its decoder, made by one thread at a time.
#
# msgspec learns what a Struct consists of when it is first used, and ends the process by a segmentation fault where two
# threads use it first at the same time. So what a thread of its own decodes gets its decoder here, when its module is loaded.


T = TypeVar("T")

_lock = RLock()


def msgpack_decoder(type: builtins.type[T] | UnionType, /) -> msgspec.msgpack.Decoder[T]:
    with _lock:
        return msgspec.msgpack.Decoder(cast("builtins.type[T]", type))


def json_decoder(type: builtins.type[T] | UnionType, /) -> msgspec.json.Decoder[T]:
    with _lock:
        return msgspec.json.Decoder(cast("builtins.type[T]", type))


# ------------------------------------------------------------------------------------------------------------------------


_COLLECTIONS = (list, set, frozenset)
_SHOWN_MOST = 200  # characters of a value in a message


_Test: TypeAlias = Callable[[Any], object]


class Fits(Struct, frozen=True):
    """In the annotation of a field: what its value must be besides its type, as a test and in words behind the type."""

    test: _Test
    words: str


def above(least: float) -> Fits:
    return Fits(lambda value: value > least, f"above {least:g}")


def at_least(least: float) -> Fits:
    return Fits(lambda value: value >= least, f"of at least {least:g}")


FINITE = Fits(lambda value: abs(value) < math.inf, "and finite")


def between(least: int, most: int) -> Fits:
    return Fits(lambda value: least <= value <= most, f"from {least} to {most}")


class Options(Struct, frozen=True):
    """
    What a person chooses for a part. A value of another type than its annotation, or out of the range that `Fits` gives there,
    is a UsageError when the options are made. A list or set becomes the tuple that a field wants.
    """

    def __post_init__(self) -> None:
        for name, hint, fits in _checks(type(self)):
            given: Any = getattr(self, name)
            value = tuple(given) if type(given) in _COLLECTIONS else given
            if not fits(value):
                raise UsageError(_refusal(f"{type(self).__name__}({name}", given, hint, fits))
            if value is not given:
                force_setattr(self, name, value)


@cache
def _checks(options: type[Options]) -> tuple[tuple[str, Any, _Test], ...]:
    return tuple((field.name, field.type, _test(field.type)) for field in fields(options))


def _test(hint: Any) -> _Test:
    """Whether a value fits this annotation."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        tests = [_test(parts[0]), *(mark.test for mark in hint.__metadata__ if isinstance(mark, Fits))]
        return lambda value: all(test(value) for test in tests)
    if origin is Union or origin is UnionType:
        ways = [_test(part) for part in parts]
        return lambda value: any(way(value) for way in ways)
    if origin is Literal:
        return lambda value: any(type(value) is type(part) and value == part for part in parts)
    if origin is tuple:
        each_fits = _test(parts[0])
        return lambda value: issubclass(type(value), tuple) and all(map(each_fits, value))
    if hint is int:
        return lambda value: isinstance(value, int) and not isinstance(value, bool)
    if hint is float:
        return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and value == value  # no nan
    kind = origin or hint  # of Stream[Event] only Stream can be asked
    return lambda value: isinstance(value, kind)


def _refusal(where: str, given: object, hint: Any, fits: _Test) -> str:
    """Bytes may be a key: of a value for them only the type is shown."""
    shown = f"<{type(given).__name__}>" if bytes in _kinds(hint) or isinstance(given, bytes) else repr(given)
    if len(shown) > _SHOWN_MOST:
        shown = f"{shown[:_SHOWN_MOST]}…"
    meant = next((each for each in _meanings(given) if fits(each)), None)
    remedy = "" if meant is None else f"; write {where.partition('(')[2]}={meant!r}"
    return f"{where}={shown}): expected {_words(hint)}{remedy}"


def _meanings(given: object) -> Iterator[object]:
    """What a person may have meant."""
    plain: Any = os.fspath(cast("os.PathLike[str]", given)) if isinstance(given, os.PathLike) else given
    yield plain
    for number in (int, float):
        try:
            made = number(plain) if isinstance(plain, str) else None
        except ValueError:
            continue
        if made is None or abs(made) != math.inf:  # which no literal writes
            yield made
    yield (plain,)


def _kinds(hint: Any) -> set[Any]:
    parts = () if get_origin(hint) is Callable else get_args(hint)
    return {hint} if not parts else {kind for part in parts for kind in _kinds(part)}


def _words(hint: Any) -> str:
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        marks = [mark.words for mark in hint.__metadata__ if isinstance(mark, Fits)]
        return " ".join([_words(parts[0]), *marks])
    if origin is Union or origin is UnionType:
        return " or ".join(map(_words, parts))
    if origin is Literal:
        return " or ".join(map(repr, parts))
    if origin is tuple:
        return f"a tuple of {_words(parts[0])}"
    if origin is Callable:
        return "a function"
    return "None" if hint is NoneType else hint.__name__
