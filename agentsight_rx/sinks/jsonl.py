"""Events -> a file of JSON envelopes, one a line, that `replay` reads back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..core.errors import SinkError
from ..core.files import create_private, why
from ..core.sink import Sink
from .console import lines_of
from .lines import LineFile

__all__ = ["jsonl"]


def jsonl(path: str | Path, *, owner: tuple[int, int] | None = None) -> Sink[object]:
    """Write every event to a new file at `path`: readable by its owner only, since it holds prompts and answers."""
    return Sink("jsonl", lambda _: _JsonlWriter(Path(path), owner))


class _JsonlWriter:
    def __init__(self, path: Path, owner: tuple[int, int] | None) -> None:
        try:
            self._fd = create_private(path, owner)
        except OSError as error:
            raise SinkError(f"{path} cannot be written: {why(error, path)}") from error
        self._lines = LineFile(self._fd, str(path), cut=True)

    def write(self, batch: Sequence[object], /) -> None:
        self._lines.write(lines_of(batch))

    def flush(self) -> None:
        pass

    def close(self) -> None:
        os.close(self._fd)
