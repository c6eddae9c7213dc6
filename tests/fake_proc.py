"""A directory that is as /proc is, for tests of what reads it."""

from __future__ import annotations

import os
import time
from pathlib import Path

__all__ = ["FakeProc"]

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class FakeProc:
    """Processes that are put there, of a machine that was started an hour ago."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.booted_s = int(time.time()) - 3600
        path.mkdir(parents=True, exist_ok=True)
        (path / "stat").write_text(f"cpu 1 2 3\nbtime {self.booted_s}\n")

    def put(
        self,
        pid: int,
        *argv: str,
        comm: str = "",
        ppid: int = 1,
        start_s: int = 60,
        cpu_s: float = 0.0,
        rss_mb: int = 10,
        cwd: str = "/home/ada/code",
        files: tuple[str, ...] = (),
        state: str = "S",
    ) -> None:
        """A process, new or as it is now; `start_s` counts from the start of the machine."""
        place = self.path / str(pid)
        (place / "fd").mkdir(parents=True, exist_ok=True)
        name = comm or argv[0].rpartition("/")[2]
        fields = [state, str(ppid), *["0"] * 9, str(round(cpu_s * _TICK)), *["0"] * 7]
        fields += [str(start_s * _TICK), "0", str((rss_mb << 20) // _PAGE), *["0"] * 10]
        (place / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n")
        (place / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in argv))
        _link(place / "cwd", cwd)
        for number, file in enumerate(files):
            _link(place / "fd" / str(number + 3), file)


def _link(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)
