"""Rows <-> bytes: typed tables, and an encoding of keys whose bytes sort like the keys."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import sha256
from types import UnionType
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import msgspec

from ...core.errors import StoreError
from ...core.options import msgpack_decoder
from .heads import NOTHING, Head, bits_of

Part: TypeAlias = str | int | bytes
Key: TypeAlias = Part | tuple[Part, ...]  # a single part means a tuple of one
V = TypeVar("V")

_NO_INDEXES: Mapping[str, Callable[[Any], Key | None]] = {}

LONGEST_KEY = 511  # bytes, set by LMDB
KEPT = LONGEST_KEY - sha256().digest_size  # bytes at the front of a long key that are kept

# A part is a tag and its bytes, and ends with 0x00. The tags order the kinds. All are below 0xff, so 0x00 0xff can stand for
# a 0x00 inside a text, and `key + 0xff` sorts after every key that begins with `key`.
INT_TAG, _BYTES, _STR = b"\x01", b"\x02", b"\x03"
_END, _ESCAPED = b"\x00", b"\x00\xff"
_INT, _STR_TAG = INT_TAG[0], _STR[0]
_PARTS_MOST = 1024
_BEGIN = 256  # bytes of the key of a row that a block of rows is kept by
_COUNTS = [bytes((count,)) for count in range(8)]  # a small int is one byte of msgpack


@dataclass(frozen=True)
class Table(Generic[V]):
    """
    The rows of one kind: `SPANS = Table("spans", Span)`. `name` is unique in a store, `type` anything msgspec can decode.

    A union needs its type for the checkers: `EVENTS = Table[Event]("events", Event)`.

    An index is a function of a row: what it is found by, or None where it is not to be found there. See `by_index`.

    The rows of a `packed` table are compressed many together, which suits rows that come nearly in the order of their keys and
    soon do not change any more. An index of theirs gives one part: a value of the row that is not its default. Where their keys
    are not in the order of time, the index `order` gives the time of a row, and every other one a part and then the time.
    `block_most`: so many bytes of rows are together at most. More of them take less space, fewer are written faster.
    """

    name: str
    type: builtins.type[V] | UnionType
    indexes: Mapping[str, Callable[[V], Key | None]] = field(default_factory=lambda: _NO_INDEXES, compare=False)
    packed: bool = False
    order: str = ""
    block_most: int = 96 << 10

    def __hash__(self) -> int:
        return hash(self.name)  # each write looks its table up

    @cached_property
    def _front(self) -> bytes:
        return encode_key(self.name)

    @cached_property
    def _decoder(self) -> msgspec.msgpack.Decoder[V]:
        return msgpack_decoder(self.type)

    def key(self, key: Key, /) -> bytes:
        """`key` as bytes that sort like it; no key of another table begins with them."""
        return self._front + encode_key(key)

    def index(self, name: str, /) -> Table[int]:
        """The table of an index: found by, then the key of the row -> how many parts it is found by."""
        return self._indexes[name]

    @cached_property
    def _indexes(self) -> dict[str, Table[int]]:
        return {name: Table(f"{self.name}/{name}", int) for name in self.indexes}

    def add_rows(self, key: Key, value: V, /, encoded: bytes | None, *, to: dict[bytes, bytes | None]) -> None:
        """The row of `key`, `value` as bytes, and the rows of all indexes that belong to it; None removes them."""
        own = encode_key(key)
        to[self._front + own] = encoded
        for _, front, function in self._found_by:
            found = function(value)
            if found is None:
                continue
            by, count = (encode_key(found), len(found)) if isinstance(found, tuple) else (_known_part(found), 1)
            to[front + by + own] = None if encoded is None else _COUNTS[count]

    @cached_property
    def _found_by(self) -> list[tuple[str, bytes, Callable[[V], Key | None]]]:
        return [(name, self._indexes[name]._front, function) for name, function in self.indexes.items()]

    def block(self, key: bytes, /) -> bytes:
        """The key of a block of rows whose first row has `key` in bytes, which is shorter than LMDB's longest one."""
        return self._block_front + self.begin(key)

    @staticmethod
    def begin(key: bytes, /) -> bytes:
        """As much of the key of a row, in bytes, as a block is kept by."""
        return key[:_BEGIN]

    @cached_property
    def _block_front(self) -> bytes:
        return encode_key(f"{self.name}/blocks")

    def found_by(self, index: str, value: bytes, /) -> bytes:
        """A value of an index, as the filter of a block has it."""
        return self._indexes[index]._front + value

    @property
    def timed(self) -> bool:
        """Its blocks have the range of time of their rows in front of them."""
        return bool(self.order)

    def head(self, value: V, /) -> Head:
        """What finds a row of a packed table, as the head of its block has it."""
        bits = 0
        if not self.order:
            for _, front, function in self._found_by:
                found = function(value)
                if found is not None:
                    bits |= bits_of(front + encode_value(found))
            return Head(bits) if bits else NOTHING
        when: int | None = None
        for name, front, function in self._found_by:
            found = function(value)
            if found is not None:
                part, when = self.part_and_time(name, found)
                bits |= 0 if part is None else bits_of(front + encode_value(part))
        return Head(bits) if when is None else Head(bits, when, when)

    def part_and_time(self, index: str, found: Key, /) -> tuple[Part | None, int]:
        """What an index of a table with an `order` gave for a row. Raises TypeError where no such index gives that."""
        match found:
            case int() if index == self.order:
                return None, found
            case (part, int(time)) if index != self.order:
                return part, time
            case _:
                raise TypeError(f"index {index!r} of packed table {self.name!r} gave {found!r}")

    def own(self, raw: bytes, /) -> bytes:
        """A result of `key` or `bounds`, without the name of the table."""
        return raw[len(self._front) :]

    def parts(self, raw: bytes, /) -> tuple[Part, ...]:
        """The parts of what `key` returned."""
        return decode_key(raw[len(self._front) :])

    def value(self, raw: bytes, /) -> V:
        """The value that `raw` encodes. Raises StoreError if it does not have the table's type."""
        try:
            return self._decoder.decode(raw)
        except msgspec.DecodeError as error:
            raise StoreError(
                f"A row of table {self.name!r} cannot be read ({error}): use the release that recorded it."
            ) from error

    def bounds(self, prefix: Key, start: Key | None, stop: Key | None) -> tuple[bytes, bytes]:
        """Bytes (low, high): a key matches `prefix`, `start` and `stop` (see `Store.scan`) if low <= its bytes < high."""
        low = self.key(prefix)
        high = low + b"\xff"
        if start is not None:
            low = max(low, self.key(start))
        if stop is not None:
            high = min(high, self.key(stop))
        return low, high


def encode_key(key: Key, /) -> bytes:
    """
    The order of the bytes is the order of the tuples: shorter before longer, int before bytes before str, text by code point.

    Ints are 0..2**64-1, others raise OverflowError. The bytes of a tuple begin with the bytes of each of its prefixes.
    """
    return b"".join([_encode_part(part) for part in key]) if isinstance(key, tuple) else _encode_part(key)


def decode_key(raw: bytes, /) -> tuple[Part, ...]:
    """The parts of what `encode_key` returned."""
    parts: list[Part] = []
    at, size = 0, len(raw)
    while at < size:
        tag = raw[at]
        if tag == _INT:
            parts.append(int.from_bytes(raw[at + 1 : at + 9], "big"))
            at += 9
            continue
        begin = at + 1
        end = raw.index(_END, begin)
        is_escaped = raw.startswith(_ESCAPED, end)
        while raw.startswith(_ESCAPED, end):
            end = raw.index(_END, end + 2)
        data = raw[begin:end].replace(_ESCAPED, _END) if is_escaped else raw[begin:end]
        parts.append(data.decode("utf-8", "surrogatepass") if tag == _STR_TAG else data)
        at = end + 1
    return tuple(parts)


def shorten(raw: bytes, /) -> bytes:
    """
    A key as LMDB can hold it. One of 511 bytes or more becomes its first 479 and the SHA-256 of the whole: exactly 511.

    So the length shows whether a key was shortened, and keys that differ in the first 479 bytes keep their order.
    """
    return raw if len(raw) < LONGEST_KEY else raw[:KEPT] + sha256(raw).digest()


def _encode_part(part: Part) -> bytes:
    if isinstance(part, int):
        return INT_TAG + part.to_bytes(8, "big")
    if isinstance(part, bytes):
        return _BYTES + part.replace(_END, _ESCAPED) + _END
    if part.isascii() and "\0" not in part:  # nearly all texts; a third of the time
        return _STR + part.encode() + _END
    return _STR + part.encode("utf-8", "surrogatepass").replace(_END, _ESCAPED) + _END


encode_value = msgspec.msgpack.Encoder().encode  # what a row of a packed table is found by, as it is in the row
_known_part = lru_cache(_PARTS_MOST)(_encode_part)  # what rows are found by: pids, sessions, models come again and again


# -- index query ---------------------------------------------------------------------------------------------------
# A question to an index of a packed table, as each store takes it.


class Sought(NamedTuple):
    """
    The rows that the index `by` finds by `part`, or by their times alone where that is None: at most `limit` of the ones with
    `low` <= entry < `high`, in the order of their entries. An entry is what a row is found by and then its key, in bytes.
    """

    by: str
    part: Part | None
    low: bytes
    high: bytes
    reverse: bool = False
    limit: int | None = None
