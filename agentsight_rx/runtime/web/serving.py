"""An application, a listening socket -> a server on a thread of its own, until it is ended."""

from __future__ import annotations

import asyncio
import socket
import time
from threading import Thread
from typing import TYPE_CHECKING, Literal

from ...core.errors import SinkError
from .place import BACKLOG

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from .connections import Limits

_START_S = 5.0
_GRACE_S = 1  # for answers being sent when the run ends; a stream ends by itself within 75 ms
_STOP_S = 5.0  # measured: 0.2 s with open streams, 1.4 s with a reader that does not read


class Serving:
    """Runs from its making on. Raises SinkError where it does not start."""

    def __init__(
        self, app: ASGIApp, listener: socket.socket, limits: Limits | None = None, *, lifespan: Literal["on", "off"] = "off"
    ) -> None:
        import uvicorn

        from .connections import Limits, protocol

        limits = limits or Limits()
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=protocol(limits),
                ws="none",
                lifespan=lifespan,
                proxy_headers=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_keep_alive=limits.idle_s,
                timeout_graceful_shutdown=_GRACE_S,
                log_config=None,
                log_level="critical",  # bugs are counted by the application itself
            )
        )
        self._failure: Exception | None = None
        self._thread = Thread(target=self._run, args=(listener,), name="web", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + _START_S
        while not self._server.started:
            late = time.monotonic() > deadline
            if late or not self._thread.is_alive():
                listener.close()
                why = f" within {_START_S:.0f} s" if late else f": {self._failure or 'its server ended'}"
                raise SinkError(f"the web page did not start{why}") from self._failure
            time.sleep(0.005)

    def _run(self, listener: socket.socket) -> None:
        try:
            asyncio.run(self._serve(listener))
        except Exception as error:
            self._failure = error

    async def _serve(self, listener: socket.socket) -> None:
        await self._server.serve([listener])
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()  # of a client that does not read
        await asyncio.sleep(0)

    def end(self) -> None:
        """
        Uvicorn waits for streams, which end by themselves once the run has ended. Clients that do not read are cut off. Raises
        SinkError where it does not end in time.
        """
        self._server.should_exit = True
        self._thread.join(_STOP_S)
        if self._thread.is_alive():
            raise SinkError(f"the web page did not end within {_STOP_S:.0f} s")
