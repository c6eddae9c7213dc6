"""
Every function of every C source, with every switch, as each compiler at hand makes it: the kernel takes all of them.

What one version of LLVM makes of a comparison the verifier may refuse, and then a source cannot start where this version is
installed. scripts/llvm14.sh fetches Debian 12's; without it only the machine's own compiler is tried. Images are kept, by the
text that they were made of.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from functools import partial
from itertools import combinations, product
from typing import Any

import pytest
from msgspec import structs

from agentsight_rx.core.engine import Engine
from agentsight_rx.core.stream import Stream
from agentsight_rx.sources import StdioOptions, Target, TlsOptions, stdio, tls
from agentsight_rx.sources.containers.references import Container
from agentsight_rx.sources.kernel import cache as preparing
from agentsight_rx.sources.kernel import program
from agentsight_rx.sources.kernel.cache import RUNS, Cache, Source, prepared
from agentsight_rx.sources.kernel.features import has_may_goto
from agentsight_rx.sources.kernel.loaded import Image
from agentsight_rx.sources.kernel.namespace import own_namespace
from agentsight_rx.sources.kernel.syscall import TRACE_UPROBE_MULTI
from agentsight_rx.sources.kernel.tracker import source_of
from tests.live.compilers import COMPILERS, SETUP, compiled_by
from tests.live.functions import refusals
from tests.live.kernel_sources import KERNEL_SOURCES

pytestmark = pytest.mark.live

_ME = Target(os.getpid())
_WHERE = Container("docker:none", "0" * 64, "docker", 1)
_NARROW = Target(1, ("sh",), 1, uid=1, cgroup="/", containers=(_WHERE,))
_SELECTIONS = (Target(), _NARROW)
_ALL_SELECTIONS = (
    *_SELECTIONS,
    Target(containers=(_WHERE,), children=False),
    Target(1, children=False),
    Target(comms=("sh",), uid=1),
    Target(session=1, cgroup="/", children=False),
    Target(1, ("sh",), children=False, cgroup="/"),
)

# Of each source: the options that choose its own switches
_SOURCES: dict[str, Sequence[Callable[[], Stream[Any]]]] = {
    **{name: [partial(source, _ME, True)] for name, source in KERNEL_SOURCES.items()},
    "stdio": [lambda: stdio(StdioOptions(_ME)), lambda: stdio(StdioOptions(_ME, fds=(3, 70), tty=True))],
    "tls": [
        lambda: tls(TlsOptions(_ME)),
        lambda: tls(TlsOptions(Target(), binaries=("/bin/true",))),
    ],
}


class _Asked(Exception):
    """Instead of a program: the text that it would be made of."""


def _source(graph: Stream[Any], monkeypatch: pytest.MonkeyPatch) -> Source:
    """What the source of this graph asks for, without the switches of its target."""
    asked: list[Source] = []

    def ask(source: Source) -> None:
        asked.append(source)
        raise _Asked

    engine = Engine()
    graph.subscribe(scheduler=engine)
    (hub,) = engine.hubs
    reader: Any = hub.reader
    with monkeypatch.context() as patch, suppress(_Asked):
        patch.setattr(program, "prepared", ask)
        reader.open()
    return _without_target(asked[0])


def _without_target(source: Source) -> Source:
    chosen = {*_ME.flags(), *Target().flags()}
    return structs.replace(source, flags=tuple(flag for flag in source.flags if flag not in chosen))


def _pairs(*choices: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Rows in which each two choices meet: a refusal has one cause, or two that act together."""
    rows = list(product(*(range(len(each)) for each in choices)))
    missing = {pair for row in rows for pair in combinations(enumerate(row), 2)}
    chosen: list[tuple[int, ...]] = []
    while missing:
        best = max(rows, key=lambda row: len(missing.intersection(combinations(enumerate(row), 2))))
        missing.difference_update(combinations(enumerate(best), 2))
        chosen.append(best)
    return [tuple(each[number] for each, number in zip(choices, row, strict=True)) for row in chosen]


@pytest.fixture
def compiler(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Generator[str]:
    """The name of one of the compilers. From now on it is the one that programs are compiled by."""
    name: str = request.param
    with compiled_by(name, monkeypatch):
        yield name


@pytest.mark.parametrize("compiler", COMPILERS, indirect=True)
@pytest.mark.parametrize("stage", ["tracker", *_SOURCES])
def test_the_kernel_takes_every_function(stage: str, compiler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if stage == "tracker":
        sources = [_without_target(source_of(_ME, own_namespace(), by_file=each)) for each in (False, True)]
    else:
        sources = [_source(graph(), monkeypatch) for graph in _SOURCES[stage]]
    turns = (True, False) if has_may_goto() else (False,)
    selections = _ALL_SELECTIONS if stage == "tracker" else _SELECTIONS
    cache = Cache(SETUP / "programs" / compiler)
    refused: list[tuple[object, ...]] = []
    for source, target, may_goto, runs in _pairs(sources, selections, turns, (1, RUNS)):
        monkeypatch.setattr(preparing, "has_may_goto", lambda may_goto=may_goto: may_goto)
        flags = (*target.flags(), *source.flags, *([f"-DRUNS={runs}"] if runs > 1 else []))
        image, _ = prepared(structs.replace(source, flags=flags), cache)
        functions = _refusals(structs.replace(image, runs=runs), source)
        assert functions
        refused += [(flags, may_goto, name, why) for name, why in functions.items() if why]
    assert [] == refused


def _refusals(image: Image, source: Source) -> dict[str, str]:
    """Each function, and why the kernel refuses it: a probe is loaded as a perf uprobe, and for links of many."""
    single, multi = (refusals(image, source.text, attach_type=each) for each in (0, TRACE_UPROBE_MULTI))
    return {name: why or multi[name] for name, why in single.items()}
