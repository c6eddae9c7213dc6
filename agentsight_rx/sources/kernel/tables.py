"""A BPF map and the C types of its keys and values -> a table: look up, put, delete, list."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from errno import EEXIST, ENOENT
from typing import Any

from .syscall import bpf, bpf_at_once, possible_cpus

# include/uapi/linux/bpf.h
_LOOK_UP, _UPDATE, _DELETE, _NEXT_KEY = 1, 2, 3, 4
_IF_MISSING = 1  # BPF_NOEXIST
_PER_CPU = frozenset({5, 6, 10})  # types of maps: hash, array and lru_hash with a value for each CPU

_NUMBERS: dict[str, Any] = {
    "_Bool": ctypes.c_bool,
    "char": ctypes.c_char,
    "unsigned char": ctypes.c_uint8,
    "short": ctypes.c_int16,
    "unsigned short": ctypes.c_uint16,
    "int": ctypes.c_int32,
    "unsigned int": ctypes.c_uint32,
    "long": ctypes.c_int64,
    "unsigned long": ctypes.c_uint64,
    "long long": ctypes.c_int64,
    "unsigned long long": ctypes.c_uint64,
}


def type_of(description: Any) -> Any:
    """
    The ctypes type that BCC describes: the name of a number, or [name, members, "struct" | "union" | "struct_packed"], where a
    member is [name, type] or [name, type, [length]], or again such a list.
    """
    if isinstance(description, str):
        return _NUMBERS[description]
    name, members, *kind = description
    fields: list[tuple[str, Any]] = []
    unnamed: list[str] = []
    for member in members:
        label = member[0]
        if not label:
            label = f"unnamed_{len(unnamed)}"
            unnamed.append(label)
        if len(member) == 3 and isinstance(member[2], str):
            fields.append((label, type_of(member)))
        elif len(member) == 3:
            (length,) = member[2]
            fields.append((label, type_of(member[1]) * length))
        else:
            fields.append((label, type_of(member[1])))
    form: Any = ctypes.Union if kind == ["union"] else ctypes.Structure
    packed = {"_pack_": 1} if kind == ["struct_packed"] else {}
    return type(str(name), (form,), {"_anonymous_": unnamed, **packed, "_fields_": fields})


class _Element(ctypes.Structure):
    """union bpf_attr for the commands on elements of maps."""

    _fields_ = (("map", ctypes.c_uint64), ("key", ctypes.c_uint64), ("value", ctypes.c_uint64), ("flags", ctypes.c_uint64))


def put_map(table: int, fd: int) -> None:
    """Make a map the first one of a table of maps. On return no program uses the one before any more, which takes 30 ms."""
    key, value = ctypes.c_uint32(0), ctypes.c_uint32(fd)
    bpf(_UPDATE, _Element(table, ctypes.addressof(key), ctypes.addressof(value), 0))


class Table:
    """Keys and values are ctypes objects, `Key` and `Leaf` their types. A key that is not there raises KeyError."""

    def __init__(self, fd: int, kind: int, key: Any, leaf: Any, *, entries: int) -> None:
        self.fd = fd
        self.Key = key
        self.Leaf = leaf
        self._entries = entries
        self._per_cpu = kind in _PER_CPU

    def _do(self, command: int, key: Any, value: Any = None, *, flags: int = 0) -> None:
        at = 0 if key is None else ctypes.addressof(key)
        bpf_at_once(command, _Element(self.fd, at, 0 if value is None else ctypes.addressof(value), flags))

    def __getitem__(self, key: Any) -> Any:
        leaf = self.Leaf()
        try:
            self._do(_LOOK_UP, key, leaf)
        except OSError as error:
            raise KeyError(key) from error
        return leaf

    def __setitem__(self, key: Any, leaf: Any) -> None:
        """Raises OSError where the table is full."""
        self._do(_UPDATE, key, leaf)

    def add(self, key: Any, leaf: Any) -> bool:
        """Put a value unless the key is there."""
        try:
            self._do(_UPDATE, key, leaf, flags=_IF_MISSING)
        except OSError as error:
            if error.errno != EEXIST:
                raise
            return False
        return True

    def __delitem__(self, key: Any) -> None:
        try:
            self._do(_DELETE, key)
        except OSError as error:
            raise KeyError(key) from error

    def __contains__(self, key: Any) -> bool:
        try:
            self[key]
        except KeyError:
            return False
        return True

    def keys(self) -> Iterator[Any]:
        """While others delete, the kernel may begin anew: a key may come twice, and there is an end."""
        key = None
        for _ in range(self._entries):
            found = self.Key()
            try:
                self._do(_NEXT_KEY, key, found)
            except OSError as error:
                if error.errno == ENOENT:
                    return
                raise
            yield found
            key = found

    def items(self) -> Iterator[tuple[Any, Any]]:
        for key in self.keys():
            try:
                yield key, self[key]
            except KeyError:
                continue  # deleted meanwhile

    def values(self) -> Iterator[Any]:
        return (leaf for _, leaf in self.items())

    def __len__(self) -> int:
        return sum(1 for _ in self.keys())

    def of_cpus(self, index: int) -> Iterable[int]:
        """The numbers of all CPUs, where each has one."""
        assert self._per_cpu
        leaves = (ctypes.c_uint64 * possible_cpus())()
        self._do(_LOOK_UP, self.Key(index), leaves)
        return leaves

    def sum(self, index: int) -> int:
        """Of a number for each CPU, over all of them."""
        return sum(self.of_cpus(index))
