"""Recordings -> events: stores, our own envelopes, and the lines that the original's probes print."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from ...core.stream import Stream, origin
from ...envelope import decode_envelope
from ...errors import CaptureError
from ...events import Event, Loss, Origin, Tick, time_of
from ...loss import Reason
from ...say import say
from ...state import LmdbStore, is_lmdb
from ...view.log import read_events
from .original_lines import OriginalLines

__all__ = ["ReplayOptions", "replay"]

_BATCH = 256
_LONGEST = 64 << 20  # bytes: twice a line with 16 MiB as hex
_BROKEN = (msgspec.MsgspecError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


class ReplayOptions(msgspec.Struct, frozen=True):
    """The files to read, in order: stores, or lines of JSON; `-` is standard input."""

    paths: tuple[str, ...]


def replay(options: ReplayOptions) -> Stream[Event]:
    """
    Every event of the files in order; time advances by the events alone. A line that is not an event is counted as malformed
    and reported with its file and line number.
    """
    return origin("replay", lambda: _ReplayReader(options), time_of=time_of, options=" ".join(options.paths))


class _ReplayReader:
    def __init__(self, options: ReplayOptions, say: Callable[[str], None] = say) -> None:
        self._paths = options.paths
        self._say = say
        self._lines: Iterator[Event] = iter(())
        self._opened: list[BinaryIO | LmdbStore] = []
        self._skipped = 0

    def open(self) -> None:
        try:
            recordings = [(path, self._recording(path)) for path in self._paths]
        except BaseException:
            self.close()
            raise
        self._lines = self._events(recordings)

    def _recording(self, path: str) -> BinaryIO | LmdbStore:
        if path == "-":
            return sys.stdin.buffer
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
        batch: list[Event] = []
        for event in self._lines:
            batch.append(event)
            if len(batch) >= _BATCH or isinstance(event, Tick):
                break
        return batch or None

    def _events(self, recordings: list[tuple[str, BinaryIO | LmdbStore]]) -> Iterator[Event]:
        last = Origin(0, 0)
        for name, file in recordings:
            if isinstance(file, LmdbStore):
                for event in read_events(file):
                    last = event.origin
                    yield event
                continue
            original = OriginalLines()
            number = 0
            while line := file.readline(_LONGEST):
                number += 1
                if not line.strip():
                    continue
                try:
                    events = _decoded(line, original)
                except _BROKEN as error:
                    note = f"{name} line {number}: {_short(error)}"
                    self._report(note)
                    events = [Loss(last, "replay", reason=Reason.MALFORMED, count=1, size=len(line), note=note)]
                if events:
                    last = events[-1].origin
                yield from events

    def _report(self, note: str) -> None:
        self._skipped += 1
        if self._skipped <= 10:
            self._say(f"not an event, skipped: {note}")

    def lost(self) -> Sequence[Event]:
        return ()

    def close(self) -> Sequence[Event]:
        if self._skipped > 10:
            self._say(f"{self._skipped - 10} more lines were skipped")
        for file in self._opened:
            file.close()
        self._opened = []
        return ()


def _decoded(line: bytes, original: OriginalLines) -> list[Event]:
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
