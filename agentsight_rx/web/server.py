"""WebOptions -> a sink that shows the capture on a web page while it runs."""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address
from threading import Thread
from typing import TYPE_CHECKING

from msgspec import Struct

from ..core.sink import Sink, Writer
from ..errors import SinkError, UsageError
from ..loss import Ledger
from ..say import say
from ..sinks.web import Feed
from ..view import Output

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from .connections import Limits

__all__ = ["WebOptions", "WebSink", "web"]

_PORT, _PORTS = 7395, 100  # where no port was given: the first that is free of so many
_BACKLOG = 128  # connections that wait to be accepted
_START_S = 5.0
_GRACE_S = 1  # for answers being sent when the run ends; a stream ends by itself within 75 ms
_STOP_S = 5.0  # measured: 0.2 s with open streams, 1.4 s with a reader that does not read


class WebOptions(Struct, frozen=True):
    """
    Where the page is. Port 0: any free port; None: 7395, or the next one that is free. `allow_remote`: other machines may reach
    it, over plain HTTP. Where the page is not `required`, the run goes on without it if it cannot be served.
    """

    listen: str = "127.0.0.1"
    port: int | None = None
    allow_remote: bool = False
    required: bool = True


def web(options: WebOptions | None = None, *, limits: Limits | None = None) -> WebSink:
    """
    Show the capture on a web page while it runs.

    Raises UsageError where the address is not valid, or where other machines can reach it and that was not allowed. Opening
    the sink raises SinkError where the port is taken and the page is required.
    """
    place = _Place(options or WebOptions(), limits)
    return WebSink(name="web", open=place.open, place=place)


class WebSink(Sink[Output], frozen=True, kw_only=True):
    """The sink, with the address of the page once it is open."""

    place: _Place

    @property
    def is_served(self) -> bool:
        """The sink is open, and the page can be opened."""
        return self.place.is_bound

    @property
    def url(self) -> str:
        """The address with the token that opens the page. Raises SinkError before the sink is open."""
        return self.place.url


class _Place:
    """An address of this machine and the token of one run. The port is bound by `open`, before anything is captured."""

    def __init__(self, options: WebOptions, limits: Limits | None) -> None:
        self._listen = _address(options)
        self._port = options.port
        self._required = options.required
        self._limits = limits
        self._token = secrets.token_urlsafe(32)
        self.is_bound = False

    @property
    def url(self) -> str:
        """The token is in the fragment, which browsers do not send."""
        if not self.is_bound:
            raise SinkError("the web page has no address yet: open its sink first")
        host = self._listen
        if ip_address(host).is_unspecified:
            host = "::1" if ":" in host else "127.0.0.1"
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}/#token={self._token}"

    def open(self, ledger: Ledger) -> Writer[Output]:
        try:
            return self._serve(ledger)
        except SinkError as error:
            if self._required:
                raise
            say(f"going on without the page: {error}")
            return _NoPage()

    def _serve(self, ledger: Ledger) -> Writer[Output]:
        from .app import Access, application  # takes 0.1 s, which a run without a page must not pay

        listener = _bind(self._listen, self._port)
        feed = Feed(ledger)
        app = application(feed, Access(self._token, self._listen), ledger.meter("web page"))
        page = _Page(feed, app, listener, self._limits)
        self._port = listener.getsockname()[1]
        self.is_bound = True
        return page


def _address(options: WebOptions) -> str:
    listen = "127.0.0.1" if options.listen in ("", "localhost") else options.listen
    try:
        address = ip_address(listen)
    except ValueError as error:
        raise UsageError(f"--listen {listen!r} is not an address of this machine: give one like 127.0.0.1 or ::1") from error
    if options.port is not None and not 0 <= options.port <= 65_535:
        raise UsageError(f"--server-port {options.port} is not a port: give 1 to 65535, or 0 for any free one")
    if not address.is_loopback and not options.allow_remote:
        raise UsageError(
            f"--listen {listen} would let other machines read what was captured, over plain HTTP: "
            "stay on 127.0.0.1 and tunnel (ssh -L), or add --allow-remote"
        )
    return str(address)


def _bind(address: str, port: int | None) -> socket.socket:
    """Listening: a port that was only looked at may be taken before it is bound."""
    if port is not None:
        return _listen(address, port)
    for candidate in range(_PORT, _PORT + _PORTS):
        with suppress(_TakenError):
            return _listen(address, candidate)
    return _listen(address, 0)


class _TakenError(SinkError):
    """Another program listens on this port."""


def _listen(address: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            said = f"port {port} on {address} is taken; give another with --server-port, or 0 for any free one"
            raise _TakenError(said) from error
        said = f"port {port} on {address} cannot be listened on: {error.strerror}; give others with --listen and --server-port"
        raise SinkError(said) from error
    return listener


class _NoPage:
    """The writer where there is no page."""

    def write(self, batch: Sequence[Output], /) -> None:
        pass

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


class _Page:
    """The writer: rows go to the feed, from which requests are answered on a thread of its own until the run ends."""

    def __init__(self, feed: Feed, app: ASGIApp, listener: socket.socket, limits: Limits | None) -> None:
        import uvicorn

        from .connections import Limits, protocol

        limits = limits or Limits()
        self._feed = feed
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=protocol(limits),
                ws="none",
                lifespan="off",
                proxy_headers=False,
                server_header=False,
                backlog=_BACKLOG,
                timeout_keep_alive=limits.idle_s,
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
