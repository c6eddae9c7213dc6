"""Recordings -> events: stores, our own envelopes, and the lines that the original's probes print."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from ...core.errors import CaptureError
from ...core.messages import say
from ...core.options import Options
from ...core.stream import Stream, origin
from ...events import Event, Loss, Origin, Tick, time_of
from ...events.envelope import decode_envelope
from ...events.loss import Reason

if TYPE_CHECKING:
    from ...store.state import LmdbStore
    from .original_lines import OriginalLines


_BATCH = 4096
_BLOCK = 4 << 20
_LONGEST = 64 << 20  # bytes: twice a line with 16 MiB as hex
_BROKEN = (msgspec.MsgspecError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


class ReplayOptions(Options, frozen=True):
    """The files to read, in order: stores, or lines of JSON; `-` is standard input."""

    paths: tuple[str, ...]


def replay(options: ReplayOptions) -> Stream[Event]:
    """
    Every event of the files in order; time advances by the events alone. A line that is not an event is counted as malformed
    and reported with its file and line number.
    """
    return origin("replay", lambda: _ReplayReader(options), time_of=time_of, options=" ".join(options.paths))


class _ReplayReader:
    def __init__(self, options: ReplayOptions) -> None:
        self._paths = options.paths
        self._batches: Iterator[list[Event]] = iter(())
        self._opened: list[BinaryIO | LmdbStore] = []
        self._skipped = 0

    @property
    def repeats(self) -> bool:
        """Whether another run may read the same again."""
        return "-" not in self._paths

    def open(self) -> None:
        try:
            recordings = [(path, self._recording(path)) for path in self._paths]
        except BaseException:
            self.close()
            raise
        self._batches = self._read(recordings)

    def _recording(self, path: str) -> BinaryIO | LmdbStore:
        if path == "-":
            return sys.stdin.buffer
        from ...store.state import LmdbStore, is_lmdb

        try:
            if is_lmdb(path):
                found: BinaryIO | LmdbStore = LmdbStore.open(path, readonly=True)
            else:
                found = Path(path).open("rb")  # noqa: SIM115 (closed in close)
        except OSError as error:
            raise CaptureError(f"{path} cannot be read: {error.strerror}") from error
        self._opened.append(found)
        return found

    def poll(self, timeout: float, /) -> Sequence[Event] | None:
        return next(self._batches, None)

    def _read(self, recordings: list[tuple[str, BinaryIO | LmdbStore]]) -> Iterator[list[Event]]:
        """The events in batches that a Tick ends."""
        from ...store.state import LmdbStore

        last = Origin(0, 0)
        for name, file in recordings:
            if isinstance(file, LmdbStore):
                from ...store.log.reading import read_events  # imports half of the program, which a capture does not need

                found = read_events(file)
                while batch := _upto_tick(found):
                    last = batch[-1].origin
                    yield batch
                continue
            for batch in self._of_lines(name, file, last):
                last = batch[-1].origin
                yield batch

    def _of_lines(self, name: str, file: BinaryIO, last: Origin) -> Iterator[list[Event]]:
        """A line that holds bytes of TLS, ours or the original's, is decoded in one go, any other one in the general way."""
        from .original_lines import OriginalLines
        from .own_lines import OwnLines

        original = OriginalLines()
        usual, other = OwnLines().usual, original.usual
        number = 0
        for lines, end in _blocks(file):
            batch: list[Event] = []
            for line in lines:
                number += 1
                try:
                    batch.append(usual(line))
                except _BROKEN:
                    if not line.strip():
                        continue
                    try:
                        batch.append(other(line))
                        usual, other = other, usual
                        continue
                    except _BROKEN:
                        pass
                    try:
                        batch += _events_of(line, original)
                    except _BROKEN as error:
                        note = f"{name} line {number}: {_short(error)}"
                        self._report(note)
                        origin = batch[-1].origin if batch else last
                        size = len(line) + end
                        batch.append(Loss(origin, "replay", reason=Reason.MALFORMED, count=1, size=size, note=note))
                    if batch and type(batch[-1]) is Tick:
                        last = batch[-1].origin
                        yield batch
                        batch = []
            if batch:
                last = batch[-1].origin
                yield batch

    def _report(self, note: str) -> None:
        self._skipped += 1
        if self._skipped <= 10:
            say(f"not an event, skipped: {note}")

    def lost(self) -> Sequence[Event]:
        return ()

    def close(self) -> Sequence[Event]:
        if self._skipped > 10:
            say(f"{self._skipped - 10} more lines were skipped")
        for file in self._opened:
            file.close()
        self._opened = []
        return ()


def _upto_tick(events: Iterator[Event]) -> list[Event]:
    batch: list[Event] = []
    for event in events:
        batch.append(event)
        if len(batch) >= _BATCH or type(event) is Tick:
            break
    return batch


def _blocks(file: BinaryIO) -> Iterator[tuple[list[bytes], int]]:
    """Lines, many at a time, and the size of the mark at the end of each. One longer than the longest is cut into several."""
    rest = b""
    read = getattr(file, "read1", file.read)  # a pipe gives what it has
    while block := read(_BLOCK):
        block = rest + block if rest else block
        *lines, rest = block.split(b"\n")
        for start in range(0, len(lines), _BATCH):
            yield lines[start : start + _BATCH], 1
        if len(rest) > _LONGEST:
            yield [rest], 0
            rest = b""
    if rest:
        yield [rest], 0


def _events_of(line: bytes, original: OriginalLines) -> list[Event]:
    value = msgspec.json.decode(line)
    if not isinstance(value, dict):
        raise ValueError("a JSON object is expected")
    data: object = value.get("data")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if isinstance(data, dict) and "event_type" in data:
        return [decode_envelope(value)]  # pyright: ignore[reportUnknownArgumentType]
    return original.events(value)  # pyright: ignore[reportUnknownArgumentType]


def _short(error: Exception) -> str:
    text = f"missing {error}" if isinstance(error, KeyError) else str(error)
    return text if len(text) < 160 else f"{text[:157]}..."
