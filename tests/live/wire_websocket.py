"""
A WebSocket handshake -> a WebSocket: /v1/responses answers each `response.create`, /echo repeats every message.

A message of several frames has a ping between its first two, so that a reader must accept control frames there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage
from wsproto.extensions import Extension, PerMessageDeflate
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from agentsight_rx.runtime.demo.answers import answer_to, json_bytes
from tests.live.wire_answers import RESPONSES, responses_events
from tests.live.wire_link import Link
from tests.live.wire_site import Answered, Request, Sending, Site

__all__ = ["serve_websocket"]

_FRAGMENT = 16_384  # characters of a text, bytes of a binary
_AWAY = 1001  # RFC 6455, section 7.4.1
_Message = str | bytes


async def serve_websocket(site: Site, link: Link, request: Request, rest: bytes) -> None:
    """Serve until one side closes or the server stops. `rest` is what was received after the handshake."""
    await _Socket(site, link, request).run(rest)


class _Socket:
    def __init__(self, site: Site, link: Link, request: Request) -> None:
        self._site = site
        self._link = link
        self._request = request
        self._ws = WSConnection(ConnectionType.SERVER)
        self._parts: list[_Message] = []  # of the message being received
        self._counts = {"in": 0, "out": 0}  # messages to and from the client
        self._wire = {"in": bytearray(), "out": bytearray()}

    async def run(self, rest: bytes) -> None:
        extensions = await self._accept()
        try:
            await self._serve(rest)
        finally:
            self._site.record(
                {
                    "websocket_wire": self._request.target,
                    "connection": self._link.number,
                    "extensions": extensions,
                    "in_hex": self._wire["in"].hex(),
                    "out_hex": self._wire["out"].hex(),
                }
            )

    async def _accept(self) -> str:
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self._request.headers.items()]
        self._ws.initiate_upgrade_connection(raw, self._request.target)
        for _ in self._ws.events():
            pass
        response = self._ws.send(AcceptConnection(extensions=self._extensions()))
        _, *lines = response.decode("latin-1").strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        sending = Sending(101, headers, (), b"", "", False, {}, False, b"")
        # Logged before the handshake is answered, so that it precedes the messages in the log.
        self._site.record_exchange(self._request, sending, Answered("http/1.1", self._link.number, ended=True))
        await self._link.send(response)
        return headers.get("sec-websocket-extensions", "")

    def _extensions(self) -> list[Extension]:
        match self._site.options.deflate:
            case "none":
                return []
            case "no-takeover":
                return [PerMessageDeflate(client_no_context_takeover=True, server_no_context_takeover=True)]
            case _:
                return [PerMessageDeflate()]

    async def _serve(self, data: bytes) -> None:
        await self._send(Ping(payload=b"hello"))
        while True:
            self._wire["out"] += data
            self._ws.receive_data(data)
            try:
                for event in self._ws.events():
                    if not await self._take(event):
                        return
            except (LocalProtocolError, RemoteProtocolError):
                return
            if not (data := await self._link.receive()):
                if self._link.stopping:
                    await self._send(CloseConnection(code=_AWAY))
                return

    async def _take(self, event: Event) -> bool:
        """Whether the connection stays open."""
        match event:
            case TextMessage() | BytesMessage():
                part: _Message = event.data if isinstance(event, TextMessage) else bytes(event.data)
                self._parts.append(part)
                if event.message_finished:
                    message = _joined(self._parts)
                    self._parts = []
                    self._counts["out"] += 1
                    self._record("out", "text" if isinstance(message, str) else "binary", message)
                    await self._answer(message)
            case Ping():
                self._record("out", "ping", bytes(event.payload))
                await self._send(event.response())
            case Pong():
                self._record("out", "pong", bytes(event.payload))
            case CloseConnection():
                self._record("out", "close", _close_payload(event))
                await self._send(event.response())
                return False
            case _:
                pass
        return True

    async def _answer(self, message: _Message) -> None:
        if self._request.path == "/echo":
            await self._say(message)
            return
        for event in _responses(message, next(self._site.numbers), self._site.options.tool_command):
            await self._say(json_bytes(event).decode())

    async def _say(self, message: _Message) -> None:
        self._counts["in"] += 1
        self._record("in", "text" if isinstance(message, str) else "binary", message)
        pieces = [message[start : start + _FRAGMENT] for start in range(0, len(message) or 1, _FRAGMENT)]
        for number, piece in enumerate(pieces):
            finished = number == len(pieces) - 1
            if isinstance(piece, str):
                await self._send(TextMessage(data=piece, message_finished=finished))
            else:
                await self._send(BytesMessage(data=piece, message_finished=finished))
            if number == 0 and not finished:
                await self._send(Ping(payload=b"between"))

    async def _send(self, event: Event) -> None:
        match event:
            case Ping():
                self._record("in", "ping", bytes(event.payload))
            case Pong():
                self._record("in", "pong", bytes(event.payload))
            case CloseConnection():
                self._record("in", "close", _close_payload(event))
            case _:
                pass
        data = self._ws.send(event)
        self._wire["in"] += data
        await self._link.send(data)

    def _record(self, direction: str, kind: str, message: _Message) -> None:
        data = message.encode() if isinstance(message, str) else message
        self._site.record(
            {
                "websocket": self._request.target,
                "connection": self._link.number,
                "direction": direction,
                "kind": kind,
                "data_hex": data.hex(),
                "n": self._counts[direction],
            }
        )


def _joined(parts: list[_Message]) -> _Message:
    texts = [part for part in parts if isinstance(part, str)]
    return "".join(texts) if texts else b"".join(part for part in parts if isinstance(part, bytes))


def _close_payload(event: CloseConnection) -> bytes:
    return int(event.code).to_bytes(2, "big") + (event.reason or "").encode()


def _responses(message: _Message, number: int, command: str) -> Iterator[dict[str, object]]:
    body = message.encode() if isinstance(message, str) else message
    try:
        asked: Any = json.loads(body)
        if asked["type"] != "response.create":
            raise ValueError(f"there is no event {asked['type']!r}")
        answer = answer_to(RESPONSES.read(body, number), (command,))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        said = {"type": "invalid_request_error", "message": repr(error)}
        yield {"type": "error", "status": 400, "error": said}
        return
    yield from responses_events(answer)
