"""/sys/kernel/btf/vmlinux -> byte offsets of kernel struct fields, so that no layout comes from kernel headers."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from threading import Lock

from ...core.errors import Unavailable

TYPES = Path("/sys/kernel/btf/vmlinux")

_HEADER = struct.Struct("<HBBIIIII")
_TYPE = struct.Struct("<III")
_MEMBER = struct.Struct("<III")
_MAGIC = 0xEB9F

# kind -> bytes after the 12-byte type record: fixed, or for each of the vlen items (Documentation/bpf/btf.rst)
_FIXED = {1: 4, 3: 12, 14: 4, 17: 4}  # INT, ARRAY, VAR, DECL_TAG
_ITEM = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}  # STRUCT, UNION, ENUM, FUNC_PROTO, DATASEC, ENUM64
_STRUCT, _UNION, _FUNCTION, _VARIABLE = 4, 5, 12, 14
_ONE_READER = Lock()  # sources open side by side
_DEEPEST = 64  # typedefs of typedefs; the kernel has a few


def read_types(path: Path = TYPES, size: int = -1) -> bytes:
    """All of them, 5 MB, or the first `size` bytes. Raises Unavailable where they cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(size)
    except OSError as error:
        raise Unavailable(
            f"the kernel's type information cannot be read ({path}: {error.strerror}): "
            "a kernel built with CONFIG_DEBUG_INFO_BTF=y is needed"
        ) from error


class Btf:
    """The struct layouts of one kernel. Reads only the type records; about 30 ms for a distribution kernel."""

    def __init__(self, path: Path = TYPES) -> None:
        data = read_types(path)
        if len(data) < _HEADER.size:
            raise Unavailable(f"{path} is not BTF ({len(data)} bytes)")
        magic, _, _, header, type_at, type_size, text_at, text_size = _HEADER.unpack_from(data)
        if magic != _MAGIC:
            raise Unavailable(f"{path} is not BTF (magic {magic:#x}, expected {_MAGIC:#x}, little-endian)")
        self._types = memoryview(data)[header + type_at : header + type_at + type_size]
        self._text = data[header + text_at : header + text_at + text_size]
        self._path = path
        self._at = [0]
        self._found: dict[str, int | None] = {}  # offsets so far: a look takes 1 ms, and sources ask for the same
        try:
            self._index()
        except struct.error as error:
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> Unavailable:
        return Unavailable(f"{self._path} is cut or broken: {error}")

    def _index(self) -> None:
        types, at, end = self._types, 0, len(self._types)
        unpack = _TYPE.unpack_from
        while at < end:
            self._at.append(at)
            _, info, _ = unpack(types, at)
            kind = info >> 24 & 0x1F
            at += 12 + _FIXED.get(kind, 0) + _ITEM.get(kind, 0) * (info & 0xFFFF)

    def _called(self, name: str, kinds: tuple[int, ...]) -> Iterable[int]:
        """The numbers of the types of these kinds with this name."""
        found = self._text.find(b"\0" + name.encode() + b"\0")
        if found < 0:
            return
        for number, at in enumerate(self._at[1:], 1):
            name_at, info, _ = _TYPE.unpack_from(self._types, at)
            if name_at == found + 1 and (info >> 24 & 0x1F) in kinds:
                yield number

    def function(self, name: str) -> int | None:
        """The number of the type of a function, by which a program may call it; None if this kernel has no such function."""
        return next(iter(self._called(name, (_FUNCTION,))), None)

    def has(self, name: str) -> bool:
        """Whether the kernel has a function, or a variable of each CPU, with this name."""
        return any(True for _ in self._called(name, (_FUNCTION, _VARIABLE)))

    def offset(self, path: str) -> int | None:
        """Byte offset of `struct.field` or `struct.field.inner`; None if this kernel has no such field."""
        if path in self._found:
            return self._found[path]
        name, *fields = path.split(".")
        try:
            found = (self._walk(self._at[number], fields) for number in self._called(name, (_STRUCT, _UNION)))
            self._found[path] = next((total for total in found if total is not None), None)
            return self._found[path]
        except (struct.error, IndexError, ValueError, RecursionError) as error:
            raise self._broken(error) from error

    def _walk(self, at: int, fields: list[str]) -> int | None:
        total = 0
        for field in fields:
            step = self._member(at, field)
            if step is None:
                return None
            offset, kind_at = step
            total += offset
            at = kind_at
        return total

    def _member(self, at: int, field: str) -> tuple[int, int] | None:
        """(byte offset, position of the member's type) of `field`, looking into anonymous structs and unions too."""
        _, info, _ = _TYPE.unpack_from(self._types, at)
        if (info >> 24 & 0x1F) not in (_STRUCT, _UNION):
            return None
        has_bitfields = info >> 31
        for index in range(info & 0xFFFF):
            name_at, type_id, bits = _MEMBER.unpack_from(self._types, at + 12 + 12 * index)
            if has_bitfields:
                bits &= 0xFFFFFF
            inner = self._plain(type_id)
            if name_at:
                if self._name(name_at) == field:
                    return bits // 8, inner
            else:
                found = self._member(inner, field)
                if found is not None:
                    return bits // 8 + found[0], found[1]
        return None

    def _plain(self, type_id: int) -> int:
        """Position of a type without typedef, const, volatile, restrict and type tags."""
        for _ in range(_DEEPEST):
            at = self._at[type_id]
            if type_id == 0:
                return at
            _, info, following = _TYPE.unpack_from(self._types, at)
            if (info >> 24 & 0x1F) not in (8, 9, 10, 11, 18):
                return at
            type_id = following
        raise ValueError("a type that is made of itself")

    def _name(self, at: int) -> str:
        return self._text[at : self._text.index(b"\0", at)].decode()


@cache
def _running() -> Btf:
    """Of the running kernel, read once: it takes 10 MB."""
    return Btf()


def known_offsets(fields: Iterable[str], btf: Btf | None = None) -> dict[str, int | None]:
    """Of each "struct.field"; None: this kernel has no such field. Raises Unavailable where nothing is known of its types."""
    with _ONE_READER:
        types = btf or _running()
        return {field: types.offset(field) for field in fields}


def known_functions(names: Iterable[str]) -> list[int | None]:
    """The numbers of their types. Raises Unavailable where nothing is known of the kernel's types."""
    with _ONE_READER:
        types = _running()
        return [types.function(name) for name in names]


def has_any(names: Iterable[str]) -> bool:
    """Whether the kernel has one of these functions and variables. Raises Unavailable where nothing is known of its types."""
    with _ONE_READER:
        types = _running()
        return any(types.has(name) for name in names)


def offsets(fields: Iterable[str], btf: Btf | None = None) -> list[int]:
    """
    Of each "struct.field", in bytes.

    Raises Unavailable with the fields that this kernel does not have: a program must not run with a wrong layout.
    """
    found = known_offsets(fields, btf)
    missing = [field for field, offset in found.items() if offset is None]
    if missing:
        raise Unavailable(f"this kernel has no {', '.join(missing)}; use another kernel, or report this one")
    return [offset for offset in found.values() if offset is not None]


def defines(fields: Sequence[str]) -> list[str]:
    """Compiler flags `-DO_task_struct_pid=1264` for each "struct.field". Raises Unavailable as `offsets` does."""
    return [f"-DO_{field.replace('.', '_')}={offset}" for field, offset in zip(fields, offsets(fields), strict=True)]
