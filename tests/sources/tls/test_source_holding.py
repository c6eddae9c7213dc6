"""A command is held while a large file that it uses is searched, as long as the search goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentsight_rx.sources.tls import source as module
from agentsight_rx.sources.tls.candidates import Mapped
from agentsight_rx.sources.tls.finder import Finder
from agentsight_rx.sources.tls.libraries import Library
from agentsight_rx.sources.tls.records import UsedFile
from agentsight_rx.sources.tls.source import Holding

LARGE = UsedFile(inode=7, size=1 << 20, device=1, generation=0)


class Searches(Finder):
    """A search that lasts until `done`."""

    def __init__(self) -> None:
        super().__init__(self._nothing, pytest.fail)
        self.done = False
        self.used_s = 0.0

    def _nothing(self, library: Library, place: str) -> None:
        raise AssertionError(f"{library} in {place}")

    @property
    def searching(self) -> bool:
        return not self.done

    @property
    def worked_s(self) -> float:
        return self.used_s


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is held at the moment."""
    groups: list[str] = []

    @contextmanager
    def held(group: str) -> Generator[None]:
        groups.append(group)
        yield
        groups.remove(group)

    monkeypatch.setattr(module, "held", held)
    return groups


@pytest.fixture
def finder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Searches:
    place = tmp_path / "program"
    place.write_bytes(b"no library")

    def mapped(pids: Iterable[int]) -> list[Mapped]:
        return [Mapped(pid, "/program", str(place), 1, 7) for pid in pids]

    monkeypatch.setattr(module, "mapped_files", mapped)
    return Searches()


def test_the_group_is_held_until_the_search_is_over(now: list[str], finder: Searches) -> None:
    holding = Holding("/group", finder, pytest.fail)
    holding.begin({41: {LARGE}})
    holding.end_in_time()
    assert now == ["/group"]
    finder.done = True
    holding.end_in_time()
    assert now == []


@pytest.mark.parametrize(
    ("group", "file", "look"),
    [("", LARGE, None), ("/group", LARGE._replace(size=1000), None), ("/group", LARGE, Finder.attempt)],
    ids=["no group", "too small for TLS", "searched before"],
)
def test_else_nothing_is_held(
    now: list[str],
    finder: Searches,
    group: str,
    file: UsedFile,
    look: Callable[[Finder, str], object] | None,
    tmp_path: Path,
) -> None:
    if look is not None:
        look(finder, str(tmp_path / "program"))
    Holding(group, finder, pytest.fail).begin({41: {file}})
    assert now == []


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        # seconds of the clock, and of the processor that the search used by then
        ([(11, 1.0), (80, 5.0), (88, 9.0)], ""),
        ([(1, 5.0), (2, 10.5)], "a search for TLS code takes longer than 10 s: traffic is not read meanwhile"),
        ([(5, 1.0), (16, 1.0)], "a search for TLS code stands still for longer than 10 s: traffic is not read meanwhile"),
    ],
    ids=["a busy machine", "a large file", "a disk that does not answer"],
)
def test_a_command_is_held_as_long_as_its_search_goes_on(
    now: list[str], finder: Searches, monkeypatch: pytest.MonkeyPatch, steps: list[tuple[int, float]], said: str
) -> None:
    sentences: list[str] = []
    begun_s = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: begun_s)
    holding = Holding("/group", finder, sentences.append)
    holding.begin({41: {LARGE}})
    for at_s, finder.used_s in steps:
        monkeypatch.setattr(time, "monotonic", lambda at_s=at_s: begun_s + at_s)
        holding.end_in_time()
    holding.end_in_time()
    assert (["/group"], []) == (now, sentences) if not said else ([], [said]) == (now, sentences)
