"""python -m tests.live.late SOURCE SECONDS ARGUMENTS: agentsight-rx with a reader that is so late, as on a slow machine."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from agentsight_rx.cli import main
from agentsight_rx.sources.files import _FileReader  # pyright: ignore[reportPrivateUsage]
from agentsight_rx.sources.process import _ProcessReader  # pyright: ignore[reportPrivateUsage]
from agentsight_rx.sources.tls.source import TlsReader

READERS: dict[str, type[Any]] = {"process": _ProcessReader, "files": _FileReader, "tls": TlsReader}


def make_late(reader: type[Any], seconds: float) -> None:
    """What a reader of this kind has read comes out so much later, in its order, and at its end at once."""
    real_poll, real_close = reader.poll, reader.close
    waiting: deque[tuple[float, Sequence[Any]]] = deque()

    def poll(self: Any, timeout: float, /) -> Sequence[Any] | None:
        read = real_poll(self, min(timeout, 0.05))
        if read:
            waiting.append((time.monotonic() + seconds, read))
        if waiting and (read is None or waiting[0][0] <= time.monotonic()):
            return waiting.popleft()[1]
        return None if read is None else ()

    def close(self: Any) -> Sequence[Any]:
        rest = [event for _, batch in waiting for event in batch]
        waiting.clear()
        return [*rest, *real_close(self)]

    reader.poll, reader.close = poll, close


if __name__ == "__main__":
    make_late(READERS[sys.argv[1]], float(sys.argv[2]))
    sys.argv = ["agentsight-rx", *sys.argv[3:]]
    main()
