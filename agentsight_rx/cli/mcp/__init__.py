"""
agentsight-rx mcp: recordings, asked by an agent over MCP. Read-only.

`server` speaks the protocol, `answers` has the tools, `library` finds the sessions, `paging` makes each answer short, and
`clients` writes the server into the configuration of an agent.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from ...core.errors import StoreError, UsageError
from ...core.messages import program
from ...runtime.recording.price_file import load_prices
from ...store.state import is_being_written
from ..capturing.launch import invoking_user
from ..flags.group import flattened
from ..places.stores import recorded
from ..program.lazy import lazy_group
from .library import Library, refusal_of

__all__ = ["mcp"]


def serve(
    context: typer.Context,
    *,
    db: Annotated[
        list[Path] | None,
        typer.Option("--db", metavar="PATH", help="A recording; may be repeated. By default all in your data directory."),
    ] = None,
    http: Annotated[bool, typer.Option("--http", help="Over HTTP on 127.0.0.1, with a token, until Ctrl-C.")] = False,
    server_port: Annotated[
        int | None,
        typer.Option("--server-port", metavar="PORT", help="With --http: its port, 0: any; without it 7395 or next."),
    ] = None,
    prices: Annotated[
        Path | None, typer.Option("--prices", metavar="FILE", help="Prices of models, before the published ones.")
    ] = None,
) -> None:
    """Let an agent ask about your recordings over MCP. It changes nothing, and answers about no other user."""
    if context.invoked_subcommand is not None:
        return
    uid, _ = invoking_user()
    given = [path.absolute() for path in db or ()]
    for path in given:
        if not path.exists():
            raise StoreError(f"{path} does not exist; the recordings that there are: {program()} report list")
        if refusal := refusal_of(path, uid):
            raise UsageError(refusal)
    if server_port is not None and not http:
        raise UsageError("--server-port is the port of --http; give both")
    if find_spec("mcp") is None:
        raise UsageError("the MCP server needs the package mcp, not installed here: pip install 'agentsight-rx[mcp]'")
    from .server import serve_http, serve_stdio

    library = Library(lambda: given or recorded(), uid, is_being_written=is_being_written, prices=load_prices(prices))
    try:
        serve_http(library, server_port) if http else serve_stdio(library)
    finally:
        library.close()


mcp = typer.Typer(
    cls=lazy_group(__name__, {"install": ("clients", "install")}, wrapped=flattened),
    no_args_is_help=False,
)
mcp.callback(invoke_without_command=True)(flattened(serve))
