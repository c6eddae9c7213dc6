"""BASE_URL, CALLS and SIZE -> that many calls through the anthropic SDK; CLIENT_LOG says what each sent and received."""

from __future__ import annotations

import os
import sys

import anthropic
from anthropic.types import MessageParam, ToolParam

from tests.live.clients.parts import Tap, prompt, wait_for_gate

_BASH: ToolParam = {
    "name": "bash",
    "description": "Run a command.",
    "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}},
}


def main(base_url: str, calls: int, size: int) -> None:
    wait_for_gate()
    tap = Tap("iter_raw")
    client = anthropic.Anthropic(
        base_url=base_url,
        max_retries=0,
        default_headers={"accept-encoding": "identity"},
        http_client=anthropic.DefaultHttpxClient(event_hooks={"response": [tap.watch]}),
    )
    with client, open(os.environ["CLIENT_LOG"], "w") as log:
        for number in range(calls):
            _call(client, number, size)
            print(tap.line(), file=log, flush=True)


def _call(client: anthropic.Anthropic, number: int, size: int) -> None:
    messages: list[MessageParam] = [{"role": "user", "content": prompt(number, size)}]
    tools = [_BASH] if number // 2 % 2 == 0 else anthropic.omit
    if number % 2:
        with client.messages.stream(model="demo", max_tokens=4096, messages=messages, tools=tools) as stream:
            stream.until_done()
    else:
        client.messages.create(model="demo", max_tokens=4096, messages=messages, tools=tools)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
