"""The traffic that is measured: TlsChunks of many model calls at once, the same ones each time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, TypeVar

from agentsight_rx.events import Connection, Direction, Origin, TlsChunk

__all__ = ["answer", "chunked", "cut", "request_body", "traffic"]

E = TypeVar("E")

_RECORD = 16 << 10  # the most that one TLS record holds
_SPACING_NS = 10_000  # 100,000 records a second in all
_START_NS = 3_600_000_000_000
_BODY = 60_000  # of a request: a conversation of some turns, with the files that were read in it
_DELTAS = 200  # of an answer, which is 206 events then

_SENTENCE = "every operator sees the events of the kernel in order; def feed(self, event): return table[event.key] # naïve"
_WORDS = (*_SENTENCE.split(), "\n", '"quoted"')


def cut(events: Sequence[E], size: int) -> list[Sequence[E]]:
    """`events` in batches of `size`."""
    return [events[start : start + size] for start in range(0, len(events), size)]


def traffic(flows: int = 64, calls: int = 1) -> list[TlsChunk]:
    """
    `flows` connections at once, each with `calls` of /v1/messages one after the other: a request of 60 KB in records of 16
    KiB, its answer as an event stream of 206 events over chunked transfer coding, one chunk a record.
    """
    random = Random(1)
    open_flows = [_records(flow, calls) for flow in range(flows)]
    chunks: list[TlsChunk] = []
    while open_flows:
        flow = random.choice(open_flows)
        record = next(flow, None)
        if record is None:
            open_flows.remove(flow)
            continue
        connection, direction, data, offset, seq = record
        time_ns = _START_NS + len(chunks) * _SPACING_NS
        origin = Origin(time_ns, connection.pid, connection.pid, 1000, "claude", 0, connection, direction)
        chunks.append(TlsChunk(origin, data, offset, seq))
    return chunks


def _records(flow: int, calls: int) -> Iterator[tuple[Connection, Direction, bytes, int, int]]:
    connection = Connection(4000 + flow // 8, 360_000 + flow // 8, "/usr/lib/x86_64-linux-gnu/libssl.so.3", 0x7F00_0000 + flow)
    places: dict[Direction, tuple[int, int]] = {"out": (0, 0), "in": (0, 0)}
    for number in range(flow * calls, (flow + 1) * calls):
        body = request_body(number)
        sides: tuple[tuple[Direction, list[bytes]], ...] = (
            ("out", [_request_head(len(body)), *_in_records(body)]),
            ("in", [_RESPONSE_HEAD, *map(chunked, answer(_DELTAS, number)), b"0\r\n\r\n"]),
        )
        for direction, records in sides:
            offset, seq = places[direction]
            for data in records:
                yield connection, direction, data, offset, seq
                offset, seq = offset + len(data), seq + 1
            places[direction] = offset, seq


def _in_records(data: bytes) -> list[bytes]:
    return [data[start : start + _RECORD] for start in range(0, len(data), _RECORD)]


def chunked(data: bytes) -> bytes:
    """One chunk of the chunked transfer coding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def request_body(flow: int = 0, size: int = _BODY) -> bytes:
    """A request of an agent: system text, tools, a conversation with tool calls and their results."""
    random = Random(flow)
    tools = [{"name": f"tool_{number}", "description": _text(random, 90), "input_schema": _SCHEMA} for number in range(8)]
    messages: list[dict[str, Any]] = []
    request = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 32_000,
        "stream": True,
        "metadata": {"user_id": f"user_1_account_2_session_{flow}"},
        "system": [{"type": "text", "text": _text(random, 900), "cache_control": {"type": "ephemeral"}}],
        "tools": tools,
        "messages": messages,
    }
    while len(json.dumps(request)) < size:
        number = len(messages)
        call = {"type": "tool_use", "id": f"toolu_{flow}_{number}", "name": "tool_1", "input": {"command": _text(random, 8)}}
        result = {"type": "tool_result", "tool_use_id": f"toolu_{flow}_{number}", "content": _text(random, 400)}
        messages += [
            {"role": "user", "content": [{"type": "text", "text": _text(random, 30)}]},
            {"role": "assistant", "content": [{"type": "text", "text": _text(random, 40)}, call]},
            {"role": "user", "content": [result]},
            {"role": "assistant", "content": [{"type": "text", "text": _text(random, 60)}]},
        ]
    messages.append({"role": "user", "content": [{"type": "text", "text": _text(random, 12)}]})
    return json.dumps(request).encode()


_SCHEMA = {"type": "object", "properties": {"command": {"type": "string"}, "timeout": {"type": "number"}}}


def _text(random: Random, words: int) -> str:
    return " ".join(random.choices(_WORDS, k=words))


def answer(deltas: int, flow: int = 0) -> list[bytes]:
    """An answer as event stream, one event each: some text and one tool call, `deltas` pieces in all."""
    random = Random(flow)
    message: dict[str, Any] = {
        "id": f"msg_{flow}",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 12, "cache_read_input_tokens": 14_000 + flow, "output_tokens": 1},
    }
    text = max(1, deltas - deltas // 8)
    return [
        _event("message_start", message=message),
        _event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        *(_delta(0, {"type": "text_delta", "text": _text(random, random.randint(1, 6))}) for _ in range(text)),
        _event("content_block_stop", index=0),
        _event("content_block_start", index=1, content_block=_tool(flow)),
        *(_delta(1, {"type": "input_json_delta", "partial_json": piece}) for piece in _pieces(deltas - text)),
        _event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": deltas}),
        _event("message_stop"),
    ]


def _tool(flow: int) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{flow}_next", "name": "tool_1", "input": {}}


def _pieces(count: int) -> list[str]:
    """`{"command": "echo 1 echo 2 …"}` in `count` pieces."""
    if count < 2:
        return ["{}"][:count]
    return ['{"command": "', *(f"echo {number} " for number in range(count - 2)), '"}']


def _delta(index: int, delta: dict[str, str]) -> bytes:
    return _event("content_block_delta", index=index, delta=delta)


def _event(kind: str, **fields: Any) -> bytes:
    data = json.dumps({"type": kind, **fields}, ensure_ascii=False, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()


def _head(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def _request_head(length: int) -> bytes:
    return _head(
        "POST /v1/messages?beta=true HTTP/1.1",
        "Host: api.anthropic.com",
        "Accept: application/json",
        "Accept-Encoding: identity",
        "Accept-Language: *",
        "Anthropic-Beta: claude-code-20250219,interleaved-thinking-2025-05-14,fine-grained-tool-streaming-2025-05-14",
        "Anthropic-Dangerous-Direct-Browser-Access: true",
        "Anthropic-Version: 2023-06-01",
        "Authorization: Bearer sk-ant-not-a-key-00000000000000000000000000000000000000000000",
        "Connection: keep-alive",
        "Content-Type: application/json",
        f"Content-Length: {length}",
        "Sec-Fetch-Mode: cors",
        "User-Agent: claude-cli/1.0.0 (external, cli)",
        "X-App: cli",
        "X-Stainless-Arch: x64",
        "X-Stainless-Lang: js",
        "X-Stainless-Os: Linux",
        "X-Stainless-Retry-Count: 0",
        "X-Stainless-Runtime: node",
    )


_RESPONSE_HEAD = _head(
    "HTTP/1.1 200 OK",
    "Date: Tue, 25 Nov 2025 12:00:00 GMT",
    "Content-Type: text/event-stream; charset=utf-8",
    "Transfer-Encoding: chunked",
    "Connection: keep-alive",
    "Cache-Control: no-cache",
    "Anthropic-Ratelimit-Requests-Limit: 4000",
    "Anthropic-Ratelimit-Requests-Remaining: 3999",
    "Anthropic-Ratelimit-Tokens-Limit: 400000",
    "Request-Id: req_011CSHoEeqs5C35K2UUqR7Fy",
    "Strict-Transport-Security: max-age=31536000; includeSubDomains; preload",
    "Anthropic-Organization-Id: 00000000-0000-0000-0000-000000000000",
    "Via: 1.1 google",
    "Cf-Cache-Status: DYNAMIC",
    "X-Robots-Tag: none",
    "Server: cloudflare",
)
