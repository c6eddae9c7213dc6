"""One connection: bytes in, until the client leaves or the server stops; bytes out."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter

__all__ = ["Link"]

_PIECE = 65_536


class Link:
    def __init__(self, reader: StreamReader, writer: StreamWriter, number: int, stopping: asyncio.Event) -> None:
        self.number = number
        self._stopping = stopping
        self._reader = reader
        self._writer = writer
        self._stopped = asyncio.ensure_future(stopping.wait())
        self._ahead = b""  # received, and not yet given by `receive`

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    async def begins_with(self, prefix: bytes) -> bool:
        """Whether the first bytes received are these."""
        while len(self._ahead) < len(prefix) and prefix.startswith(self._ahead) and (data := await self._read()):
            self._ahead += data
        return self._ahead.startswith(prefix)

    async def receive(self) -> bytes:
        """The bytes received; b"" once the client has left or the server stops."""
        return self._take_ahead() or await self._read()

    async def _read(self) -> bytes:
        reading = asyncio.ensure_future(self._reader.read(_PIECE))
        await asyncio.wait((reading, self._stopped), return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            return reading.result()
        reading.cancel()
        return b""

    async def receive_always(self) -> bytes:
        """The bytes received, also while the server stops; b"" once the client has left."""
        return self._take_ahead() or await self._reader.read(_PIECE)

    def _take_ahead(self) -> bytes:
        data, self._ahead = self._ahead, b""
        return data

    async def until_stop_or(self, task: asyncio.Task[None]) -> None:
        await asyncio.wait((task, self._stopped), return_when=asyncio.FIRST_COMPLETED)

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def abort(self) -> None:
        """End the connection without close_notify."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """Send what is buffered, and end the connection."""
        self._stopped.cancel()
        self._writer.close()
        with contextlib.suppress(OSError):  # also ssl.SSLError: the client sent no close_notify in time
            await self._writer.wait_closed()
