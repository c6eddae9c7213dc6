"""Folders -> whether anything in them changed since the last question, as far as inotify has watches for them."""

from __future__ import annotations

import ctypes
import os
import select
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress

# inotify(7): writes, and names that come and go; for folders that wait for another one, names that come
_CHANGES = 0x2 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800
_COMES = 0x80 | 0x100
_ONLY_FOLDERS = 0x01000000
_IGNORED = 0x8000  # a watch is gone
_EVENT = struct.Struct("iIII")
_BUFFER = 65_536
_MOST = 4096  # watches; a user has 8,192 or more, of all programs


class Stirred:
    """`is_whole`: each folder is watched. Else whoever asks must look by the clock."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd: int = self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        self._watches: dict[tuple[str, int], int] = {}  # of folders and masks
        self.is_whole = False

    def watch(self, folders: Iterable[str], waited_for: Iterable[str]) -> bool:
        """
        Watch these folders, and where the ones that are `waited_for` will come, and no others. Returns whether there is a new
        one, in which something may have changed before.
        """
        masks = {**{_above(place): _COMES for place in waited_for}, **dict.fromkeys(folders, _CHANGES)}
        wanted = {(folder, mask) for folder, mask in masks.items() if folder}
        for gone in self._watches.keys() - wanted:
            self._libc.inotify_rm_watch(self._fd, self._watches.pop(gone))
        new = wanted - self._watches.keys()
        self.is_whole = self._fd >= 0 and len(wanted) <= _MOST
        for folder, mask in sorted(new) if self.is_whole else ():
            watch = self._libc.inotify_add_watch(self._fd, os.fsencode(folder), mask | _ONLY_FOLDERS)
            if watch >= 0:
                self._watches[folder, mask] = watch
            elif os.path.isdir(folder):
                self.is_whole = False
        return bool(new)

    def fileno(self) -> int:
        return self._fd

    def within(self, seconds: float) -> bool:
        """Wait so long for a change; whether there was one."""
        if self._fd < 0 or not select.select([self._fd], [], [], seconds)[0]:
            return False
        changed = False
        with suppress(BlockingIOError):
            while events := os.read(self._fd, _BUFFER):
                changed |= any(mask != _IGNORED for mask in _masks(events))
        return changed

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _masks(events: bytes) -> Iterator[int]:
    at = 0
    while at < len(events):
        _, mask, _, length = _EVENT.unpack_from(events, at)
        at += _EVENT.size + length
        yield mask


def _above(place: str) -> str:
    """The nearest folder above a place that is not there yet; "" for one that is."""
    if os.path.isdir(place):
        return ""
    while place and place != "/" and not os.path.isdir(place):
        place = os.path.dirname(place)
    return place
