"""Events and rows -> a text file with the number of each kind: `--sink kinds=counts.txt`."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from agentsight_rx import Sink

__all__ = ["kinds"]


def kinds(path: str) -> Sink[object]:
    """Write one line for each kind when the run ends."""
    return Sink("kinds", lambda _: _KindsWriter(Path(path)))


class _KindsWriter:
    def __init__(self, path: Path) -> None:
        self._file = path.open("w")
        self._counts: Counter[str] = Counter()

    def write(self, batch: Sequence[object], /) -> None:
        self._counts.update(type(item).__name__ for item in batch)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self._file.writelines(f"{name} {count}\n" for name, count in sorted(self._counts.items()))
        self._file.close()
