"""
Events -> segments in one folder, closed by time or by size.

A segment is written under a name that no reader takes (`.open`), and gets its own once it is whole and on the disk. What a
recorder that was killed has left open, the next one closes.
"""

from __future__ import annotations

import fcntl
import os
import platform
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import zstandard

from ...core.errors import SpoolError
from ...core.files import create_new, why
from ...core.messages import say
from ...events import Event
from .folder import SpoolOptions, segment_name, sequence_of
from .records import SegmentBroken, compressor
from .segment import BLOCK, Footer, Header, events_record, footer_record, header_record, key_of, salvaged

_OPEN = ".open"  # the segment that is being written
_COUNTER = ".sequence"  # the number of the next segment, also once earlier ones are removed; locked while a recorder runs


class PartWriter:
    def __init__(
        self,
        options: SpoolOptions,
        part: int,
        *,
        owner: tuple[int, int] | None,
        clock: Callable[[], float],
        offset: Callable[[], int],
        run: str,
    ) -> None:
        self._options, self._part, self._owner = options, part, owner
        self._clock, self._offset, self._run = clock, offset, run
        self._folder = Path(options.folder) / key_of(options.host, part, options.parts)
        self._lost = 0
        try:
            _make(self._folder, owner)
            self._counter = _locked(self._folder, owner)
            try:
                self._close_left_over()
                self._sequence = self._first = self._next()
            except BaseException:
                os.close(self._counter)
                raise
        except OSError as error:
            raise SpoolError(f"{self._folder} cannot be used as a spool: {why(error, self._folder)}") from error
        self._file: BinaryIO | None = None
        self._frame: zstandard.ZstdCompressionWriter | None = None
        self._began_s = 0.0
        self._size = self._count = 0
        self._first_ns = self._last_ns = 0
        self._dirty = False

    def write(self, events: Sequence[Event], /) -> None:
        at = 0
        try:
            while at < len(events):
                self._block(events[at : at + BLOCK])
                at += BLOCK
                if self._size >= self._options.size:
                    self._seal(ended=False)
        except BaseException:
            self._abandon(max(0, len(events) - at))
            raise

    def _block(self, events: Sequence[Event]) -> None:
        encoded = events_record(events)
        frame = self._frame or self._begin()
        frame.write(encoded)
        if not self._count:
            self._first_ns = events[0].origin.time_ns
        self._count += len(events)
        self._size += len(encoded)
        self._last_ns = events[-1].origin.time_ns
        self._dirty = True

    def _begin(self) -> zstandard.ZstdCompressionWriter:
        file = os.fdopen(create_new(self._folder / _OPEN, self._owner), "wb")
        self._file = file
        self._frame = compressor().stream_writer(file, closefd=False)
        self._began_s = self._clock()
        self._frame.write(header_record(self._header()))
        self._frame.flush(zstandard.FLUSH_BLOCK)  # to be read alone
        return self._frame

    def _header(self) -> Header:
        options = self._options
        return Header(
            host=options.host,
            part=self._part,
            parts=options.parts,
            sequence=self._sequence,
            first=self._first,
            run=self._run,
            product=_version(),
            python=platform.python_version(),
            redacted=options.redacted,
            wall_offset_ns=self._offset(),
        )

    def flush(self) -> None:
        try:
            if self._frame is not None and self._clock() - self._began_s >= self._options.seconds:
                self._seal(ended=False)
            elif self._dirty and self._frame is not None and self._file is not None:
                self._frame.flush(zstandard.FLUSH_BLOCK)
                self._file.flush()
                self._dirty = False
        except BaseException:
            self._abandon(0)
            raise

    def close(self, *, ended: bool) -> None:
        """An end that is due is written also where nothing came since the last segment."""
        try:
            if self._frame is not None or (ended and self._sequence > self._first):
                self._seal(ended=ended)
        except BaseException:
            self._abandon(0)
            raise

    def _seal(self, *, ended: bool) -> None:
        frame = self._frame or self._begin()
        footer = Footer(events=self._count, first_ns=self._first_ns, last_ns=self._last_ns, ended=ended)
        frame.write(footer_record(footer))
        frame.flush(zstandard.FLUSH_FRAME)
        assert self._file is not None
        _place(self._folder, self._file, self._sequence, self._counter)
        self._sequence += 1
        self._forget()

    def _forget(self) -> None:
        self._file = self._frame = None
        self._size = self._count = self._first_ns = self._last_ns = 0
        self._dirty = False

    def _abandon(self, unwritten: int) -> None:
        """The open segment cannot be finished: its events are lost, and the next event begins it anew."""
        self._lost += self._count + unwritten
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        with suppress(OSError):
            (self._folder / _OPEN).unlink()
        self._forget()

    def take_lost(self) -> int:
        lost, self._lost = self._lost, 0
        return lost

    def unlock(self) -> None:
        with suppress(OSError):
            os.close(self._counter)

    # -- what earlier recorders left -----------------------------------------------------------------------------------

    def _next(self) -> int:
        kept = os.pread(self._counter, 32, 0).strip()
        there = max((sequence_of(each.name) or 0 for each in self._folder.iterdir()), default=0)
        return max(int(kept) if kept.isdigit() else 1, there + 1)

    def _close_left_over(self) -> None:
        left = self._folder / _OPEN
        if not left.exists():
            return
        try:
            header, batches = salvaged(left.read_bytes())
        except (SegmentBroken, SpoolError) as error:
            say(f"{left}, of a recorder that was killed, cannot be read and is removed: {error}")
            left.unlink()
            return
        left.unlink()
        if (self._folder / segment_name(header.sequence)).exists():
            return  # it was closed, and only its old name was left
        events = [event for batch in batches for event in batch]
        footer = Footer(
            events=len(events),
            first_ns=events[0].origin.time_ns if events else 0,
            last_ns=events[-1].origin.time_ns if events else 0,
            ended=True,
            cut=True,
        )
        file = os.fdopen(create_new(left, self._owner), "wb")
        content = [header_record(header), *map(events_record, batches), footer_record(footer)]
        file.write(compressor().compress(b"".join(content)))
        _place(self._folder, file, header.sequence, self._counter)


def _place(folder: Path, file: BinaryIO, sequence: int, counter: int) -> None:
    """Give the open segment its name: it and the number of the next one are on the disk before."""
    file.flush()
    os.fsync(file.fileno())
    file.close()
    os.pwrite(counter, f"{sequence + 1:020}\n".encode(), 0)
    os.fsync(counter)
    os.rename(folder / _OPEN, folder / segment_name(sequence))
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make(folder: Path, owner: tuple[int, int] | None) -> None:
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    for made in missing:
        made.chmod(0o700)
        if owner is not None:
            os.chown(made, *owner)


def _locked(folder: Path, owner: tuple[int, int] | None) -> int:
    path = folder / _COUNTER
    with suppress(FileExistsError):
        os.close(create_new(path, owner))
    counter = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(counter, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(counter)
        raise SpoolError(
            f"{folder} is written by another recorder: give this one another folder by --spool, or a name by --spool-host"
        ) from error
    return counter


def _version() -> str:
    from importlib.metadata import version  # takes longer to import than all else here

    return version("agentsight-rx")
