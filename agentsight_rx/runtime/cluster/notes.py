"""How far each folder of a spool is shipped to which place: notes beside its segments, of which one shipper is the owner."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import msgspec

from ...core.errors import SpoolError
from ...core.files import create_new, why, written_whole
from ...core.messages import say

_SHIPPED = ".shipped"  # {URL: number of the last segment that is there}
_LOCK = ".shipping"


class ShipRefused(SpoolError):
    """What no later attempt mends: whoever runs the hosts must act."""


class Notes:
    """The notes of the place `url`, and the notes beside them. Every method raises OSError where a folder cannot be used."""

    def __init__(self, url: str, say: Callable[[str], None] = say) -> None:
        self._url, self._say = url, say
        self._locks = ExitStack()
        self._locked: set[Path] = set()

    def lock(self, folder: Path) -> bool:
        """Keep other shippers out until `close`; False: it was locked already. Raises ShipRefused where another has it."""
        if folder in self._locked:
            return False
        path = folder / _LOCK
        if not path.exists():
            os.close(create_new(path, _owner(folder)))
        lock = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise ShipRefused(f"{folder} is shipped by another process: end that one first") from None
        self._locks.callback(os.close, lock)
        self._locked.add(folder)
        for part in folder.glob(".*.part"):  # unfinished notes of a shipper that was killed: no one else writes any
            with suppress(FileNotFoundError):
                part.unlink()
        return True

    def close(self) -> None:
        """Let another shipper have the folders."""
        self._locks.close()
        self._locked.clear()

    def read(self, folder: Path) -> dict[str, int]:
        """The number of the last segment that is at each place."""
        try:
            return msgspec.json.decode((folder / _SHIPPED).read_bytes(), type=dict[str, int])
        except FileNotFoundError:
            return {}
        except msgspec.MsgspecError:
            self._say(f"{folder / _SHIPPED} cannot be read: all segments are compared with the stored ones")
            return {}

    def until(self, folder: Path) -> int:
        return self.read(folder).get(self._url, 0)

    def note(self, folder: Path, number: int) -> None:
        self._write(folder, self.read(folder) | {self._url: number})

    def forget(self, folder: Path) -> bool:
        """Remove the note of this place; False: there is none. Raises ShipRefused where a shipper runs."""
        self.lock(folder)
        left = self.read(folder)
        if left.pop(self._url, None) is None:
            return False
        self._write(folder, left)
        return True

    def _write(self, folder: Path, notes: dict[str, int]) -> None:
        with written_whole(folder / _SHIPPED, _owner(folder), replace=True) as file:
            file.write(msgspec.json.encode(notes))


def noted(spool: Path) -> list[Path]:
    """The folders of a spool that have notes, with or without a segment."""
    return [path.parent for path in sorted([*spool.glob(_SHIPPED), *spool.glob(f"*/{_SHIPPED}")])]


def forget(spool: Path, url: str, say: Callable[[str], None] = say) -> None:
    """
    A place that is no longer used: nothing waits for it any more. Raises SpoolError where nothing of this spool was shipped
    there or it cannot be noted, ShipRefused where a shipper runs.
    """
    places: set[str] = set()
    found = 0
    try:
        for folder in noted(spool):
            known = Notes(url, say).read(folder)
            places |= known.keys()
            for each in known.keys() & {url, url.rstrip("/"), str(Path(url).absolute())}:
                notes = Notes(each, say)
                try:
                    found += notes.forget(folder)
                finally:
                    notes.close()
    except OSError as error:
        raise SpoolError(f"{spool} cannot be read or written: {why(error, spool)}") from error
    if not found:
        others = f": it was to {', '.join(sorted(places))}" if places else ""
        raise SpoolError(f"nothing of {spool} was shipped to {url}{others}")
    say(f"{url} is forgotten: segments are removed without being there")


def _owner(folder: Path) -> tuple[int, int] | None:
    """Root writes beside the segments of a user as that user."""
    if os.geteuid() != 0:
        return None
    seen = folder.stat()
    return seen.st_uid, seen.st_gid
