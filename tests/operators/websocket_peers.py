"""Two ends of a WebSocket, by the `wsproto` package: an upgrade, messages both ways, and what the capture sees of them."""

from __future__ import annotations

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.extensions import Extension, PerMessageDeflate

from agentsight_rx.events import Direction, TlsChunk
from tests.operators import Wire

__all__ = ["Sockets"]


class Sockets:
    """The client runs in the watched process. `records` is what was captured so far."""

    def __init__(
        self,
        wire: Wire,
        *,
        target: str = "/v1/responses",
        host: str = "api.openai.com",
        deflate: str = "",
        record: int = 16_384,
    ) -> None:
        self.wire = wire
        self.records: list[TlsChunk] = []
        self._record = record
        answer = [b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade"]
        if deflate:
            answer.append(b"Sec-WebSocket-Extensions: " + deflate.encode())
        head = [f"GET {target} HTTP/1.1".encode(), b"Host: " + host.encode(), b"Upgrade: websocket", b"Authorization: Bearer k"]
        self._carry("out", b"\r\n".join([*head, b"", b""]))
        self._carry("in", b"\r\n".join([*answer, b"", b""]))
        self.client = Connection(ConnectionType.CLIENT, _extensions(deflate, client=True))
        self.server = Connection(ConnectionType.SERVER, _extensions(deflate, client=False))

    def asks(self, text: str, pieces: int = 1) -> None:
        self._says(self.client, "out", text, pieces)

    def tells(self, text: str, pieces: int = 1) -> None:
        self._says(self.server, "in", text, pieces)

    def sends(self, data: bytes) -> None:
        self._carry("out", self.client.send(BytesMessage(data)))

    def tells_bytes(self, data: bytes) -> None:
        self._carry("in", self.server.send(BytesMessage(data)))

    def pings(self, payload: bytes) -> None:
        self._carry("in", self.server.send(Ping(payload)))

    def closes(self, code: int, reason: str) -> None:
        self._carry("in", self.server.send(CloseConnection(code, reason)))

    def _says(self, who: Connection, direction: Direction, text: str, pieces: int) -> None:
        step = max(1, -(-len(text) // pieces))
        parts = [text[at : at + step] for at in range(0, len(text), step)] or [""]
        for number, part in enumerate(parts, 1):
            self._carry(direction, who.send(TextMessage(part, message_finished=number == len(parts))))

    def _carry(self, direction: Direction, data: bytes) -> None:
        step = self._record
        self.records += [self.wire.record(direction, data[at : at + step]) for at in range(0, len(data), step)]


def _extensions(accepted: str, *, client: bool) -> list[Extension]:
    if not accepted:
        return []
    extension = PerMessageDeflate()
    if client:
        extension.offer()
        extension.finalize(accepted)
    else:
        extension.accept(accepted)
    return [extension]
