"""Groups of flags: each flag reaches its group and no other, and the options that the group makes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pytest
import typer
from msgspec.structs import asdict, replace
from typer.testing import CliRunner

from agentsight_rx.cli import cluster, demo, record, replay, serve, trace
from agentsight_rx.cli.capturing.capture import print_graph
from agentsight_rx.cli.capturing.destinations import Destinations
from agentsight_rx.cli.flags.filters import Explain, Filters
from agentsight_rx.cli.flags.group import STDIO, WATCH, Group, Of, Only, Without, flag, flattened
from agentsight_rx.cli.flags.sources import Stdio, System, Tls
from agentsight_rx.cli.flags.watch import Watch
from agentsight_rx.graphs import trace as trace_graph
from agentsight_rx.sources import StdioOptions, Target

COMMANDS: dict[str, tuple[Callable[..., Any], int]] = {
    "trace": (trace.trace, 12),
    "record": (record.record, 12),
    "replay": (replay.replay, 6),
    "demo": (demo.demo, 2),
    "serve": (serve.serve, 3),
}
FLAGGED = {**{name: command for name, (command, _) in COMMANDS.items()}, "cluster run": inspect.unwrap(cluster.run)}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_groups_and_few_flags_of_its_own(name: str) -> None:
    command, most = COMMANDS[name]
    assert len(inspect.signature(command).parameters) <= most


# -- a flag reaches its group, and no other ------------------------------------------------------------------------------


def values_of(group: Group) -> Iterator[tuple[str, object]]:
    for name in group.__struct_fields__:
        value = getattr(group, name)
        if isinstance(value, Group):
            yield from values_of(value)
        else:
            yield name, value


def called(command: Callable[..., Any], /, **changed: object) -> dict[str, object]:
    """What the command gets in its groups and beside them, where typer calls it with the defaults of its flags but these."""
    got: list[dict[str, object]] = []

    def stub(**given: object) -> None:
        got.append({})
        for name, value in given.items():
            got[0] |= dict(values_of(value)) if isinstance(value, Group) else {name: value}

    stub.__signature__ = inspect.signature(command, eval_str=True)  # type: ignore[attr-defined]  # `flattened` reads it
    flat = flattened(stub)
    empty = inspect.Parameter.empty
    defaults = {
        name: None if each.default is empty else each.default for name, each in inspect.signature(flat).parameters.items()
    }
    assert changed.keys() <= defaults.keys()
    flat(**{**defaults, **changed})
    return got[0]


FLAGS = [
    pytest.param(name, each, id=f"{name} {each}")
    for name, command in FLAGGED.items()
    for each in inspect.signature(flattened(command)).parameters
]


@pytest.mark.parametrize(("name", "changed"), FLAGS)
def test_a_flag_is_one_value_of_its_command(name: str, changed: str) -> None:
    unchanged, value = called(FLAGGED[name]), object()
    assert {**unchanged, changed: value} == called(FLAGGED[name], **{changed: value})


# -- a new flag ----------------------------------------------------------------------------------------------------------


class WiderStdio(Stdio, frozen=True):
    """The group with one flag more."""

    stdio_ring_size: Annotated[int, flag(STDIO, "--stdio-ring-size", "Bytes of the ring.", "N")] = 0

    def options(self, target: Target) -> StdioOptions:
        return replace(super().options(target), ring_size=self.stdio_ring_size)


def wider(*, watch: Watch, tls: Tls, stdio: WiderStdio, system: System, explain: Explain = False) -> None:
    """As trace."""
    graph = trace_graph(watch.options(tls, stdio, system))
    if explain:
        print_graph(graph)


def explained(command: Callable[..., None], *words: str) -> str:
    app = typer.Typer(add_completion=False)
    app.command()(command)
    done = CliRunner().invoke(app, [*words, "--explain"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_new_flag_of_a_group_reaches_the_options_of_its_source() -> None:
    words = ["--stdio", "-p", "1"]
    assert "ring_size=0" in explained(flattened(wider), *words)
    assert "ring_size=65536" in explained(flattened(wider), *words, "--stdio-ring-size", "65536")
    assert "ring_size=8192" in explained(flattened(wider, source="stdio"), "-p", "1", "--stdio-ring-size", "8192")


def test_a_source_alone_has_the_flags_that_concern_it() -> None:
    def names(source: str) -> set[str]:
        return set(inspect.signature(flattened(wider, source=source)).parameters)

    assert "stdio_ring_size" in names("stdio")
    assert not {"stdio_ring_size", "stdio_fds"} & names("system")
    assert "mode" in names("process")
    assert not {"mode", "process"} & names("net")


def groups_in(group: Group) -> Iterator[type[Group]]:
    yield type(group)
    for name in group.__struct_fields__:
        value = getattr(group, name)
        if isinstance(value, Group):
            yield from groups_in(value)


def test_no_annotation_of_a_shared_group_is_text() -> None:
    """To read 60 of them takes 3 ms of each start."""
    shared: set[type[Group]] = {*groups_in(Destinations()), Watch, Tls, Stdio, System, Filters}
    shared.remove(Destinations)
    assert 11 == len(shared)
    assert [] == [name for group in shared for name, hint in inspect.get_annotations(group).items() if isinstance(hint, str)]


# -- which flags of a group a command has ----------------------------------------------------------------------------------


class Inner(Group, frozen=True):
    deep: Annotated[int, flag(WATCH, "--deep", "A number.")] = 1


class Outer(Group, frozen=True):
    first: Annotated[int, flag(WATCH, "--first", "A number."), Of("net")] = 2
    inner: Inner = Inner()
    last: Annotated[int, flag(WATCH, "--last", "A number.")] = 3


def test_a_command_chooses_flags_of_a_group_and_their_order() -> None:
    def some(*, outer: Annotated[Outer, Only("last", Inner)]) -> None: ...

    def rest(*, outer: Annotated[Outer, Without(Inner)]) -> None: ...

    assert ["last", "deep"] == list(inspect.signature(flattened(some)).parameters)
    assert ["first", "last"] == list(inspect.signature(flattened(rest)).parameters)
    assert {"first": 2, "deep": 7, "last": 3} == called(some, deep=7)


OTHER = Annotated[int, flag(WATCH, "--other", "Another number.")]
OTHERWISE = Outer(last=9)


def test_a_command_has_defaults_and_declarations_of_its_own() -> None:
    def command(*, outer: Annotated[Outer, Only("last", "first", last=OTHER)] = OTHERWISE) -> None: ...

    last, first = inspect.signature(flattened(command)).parameters.values()
    assert (9, 2) == (last.default, first.default)
    assert "Another number." == last.annotation.__metadata__[0].help
    assert {"first": 2, "deep": 1, "last": 9} == called(command)


@pytest.mark.parametrize("which", [Only("lost"), Without("lost"), Only(WiderStdio), Only("last", lost=int)])
def test_a_flag_that_no_group_has_is_an_error(which: Only) -> None:
    def command(*, outer: Outer) -> None: ...

    command.__annotations__["outer"] = Annotated[Outer, which]
    with pytest.raises(TypeError, match="the group has no flag"):
        flattened(command)


def test_two_flags_of_one_name_are_an_error() -> None:
    def command(*, one: Inner, other: Outer) -> None: ...

    with pytest.raises(ValueError, match="duplicate parameter name: 'deep'"):
        flattened(command)


def test_a_command_without_groups_keeps_its_flags() -> None:
    def command(*, number: Annotated[int, typer.Option("--number")] = 5) -> int:
        return number

    assert 6 == flattened(command)(number=6)
    assert asdict(Inner()) == {"deep": 1}
