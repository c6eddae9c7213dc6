"""BASE_URL, CALLS and SIZE -> that many calls through the anthropic SDK; CLIENT_LOG says what each sent and received."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
from anthropic.types import MessageParam, ToolParam

_BASH: ToolParam = {
    "name": "bash",
    "description": "Run a command.",
    "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}},
}


def main(base_url: str, calls: int, size: int) -> None:
    _wait()
    tap = _Tap()
    client = anthropic.Anthropic(
        base_url=base_url,
        max_retries=0,
        default_headers={"accept-encoding": "identity"},
        http_client=anthropic.DefaultHttpxClient(event_hooks={"response": [tap.watch]}),
    )
    with client, open(os.environ["CLIENT_LOG"], "w") as log:
        for number in range(calls):
            _call(client, number, size)
            line = {"request_body_hex": tap.request.hex(), "response_body_hex": tap.response.hex()}
            print(json.dumps(line), file=log, flush=True)


def _call(client: anthropic.Anthropic, number: int, size: int) -> None:
    extra = ("", "x" * size, f"size={size}")[number % 3]
    messages: list[MessageParam] = [{"role": "user", "content": f"Call {number} é 模 🙂 {extra}"}]
    tools = [_BASH] if number // 2 % 2 == 0 else anthropic.omit
    if number % 2:
        with client.messages.stream(model="demo", max_tokens=4096, messages=messages, tools=tools) as stream:
            stream.until_done()
    else:
        client.messages.create(model="demo", max_tokens=4096, messages=messages, tools=tools)


class _Tap:
    """What goes between the SDK and its HTTP library: httpx or httpx2, which depends on the SDK's version, hence `Any`."""

    def __init__(self) -> None:
        self.request = b""
        self.response = b""

    def watch(self, response: Any) -> None:
        self.request, self.response = response.request.content, b""
        iter_raw = response.iter_raw

        def watched(chunk_size: int | None = None) -> Iterator[bytes]:
            for part in iter_raw(chunk_size):
                self.response += part
                yield part

        response.iter_raw = watched


def _wait() -> None:
    while (path := os.environ.get("WAIT_FOR")) and not Path(path).exists():
        time.sleep(0.01)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
