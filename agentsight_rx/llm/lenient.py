"""
JSON -> a Struct, field by field: what does not fit is left out and named, and what stands beside it is kept.

The usual body fits its type and is decoded in one step. Only where it does not, each field is decoded by itself: a list loses
the elements that do not fit, an object the fields, and without a field that has no default, its object is left out.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from types import UnionType
from typing import Any, Generic, TypeVar, cast

import msgspec
from msgspec import Raw, Struct, inspect

from .resent import BROKEN, decoded, repaired

T = TypeVar("T")

_UNKNOWN_MOST = 32  # names of fields that one body may report
_DEPTH_MOST = 24  # levels that are decoded one by one, each of which costs a pass over what is in it; real bodies have ten
SHORT = 16_384  # bytes: too few for too many values
_MAYBE_OBJECT = "{ \t\r\n"
_INTEGER_MOST = 20  # characters of a number in a string

_OBJECT = msgspec.json.Decoder(dict[str, Raw])  # its values are exactly what was sent, and are decoded when a field wants them
_ARRAY = msgspec.json.Decoder(list[Raw])
_ANY = msgspec.json.Decoder(Raw)
_FLOAT = msgspec.json.Decoder(float)
_STRING = msgspec.json.Decoder(str)


class Found(Struct, Generic[T], frozen=True, gc=False):
    """A body as its type, and the names of the fields that could not be read, as `choices[].delta`."""

    value: T
    unknown: tuple[str, ...] = ()


class _Unfit(Exception):
    """Nothing of the value can be used."""


class Fields(Generic[T]):
    """The decoder of one type of object: `ANSWER = Fields(_Answer)`."""

    def __init__(self, type: builtins.type[T] | UnionType) -> None:
        self._type: Any = type
        self._needs_object = isinstance(type, builtins.type) and issubclass(type, Struct)
        self.strict: msgspec.json.Decoder[T] = msgspec.json.Decoder(cast("builtins.type[T]", type))

    def noting(self, body: str, note: Callable[[Sequence[str]], None], /) -> T | None:
        """As `read`, for the events of a stream, which nearly all fit: `note` is called only where fields could not be read."""
        try:
            if len(body) <= SHORT:
                return self.strict.decode(body)
        except BROKEN:
            pass
        return self.noting_odd(body, note)

    def noting_odd(self, body: str, note: Callable[[Sequence[str]], None], /) -> T | None:
        """The same for a body that is long, or that `strict` does not decode."""
        found = self._read_odd(body)
        if found is None:
            return None
        if found.unknown:
            note(found.unknown)
        return found.value

    def read(self, body: bytes | str | Raw, /) -> Found[T] | None:
        """The body; None if it is not JSON, or not an object with what the type requires."""
        try:
            if len(body) <= SHORT:  # most are events of streams
                return Found(self.strict.decode(body))
        except BROKEN:
            pass
        return self._read_odd(body)

    def _read_odd(self, body: bytes | str | Raw) -> Found[T] | None:
        if self._needs_object and type(body) is str and body[:1] not in _MAYBE_OBJECT:
            return None
        value = decoded(self.strict, body)
        return self._salvaged(body) if value is None else Found(value)

    def _salvaged(self, body: bytes | str | Raw) -> Found[T] | None:
        raw = decoded(_ANY, repaired(body) or body)  # what is read field by field must need no repair
        if raw is None:
            return None
        unknown: dict[str, None] = {}
        try:
            made: T = _Salvage(unknown).value(_type_of(self._type), bytes(raw).strip(), "", _DEPTH_MOST)
        except (_Unfit, RecursionError):
            return None
        return Found(made, tuple(unknown))

    def value(self, body: bytes | str | Raw, /) -> T | None:
        """The body, without the names of what could not be read."""
        value = decoded(self.strict, body)
        if value is not None:
            return value
        found = self._read_odd(body)
        return None if found is None else found.value


@cache
def _type_of(type: Any) -> inspect.Type:
    return inspect.type_info(type)


@cache
def _decoder_of(type: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(type)


class _Salvage:
    def __init__(self, unknown: dict[str, None]) -> None:
        self._unknown = unknown

    def value(self, type: inspect.Type, raw: bytes, path: str, depth: int) -> Any:
        """What `raw` means as `type`. Raises _Unfit."""
        if isinstance(type, inspect.Metadata):
            return self.value(type.type, raw, path, depth)
        if isinstance(type, inspect.UnionType):
            return self._any_of(type, raw, path, depth)
        if depth == 0:
            raise _Unfit
        first = raw[:1]
        if isinstance(type, inspect.StructType) and first == b"{":
            return self._object(type, raw, path, depth)
        if isinstance(type, inspect.ListType):
            return self._list(type, raw, path, depth)
        if isinstance(type, inspect.DictType) and first == b"{":
            return self._dict(type, raw, path, depth)
        return _scalar(type, raw)

    def _any_of(self, type: inspect.UnionType, raw: bytes, path: str, depth: int) -> Any:
        """As the type that such JSON usually has, else as any other: `"5"` is text where it may be text or a number."""
        usual = [each for each in type.types if _is_usual(each, raw[:1])]
        for each in (*usual, *type.types):
            if isinstance(each, inspect.ListType) != (raw[:1] == b"["):
                continue  # one element is taken as a list only where nothing else fits
            try:
                return self.value(each, raw, path, depth)
            except _Unfit:
                continue
        lists = [each for each in type.types if isinstance(each, inspect.ListType)]
        if lists and raw != b"null":
            return self.value(lists[0], raw, path, depth)
        raise _Unfit

    def _object(self, type: inspect.StructType, raw: bytes, path: str, depth: int) -> Any:
        with suppress(msgspec.DecodeError, UnicodeError, RecursionError):
            return _decoder_of(type.cls).decode(raw)  # so that only the way to what does not fit is walked
        given = _decoded(_OBJECT, raw)
        fields: dict[str, Any] = {}
        for field in type.fields:
            if field.encode_name not in given:
                if field.required:
                    raise _Unfit
                continue
            sent = bytes(given[field.encode_name])
            name = f"{path}.{field.encode_name}" if path else field.encode_name
            try:
                fields[field.name] = self.value(field.type, sent, name, depth - 1)
            except _Unfit:
                if field.required:
                    raise
                if sent != b"null":  # as if it was not sent
                    self._note(name)
        return type.cls(**fields)

    def _list(self, type: inspect.ListType, raw: bytes, path: str, depth: int) -> list[Any]:
        name = f"{path}[]"
        if raw[:1] != b"[":  # some clients send the one element without its list
            if isinstance(type.item_type, inspect.RawType):
                raise _Unfit
            return [self.value(type.item_type, raw, path, depth - 1)]
        values: list[Any] = []
        elements = _decoded(_ARRAY, raw)
        for sent in map(bytes, elements):
            try:
                values.append(self.value(type.item_type, sent, name, depth - 1))
            except _Unfit:
                self._note(name)
        return values

    def _dict(self, type: inspect.DictType, raw: bytes, path: str, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, sent in _decoded(_OBJECT, raw).items():
            try:
                values[key] = self.value(type.value_type, bytes(sent), f"{path}.*", depth - 1)
            except _Unfit:
                self._note(f"{path}.*")
        return values

    def _note(self, name: str) -> None:
        if len(self._unknown) < _UNKNOWN_MOST:
            self._unknown[name] = None


def _decoded(decoder: msgspec.json.Decoder[T], raw: bytes) -> T:
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise _Unfit from error


def _is_usual(type: inspect.Type, first: bytes) -> bool:
    return isinstance(type, _USUAL.get(first, (inspect.IntType, inspect.FloatType)))


_USUAL: dict[bytes, type[inspect.Type] | tuple[type[inspect.Type], ...]] = {
    b'"': inspect.StrType,
    b"{": inspect.StructType,
    b"n": inspect.NoneType,
    b"t": inspect.BoolType,
    b"f": inspect.BoolType,
}


def _scalar(type: inspect.Type, raw: bytes) -> Any:
    """A value that is no list and no object; a whole number may be sent as `3.0` or, as Google does, as `"3"`."""
    match type:
        case inspect.RawType():
            return Raw(raw)
        case inspect.AnyType() | inspect.CustomType():  # the only one that is used is `object`
            return _decoded(_decoder_of(object), raw)
        case inspect.NoneType():
            if raw == b"null":
                return None
        case inspect.StrType():
            return _decoded(_STRING, raw)
        case inspect.BoolType():
            return _decoded(_decoder_of(bool), raw)
        case inspect.IntType():
            return _integer(type, raw)
        case inspect.FloatType():
            return _decoded(_FLOAT, raw)
        case inspect.LiteralType():
            value = _decoded(_decoder_of(object), raw)
            if isinstance(value, (str, int)) and value in type.values:
                return value
        case _:
            pass
    raise _Unfit


def _integer(type: inspect.IntType, raw: bytes) -> int:
    text = bytes(raw).strip(b'"')
    if len(text) > _INTEGER_MOST:
        raise _Unfit
    number = _decoded(_FLOAT, text) if b"." in text or b"e" in text.lower() else _whole(text)
    if not float(number).is_integer():
        raise _Unfit
    value = int(number)
    if (type.ge is not None and value < type.ge) or (type.le is not None and value > type.le):
        raise _Unfit
    return value


def _whole(text: bytes) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise _Unfit from error
