"""A recorder -> what it takes of the machine, seen from outside; its store and its figures, read while it runs."""

from __future__ import annotations

import os
import re
import socket
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from agentsight_rx.errors import StoreError
from agentsight_rx.runtime.service.bounds import memory_now
from agentsight_rx.store.state import LmdbStore
from tests.live.watched import is_probe, kinds_of

__all__ = ["MEGA", "Figure", "Taken", "figures_at", "free_port", "slope_of", "stored", "taken"]

MEGA = 1 << 20
_TICKS_S = os.sysconf("SC_CLK_TCK")
_VALUE = re.compile(r"^(agentsight_\w+(?:\{[^}]*\})?) (\S+)$", re.MULTILINE)


class Figure(Struct, frozen=True):
    """A line of the table. `kept`: whether the target is met; None where there is none, or only a long run shows it."""

    row: str
    what: str
    measured: str
    target: str = ""
    kept: bool | None = None


class Taken(Struct, frozen=True):
    """`links` are all of BPF, `probes` those in functions of programs. Memory is in bytes, `cpu_s` since the start."""

    cpu_s: float
    anonymous: int
    tables: int
    group: int
    fds: int
    threads: int
    links: int
    probes: int
    maps: int

    @property
    def handles(self) -> tuple[int, int, int, int, int]:
        """What must be back where it was, once nothing goes on."""
        return self.fds, self.threads, self.links, self.probes, self.maps


def taken(pid: int) -> Taken:
    proc = Path(f"/proc/{pid}")
    stat = (proc / "stat").read_text().rpartition(")")[2].split()
    memory = memory_now(proc)
    kinds, fds = list(kinds_of(pid)), len(os.listdir(proc / "fd"))
    links = [kind for kind in kinds if kind.startswith(("link", "perf"))]
    return Taken(
        (int(stat[11]) + int(stat[12])) / _TICKS_S,
        memory.anonymous,
        memory.tables,
        memory.group,
        fds,
        threads=len(os.listdir(proc / "task")),
        links=len(links),
        probes=sum(map(is_probe, links)),
        maps=kinds.count("map"),
    )


def slope_of(points: Sequence[tuple[float, float]]) -> float:
    """Least squares: how much y grows with x."""
    if len(points) < 2:
        return 0.0
    middle_x, middle_y = (sum(each[axis] for each in points) / len(points) for axis in (0, 1))
    square = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / square if square else 0.0


def free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        port: int = made.getsockname()[1]
        return port


def figures_at(port: int) -> dict[str, float]:
    """What /metrics says."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        return {name: float(value) for name, value in _VALUE.findall(answer.read().decode())}


@contextmanager
def stored(path: Path) -> Generator[LmdbStore | None]:
    """The store, which may be being written; None where there is none yet."""
    try:
        store = LmdbStore.open(path, readonly=True)
    except StoreError:
        yield None
        return
    try:
        yield store
    finally:
        store.close()
