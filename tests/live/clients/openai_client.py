"""BASE_URL, CALLS and SIZE -> that many calls through the openai SDK; CLIENT_LOG says what each sent and received."""

from __future__ import annotations

import os
import sys

import openai
from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionMessageParam

from tests.live.clients.parts import Tap, prompt, wait_for_gate

_BASH: ChatCompletionFunctionToolParam = {
    "type": "function",
    "function": {
        "name": "bash",
        "description": "Run a command.",
        "parameters": {"type": "object", "properties": {"command": {"type": "string"}}},
    },
}


def main(base_url: str, calls: int, size: int) -> None:
    wait_for_gate()
    tap = Tap("iter_raw")
    client = openai.OpenAI(
        base_url=f"{base_url}/v1",
        max_retries=0,
        default_headers={"accept-encoding": "identity"},
        http_client=openai.DefaultHttpxClient(event_hooks={"response": [tap.watch]}),
    )
    with client, open(os.environ["CLIENT_LOG"], "w") as log:
        for number in range(calls):
            _call(client, number, size)
            print(tap.line(), file=log, flush=True)


def _call(client: openai.OpenAI, number: int, size: int) -> None:
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": prompt(number, size)}]
    tools = [_BASH] if number // 2 % 2 == 0 else openai.omit
    if number % 2:
        chunks = client.chat.completions.create(
            model="demo", messages=messages, tools=tools, stream=True, stream_options={"include_usage": True}
        )
        for _ in chunks:
            pass
    else:
        client.chat.completions.create(model="demo", messages=messages, tools=tools)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
