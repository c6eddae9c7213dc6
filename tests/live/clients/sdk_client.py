"""
BASE_URL, CALLS, SIZE, API and maybe "h2" -> that many calls through the API's own SDK, which accepts the codings it can decode.

CLIENT_LOG says what each call sent and, without its coding, received. API is anthropic, openai, responses or gemini.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import httpx2

from tests.live.clients.parts import CODINGS, Tap, prompt, wait_for_gate

_SCHEMA: dict[str, object] = {"type": "object", "properties": {"command": {"type": "string"}}}
_BASH: dict[str, object] = {"name": "bash", "description": "Run a command."}
_Call = Callable[[str, bool, bool], None]  # the prompt, with a tool, streamed


def main(base_url: str, calls: int, size: int, api: str, *, http2: bool) -> None:
    tap = Tap("iter_bytes")
    http1 = not (http2 and base_url.startswith("http:"))  # without TLS a client must begin with HTTP/2 to use it
    hooks: Any = {"request": [tap.ask], "response": [tap.watch]}
    with httpx2.Client(http1=http1, http2=http2, event_hooks=hooks, timeout=60) as client:
        call = _APIS[api](base_url, client)
        wait_for_gate()
        with open(os.environ["CLIENT_LOG"], "w") as log:
            for number in range(calls):
                tap.coding = CODINGS[number % 7]
                call(prompt(number, size), number // 2 % 2 == 0, number % 2 == 1)
                print(tap.line(), file=log, flush=True)


def _anthropic(base_url: str, http_client: httpx2.Client) -> _Call:
    import anthropic

    client = anthropic.Anthropic(base_url=base_url, max_retries=0, http_client=http_client)

    def call(prompt: str, tool: bool, stream: bool) -> None:
        tools: Any = [_BASH | {"input_schema": _SCHEMA}] if tool else anthropic.omit
        ask: dict[str, Any] = {"model": "demo", "max_tokens": 4096, "tools": tools}
        if stream:
            with client.messages.stream(messages=[{"role": "user", "content": prompt}], **ask) as events:
                events.until_done()
        else:
            client.messages.create(messages=[{"role": "user", "content": prompt}], **ask)

    return call


def _openai(base_url: str, http_client: httpx2.Client) -> _Call:
    import openai

    client = openai.OpenAI(base_url=f"{base_url}/v1", max_retries=0, http_client=http_client)

    def call(prompt: str, tool: bool, stream: bool) -> None:
        tools: Any = [{"type": "function", "function": _BASH | {"parameters": _SCHEMA}}] if tool else openai.omit
        ask: dict[str, Any] = {"model": "demo", "messages": [{"role": "user", "content": prompt}], "tools": tools}
        if stream:
            _read_all(client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **ask))
        else:
            client.chat.completions.create(**ask)

    return call


def _responses(base_url: str, http_client: httpx2.Client) -> _Call:
    import openai

    client = openai.OpenAI(base_url=f"{base_url}/v1", max_retries=0, http_client=http_client)

    def call(prompt: str, tool: bool, stream: bool) -> None:
        tools: Any = [_BASH | {"type": "function", "parameters": _SCHEMA, "strict": False}] if tool else openai.omit
        ask: dict[str, Any] = {"model": "demo", "input": prompt, "tools": tools}
        if stream:
            _read_all(client.responses.create(stream=True, **ask))
        else:
            client.responses.create(**ask)

    return call


def _gemini(base_url: str, http_client: httpx2.Client) -> _Call:
    from google import genai

    options: Any = {"base_url": base_url, "httpx_client": http_client}
    client: Any = genai.Client(http_options=options)

    def call(prompt: str, tool: bool, stream: bool) -> None:
        declaration = _BASH | {"parameters_json_schema": _SCHEMA}
        config = {"tools": [{"function_declarations": [declaration]}]} if tool else None
        if stream:
            _read_all(client.models.generate_content_stream(model="demo", contents=prompt, config=config))
        else:
            client.models.generate_content(model="demo", contents=prompt, config=config)

    return call


_APIS: dict[str, Callable[[str, httpx2.Client], _Call]] = {
    "anthropic": _anthropic,
    "openai": _openai,
    "responses": _responses,
    "gemini": _gemini,
}


def _read_all(events: Any) -> None:
    for _ in events:
        pass


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], http2="h2" in sys.argv[5:])
