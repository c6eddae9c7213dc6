"""WebOptions -> a sink that shows the capture on a web page while it runs."""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
import time
from collections.abc import Sequence
from ipaddress import ip_address
from threading import Thread
from typing import TYPE_CHECKING

from msgspec import Struct

from ..core.sink import Sink, Writer
from ..errors import SinkError, UsageError
from ..loss import Ledger
from ..sinks.web import Feed
from ..view import Output

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["WebOptions", "WebSink", "web"]

_CONNECTIONS_MOST = 64  # at once; a browser opens six
_START_S = 5.0
_GRACE_S = 1  # for answers being sent when the run ends; a stream ends by itself within 75 ms
_STOP_S = 5.0  # measured: 0.2 s with open streams, 1.4 s with a reader that does not read


class WebOptions(Struct, frozen=True):
    """Where the page is. Port 0: any free port. `allow_remote`: other machines may reach it, over plain HTTP."""

    listen: str = "127.0.0.1"
    port: int = 7395
    allow_remote: bool = False


def web(options: WebOptions | None = None) -> WebSink:
    """
    Show the capture on a web page while it runs.

    Raises UsageError where the address is not valid, or where other machines can reach it and that was not allowed. Opening
    the sink raises SinkError where the port is taken.
    """
    place = _Place(options or WebOptions())
    return WebSink(name="web", open=place.open, place=place)


class WebSink(Sink[Output], frozen=True, kw_only=True):
    """The sink, with the address of the page once it is open."""

    place: _Place

    @property
    def url(self) -> str:
        """The address with the token that opens the page. Raises SinkError before the sink is open."""
        return self.place.url


class _Place:
    """An address of this machine and the token of one run. The port is bound by `open`, before anything is captured."""

    def __init__(self, options: WebOptions) -> None:
        self._listen = _address(options)
        self._port = options.port
        self._token = secrets.token_urlsafe(32)
        self._bound = False

    @property
    def url(self) -> str:
        """The token is in the fragment, which browsers do not send."""
        if not self._bound:
            raise SinkError("the web page has no address yet: open its sink first")
        host = self._listen
        if ip_address(host).is_unspecified:
            host = "::1" if ":" in host else "127.0.0.1"
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}/#token={self._token}"

    def open(self, ledger: Ledger) -> Writer[Output]:
        from .app import Access, application  # takes 0.1 s, which a run without a page must not pay

        listener = _bind(self._listen, self._port)
        self._port = listener.getsockname()[1]
        self._bound = True
        feed = Feed(ledger)
        app = application(feed, Access(self._token, self._listen), ledger.meter("web page"))
        return _Page(feed, app, listener)


def _address(options: WebOptions) -> str:
    listen = "127.0.0.1" if options.listen in ("", "localhost") else options.listen
    try:
        address = ip_address(listen)
    except ValueError as error:
        raise UsageError(f"--listen {listen!r} is not an address of this machine: give one like 127.0.0.1 or ::1") from error
    if not 0 <= options.port <= 65_535:
        raise UsageError(f"--server-port {options.port} is not a port: give 1 to 65535, or 0 for any free one")
    if not address.is_loopback and not options.allow_remote:
        raise UsageError(
            f"--listen {listen} would let other machines read what was captured, over plain HTTP: "
            "stay on 127.0.0.1 and tunnel (ssh -L), or add --allow-remote"
        )
    return str(address)


def _bind(address: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(_CONNECTIONS_MOST)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            said = f"port {port} on {address} is taken; give another with --server-port, or 0 for any free one"
        else:
            said = (
                f"port {port} on {address} cannot be listened on: {error.strerror}; give others with --listen and --server-port"
            )
        raise SinkError(said) from error
    return listener


class _Page:
    """The writer: rows go to the feed, from which requests are answered on a thread of its own until the run ends."""

    def __init__(self, feed: Feed, app: ASGIApp, listener: socket.socket) -> None:
        import uvicorn

        self._feed = feed
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="off",
                proxy_headers=False,
                server_header=False,
                limit_concurrency=_CONNECTIONS_MOST,
                timeout_graceful_shutdown=_GRACE_S,
                log_config=None,
                log_level="critical",  # bugs are counted by the application itself
            )
        )
        self._thread = Thread(target=lambda: asyncio.run(self._serve(listener)), name="web", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + _START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                listener.close()
                raise SinkError(f"the web page did not start within {_START_S:.0f} s")
            time.sleep(0.005)

    async def _serve(self, listener: socket.socket) -> None:
        await self._server.serve([listener])
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()  # of a client that does not read
        await asyncio.sleep(0)

    def write(self, batch: Sequence[Output], /) -> None:
        self._feed.write(batch)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        """
        Send open pages the end of the capture, then end the server.

        Uvicorn waits for streams; they end by themselves once the feed has ended. Clients that do not read are cut off.
        """
        self._feed.close()
        self._server.should_exit = True
        self._thread.join(_STOP_S)
        if self._thread.is_alive():
            raise SinkError(f"the web page did not end within {_STOP_S:.0f} s")
