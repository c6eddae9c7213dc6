"""
A prompt -> the model's answer: asks the model, runs the command it calls for, sends what that printed, until it has answered.

    python examples/agent.py "How many lines has /etc/hostname?"

ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY and ANTHROPIC_MODEL say which model; without the first, a fake one of the demo is started
on this machine. It uses the anthropic SDK where that is installed, else the API itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

_PROMPT = "How many lines has /etc/hostname? Use one shell command."
_FAKE_COMMAND = "wc -l < /etc/hostname"  # what the fake model calls for
_MOST_TURNS = 20  # then a model that keeps calling tools is stopped
_LONGEST_OUTPUT = 100_000  # characters of one result
_TOOL = {
    "name": "bash",
    "description": "Run a command with /bin/sh and get what it prints.",
    "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
}

Ask = Callable[[dict[str, Any]], dict[str, Any]]  # a request -> the message that answers it


def main() -> int:
    """Answer the prompt on the command line."""
    prompt = " ".join(sys.argv[1:]) or _PROMPT
    try:
        if "ANTHROPIC_BASE_URL" in os.environ:
            print(answer(prompt, _asking()))
        else:
            with _fake_model():
                print(answer(prompt, _asking()))
    except (OSError, RuntimeError) as error:
        print(f"{os.environ.get('ANTHROPIC_BASE_URL')}: {error}", file=sys.stderr)
        return 1
    return 0


def answer(prompt: str, ask: Ask) -> str:
    """Ask the model and run what it calls for, until it calls for nothing more."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": prompt}]
    model = os.environ.get("ANTHROPIC_MODEL", "claude-opus-4-6")
    for _ in range(_MOST_TURNS):
        said = ask({"model": model, "max_tokens": 4096, "tools": [_TOOL], "messages": messages})["content"]
        messages.append({"role": "assistant", "content": said})
        results = [run(block) for block in said if block["type"] == "tool_use"]
        if not results:
            return "".join(block["text"] for block in said if block["type"] == "text")
        messages.append({"role": "user", "content": results})
    raise RuntimeError(f"no answer after {_MOST_TURNS} turns")


def run(call: dict[str, Any]) -> dict[str, Any]:
    """Run the command that the model calls for; what it prints is the result."""
    command = ["/bin/sh", "-c", str(call["input"].get("command", ""))]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    printed = (done.stdout + done.stderr).decode(errors="replace")[:_LONGEST_OUTPUT]
    return {
        "type": "tool_result",
        "tool_use_id": call["id"],
        "content": printed or "(no output)",
        "is_error": done.returncode != 0,
    }


def _asking() -> Ask:
    """How the model is asked: by the SDK, or without it."""
    os.environ.setdefault("ANTHROPIC_API_KEY", "no-key-needed")
    try:
        import anthropic
    except ImportError:
        return _ask_the_api
    client = anthropic.Anthropic(max_retries=0)

    def ask(request: dict[str, Any]) -> dict[str, Any]:
        try:
            with client.messages.stream(**request) as stream:
                return stream.get_final_message().model_dump(exclude_none=True)
        except anthropic.AnthropicError as error:
            raise RuntimeError(str(error)) from error

    return ask


def _ask_the_api(request: dict[str, Any]) -> dict[str, Any]:
    headers = {
        "content-type": "application/json",
        "x-api-key": os.environ["ANTHROPIC_API_KEY"],
        "anthropic-version": "2023-06-01",
    }
    url = os.environ["ANTHROPIC_BASE_URL"].rstrip("/") + "/v1/messages"
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(request).encode(), headers)) as response:
        message: dict[str, Any] = json.load(response)
        return message


@contextmanager
def _fake_model() -> Generator[None]:
    """The demo's own model on a free port of this machine; the environment leads to it."""
    with tempfile.TemporaryDirectory(prefix="agentsight-rx-example-") as folder:
        command = [
            sys.executable,
            "-m",
            "agentsight_rx.runtime.demo.fake_llm",
            "--dir",
            folder,
            "--tool-command",
            _FAKE_COMMAND,
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                port = server.stdout.readline().strip() if server.stdout else ""
                if not port:
                    raise RuntimeError("set ANTHROPIC_BASE_URL: the demo's fake model did not start")
                os.environ["ANTHROPIC_BASE_URL"] = f"https://127.0.0.1:{port}"
                os.environ["SSL_CERT_FILE"] = f"{folder}/ca.pem"
                print(f"ANTHROPIC_BASE_URL is not set: using the demo's fake model on 127.0.0.1:{port}", file=sys.stderr)
                yield
            finally:
                server.terminate()


if __name__ == "__main__":
    raise SystemExit(main())
