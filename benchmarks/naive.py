"""TlsChunks -> calls as RxPY invites to write it: an item an event, `group_by`, stock operators, h11 and `json` for all."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import h11
from msgspec.structs import replace
from reactivex import GroupedObservable, Observable
from reactivex import operators as ops
from reactivex.subject import Subject

from agentsight_rx.events import Connection, TlsChunk

__all__ = ["Call", "run"]

Message: TypeAlias = dict[str, Any]
_Group: TypeAlias = GroupedObservable[Connection | None, TlsChunk]
Call: TypeAlias = tuple[str, str, int]  # text of the answer, the prompt's newest words, output tokens

_SECRET = frozenset({"authorization", "cookie", "set-cookie", "x-api-key"})


def run(chunks: Sequence[TlsChunk]) -> list[Call]:
    """The calls in `chunks`."""
    offset_ns = time.time_ns() - time.monotonic_ns()
    source = Subject[TlsChunk]()
    calls: list[Call] = []
    kept = source.pipe(ops.map(_with_wall_time(offset_ns)), ops.filter(_unmarked))
    groups: Observable[_Group] = kept.pipe(ops.group_by(_connection))
    groups.pipe(ops.flat_map(_conversation)).subscribe(calls.append)
    for chunk in chunks:
        source.on_next(chunk)
    source.on_completed()
    return calls


def _with_wall_time(offset_ns: int) -> Callable[[TlsChunk], TlsChunk]:
    return lambda chunk: replace(chunk, origin=replace(chunk.origin, wall_ns=chunk.origin.time_ns + offset_ns))


def _unmarked(chunk: TlsChunk) -> bool:
    return not chunk.marked


def _connection(chunk: TlsChunk) -> Connection | None:
    return chunk.origin.connection


def _conversation(group: _Group) -> Observable[Call]:
    http, streams, pairs = _Http(), _Streams(), _Pairs()
    messages = group.pipe(ops.map(http.feed), ops.filter(_any), ops.map(streams.feed), ops.filter(_any))
    clean = messages.pipe(ops.filter(_wanted), ops.map(_without_secrets))
    return clean.pipe(ops.map(pairs.feed), ops.filter(_is_call), ops.map(_known))


class _Http:
    """Both sides of a connection through h11. Gives at most one message a record, as a dict."""

    def __init__(self) -> None:
        most = 1 << 20
        self._sides = {"out": h11.Connection(h11.SERVER, most), "in": h11.Connection(h11.CLIENT, most)}
        self._heads: dict[str, Message] = {}

    def feed(self, chunk: TlsChunk) -> Message:
        direction = chunk.origin.direction or "in"
        side = self._sides[direction]
        side.receive_data(chunk.data)
        message: Message = {}
        while True:
            event = side.next_event()
            if isinstance(event, h11.Request | h11.Response):
                self._heads[direction] = _head(event) | {"body": bytearray(), "direction": direction}
                message = self._heads[direction] if isinstance(event, h11.Response) else {}
            elif isinstance(event, h11.Data):
                if direction == "in":
                    message = {"part": bytes(event.data), "last": False}
                else:
                    self._heads[direction]["body"] += event.data
            elif isinstance(event, h11.EndOfMessage):
                return {"part": b"", "last": True} if direction == "in" else self._heads.pop(direction)
            else:
                return message


def _head(event: h11.Request | h11.Response) -> Message:
    headers = [(name.decode(), value.decode()) for name, value in event.headers]
    if isinstance(event, h11.Request):
        return {"method": event.method.decode(), "target": event.target.decode(), "headers": headers}
    return {"status": event.status_code, "headers": headers}


class _Streams:
    """The event stream of the answer, gathered until its end; everything else goes by."""

    def __init__(self) -> None:
        self._rest = ""
        self._events: list[Message] = []

    def feed(self, message: Message) -> Message:
        if "part" not in message:
            return message
        *blocks, self._rest = (self._rest + message["part"].decode()).split("\n\n")
        for block in blocks:
            for line in block.splitlines():
                name, _, value = line.partition(": ")
                if name == "data":
                    self._events.append(json.loads(value))
        return {"events": self._events, "headers": []} if message["last"] else {}


def _any(message: Message) -> bool:
    return bool(message)


def _wanted(message: Message) -> bool:
    return (
        not message.get("target", "").startswith("/v1/rgstr")
        and message.get("method") != "HEAD"
        and message.get("status") != 202
    )


def _without_secrets(message: Message) -> Message:
    return {**message, "headers": [each for each in message["headers"] if each[0] not in _SECRET]}


class _Pairs:
    """A request and what its answer said."""

    def __init__(self) -> None:
        self._prompt = ""

    def feed(self, message: Message) -> Call | None:
        if "method" in message:
            request = json.loads(message["body"])
            words = [block["text"] for block in request["messages"][-1]["content"] if block["type"] == "text"]
            self._prompt = "\n".join(words).strip()
        if "events" not in message:
            return None
        text: list[str] = []
        tokens = 0
        for event in message["events"]:
            if event["type"] == "content_block_delta" and event["delta"]["type"] == "text_delta":
                text.append(event["delta"]["text"])
            elif event["type"] == "message_delta":
                tokens = event["usage"]["output_tokens"]
        return "".join(text), self._prompt, tokens


def _is_call(call: Call | None) -> bool:
    return call is not None


def _known(call: Call | None) -> Call:
    assert call is not None
    return call
