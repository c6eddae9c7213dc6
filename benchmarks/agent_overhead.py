"""
What `record` costs a coding agent, by the clock and of the processor: pairs of runs with and without it (root).

    python -m benchmarks.agent_overhead --pairs 10 --turns 4
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import NormalDist, fmean, median, stdev
from tempfile import TemporaryDirectory

import msgspec
from msgspec import Struct

from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view.queries.reading import read_totals
from benchmarks.apart import command, environment
from benchmarks.figures import Figure, Size, report_table

__all__ = ["figures", "interval", "main"]

_TURNS = 4
_THINK_MS, _EVENT_MS = 500, 15  # to the first event, and then 65 events a second
_THINKS_FROM = 0.05  # smaller sizes only show that it runs
_WALL_MOST, _WALL_UPPER_MOST = 1.0, 1.5  # %
_OWN_MOST = 0.2  # of the processor time of the agent
_ORIGINAL = "2.9 % (paper)"
_CONFIDENCE = 0.975  # of each side


class _Took(Struct, frozen=True):
    """As benchmarks/scripted_agent.py writes it."""

    wall_s: float
    cpu_s: float
    calls: int
    parts: list[str]


class _Recorded(Struct, frozen=True):
    took: _Took
    around_s: float  # what `record` takes before and after the agent, by the clock
    own_s: float  # processor time of `record`
    calls: int  # of the model, in the recording


def figures(size: Size) -> Iterator[Figure]:
    thinks = size.scale >= _THINKS_FROM
    yield from _figures(size.pairs, size.many(_TURNS), think_ms=_THINK_MS * thinks, event_ms=_EVENT_MS * thinks)


def _figures(pairs: int, turns: int, *, think_ms: int = _THINK_MS, event_ms: int = _EVENT_MS) -> Iterator[Figure]:
    plain: list[_Took] = []
    recorded: list[_Recorded] = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        with _model(folder, think_ms=think_ms, event_ms=event_ms) as env:
            if pairs > 1:
                _plain(folder, turns=1, env=env)  # warms the caches of files
            for number in range(pairs):  # each of the two is the first one in turn
                for with_record in (number % 2 == 0, number % 2 == 1):
                    if with_record:
                        recorded.append(_recorded(folder, turns=turns, env=env))
                    else:
                        plain.append(_plain(folder, turns=turns, env=env))
    seen = sum(each.calls for each in recorded)
    parts = ", ".join(["model", *plain[0].parts])
    length = median(each.wall_s for each in plain)
    about = f"{pairs} pairs of {length:.1f} s ({parts}); {seen} of {pairs * turns} calls in the recordings"
    wall = interval([with_it.took.wall_s / without.wall_s for with_it, without in zip(recorded, plain, strict=True)])
    cpu = interval([with_it.took.cpu_s / without.cpu_s for with_it, without in zip(recorded, plain, strict=True)])
    yield Figure(
        group="agent",
        name="wall-clock time that record adds to a scripted agent",
        value=_percent(wall[0]),
        low=_percent(wall[1]),
        high=_percent(wall[2]),
        unit="%",
        target=_WALL_MOST,
        high_target=_WALL_UPPER_MOST,
        original=_ORIGINAL,
        note=about,
    )
    yield Figure(
        group="agent",
        name="processor time that record adds to the agent and its programs",
        value=_percent(cpu[0]),
        low=_percent(cpu[1]),
        high=_percent(cpu[2]),
        unit="%",
    )
    yield Figure(
        group="agent",
        name="processor time of record itself, to the agent's",
        value=median(each.own_s / each.took.cpu_s for each in recorded),
        target=_OWN_MOST,
        note="with its start and end",
    )


def _percent(ratio: float) -> float:
    return 100 * (ratio - 1)


def interval(ratios: Sequence[float]) -> tuple[float, float, float]:
    """The geometric mean of ratios of pairs, and the ends of its 95 % interval (Student's t)."""
    logs = [math.log(ratio) for ratio in ratios]
    middle = fmean(logs)
    if len(logs) < 2:
        return math.exp(middle), math.exp(middle), math.exp(middle)
    half = _student(len(logs) - 1) * stdev(logs) / math.sqrt(len(logs))
    return math.exp(middle), math.exp(middle - half), math.exp(middle + half)


def _student(freedom: int) -> float:
    """The 97.5 % quantile of Student's t, by the expansion of Cornish and Fisher; for 9 degrees of freedom 2.262."""
    z = NormalDist().inv_cdf(_CONFIDENCE)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


@contextmanager
def _model(folder: Path, *, think_ms: int, event_ms: int) -> Generator[dict[str, str]]:
    """A fake model that takes its time -> the environment of the agent."""
    words = ["--dir", str(folder), "--until-eof", "--think-ms", str(think_ms), "--event-ms", str(event_ms)]
    server = [sys.executable, "-m", "agentsight_rx.runtime.demo.fake_llm", *words]
    pipes = subprocess.PIPE
    with subprocess.Popen(server, stdin=pipes, stdout=pipes, env=environment(), text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            env = {name: value for name, value in environment().items() if not name.startswith("SUDO_")}
            yield env | {
                "ANTHROPIC_BASE_URL": f"https://127.0.0.1:{port}",
                "ANTHROPIC_API_KEY": "dummy",
                "SSL_CERT_FILE": str(folder / "ca.pem"),
            }
        finally:
            process.stdin.close()


def _plain(folder: Path, *, turns: int, env: dict[str, str]) -> _Took:
    result = folder / "took.json"
    subprocess.run(command("scripted_agent", turns, result), env=env, check=True, stdout=subprocess.DEVNULL)
    return msgspec.json.decode(result.read_bytes(), type=_Took)


def _recorded(folder: Path, *, turns: int, env: dict[str, str]) -> _Recorded:
    store, result = folder / "run.lmdb", folder / "took.json"
    words = [sys.executable, "-m", "agentsight_rx", "record", "--db", str(store), "--"]
    began = time.perf_counter()
    used = os.times()
    process = subprocess.run(
        [*words, *command("scripted_agent", turns, result)],
        env=env,
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if process.returncode:
        raise RuntimeError(f"record ended with {process.returncode}: {process.stderr[-500:]}")
    all_s, used_then = time.perf_counter() - began, os.times()
    took = msgspec.json.decode(result.read_bytes(), type=_Took)
    opened = LmdbStore.open(store, readonly=True)
    calls = read_totals(opened).calls
    opened.close()
    for path in (store, Path(f"{store}-lock")):
        path.unlink(missing_ok=True)
    own_s = sum(used_then[2:4]) - sum(used[2:4]) - took.cpu_s
    return _Recorded(took, all_s - took.wall_s, max(0.0, own_s), calls)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=10, help="runs with `record`, and as many without (default: 10)")
    parser.add_argument("--turns", type=int, default=_TURNS, help=f"calls of the model in a run (default: {_TURNS})")
    options = parser.parse_args(arguments)
    print(report_table(list(_figures(options.pairs, options.turns))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
