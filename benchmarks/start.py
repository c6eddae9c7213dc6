"""What `record` costs around its command, cold and warm: seconds before and after it, processor time, memory (root)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from msgspec import Struct

from benchmarks.apart import environment

__all__ = ["ONE_SOURCE", "Start", "main", "record_once"]

_ROUNDS = 3
_COMMAND = "grep RssAnon: /proc/$PPID/status; exec date +%s.%N"  # our parent is `record`
ONE_SOURCE = [f"--no-{name}" for name in ("ssl", "plain-http", "files", "net", "stdio", "system")]
_RATIO_MOST = 0.5  # processor time, warm to cold
_ANONYMOUS_MOST, _ONE_SOURCE_MOST = 100, 60  # MB


class Start(Struct, frozen=True):
    before_s: float
    after_s: float
    processor_s: float
    anonymous_mb: float


def main() -> int:
    with TemporaryDirectory() as name:
        folder = Path(name)
        cold: list[Start] = []
        warm: list[Start] = []
        one: list[Start] = []
        for _ in range(_ROUNDS):  # in turn, so that what else runs slows all of them
            shutil.rmtree(folder / "cache", ignore_errors=True)
            cold.append(record_once(folder, []))
            warm.append(record_once(folder, []))
            one.append(record_once(folder, ONE_SOURCE))
    print(f"{'':22} s before  s after  s of processor time  MB anonymous")
    for label, starts in (("cold", cold), ("warm", warm), ("warm, processes only", one)):
        seconds = f"{_middle(starts, 'before_s'):8.2f} {_middle(starts, 'after_s'):8.2f} {_middle(starts, 'processor_s'):20.2f}"
        print(f"{label:22} {seconds} {_middle(starts, 'anonymous_mb'):13.0f}")
    ratio = _middle(warm, "processor_s") / _middle(cold, "processor_s")
    print(f"processor time, warm to cold: {ratio:.2f} (at most {_RATIO_MOST})")
    most, most_of_one = _middle(warm, "anonymous_mb"), _middle(one, "anonymous_mb")
    print(f"memory: {most:.0f} MB (at most {_ANONYMOUS_MOST}), one source {most_of_one:.0f} MB (at most {_ONE_SOURCE_MOST})")
    return int(ratio > _RATIO_MOST or most > _ANONYMOUS_MOST or most_of_one > _ONE_SOURCE_MOST)


def record_once(folder: Path, flags: Sequence[str], *, fresh: bool = True) -> Start:
    """With the cache of programs in `folder`, or if not `fresh` with that of the user."""
    env = {name: value for name, value in environment().items() if not name.startswith("SUDO_")}
    if fresh:
        env["XDG_CACHE_HOME"] = str(folder / "cache")
    store = folder / "store.lmdb"
    command = ["record", "--db", str(store), *flags, "--", "sh", "-c", _COMMAND]
    used, begun = os.times(), time.time()
    done = subprocess.run(
        [sys.executable, "-m", "agentsight_rx", *command],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    ended, used_then = time.time(), os.times()
    for path in (store, Path(f"{store}-lock")):
        path.unlink()
    found = re.search(rb"RssAnon:\s+(\d+) kB\s+([\d.]+)\n", done.stdout)
    if found is None:
        raise RuntimeError(f"the command printed {done.stdout!r}")
    ran = float(found[2])
    processor = sum(used_then[2:4]) - sum(used[2:4])
    return Start(ran - begun, ended - ran, processor, int(found[1]) / 1000)


def _middle(starts: Sequence[Start], field: str) -> float:
    return float(median(getattr(start, field) for start in starts))


if __name__ == "__main__":
    sys.exit(main())
