"""A long conversation of an agent as events: real source code is read, and every turn sends all of it again."""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from agentsight_rx.events import Connection, Event, HttpRequest, HttpResponse, Origin, Reply, SseEvent, SseMessage
from agentsight_rx.llm import provider_named

__all__ = ["conversation", "exchange"]

_START_NS = 3_600_000_000_000
_WALL_NS = 1_800_000_000_000_000_000
_SYSTEM = 14_000  # characters
_TOOLS = 18
_RESULTS = (400, 12_000)  # characters of what a tool gives back
_HEADERS = (("host", "api.anthropic.com"), ("content-type", "application/json"), ("user-agent", "agent/1.0"))


def conversation(turns: int, seed: int = 1) -> Iterator[Event]:
    """
    Each turn is a request with the whole conversation so far, then a streamed answer with text and the call of a tool. As an
    agent that uses a cache does, each request marks its last message, and no longer the one before.
    """
    random, prose, code = Random(seed), _prose(), _code(seed)
    messages: list[dict[str, Any]] = [_said("user", _text(random, prose, 300))]
    for turn in range(1, turns + 1):
        text, path = _text(random, prose, random.randrange(80, 900)), f"/src/project/{random.randrange(1000)}.py"
        body = _body(prose, [*messages[:-1], _marked(messages[-1])])
        yield from exchange(turn, body, _events(turn, text, path, random), seed)
        messages.append(
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": text},
                    {"type": "tool_use", "id": f"toolu_{seed}_{turn}", "name": "Read", "input": {"file_path": path}},
                ],
            }
        )
        at = random.randrange(len(code) - _RESULTS[1])
        result = code[at : at + random.randrange(*_RESULTS)]
        messages.append(_said("user", result, kind="tool_result", tool_use_id=f"toolu_{seed}_{turn}"))


def exchange(number: int, body: bytes, events: tuple[SseEvent, ...], seed: int = 1) -> Iterator[Event]:
    """A call with a streamed answer, as the three events of it."""
    connection = Connection(4000 + seed, 360_000, "/usr/lib/libssl.so.3", 0x7F00_0000 + seed)
    time_ns = _START_NS + number * 10_000_000_000

    def origin(after_ns: int, direction: str) -> Origin:
        at = time_ns + after_ns
        return Origin(at, 4000 + seed, 4000 + seed, 1000, "agent", _WALL_NS + at, connection, direction)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    yield HttpRequest(
        origin(0, "out"),
        number,
        "POST",
        "/v1/messages",
        "HTTP/1.1",
        headers=_HEADERS,
        body=body,
        end_ns=time_ns,
        size=len(body),
    )
    known: dict[str, Any] = {"method": "POST", "target": "/v1/messages", "host": "api.anthropic.com"}
    answer = origin(900_000_000, "in")
    headers = (("content-type", "text/event-stream"),)
    yield HttpResponse(answer, number, 200, "OK", "HTTP/1.1", headers=headers, streaming=True, **known)
    provider = provider_named("anthropic")
    reader = provider.reader() if provider else None
    if reader is not None:
        reader.feed_all(events)
    yield SseMessage(
        answer,
        number,
        "anthropic",
        reader.reply() if reader else Reply(),
        events,
        end_ns=time_ns + 3_000_000_000,
        first_chunk_ns=time_ns + 1_000_000_000,
        status=200,
        **known,
    )


def _body(prose: str, messages: list[dict[str, Any]]) -> bytes:
    tools = [
        {
            "name": f"Tool{number}",
            "description": prose[20_000 + 1_500 * number : 21_500 + 1_500 * number],
            "input_schema": {
                "type": "object",
                "properties": {
                    f"field_{each}": {"type": "string", "description": prose[each * 90 : each * 90 + 80]} for each in range(5)
                },
            },
        }
        for number in range(_TOOLS)
    ]
    request = {
        "model": "claude-sonnet-5",
        "messages": messages,
        "system": [{"type": "text", "text": prose[:_SYSTEM], "cache_control": {"type": "ephemeral"}}],
        "tools": tools,
        "metadata": {"user_id": "user_1_session_2"},
        "max_tokens": 32_000,
        "stream": True,
    }
    return msgspec.json.encode(request)


def _said(role: str, text: str, kind: str = "text", **more: str) -> dict[str, Any]:
    return {"role": role, "content": [{**more, "type": kind, ("text" if kind == "text" else "content"): text}]}


def _marked(message: dict[str, Any]) -> dict[str, Any]:
    return {**message, "content": [{**message["content"][0], "cache_control": {"type": "ephemeral"}}]}


def _events(turn: int, text: str, path: str, random: Random) -> tuple[SseEvent, ...]:
    usage = {"input_tokens": 4 + turn, "cache_read_input_tokens": 20_000 + 900 * turn, "output_tokens": 1}
    message = {"id": f"msg_{random.getrandbits(64):x}", "model": "claude-sonnet-5", "role": "assistant", "usage": usage}
    found: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    ]
    found += [_delta(0, {"type": "text_delta", "text": part}) for part in _tokens(text)]
    found.append({"type": "content_block_stop", "index": 0})
    call: dict[str, Any] = {"type": "tool_use", "id": f"toolu_1_{turn}", "name": "Read", "input": {}}
    found.append({"type": "content_block_start", "index": 1, "content_block": call})
    arguments = msgspec.json.encode({"file_path": path}).decode()
    found += [_delta(1, {"type": "input_json_delta", "partial_json": part}) for part in _tokens(arguments)]
    found.append({"type": "content_block_stop", "index": 1})
    found.append({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": len(found)}})
    found.append({"type": "message_stop"})
    return tuple(SseEvent(each["type"], msgspec.json.encode(each).decode()) for each in found)


def _delta(index: int, delta: dict[str, str]) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def _tokens(text: str) -> list[str]:
    return re.findall(r"\s*\S{1,9}", text)


def _text(random: Random, prose: str, size: int) -> str:
    at = random.randrange(len(prose) - size)
    return prose[at : at + size]


def _prose() -> str:
    return "\n".join(path.read_text() for path in sorted((Path(__file__).parents[1] / "docs").glob("*.md")))


def _code(seed: int) -> str:
    """Files of the standard library, from another one on for each conversation."""
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    begin = 7 * seed % len(files)
    return "\n".join(path.read_text(errors="replace") for path in (*files[begin:], *files[:begin])[:40])
