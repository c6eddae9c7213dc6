"""
PORT CA KIND CALLS [PROXY] -> the seconds that calls of a model took: requests of a conversation, about 60 KB each.

The conversation is `growing`, or the window of it is `sliding`. After three calls it prints a line and waits for one; then it
makes the calls, prints their seconds as JSON, and ends at the end of standard input.
"""

from __future__ import annotations

import json
import ssl
import sys
import time
from http.client import HTTPSConnection
from typing import Any

from benchmarks.recording import request_body

__all__ = ["bodies", "main"]

_WARM = 3  # calls
_SIZE = 60_000  # of the first request
_TURN = 4  # messages
_HEADERS = {"content-type": "application/json", "x-api-key": "dummy", "user-agent": "agent/1.0"}


def main() -> None:
    port, authority, kind, calls, *proxy = sys.argv[1:]
    context = ssl.create_default_context(cafile=authority)
    connection = HTTPSConnection("127.0.0.1", int(proxy[0] if proxy else port), context=context)
    if proxy:
        connection.set_tunnel("127.0.0.1", int(port))
    made = bodies(kind, _WARM + int(calls))
    for body in made[:_WARM]:
        _seconds(connection, body)
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps([_seconds(connection, body) for body in made[_WARM:]]), flush=True)
    sys.stdin.read()


def bodies(kind: str, count: int) -> list[bytes]:
    """The requests of `count` turns."""
    first = len(json.loads(request_body(1, _SIZE))["messages"])
    whole: dict[str, Any] = json.loads(request_body(1, _SIZE + count * _SIZE // 12))
    messages = whole["messages"]
    ends = [min(first + turn * _TURN, len(messages)) for turn in range(count)]
    starts = [end - first if kind == "sliding" else 0 for end in ends]
    windows = [messages[start:end] for start, end in zip(starts, ends, strict=True)]
    return [json.dumps({**whole, "messages": window}).encode() for window in windows]


def _seconds(connection: HTTPSConnection, body: bytes) -> float:
    began = time.perf_counter()
    connection.request("POST", "/v1/messages", body, _HEADERS)
    response = connection.getresponse()
    while response.read1(65_536):
        pass
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
