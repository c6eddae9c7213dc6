"""Options -> the sources of a capture, which may be opened before the graph that reads them is made, and imported."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

from msgspec import Struct
from msgspec.structs import replace

from .. import sources
from ..core.hub import Hub
from ..core.options import Options
from ..core.stream import Stream, begun
from ..events import FileEvent, Loss, NetEvent, ProcessEvent, Readline, StdioEvent, SystemEvent, Tick, TlsEvent
from . import (
    AgentOptions,
    FileOptions,
    HookOptions,
    NetOptions,
    PlainHttpOptions,
    ProcessOptions,
    ReadlineOptions,
    StdioOptions,
    SystemOptions,
    TlsOptions,
    Tracing,
)

# For the kernel some take longer than others: 80, 77, 48, 37, 31, 8, 7, 0 ms of a processor
_LONGEST_FIRST = ("tls", "plain_http", "stdio", "files", "net", "process", "readline", "system", "agents")


class SourceOptions(Options, frozen=True):
    """What `trace` listens to: a source that is None is off. `agents` finds the agents that the targets of others then have."""

    agents: AgentOptions | None = None
    tls: TlsOptions | None = None
    plain_http: PlainHttpOptions | None = None
    process: ProcessOptions | None = None
    files: FileOptions | None = None
    net: NetOptions | None = None
    readline: ReadlineOptions | None = None
    stdio: StdioOptions | None = None
    system: SystemOptions | None = None


class Inputs(Struct, frozen=True):
    """What the sources emit; None where one is off."""

    agents: Stream[ProcessEvent] | None = None
    tls: Stream[TlsEvent] | None = None
    plain_http: Stream[TlsEvent] | None = None
    process: Stream[ProcessEvent] | None = None
    files: Stream[FileEvent | Loss | Tick] | None = None
    net: Stream[NetEvent | Loss | Tick] | None = None
    readline: Stream[Readline | Loss | Tick] | None = None
    stdio: Stream[StdioEvent] | None = None
    system: Stream[SystemEvent] | None = None


def inputs(options: SourceOptions) -> Inputs:
    """The sources that are on."""
    return Inputs(
        agents=None if options.agents is None else sources.agents(options.agents),
        tls=None if options.tls is None else sources.tls(options.tls),
        plain_http=None if options.plain_http is None else sources.plain_http(options.plain_http),
        process=None if options.process is None else sources.process(options.process),
        files=None if options.files is None else sources.files(options.files),
        net=None if options.net is None else sources.net(options.net),
        readline=None if options.readline is None else sources.readline(options.readline),
        stdio=None if options.stdio is None else sources.stdio(options.stdio),
        system=None if options.system is None else sources.system(options.system),
    )


HOOKED = ("tls", "process", "files", "net")  # what breakpoints show


def hooked(options: SourceOptions, hooks: HookOptions, tracing: Tracing) -> Inputs:
    """The same by breakpoints: one source shows all that they see, so their events are in order."""
    seen = cast("Stream[TlsEvent]", sources.hooks(hooks, tracing))  # the graph lets every other kind pass
    return Inputs(tls=seen, system=None if options.system is None else sources.system(options.system))


def launched(options: SourceOptions) -> SourceOptions:
    """The options where the chosen process is a command that we start."""
    return options if options.process is None else replace(options, process=replace(options.process, launched=True))


def of_command(options: SourceOptions, candidates: tuple[str, ...], group: str) -> SourceOptions:
    """The options with the files of the command that may have TLS, and with its control group, before it starts."""
    tls = None if options.tls is None else replace(options.tls, candidates=candidates, group=group)
    return launched(replace(options, tls=tls))


@contextmanager
def opened_ahead(given: Inputs) -> Generator[Inputs]:
    """
    The same for one run, while they are being opened: the kernel works while the rest of the program is imported. A source that
    no run has taken until an exception ends this is closed.
    """
    hubs: list[Hub[Any]] = []
    opened: dict[str, Stream[Any]] = {}
    try:
        for name in sorted(Inputs.__struct_fields__, key=_LONGEST_FIRST.index):
            source: Stream[Any] | None = getattr(given, name)
            if source is not None:
                opened[name], hub = begun(source)
                hubs.append(hub)
        yield Inputs(**opened)
    except BaseException:
        for hub in hubs:
            if not hub.wanted and not hub.ended:
                hub.give_up()
        raise
