"""
An LMDB file -> whether pages of it are missing, by its own page numbers and read without a memory map.

LMDB reads its file through a memory map, and a page behind the end of the file ends the process by SIGBUS. Layout: mdb.c of
LMDB 0.9, "Page structures": MDB_page, MDB_node, MDB_db, MDB_meta, in the byte order of the machine.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple, TypeVar
from zlib import crc32

from ...core.patterns import regex

# -- cutting -------------------------------------------------------------------------------------------------------
# Bytes -> pieces of them, such that what two contents have in common is cut in the same places.


# Behind an element of JSON, a line in a text in JSON, an indented line, a sentence. Sets are found in a third of the time that
# alternatives take. What follows decides: in most contents such a place comes after some 500 bytes
_ENDS = regex(rb'[\\\]}".\n][n, ](?=[a-g{\\])')
_ANY_END = regex(rb'[\\\]}".\n][n, ]')
_LEAST, _MOST = 512, 4096  # bytes of a piece; from 256 on there are 1.6 times as many, each of which takes 2 µs
_END = 2  # bytes of such a place; no two overlap
# Where nothing was found for so long, the same begin stands behind every end, or there is none. There the bytes around each
# decide, which takes four times as long
_LONG = 2048
_ELEMENT = b"]}"  # what a list or an object ends with
_AROUND = 8  # bytes before and behind a place that decide
_ONE_OF = 8  # such places; they are some 60 bytes apart
AHEAD = _MOST + _AROUND  # bytes behind a place that may decide whether it is cut there


def cut(content: bytes, /) -> list[bytes]:
    """The pieces of `content`, in order."""
    ends = (0, *cut_ends(content))
    return [piece for last, end in pairwise(ends) for piece in pieces_between(content, last, end)]


def cut_ends(content: bytes, start: int = 0, /) -> Iterator[int]:
    """
    Where `content` is cut behind `start`, which is 0 or such a place itself; the last one is its end.

    Only the bytes around a place decide whether it is cut there, so behind a difference the pieces of two contents are soon
    the same again. What has no such place for long, as an image, is also cut where it begins.
    """
    last = start
    while found := _ENDS.search(content, last + _LEAST - _END):
        end = found.end()
        if end - last > _LONG:
            yield from _within(content, last, end)
        yield end
        last = end
    if len(content) - last > _LONG:
        yield from _within(content, last, len(content))
    if len(content) > last:
        yield len(content)


def _within(content: bytes, start: int, stop: int) -> Iterator[int]:
    """Where a long content is cut."""
    last, ends = start, [found.end() for found in _ANY_END.finditer(content, start, stop)]
    for end, after in pairwise((*ends, stop)):
        if after - end > _MOST or (
            end - last >= _LEAST
            and (crc32(content[end - _AROUND : end + _AROUND]) % _ONE_OF == 0 or content[end - 2] in _ELEMENT)
        ):
            yield end
            last = end


def pieces_between(content: bytes, start: int, end: int, /) -> Iterator[bytes]:
    """The pieces between two cuts, at most so many bytes each."""
    return (content[at : min(at + _MOST, end)] for at in range(start, end, _MOST))


# ------------------------------------------------------------------------------------------------------------------------


_MAGIC = 0xBEEFC0DE
_PAGE = struct.Struct("=QHHHH")  # number, pad, flags, lower, upper; of long values the last two are a count of pages
_NODE = struct.Struct("=HHHH")  # low and high half of a size, flags, size of the key
_TREE = struct.Struct("=IHHQQQQQ")  # pad, flags, depth, branch, leaf and overflow pages, entries, root
_META_FRONT = struct.Struct("=IIQQ")  # magic, version, address, size of the map
_META_END = struct.Struct("=QQ")  # last page, transaction
_BRANCH, _LEAF = 0x01, 0x02
_LMDB_PAGES_LONG = 0x01  # flag of a node: the value is in pages of its own
_NO_ROOT = (1 << 64) - 1
_META_SIZE = _PAGE.size + _META_FRONT.size + 2 * _TREE.size + _META_END.size


def is_lmdb(path: str) -> bool:
    """True for a regular file that begins as LMDB's do; of a pipe nothing is read. Raises OSError."""
    if os.path.exists(path) and not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        front = file.read(_PAGE.size + 4)
    return len(front) == _PAGE.size + 4 and int.from_bytes(front[_PAGE.size :], sys.byteorder) == _MAGIC


def is_truncated(path: str) -> bool:
    """
    True if a page that the newest transaction needs lies behind the end of the file. False for what LMDB will refuse itself.
    Raises OSError.

    The last page of a file may be a free one that was never written: then the trees are walked.
    """
    with open(path, "rb") as file:
        fd = file.fileno()
        metas = _metas(fd)
        size = os.fstat(fd).st_size  # after the pages of a writer: they are written before what refers to them
        if not metas:
            return False
        last, page_size, roots = metas
        if (last + 1) * page_size <= size:
            return False
        try:
            return any(_beyond(fd, root, page_size, size // page_size) for root in roots if root != _NO_ROOT)
        except struct.error:  # no page of a tree where one must be
            return True


def _metas(fd: int) -> tuple[int, int, list[int]] | None:
    """Of the newest transaction: the last page, the size of a page, the roots of both trees."""
    first = _meta(os.pread(fd, _META_SIZE, 0))
    if first is None:
        return None
    second = _meta(os.pread(fd, _META_SIZE, first[2]))
    newest = first if second is None or second[0] < first[0] else second
    return newest[1], first[2], newest[3]


def _meta(raw: bytes) -> tuple[int, int, int, list[int]] | None:
    """Transaction, last page, size of a page, roots."""
    if len(raw) < _META_SIZE or _META_FRONT.unpack_from(raw, _PAGE.size)[0] != _MAGIC:
        return None
    at = _PAGE.size + _META_FRONT.size
    free, main = _TREE.unpack_from(raw, at), _TREE.unpack_from(raw, at + _TREE.size)
    last, transaction = _META_END.unpack_from(raw, at + 2 * _TREE.size)
    page_size: int = free[0]
    return (transaction, last, page_size, [free[-1], main[-1]]) if page_size >= 512 else None


def _beyond(fd: int, root: int, page_size: int, pages: int) -> bool:
    """Does the tree at `root` have a page that is not among the first `pages`?"""
    waiting, walked = [root], 0
    while waiting:
        number = waiting.pop()
        walked += 1
        if number >= pages or walked > pages:  # more pages than there are: a circle
            return True
        raw = os.pread(fd, page_size, number * page_size)
        _, _, flags, lower, _ = _PAGE.unpack_from(raw)
        for at in struct.unpack_from(f"={max(0, (lower - _PAGE.size) // 2)}H", raw, _PAGE.size):
            low, high, node_flags, key_size = _NODE.unpack_from(raw, at)
            if flags & _BRANCH:
                waiting.append(low | high << 16 | node_flags << 32)
            elif flags & _LEAF and node_flags & _LMDB_PAGES_LONG:
                (first,) = struct.unpack_from("=Q", raw, at + _NODE.size + key_size)
                count = -(-(_PAGE.size + (low | high << 16)) // page_size)
                if first + count > pages:
                    return True
    return False


# -- sweeping ------------------------------------------------------------------------------------------------------
# Blocks of rows, each with a range of time -> their rows in the order of time; each is opened when the order comes to it.


R = TypeVar("R")


class Timed(NamedTuple):
    """A block whose rows have times from `first` to `last`."""

    first: int
    last: int
    place: bytes


def sweep(
    blocks: Iterable[Timed], opened: Callable[[bytes], Iterable[tuple[int, bytes, R]]], /, *, reverse: bool = False
) -> Iterator[tuple[int, bytes, R]]:
    """
    The rows of the blocks, which come in the order of their first times, or in the reverse one of their last.

    `opened` gives the rows of a place, each with its time and a key that no other row has. Rows wait only while a closed block
    may have an earlier row.
    """
    waiting: list[tuple[int, bytes, R]] = []
    for block in blocks:
        count = next((at for at, row in enumerate(waiting) if _waits(row[0], block, reverse)), len(waiting))
        yield from waiting[:count]
        waiting = sorted([*waiting[count:], *opened(block.place)], key=lambda row: row[:2], reverse=reverse)
    yield from waiting


def _waits(time: int, block: Timed, reverse: bool) -> bool:
    return time <= block.last if reverse else time >= block.first
