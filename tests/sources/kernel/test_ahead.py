"""Programs that are loaded before their source asks: which ones it gets, and what is kept for the next start."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from struct import pack

import pytest

from agentsight_rx.sources.kernel import ahead as module
from agentsight_rx.sources.kernel import loaded as loading
from agentsight_rx.sources.kernel.ahead import Ahead
from agentsight_rx.sources.kernel.cache import Begun, Cache, key_of
from agentsight_rx.sources.kernel.image import Function, Image, Map
from agentsight_rx.sources.kernel.prepared import Prepared
from agentsight_rx.sources.kernel.syscall import TRACEPOINT, load_program

_CODE = pack("<BBhi", 0xB7, 0, 0, 0) + pack("<BBhi", 0x95, 0, 0, 0)
_IMAGE = Image(
    (Map("counts", 2, 4, 8, entries=1, flags=0, key_type='"int"', leaf_type='"unsigned long long"'),),
    (Function("it", _CODE, ()), Function("other", _CODE, ())),
)
_KEY, _ENTRIES = key_of(["it"]), {"counts": 3}
_PROGRAM = ("it", TRACEPOINT, 0, 0)
_FOUND = Prepared(_IMAGE, None, _KEY)

pytestmark = [pytest.mark.live, pytest.mark.skipif(os.geteuid() != 0, reason="loading BPF programs needs root")]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    cache = Cache(tmp_path / "programs")
    cache.put(_KEY, _IMAGE)
    return cache


def begun(cache: Cache) -> Ahead:
    """A start whose thread has done all it can."""
    start = Ahead(cache)
    start.begin("record")
    for work in start.work:
        work.done.wait()
    return start


def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The programs that the kernel is given from now on."""
    given: list[str] = []

    def noted(name: str, kind: int, code: bytes, *, attach_type: int = 0) -> int:
        given.append(name)
        return load_program(name, kind, code, attach_type=attach_type)

    monkeypatch.setattr(loading, "load_program", noted)
    return given


def test_the_second_start_has_the_programs_before_its_source_asks(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    first = begun(cache)
    with closing(first.loaded(_FOUND, _ENTRIES)) as loaded:
        loaded.load("it")
        first.end()
    assert cache.started("record") == (Begun(_KEY, _ENTRIES, (_PROGRAM,)),)
    second = begun(cache)
    given = loads(monkeypatch)
    with closing(second.loaded(_FOUND, _ENTRIES)) as loaded:
        os.fstat(loaded.load("it"))
        assert given == []
        os.fstat(loaded.load("other"))
        assert given == ["other"]
        second.end()
    assert cache.started("record")[0].programs == (_PROGRAM, ("other", TRACEPOINT, 0, 0))


@pytest.mark.parametrize("found", [(_KEY, {"counts": 4}), (key_of(["another"]), _ENTRIES)])
def test_what_another_source_or_another_size_needs_is_loaded_by_it(cache: Cache, found: tuple[str, dict[str, int]]) -> None:
    cache.keep_started("record", [Begun(_KEY, _ENTRIES, (_PROGRAM,))])
    start = begun(cache)
    (work,) = start.work
    assert work.loaded is not None
    with closing(start.loaded(_FOUND._replace(key=found[0]), found[1])) as loaded:
        assert loaded is not work.loaded
        assert loaded.programs == ()
        start.end()
    assert work.loaded.programs == ()  # given up


def test_two_sources_never_share_one(cache: Cache) -> None:
    cache.keep_started("record", [Begun(_KEY, _ENTRIES, (_PROGRAM,))])
    start = begun(cache)
    one, other = start.loaded(_FOUND, _ENTRIES), start.loaded(_FOUND, _ENTRIES)
    assert one is not other
    assert one["counts"].fd != other["counts"].fd
    for each in (one, other):
        each.close()


def test_what_the_kernel_refuses_or_the_cache_lost_is_left_to_the_source(cache: Cache) -> None:
    cache.put(_KEY, Image((), (Function("it", bytes(16), ()),)))
    wrong = [Begun(_KEY, {}, (_PROGRAM,)), Begun(_KEY, {}, (("nowhere", TRACEPOINT, 0, 0),)), Begun(key_of(["lost"]), {}, ())]
    cache.keep_started("record", wrong)
    start = begun(cache)
    assert [work.loaded for work in start.work] == [None] * 3
    with closing(start.loaded(_FOUND, {})) as loaded:
        os.fstat(loaded.load("it"))
    start.end()


def test_a_source_does_not_wait_for_what_was_not_begun(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.keep_started("record", [Begun(_KEY, _ENTRIES, (_PROGRAM,))])

    class Never:
        def __init__(self, **_: object) -> None: ...
        def start(self) -> None: ...

    monkeypatch.setattr(module, "Thread", Never)
    start = Ahead(cache)
    start.begin("record")
    with closing(start.loaded(_FOUND, _ENTRIES)) as loaded:
        assert loaded.programs == ()
        start.end()


def test_a_source_that_failed_is_not_kept_and_nothing_is_noted_without_a_begin(cache: Cache) -> None:
    start = begun(cache)
    start.loaded(_FOUND, _ENTRIES).close()
    start.end()
    assert cache.started("record") == ()
    other = Ahead(cache)
    with closing(other.loaded(_FOUND, _ENTRIES)) as loaded:
        loaded.load("it")
        other.end()
    assert cache.started("") == ()
