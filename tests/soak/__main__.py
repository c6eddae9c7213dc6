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
from tests.live.watched import Scene, scene_in
from tests.soak.measured import Figure
from tests.soak.pages import page
from tests.soak.rows import killed, many, quiet, shed, sinks, slowed, stopped

__all__ = ["main"]

_WHOLE_S = 1800.0  # the time for which the sizes below are
_RUNS, _KILLS, _ROUNDS = 2000, 20, 5
_MANY = 0.4  # of the time


def rows(seconds: float) -> dict[str, Callable[[Scene], Iterator[Figure]]]:
    """The rows, each as long as its share of so many seconds allows."""
    share = seconds / _WHOLE_S

    def some(count: int, least: int) -> int:
        return max(least, round(count * share))

    return {
        "no agent": lambda scene: quiet(scene, rate=1000, seconds=max(10.0, 120 * share)),
        "other programs": lambda scene: slowed(scene, times=some(400_000, 50_000), rounds=some(_ROUNDS, 1)),
        "many agents": lambda scene: many(scene, runs=_RUNS, at_once=8, seconds=seconds * _MANY),
        "killed": lambda scene: killed(scene, times=some(_KILLS, 3)),
        "stopped": lambda scene: stopped(scene, seconds=max(10.0, 60 * min(1.0, 4 * share)), programs=some(20_000, 1000)),
        "sinks": lambda scene: sinks(scene, seconds=max(5.0, 180 * share), programs=some(20_000, 1000)),
        "live page": lambda scene: page(scene, rate=5, seconds=max(30.0, 600 * share)),
        "shed": lambda scene: shed(scene, calls=some(50, 2)),
    }


def main(words: Sequence[str]) -> int:
    """`words`: a time such as 30m, and names of rows; all of them without."""
    seconds = seconds_of(words[0] if words else "30m", "TIME") or _WHOLE_S
    wanted = set(words[1:])
    failed = 0
    print("\n".join(head()), flush=True)
    for name, row in rows(seconds).items():
        if wanted and name not in wanted:
            continue
        begun_s = time.monotonic()
        with TemporaryDirectory(prefix="agentsight-rx-soak-") as folder:
            try:
                with scene_in(Path(folder)) as scene:
                    for figure in row(scene):
                        print(line(figure), flush=True)
            except Exception:
                failed = 1
                traceback.print_exc()
                print(line(Figure(name, "it failed", "see above", "", False)), flush=True)
        print(f"{name}: {time.monotonic() - begun_s:.0f} s", file=sys.stderr, flush=True)
    return failed


def head() -> list[str]:
    """The machine, and the first lines of the table in Markdown."""
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    machine = f"{date.today()}, {os.cpu_count()} processors, load {load}, Linux {os.uname().release}"
    return [machine, "", "| row | what | measured | target | kept |", "| --- | --- | --- | --- | --- |"]


def line(figure: Figure) -> str:
    kept = {True: "yes", False: "no", None: ""}[figure.kept]
    return f"| {figure.row} | {figure.what} | {figure.measured} | {figure.target} | {kept} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
