"""
BASE_URL and PROMPT -> an agent that runs the command it is told at the end mark of the answer: the body has not ended, and
nothing behind the mark was read. It then reads the rest, and asks again with the result on the same connection.
"""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

_BASH = {"name": "bash", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}


def main(base_url: str, prompt: str) -> None:
    link = http.client.HTTPSConnection(urlsplit(base_url).netloc, context=ssl.create_default_context())
    messages: list[dict[str, Any]] = [{"role": "user", "content": prompt}]
    while True:
        asked = {"model": "demo", "max_tokens": 4096, "stream": True, "messages": messages, "tools": [_BASH]}
        link.request("POST", "/v1/messages", json.dumps(asked), {"content-type": "application/json"})
        answer = link.getresponse()
        tools = _tools(_events(answer))
        results = [{"type": "tool_result", "tool_use_id": tool["id"], "content": _run(tool)} for tool in tools]
        answer.read()
        if not tools:
            break
        messages += [{"role": "assistant", "content": tools}, {"role": "user", "content": results}]
    link.close()


def _events(answer: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    """Up to the end mark, and nothing behind it."""
    while line := answer.readline():
        if not line.startswith(b"data: "):
            continue
        event: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
        yield event
        if event["type"] == "message_stop":
            answer.readline()  # the empty line that ends it
            return


def _tools(events: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    tools: dict[int, dict[str, Any]] = {}
    said: dict[int, str] = {}
    for event in events:
        if event["type"] == "content_block_start" and event["content_block"]["type"] == "tool_use":
            tools[event["index"]] = event["content_block"]
        elif event["type"] == "content_block_delta" and event["index"] in tools:
            said[event["index"]] = said.get(event["index"], "") + event["delta"]["partial_json"]
    return [tool | {"input": json.loads(said[at])} for at, tool in tools.items()]


def _run(tool: dict[str, Any]) -> str:
    command = ["/bin/sh", "-c", tool["input"]["command"]]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
