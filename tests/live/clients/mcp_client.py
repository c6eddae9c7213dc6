"""
BASE_URL, CALLS and SIZE -> that many tool calls through the mcp SDK over streamable HTTP.

CLIENT_LOG says what each POST sent and, without its coding, received; there are more of them than calls, since a session opens
and the tools are listed.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from tests.live.clients.parts import CODINGS, wait_for_gate


async def main(base_url: str, calls: int, size: int) -> list[str]:
    """The lines of the log."""
    tap = _Tap()
    async with (
        httpx2.AsyncClient(event_hooks={"request": [tap.ask], "response": [tap.watch]}, timeout=60) as http_client,
        Client(streamable_http_client(f"{base_url}/mcp", http_client=http_client), mode="legacy") as client,
    ):
        await client.list_tools()
        for number in range(calls):
            text = ("short é 模 🙂", "x" * size)[number // 2 % 2]
            await client.call_tool(("echo", "count")[number % 2], {"text": f"call {number} {text}"})
    lines = [{"request_body_hex": sent.hex(), "response_body_hex": bytes(received).hex()} for sent, received in tap.posts]
    return [json.dumps(line) + "\n" for line in lines]


class _Tap:
    """Keeps the bodies of each POST. It sits between the SDK and its HTTP library."""

    def __init__(self) -> None:
        self.posts: list[tuple[bytes, bytearray]] = []

    async def ask(self, request: httpx2.Request) -> None:
        request.headers["x-want-coding"] = CODINGS[len(self.posts) % 7]

    async def watch(self, response: Any) -> None:
        if response.request.method != "POST":
            return
        received = bytearray()
        self.posts.append((response.request.content, received))
        aiter_bytes = response.aiter_bytes

        async def watched(chunk_size: int | None = None) -> AsyncIterator[bytes]:
            async for part in aiter_bytes(chunk_size):
                received.extend(part)
                yield part

        response.aiter_bytes = watched


if __name__ == "__main__":
    wait_for_gate()
    log = asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
    Path(os.environ["CLIENT_LOG"]).write_text("".join(log))
