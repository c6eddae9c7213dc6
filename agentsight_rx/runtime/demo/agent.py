"""
A prompt -> the model's answer, after running the tools that the model called: a small but real agent to capture.

    ANTHROPIC_API_KEY=… python -m agentsight_rx.runtime.demo.agent "How much disk space is left?"

ANTHROPIC_BASE_URL, ANTHROPIC_MODEL and SSL_CERT_FILE set the server, the model and the certificates, as for other agents.
AGENT_COMPACT_TOKENS says from which context on a summary takes the place of the conversation. AGENTS.md has instructions, and
each `.agent/NAME.json` is one more tool: its definition, and the `command` that it runs.
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
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from agentsight_rx.runtime.demo.prompt_cache import MARK

_MOST_TURNS = 50  # then a model that keeps calling tools is stopped
_LONGEST_OUTPUT = 100_000  # characters of one tool result; about what coding agents send
_COMPACT_TOKENS = 150_000  # of the 200,000 that a model takes
_SYSTEM = (
    "You are a programmer who works in the folder of a person, with the tools below. Read before you change anything, and "
    "change as little as the task needs. Run the tests after each change, and look at what they print before you say that "
    "something works. Say in one sentence what you are about to do, then call one tool. When the task is done, say what you "
    "changed."
)
_SUMMARIZE = "Summarize the conversation so far: the task, what you did and found, and what is left to do."


def _tool(name: str, description: str, **strings: str) -> dict[str, Any]:
    given = {each: {"type": "string", "description": what} for each, what in strings.items()}
    schema = {"type": "object", "properties": given, "required": list(strings)}
    return {"name": name, "description": description, "input_schema": schema}


_TOOLS = (
    _tool("bash", "Run a command with /bin/sh and get what it prints.", command="What to run, in the folder of the task."),
    _tool("read_file", "Get the whole text of a file.", file_path="Its path, absolute or from the folder of the task."),
)


def main() -> int:
    """Answer the prompt on the command line."""
    if len(sys.argv) != 2 or "ANTHROPIC_API_KEY" not in os.environ:
        print('usage: ANTHROPIC_API_KEY=… python -m agentsight_rx.runtime.demo.agent "PROMPT"', file=sys.stderr)
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
    limit = int(os.environ.get("AGENT_COMPACT_TOKENS", _COMPACT_TOKENS))
    history = [_message("user", _text(prompt))]
    for _ in range(_MOST_TURNS):
        reply = _ask(connection, path, history)
        results = [_run(block) for block in reply.content if block["type"] == "tool_use"]
        if not results:
            return reply.text
        history += [_message("assistant", *reply.content), _message("user", *results)]
        if reply.tokens > limit:
            history[-1] = _message("user", *results, _text(_SUMMARIZE))
            summary = _ask(connection, path, history).text
            said = f"<conversation_summary>\nThe task: {prompt}\n{summary}\n</conversation_summary>"
            history = [_message("user", _text(said))]
    raise RuntimeError(f"no answer after {_MOST_TURNS} turns")


def _message(role: str, *content: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "content": list(content)}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


class Reply(NamedTuple):
    """An answer of the model."""

    content: list[dict[str, Any]]
    tokens: int  # of the context with this answer

    @property
    def text(self) -> str:
        return "".join(block["text"] for block in self.content if block["type"] == "text")


def _ask(connection: HTTPSConnection, path: str, history: list[dict[str, Any]]) -> Reply:
    *before, newest = history
    *rest, last = newest["content"]
    body = {
        "model": os.environ.get("ANTHROPIC_MODEL", "claude-sonnet-4-5"),
        "max_tokens": 4096,
        "stream": True,
        "system": _system(),
        "tools": [*_TOOLS, *_own_tools().values()],
        "messages": [*before, _message("user", *rest, last | MARK)],
    }
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
    return read_reply(_events(response))


def _system() -> list[dict[str, Any]]:
    rules = Path("AGENTS.md")
    texts = [_SYSTEM, *([f"Instructions from: {rules.absolute()}\n{rules.read_text()}"] if rules.is_file() else [])]
    *before, last = map(_text, texts)
    return [*before, last | MARK]


def _own_tools() -> dict[str, dict[str, Any]]:
    """Tools that the folder of the task has by now."""
    tools = [json.loads(path.read_text()) for path in sorted(Path(".agent").glob("*.json"))]
    return {tool["name"]: {name: value for name, value in tool.items() if name != "command"} for tool in tools}


def _events(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith(b"data:"):
            yield json.loads(line.removeprefix(b"data:"))


def read_reply(events: Iterable[dict[str, Any]]) -> Reply:
    """The answer that these events of a stream are. RuntimeError: the server gave up."""
    content: list[dict[str, Any]] = []
    block: dict[str, Any] = {}
    arguments = ""
    counts: dict[str, int] = {}
    for event in events:
        match event["type"]:
            case "message_start":
                counts = event["message"].get("usage", {})
            case "message_delta":
                counts |= event.get("usage", {})
            case "content_block_start":
                block, arguments = event["content_block"], ""
            case "content_block_delta" if event["delta"]["type"] == "text_delta":
                block["text"] += event["delta"]["text"]
            case "content_block_delta" if event["delta"]["type"] == "input_json_delta":
                arguments += event["delta"]["partial_json"]
            case "content_block_stop":
                content.append(block | {"input": json.loads(arguments or "{}")} if block["type"] == "tool_use" else block)
            case "error":
                raise RuntimeError(event["error"]["message"])
            case _:
                pass
    return Reply(content, sum(each for name, each in counts.items() if name.endswith("_tokens")))


def _run(call: dict[str, Any]) -> dict[str, object]:
    result = {"type": "tool_result", "tool_use_id": call["id"]}
    try:
        output, is_error = _output(call["name"], call["input"])
    except OSError as error:
        output, is_error = str(error), True
    return {**result, "content": output[:_LONGEST_OUTPUT] or "(no output)", "is_error": is_error}


def _output(tool: str, given: dict[str, Any]) -> tuple[str, bool]:
    """What a tool prints, and whether it failed."""
    if tool == "read_file":
        return Path(given["file_path"]).read_text(errors="replace"), False
    command = given["command"] if tool == "bash" else json.loads(Path(f".agent/{tool}.json").read_text())["command"]
    done = subprocess.run(["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return (done.stdout + done.stderr).decode(errors="replace"), done.returncode != 0


if __name__ == "__main__":
    raise SystemExit(main())
