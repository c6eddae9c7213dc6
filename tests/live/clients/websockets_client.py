"""
BASE_URL, CALLS, SIZE and "deflate" or "plain" -> that many messages over /echo and over /v1/responses by `websockets`.

Each message is text, binary or long, and every fourth is sent in fragments. CLIENT_LOG has every message, in and out.

This uses the asyncio client. The threaded one reads and writes one TLS connection in two threads at the same time, and on
Python 3.13.5 about one handshake in a hundred is never sent.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TextIO

from websockets.asyncio.client import ClientConnection, connect

from tests.live.clients.parts import prompt, wait_for_gate


async def main(base_url: str, calls: int, size: int, compression: str | None, log: TextIO) -> None:
    url = base_url.replace("http", "ws", 1)
    async with connect(f"{url}/echo", compression=compression, max_size=None) as socket:
        talk = _Talk(socket, "/echo", log)
        for number in range(calls):
            await talk.say(_message(number, size), fragmented=number % 4 == 3)
            await talk.hear()
    async with connect(f"{url}/v1/responses", compression=compression, max_size=None) as socket:
        talk = _Talk(socket, "/v1/responses", log)
        for number in range(calls):
            await talk.say(_create(number, size), fragmented=number % 4 == 3)
            while b'"type":"response.completed"' not in await talk.hear():
                pass


def _message(number: int, size: int) -> str | bytes:
    return (f"text {number} é 模 🙂", bytes(range(256)) * (number + 1), "long é" * (size // 6))[number % 3]


def _create(number: int, size: int) -> str:
    return json.dumps({"type": "response.create", "model": "demo", "input": prompt(number, size)})


class _Talk:
    """One WebSocket and the log of its messages."""

    def __init__(self, socket: ClientConnection, path: str, log: TextIO) -> None:
        self._socket = socket
        self._path = path
        self._log = log
        self._counts = {"in": 0, "out": 0}

    async def say(self, message: str | bytes, *, fragmented: bool) -> None:
        third = len(message) // 3 + 1
        if not fragmented:
            await self._socket.send(message)
        elif isinstance(message, str):
            await self._socket.send(message[start : start + third] for start in range(0, len(message), third))
        else:
            await self._socket.send(message[start : start + third] for start in range(0, len(message), third))
        self._write("out", message)

    async def hear(self) -> bytes:
        return self._write("in", await self._socket.recv())

    def _write(self, direction: str, message: str | bytes) -> bytes:
        self._counts[direction] += 1
        kind, data = ("text", message.encode()) if isinstance(message, str) else ("binary", message)
        line = {"websocket": self._path, "direction": direction, "kind": kind, "data_hex": data.hex()}
        print(json.dumps(line | {"n": self._counts[direction]}), file=self._log, flush=True)
        return data


if __name__ == "__main__":
    wait_for_gate()
    with open(os.environ["CLIENT_LOG"], "w") as opened:
        deflate = "deflate" if sys.argv[4] == "deflate" else None
        asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), deflate, opened))
