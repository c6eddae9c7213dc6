"""A file with a command in each line -> Readline events: `--source log=history.txt`."""

import time
from collections.abc import Sequence
from pathlib import Path

from agentsight_rx import Stream
from agentsight_rx.core.stream import origin
from agentsight_rx.errors import CaptureError
from agentsight_rx.events import Origin, Readline, time_of

__all__ = ["log"]


def log(path: str) -> Stream[Readline]:
    """The lines that the file has now."""
    return origin("log", lambda: _LogReader(Path(path)), time_of=time_of, options=path)


class _LogReader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[str] = []

    def open(self) -> None:
        try:
            self._lines = self._path.read_text().splitlines()
        except OSError as error:
            raise CaptureError(f"{self._path} cannot be read: {error.strerror}") from error

    def poll(self, timeout: float, /) -> Sequence[Readline] | None:
        lines, self._lines = self._lines, []
        return [Readline(Origin(time.monotonic_ns(), 0), line) for line in lines] or None

    def lost(self) -> Sequence[Readline]:
        return ()

    def close(self) -> Sequence[Readline]:
        return ()
