"""
An LMDB file -> whether pages of it are missing, by its own page numbers and read without a memory map.

LMDB reads its file through a memory map, and a page behind the end of the file ends the process by SIGBUS. Layout: mdb.c of
LMDB 0.9, "Page structures": MDB_page, MDB_node, MDB_db, MDB_meta, in the byte order of the machine.
"""

from __future__ import annotations

import os
import struct
import sys

_MAGIC = 0xBEEFC0DE
_PAGE = struct.Struct("=QHHHH")  # number, pad, flags, lower, upper; of long values the last two are a count of pages
_NODE = struct.Struct("=HHHH")  # low and high half of a size, flags, size of the key
_TREE = struct.Struct("=IHHQQQQQ")  # pad, flags, depth, branch, leaf and overflow pages, entries, root
_META_FRONT = struct.Struct("=IIQQ")  # magic, version, address, size of the map
_META_END = struct.Struct("=QQ")  # last page, transaction
_BRANCH, _LEAF = 0x01, 0x02
_LONG = 0x01  # flag of a node: the value is in pages of its own
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
            elif flags & _LEAF and node_flags & _LONG:
                (first,) = struct.unpack_from("=Q", raw, at + _NODE.size + key_size)
                count = -(-(_PAGE.size + (low | high << 16)) // page_size)
                if first + count > pages:
                    return True
    return False
