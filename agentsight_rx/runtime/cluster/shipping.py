"""
The closed segments of a spool -> the same files at another place, each once and in order, read back and compared.

How far each folder is shipped is noted (`notes`) behind the comparison. Wherever a shipper is killed, the next one finds the
segment at the other place, compares it, and goes on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from msgspec import Struct

from ...core.errors import SpoolError
from ...core.files import why
from ...core.messages import say
from ...store.spool import Header, SegmentBroken, folders, read_header, segment_name, sequence_of
from .notes import Notes, ShipRefused, noted
from .place import At, LocalPlace, Place, ignore

_SETTLED_NS = 3_000_000_000  # the coarsest times of a file system, those of FAT, are 2 s
_REMOVAL_S = 60.0  # between two looks for what is old
_TRIES = 3  # of one segment whose stored bytes differ


class Shipped(Struct):
    """
    What a shipper did so far, in segments. `again` were sent another time, since the stored bytes differed; `there` were stored
    by an earlier shipper that was ended; `broken` have no header that can be read, and stay; `waiting` are still to go.
    """

    sent: int = 0
    size: int = 0  # bytes of those
    there: int = 0
    again: int = 0
    broken: int = 0
    removed: int = 0
    waiting: int = 0


class Shipper:
    """
    Ships the segments in `spool` at each call of `run`. Segments that are shipped and older than `keep_s` are removed; None:
    none. `ended` is asked between two segments, and `at` is called on the way: a test ends us there.
    """

    def __init__(
        self,
        spool: str | Path,
        target: Place,
        *,
        unredacted: bool = False,
        keep_s: float | None = None,
        report: Callable[[Shipped], None] = lambda _: None,
        say: Callable[[str], None] = say,
        ended: Callable[[], bool] = lambda: False,
        now_s: Callable[[], float] = time.time,
        at: At = ignore,
    ) -> None:
        self.done = Shipped()
        self._spool, self._target = Path(spool), target
        self._unredacted, self._keep_s = unredacted, keep_s
        self._report, self._say, self._ended, self._now_s, self._at = report, say, ended, now_s, at
        self._times_seen: dict[str, int] = {}  # of the last look that left nothing
        self._removed_s = 0.0
        self._notes = Notes(self._target.url, self._say)
        self._waited: set[str] = set()  # other places of which it was said that they hold up the removal
        self._said: set[Path] = set()  # segments that were reported as broken, at most as many as lie there
        if isinstance(target, LocalPlace) and Path(target.url).resolve().is_relative_to(self._spool.resolve()):
            raise ShipRefused(f"--to {target.url} is in the spool {self._spool} itself: give another folder")

    def run(self) -> None:
        """
        Ship the closed segments. Raises SpoolError where the spool cannot be read or the other place not be used, ShipRefused
        where to try again is useless.
        """
        if isinstance(self._target, LocalPlace) and not Path(self._target.url).is_dir():
            raise SpoolError(f"{self._target.url} is not there: make this folder, or mount it")
        if not self._spool.is_dir():
            raise SpoolError(f"{self._spool} is not there: give the folder of `--spool`")
        try:
            times = self._times()
            if not times or times != self._times_seen or self._removal_is_due():
                self._times_seen = {}
                if self._all_shipped():
                    self._times_seen = times
        except OSError as error:
            raise SpoolError(f"{self._spool} cannot be read or written: {why(error, self._spool)}") from error

    def _all_shipped(self) -> bool:
        """False where the end was asked for before."""
        found = {key: (folder, _numbers(folder)) for key, folder in folders(self._spool, empty=True).items()}
        for key, (folder, _) in found.items():
            if self._notes.lock(folder):
                self._target.tidy(key)
        left = {
            key: (folder, [n for n in numbers if n > self._notes.until(folder)]) for key, (folder, numbers) in found.items()
        }
        self._said &= {folder / segment_name(number) for folder, numbers in left.values() for number in numbers}
        self.done.waiting = sum(len(numbers) for _, numbers in left.values())
        if self._keep_s is not None:
            self._say_what_waits(found.values())
        for key, (folder, numbers) in left.items():
            for number in numbers:
                if self._ended():
                    return False
                self._ship(key, folder, number)
                self.done.waiting -= 1
                self._report(self.done)
        if self._keep_s is not None:
            places = self._places()
            for folder, numbers in found.values():
                self._remove(folder, numbers, places, self._keep_s)
        self._removed_s = self._now_s()
        return True

    def _times(self) -> dict[str, int]:
        """
        When something was last added to or removed from each folder: to list a week of segments takes 0.2 s. Empty where that
        was just now, since another change may have the same time.
        """
        paths = [self._spool, *(Path(each) for each in os.scandir(self._spool) if each.is_dir())]
        times = {str(path): path.stat().st_mtime_ns for path in paths}
        return times if self._now_s() * 1e9 - max(times.values()) > _SETTLED_NS else {}

    def _removal_is_due(self) -> bool:
        return self._keep_s is not None and self._now_s() - self._removed_s >= _REMOVAL_S

    def close(self) -> None:
        """Let another shipper have the spool."""
        self._notes.close()

    # -- one segment ---------------------------------------------------------------------------------------------------

    def _ship(self, key: str, folder: Path, number: int) -> None:
        path = folder / segment_name(number)
        try:
            content = path.read_bytes()
        except FileNotFoundError:  # removed since it was listed: the gap is counted where the rest is read
            self._say(f"{path} was removed before it was shipped")
            return
        header = self._header(path, content)
        if header is None:
            return
        name = f"{key}/{segment_name(number)}"
        created = self._target.create(name, content)
        self._at("stored", number)
        self._compare(name, content, None if created else header)
        self._at("compared", number)
        self._notes.note(folder, number)
        self._at("noted", number)
        if created:
            self.done.sent += 1
            self.done.size += len(content)
        else:
            self.done.there += 1

    def _header(self, path: Path, content: bytes) -> Header | None:
        """None where the segment has none, so that it is not known to be redacted."""
        try:
            header = read_header(content)
        except SegmentBroken as error:
            if path not in self._said:
                self._said.add(path)
                self.done.broken += 1
                self._say(f"{path} cannot be read and is NOT shipped: {error}")
            return None
        if not header.redacted and not self._unredacted:
            raise ShipRefused(
                f"{path} was recorded with --disable-auth-removal, so it has credentials, and is not shipped: remove it, or "
                "ship it by --unredacted"
            )
        return header

    def _compare(self, name: str, content: bytes, own: Header | None) -> None:
        """Read back the stored segment, and store it again where it differs. `own`: it was there already."""
        for _ in range(_TRIES):
            stored = self._target.read(name)
            if stored == content:
                return
            if own is not None and stored is not None:
                self._refuse_other(name, stored, own)
            size = "nothing is" if stored is None else f"{len(stored)} bytes are"
            self._say(
                f"{self._target.url}/{name} differs from the sent segment ({size} there, {len(content)} expected): sent again"
            )
            self.done.again += 1
            self._target.put(name, content)
        if self._target.read(name) != content:
            raise SpoolError(f"{self._target.url}/{name} differs from the sent segment, {_TRIES} times: check the storage")

    def _refuse_other(self, name: str, stored: bytes, own: Header) -> None:
        """Never write over the recording of another machine that has the same name."""
        try:
            other = read_header(stored)
        except (SegmentBroken, SpoolError):
            return
        if other.run != own.run:
            raise ShipRefused(
                f"{self._target.url}/{name} is of another recording (by another machine of this name, or before the spool was "
                "made anew): give this machine a name of its own by --spool-host, or another place by --to"
            )

    # -- what is removed here --------------------------------------------------------------------------------------------

    def _places(self) -> set[str]:
        """All to which something of this spool was shipped."""
        return {url for folder in noted(self._spool) for url in self._notes.read(folder)}

    def _remove(self, folder: Path, numbers: list[int], places: set[str], keep_s: float) -> None:
        notes = self._notes.read(folder)
        until = min((notes.get(url, 0) for url in places), default=0)
        for path in (folder / segment_name(number) for number in numbers if number <= until):
            if self._now_s() - path.stat().st_mtime >= keep_s:
                path.unlink()
                self.done.removed += 1

    def _say_what_waits(self, found: Collection[tuple[Path, list[int]]]) -> None:
        """A place that is no longer used would hold up the removal for ever, unseen: said once for each."""
        for url in sorted(self._places() - {self._target.url} - self._waited):
            count = sum(number > self._notes.read(folder).get(url, 0) for folder, numbers in found for number in numbers)
            if count:
                self._waited.add(url)
                self._say(
                    f"{count} segments are NOT removed here before they are at {url} too, where earlier ones were shipped: "
                    f"ship there again, or give --forget {url} once if that place is no longer used"
                )


def _numbers(folder: Path) -> list[int]:
    return sorted(_sequences(folder))


def _sequences(folder: Path) -> Iterator[int]:
    for path in folder.iterdir():
        number = sequence_of(path.name)
        if number is not None:
            yield number
