"""A file with a command in each line -> Readline events: `--source log=history.txt`."""

import time

from agentsight_rx import Stream, sources
from agentsight_rx.events import Loss, Origin, Readline

__all__ = ["log"]


def log(path: str) -> Stream[Readline | Loss]:
    """The lines that the file has now."""
    return sources.from_lines(path, lambda line: Readline(Origin(time.monotonic_ns(), 0), line), name="log")
