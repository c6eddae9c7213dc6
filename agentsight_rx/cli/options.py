"""Flags that several commands share, and what they become."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from ..graphs import TraceOptions
from ..sources import ProcessOptions, Target, TlsOptions

__all__ = [
    "Binaries",
    "Comm",
    "Db",
    "Explain",
    "HttpFilters",
    "KeepAuth",
    "Pid",
    "TlsFilters",
    "comms_of",
    "trace_options",
]

Pid = Annotated[int | None, typer.Option("-p", "--pid", min=1, metavar="PID", help="Watch this process and its descendants.")]
Comm = Annotated[
    str | None,
    typer.Option("-c", "--comm", metavar="NAMES", help="Watch processes of exactly these names (comma list) and descendants."),
]
Db = Annotated[Path | None, typer.Option("--db", metavar="PATH", help="The store (LMDB) to write or read.")]
TlsFilters = Annotated[
    list[str] | None, typer.Option("--ssl-filter", metavar="RULE", help="Drop TLS records that match; repeatable.")
]
HttpFilters = Annotated[
    list[str] | None, typer.Option("--http-filter", metavar="RULE", help="Drop HTTP messages that match; repeatable.")
]
KeepAuth = Annotated[
    bool, typer.Option("--disable-auth-removal", help="Keep credentials in heads and targets. They end up in every sink.")
]
Binaries = Annotated[
    list[str] | None,
    typer.Option("--binary-path", metavar="PATH", help="Also read TLS in this program or library; repeatable."),
]
Explain = Annotated[bool, typer.Option("--explain", help="Print the graph that would run, and do not run it.")]


def comms_of(text: str | None) -> tuple[str, ...]:
    """A comma list of names. Raises UsageError where it holds nothing."""
    if text is None:
        return ()
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise UsageError(f"--comm {text!r} names no process; give one or more names, separated by commas")
    return names


def trace_options(
    target: Target,
    *,
    ssl: bool,
    process: bool,
    http: bool = True,
    handshakes: bool = False,
    binaries: list[str] | None = None,
    candidates: tuple[str, ...] = (),
    tls_filters: list[str] | None = None,
    http_filters: list[str] | None = None,
    keep_auth: bool = False,
) -> TraceOptions:
    """The options of a graph from the flags of a command."""
    tls = TlsOptions(target, tuple(binaries or ()), candidates, handshakes)
    return TraceOptions(
        tls=tls if ssl else None,
        process=ProcessOptions(target) if process else None,
        http=http,
        tls_filters=tuple(tls_filters or ()),
        http_filters=tuple(http_filters or ()),
        remove_auth=not keep_auth,
    )
