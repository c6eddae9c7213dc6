"""
A prompt -> the model's answer, after running the tools that the model called: a small but real agent to capture.

    ANTHROPIC_API_KEY=… python -m agentsight_rx.demo.agent "How much disk space is left?"

ANTHROPIC_BASE_URL, ANTHROPIC_MODEL and SSL_CERT_FILE set the server, the model and the certificates, as for other agents.
Protocol: https://docs.claude.com/en/api/messages-streaming.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterable, Iterator
from http.client import HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

__all__ = ["main"]

_MOST_TURNS = 50  # then a model that keeps calling tools is stopped
_LONGEST_OUTPUT = 100_000  # characters of one tool result; about what coding agents send
_TOOL = {
    "name": "bash",
    "description": "Run a command with /bin/sh and get what it prints.",
    "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
}


def main() -> int:
    """Answer the prompt on the command line."""
    if len(sys.argv) != 2 or "ANTHROPIC_API_KEY" not in os.environ:
        print('usage: ANTHROPIC_API_KEY=… python -m agentsight_rx.demo.agent "PROMPT"', file=sys.stderr)
        return 2
    base = urlsplit(os.environ.get("ANTHROPIC_BASE_URL", "https://api.anthropic.com"))
    connection = HTTPSConnection(base.netloc, timeout=600, context=ssl.create_default_context())
    try:
        print(_answer(connection, base.path.rstrip("/") + "/v1/messages", sys.argv[1]))
    except (OSError, HTTPException, RuntimeError) as error:
        print(f"{base.geturl()}: {error}", file=sys.stderr)
        return 1
    finally:
        connection.close()
    return 0


def _answer(connection: HTTPSConnection, path: str, prompt: str) -> str:
    history: list[object] = [{"role": "user", "content": prompt}]
    for _ in range(_MOST_TURNS):
        content = list(_ask(connection, path, history))
        history.append({"role": "assistant", "content": content})
        results = [_run(block) for block in content if block["type"] == "tool_use"]
        if not results:
            return "".join(block["text"] for block in content if block["type"] == "text")
        history.append({"role": "user", "content": results})
    raise RuntimeError(f"no answer after {_MOST_TURNS} turns")


def _ask(connection: HTTPSConnection, path: str, history: list[object]) -> Iterator[dict[str, Any]]:
    """One call; yields each content block of the reply once it is complete."""
    model = os.environ.get("ANTHROPIC_MODEL", "claude-sonnet-4-5")
    body = {"model": model, "max_tokens": 4096, "stream": True, "tools": [_TOOL], "messages": history}
    headers = {
        "content-type": "application/json",
        "x-api-key": os.environ["ANTHROPIC_API_KEY"],
        "anthropic-version": "2023-06-01",
        "user-agent": "agentsight-demo-agent/1",
        "accept": "text/event-stream",
    }
    connection.request("POST", path, json.dumps(body), headers)
    response = connection.getresponse()
    if response.status != 200:
        raise RuntimeError(f"status {response.status}: {response.read(2_000).decode(errors='replace')}")
    yield from _blocks(_events(response))


def _events(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith(b"data:"):
            yield json.loads(line.removeprefix(b"data:"))


def _blocks(events: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    block: dict[str, Any] = {}
    arguments = ""
    for event in events:
        match event["type"]:
            case "content_block_start":
                block, arguments = event["content_block"], ""
            case "content_block_delta" if event["delta"]["type"] == "text_delta":
                block["text"] += event["delta"]["text"]
            case "content_block_delta" if event["delta"]["type"] == "input_json_delta":
                arguments += event["delta"]["partial_json"]
            case "content_block_stop":
                yield block | {"input": json.loads(arguments or "{}")} if block["type"] == "tool_use" else block
            case "error":
                raise RuntimeError(event["error"]["message"])
            case _:
                pass


def _run(call: dict[str, Any]) -> dict[str, object]:
    command: str = call["input"]["command"]
    done = subprocess.run(["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    output = (done.stdout + done.stderr).decode(errors="replace")[:_LONGEST_OUTPUT]
    return {
        "type": "tool_result",
        "tool_use_id": call["id"],
        "content": output or "(no output)",
        "is_error": done.returncode != 0,
    }


if __name__ == "__main__":
    raise SystemExit(main())
