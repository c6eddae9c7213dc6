"""Flags of trace and debug -> the sinks."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from .. import sinks
from ..core.sink import Sink
from ..events import AnswerProgress
from ..graphs import TraceOptions
from ..launch import invoking_user
from ..sinks import Lent, OtelOptions
from ..spool import SpoolOptions
from ..view import Output
from ..view.retention import Retention
from ..web import WebOptions, web
from .colour import has_colour

__all__ = ["Destinations", "printed", "with_previews"]


def printed(*, json_lines: bool) -> Sink[Output]:
    """Standard output: lines to read on a terminal, JSON elsewhere."""
    if json_lines or not sys.stdout.isatty():
        return sinks.console()
    return sinks.readable(width=shutil.get_terminal_size().columns, colour=has_colour(os.environ))


def with_previews(options: TraceOptions, chosen: Iterable[Sink[Output]], /) -> TraceOptions:
    """The options of a graph for these sinks: what answers say before their end is read only where one of them shows it."""
    return replace(options, progress=any(AnswerProgress in sink.wants for sink in chosen))


class Destinations(Struct, frozen=True):
    """Where events and rows go."""

    quiet: bool = False
    json_lines: bool = False
    db: Path | None = None
    retention: Retention | None = None
    jsonl: Path | None = None
    spool: SpoolOptions | None = None
    host: str = ""  # in the ids of rows
    otel: bool = False
    otel_endpoint: str | None = None
    otel_protocol: str | None = None
    otel_capture_content: bool = False
    server: bool = False
    listen: str = "127.0.0.1"
    server_port: int | None = None
    allow_remote: bool = False

    def sinks(self, options: TraceOptions) -> list[Sink[Output]]:
        """The sinks that these flags choose, for a graph of these options, as `keyed` returned them."""
        owner = invoking_user()
        lent = None if self.db is None else Lent()
        chosen: list[Sink[Output]] = [] if self.quiet else [printed(json_lines=self.json_lines)]
        if self.db is not None:
            chosen.append(
                sinks.store(
                    self.db,
                    owner=owner,
                    key=options.redaction_key,
                    resumed=options.resumed,
                    checkpoints=options.checkpoints,
                    retention=self.retention,
                    lent=lent,
                    host=self.host,
                )
            )
        if self.jsonl is not None:
            chosen.append(sinks.jsonl(self.jsonl, owner=owner))
        chosen += self.segments()
        chosen += self.spans()
        if self.server:
            chosen.append(web(WebOptions(self.listen, self.server_port, self.allow_remote), lent=lent))
        return chosen

    def replayed(self, options: TraceOptions) -> list[Sink[Output]]:
        """The same for a recording: the spans wait for a slow collector."""
        return [*replace(self, otel=False, otel_endpoint=None).sinks(options), *self.spans(patient=True)]

    def segments(self) -> list[Sink[Output]]:
        """The sink of a spool, where it is asked for."""
        return [] if self.spool is None else [sinks.spool(self.spool, owner=invoking_user())]

    def spans(self, *, patient: bool = False) -> list[Sink[Output]]:
        """The sink of spans, where it is asked for. `patient`: of a recording, which waits for a slow collector."""
        if not self.otel and not self.otel_endpoint:
            return []
        options = OtelOptions(
            self.otel_endpoint,
            protocol=self.otel_protocol,
            capture_content=self.otel_capture_content,
            patient=patient,
        )
        return [sinks.otel(options)]
