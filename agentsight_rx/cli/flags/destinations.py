"""The flags of destinations -> sinks: console, stores, spools, OpenTelemetry, the page, and sinks of other packages."""

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from ...core.errors import UsageError
from ...core.sink import Sink
from ...view import Output
from ..capturing.launch import invoking_user
from ..program.errors import has_colour
from ..values import bytes_of, retention_of, seconds_of
from .filters import TEXT, asks_for_json
from .group import OUT, PAGE, Group, flag

if TYPE_CHECKING:
    from ...graphs import TraceOptions
    from ...runtime.recording.deciding import Deciding
    from ...runtime.web import WebOptions
    from ...sinks import Lent, OtelOptions
    from ...store.log.upkeep import Retention
    from ...store.spool import SpoolOptions


# -- console -------------------------------------------------------------------------------------------------------
# The flags of standard output -> its sink.


_WIDTH = 200  # cells, where there is no terminal


class Console(Group, frozen=True):
    """What is printed."""

    json_lines: Annotated[bool, flag(OUT, "--json", "JSON, one event a line; so it is without a terminal.")] = False
    text: Annotated[bool, flag(OUT, "--text", TEXT)] = False
    quiet: Annotated[bool, flag(OUT, "-q --quiet", "Print no events.")] = False

    @property
    def as_json(self) -> bool:
        """Raises UsageError where both are asked for."""
        return asks_for_json(json_lines=self.json_lines, text=self.text, otherwise=not sys.stdout.isatty())

    def sinks(self) -> list[Sink[Output]]:
        """Lines to read on a terminal, JSON elsewhere."""
        if self.quiet:
            return []
        as_json = self.as_json
        from ... import sinks

        if as_json:
            return [sinks.console()]
        terminal = sys.stdout.isatty()
        width = shutil.get_terminal_size().columns if terminal else _WIDTH
        return [sinks.readable(width=width, colour=terminal and has_colour(os.environ))]


# -- otel ----------------------------------------------------------------------------------------------------------
# The flags of OpenTelemetry -> its sink.


class Otel(Group, frozen=True):
    """Where spans go, and what they have."""

    otel: Annotated[bool, flag(OUT, "--otel", "Agents, calls and tools as OpenTelemetry spans.")] = False
    otel_endpoint: Annotated[
        str | None, flag(OUT, "--otel-endpoint", "The collector; without it as OTEL_* say, or local.", "URL")
    ] = None
    otel_protocol: Annotated[
        str | None, flag(OUT, "--otel-protocol", "http/protobuf or grpc; without it as OTEL_* say.", "NAME")
    ] = None
    otel_capture_content: Annotated[
        bool, flag(OUT, "--otel-capture-content", "Prompts, answers, input and output of tools too.")
    ] = False

    def options(self, *, patient: bool) -> "OtelOptions":
        """The options of the sink. `patient`: of a recording, which waits for a slow collector."""
        from ...sinks import OtelOptions

        return OtelOptions(
            self.otel_endpoint,
            protocol=self.otel_protocol,
            capture_content=self.otel_capture_content,
            patient=patient,
        )

    def sinks(self, *, patient: bool = False) -> list[Sink[Output]]:
        """The sink, where it is asked for."""
        if not (self.otel or self.otel_endpoint):
            return []
        from ... import sinks

        return [sinks.otel(self.options(patient=patient))]


# -- page ----------------------------------------------------------------------------------------------------------
# The flags of the page -> where it is served, and its sink.


class Page(Group, frozen=True):
    """Whether a page is served, and where. `server` is None where the run goes on without a page that cannot be served."""

    server: Annotated[bool | None, flag(PAGE, "--server", "Serve a page that shows the capture live.")] = False
    listen: Annotated[str, flag(PAGE, "--listen", "The address of the page.", "ADDRESS")] = "127.0.0.1"
    server_port: Annotated[
        int | None, flag(PAGE, "--server-port", "Its port, 0: any; without it 7395 or the next free.", "PORT")
    ] = None
    allow_remote: Annotated[bool, flag(PAGE, "--allow-remote", "Let other machines read it, over plain HTTP.")] = False

    def options(self) -> "WebOptions":
        """Where the page is."""
        from ...runtime.web import WebOptions

        return WebOptions(self.listen, self.server_port, self.allow_remote, required=self.server is not None)

    def sinks(self, lent: "Lent | None" = None) -> list[Sink[Output]]:
        """The sink of the page of a run, where it is asked for. `lent` gets the store of the run."""
        if self.server is False:
            return []
        from ...runtime.web import web

        return [web(self.options(), lent=lent, deciding=_deciding)]


def _deciding() -> "Deciding":
    from ..capturing.stopping import deciding

    return deciding()


# -- plugin sinks --------------------------------------------------------------------------------------------------
# The flag of destinations that other packages have -> their sinks.


class PluginSinks(Group, frozen=True):
    """Where other packages write."""

    sink: Annotated[list[str] | None, flag(OUT, "--sink", "Sink of another package; repeatable.", "NAME[=TEXT]")] = None

    def sinks(self) -> list[Sink[Any]]:
        """Raises UsageError."""
        if not self.sink:
            return []
        from ...runtime import plugins

        return list(map(plugins.sink, self.sink))


# -- spool ---------------------------------------------------------------------------------------------------------
# The flags of a spool -> its sink.


class Spool(Group, frozen=True):
    """The segments that a run writes for a cluster."""

    spool: Annotated[Path | None, flag(OUT, "--spool", "Write closed segments below this folder.", "DIR")] = None
    spool_host: Annotated[str | None, flag(OUT, "--spool-host", "The name of this host in it.", "NAME")] = None
    spool_seconds: Annotated[str, flag(OUT, "--spool-seconds", "Close a segment after this time.", "TIME")] = "60s"
    spool_size: Annotated[str, flag(OUT, "--spool-size", "Or at this size before compression.", "SIZE")] = "64MB"
    spool_parts: Annotated[int, flag(OUT, "--spool-parts", "Number of parts, for a busy host.", "N", min=1, max=256)] = 1

    def options(self, options: "TraceOptions") -> "SpoolOptions | None":
        """The options of the sink of a graph with these options; None without --spool. Raises UsageError."""
        if self.spool is None:
            if self.spool_host is not None:
                raise UsageError("--spool-host is the name of this host in a spool: give --spool too")
            return None
        from ...store.spool import SpoolOptions, host_of_machine

        return SpoolOptions(
            str(self.spool),
            self.spool_host or host_of_machine(),
            self.spool_parts,
            seconds=seconds_of(self.spool_seconds, "--spool-seconds") or 60.0,
            size=bytes_of(self.spool_size, "--spool-size") or 64 << 20,
            redacted=options.remove_auth,
        )

    def sinks(self, options: "TraceOptions") -> list[Sink[Output]]:
        """The sink, where it is asked for."""
        chosen = self.options(options)
        if chosen is None:
            return []
        from ... import sinks

        return [sinks.spool(chosen, owner=invoking_user())]


# ------------------------------------------------------------------------------------------------------------------------


class Store(Group, frozen=True):
    """The files that a run writes, and what of them is removed again."""

    db: Annotated[Path | None, flag(OUT, "--db", "The store (LMDB) to write or read.", "PATH")] = None
    keep: Annotated[str | None, flag(OUT, "--keep", "Remove from the store what is older, such as 14d.", "TIME")] = None
    max_size: Annotated[str | None, flag(OUT, "--max-size", "Remove the oldest where the store is larger: 2GB.", "SIZE")] = None
    jsonl: Annotated[Path | None, flag(OUT, "--jsonl", "Every event into this file.", "PATH")] = None
    log: Annotated[Path | None, flag(OUT, "--log", "Messages into this file at once, not at the end.", "FILE")] = None
    require_store: Annotated[bool, flag(OUT, "--require-store", "Do not start where the store cannot be written.")] = True

    def retention(self, *, stored: bool = True) -> "Retention | None":
        """What stays in the store. Raises UsageError, also where limits are given and nothing is `stored`."""
        return retention_of(self.keep, self.max_size, stored=stored)

    def sinks(self, options: "TraceOptions", lent: "Lent") -> list[Sink[Output]]:
        """The sinks of a graph with these options, which `keyed` returned. `lent` gets the open store."""
        from ... import sinks

        owner = invoking_user()
        chosen: list[Sink[Output]] = []
        if self.db is not None:
            chosen.append(
                sinks.store(
                    self.db,
                    owner=owner,
                    key=options.redaction_key,
                    required=self.require_store,
                    resumed=options.resumed,
                    checkpoints=options.checkpoints,
                    retention=self.retention(),
                    lent=lent,
                    host=options.host,
                )
            )
        if self.jsonl is not None:
            chosen.append(sinks.jsonl(self.jsonl, owner=owner))
        return chosen
