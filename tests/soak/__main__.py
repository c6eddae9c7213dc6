"""./test.sh --soak [TIME]: each row for its share of the time, then the table. The exit status is 1 if a row failed."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from agentsight_rx.cli.values import seconds_of

from ..live.watched import Scene, scene_in
from .measured import Figure
from .rows import killed, many, quiet, sinks, slowed, stopped

__all__ = ["main"]

_WHOLE_S = 1800.0  # the time for which the sizes below are
_RUNS, _KILLS, _ROUNDS = 2000, 20, 3


def rows(seconds: float) -> dict[str, Callable[[Scene], Iterator[Figure]]]:
    """The rows, each as long as its share of so many seconds allows."""
    share = seconds / _WHOLE_S

    def some(count: int, least: int) -> int:
        return max(least, round(count * share))

    return {
        "no agent": lambda scene: quiet(scene, rate=1000, seconds=max(10.0, 120 * share)),
        "other programs": lambda scene: slowed(scene, times=some(400_000, 100_000), rounds=_ROUNDS),
        "many agents": lambda scene: many(scene, runs=some(_RUNS, 16), at_once=8),
        "killed": lambda scene: killed(scene, times=some(_KILLS, 2)),
        "stopped": lambda scene: stopped(scene, seconds=max(10.0, 60 * min(1.0, 4 * share)), programs=some(20_000, 1000)),
        "sinks": lambda scene: sinks(scene, seconds=max(5.0, 180 * share), programs=some(20_000, 1000)),
    }


def main(words: Sequence[str]) -> int:
    """`words`: a time such as 30m, and names of rows; all of them without."""
    seconds = seconds_of(words[0] if words else "30m", "TIME") or _WHOLE_S
    wanted = set(words[1:])
    failed, found = 0, list[Figure]()
    for name, row in rows(seconds).items():
        if wanted and name not in wanted:
            continue
        begun_s = time.monotonic()
        with TemporaryDirectory(prefix="agentsight-rx-soak-") as folder:
            try:
                with scene_in(Path(folder)) as scene:
                    found += row(scene)
            except Exception:
                failed = 1
                traceback.print_exc()
                found.append(Figure(name, "it failed, see above", "", "", False))
        print(f"{name}: {time.monotonic() - begun_s:.0f} s", file=sys.stderr, flush=True)
    print(table(found))
    return failed


def table(found: Sequence[Figure]) -> str:
    """In Markdown, with the machine."""
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    lines = [f"{date.today()}, {os.cpu_count()} processors, load {load}, Linux {os.uname().release}", ""]
    lines += ["| row | what | measured | target | kept |", "| --- | --- | --- | --- | --- |"]
    words = {True: "yes", False: "no", None: ""}
    lines += [f"| {each.row} | {each.what} | {each.measured} | {each.target} | {words[each.kept]} |" for each in found]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
