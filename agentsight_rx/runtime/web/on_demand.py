"""A socket that listens, and how to serve on it -> a server from the first client on."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from threading import Thread
from typing import TYPE_CHECKING

from ...core.messages import say

if TYPE_CHECKING:
    from .api import Api
    from .serving import Serving

__all__ = ["OnDemand"]


class OnDemand:
    """
    What serves a page takes 0.3 s to load, which a command need not wait for, and most runs are never looked at. The kernel
    lets clients wait meanwhile. `serve` is called once, on a thread of its own.
    """

    def __init__(self, listener: socket.socket, serve: Callable[[], tuple[Api, Serving]]) -> None:
        self._listener = listener
        self._serve = serve
        self._served: tuple[Api, Serving] | None = None
        self._ended, end = os.pipe()
        self._end: int | None = end
        self._thread = Thread(target=self._wait, name="web: first client", daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        """Also a client that came just before the end is served."""
        client = self._listener.fileno()
        ready, _, _ = select.select([client, self._ended], [], [])
        if client not in ready:
            return
        try:
            self._served = self._serve()
        except Exception as error:  # whatever it is, no client shall wait for an answer that does not come
            self._listener.close()
            say(f"going on without the page: {error}")

    def served(self) -> tuple[Api, Serving] | None:
        """Ends the wait for a first client: what serves the page, or None where none came."""
        if self._end is not None:
            os.close(self._end)
            self._end = None
            self._thread.join()
            os.close(self._ended)
            if self._served is None:
                self._listener.close()
        return self._served
