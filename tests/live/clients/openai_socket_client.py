"""BASE_URL, CALLS and SIZE -> that many responses over one WebSocket of the openai SDK; CLIENT_LOG has each message."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any, TextIO

import openai

from tests.live.clients.parts import prompt, wait_for_gate


async def main(base_url: str, calls: int, size: int, log: TextIO) -> None:
    heard = 0
    client = openai.AsyncOpenAI(base_url=f"{base_url}/v1", max_retries=0)
    options: Any = {"compression": "deflate"}
    async with client.responses.connect(websocket_connection_options=options) as connection:
        for number in range(calls):
            ask = json.dumps({"type": "response.create", "model": "demo", "input": prompt(number, size)})
            await connection.send_raw(ask)
            print(_line("out", ask.encode(), number + 1), file=log)
            kind = ""
            while kind != "response.completed":
                message = await connection.recv_bytes()
                heard += 1
                print(_line("in", message, heard), file=log)
                kind = connection.parse_event(message).type


def _line(direction: str, message: bytes, n: int) -> str:
    line = {"websocket": "/v1/responses", "direction": direction, "kind": "text", "data_hex": message.hex(), "n": n}
    return json.dumps(line)


if __name__ == "__main__":
    wait_for_gate()
    with open(os.environ["CLIENT_LOG"], "w") as opened:
        asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), opened))
