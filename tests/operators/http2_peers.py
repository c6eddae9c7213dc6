"""Two ends of an HTTP/2 connection, by the `h2` package: what one says the other hears, and the capture sees in between."""

from __future__ import annotations

from collections.abc import Sequence

import h2.config
import h2.connection

from agentsight_rx.events import Direction, TlsChunk
from tests.operators import Wire

__all__ = ["Peers"]

Fields = Sequence[tuple[str, str]]


class Peers:
    """The client runs in the watched process unless `server_is_watched`. `records` is what was captured so far."""

    def __init__(self, wire: Wire, *, record: int = 16_384, server_is_watched: bool = False) -> None:
        self.wire = wire
        self.records: list[TlsChunk] = []
        self._record = record
        self._client_way: Direction = "in" if server_is_watched else "out"
        self.client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.client.initiate_connection()
        self.server.initiate_connection()
        self.talk()

    def talk(self) -> None:
        """Carry what each end has to say to the other, client first, until both are silent."""
        server_way: Direction = "out" if self._client_way == "in" else "in"
        while True:
            asked, emitted = self.client.data_to_send(), self.server.data_to_send()
            self._carry(self._client_way, asked)
            self._carry(server_way, emitted)
            if asked:
                self.server.receive_data(asked)
            if emitted:
                self.client.receive_data(emitted)
            if not asked and not emitted:
                return

    def _carry(self, direction: Direction, data: bytes) -> None:
        step = self._record
        self.records += [self.wire.record(direction, data[at : at + step]) for at in range(0, len(data), step)]

    def asks(self, method: str, path: str, headers: Fields = (), body: bytes | None = None) -> int:
        stream = self.client.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "https"), (":authority", "api.example"), (":path", path), *headers]
        self.client.send_headers(stream, head, end_stream=body is None)
        self.talk()
        if body is not None:
            self._says(self.client, stream, body, end=True)
        return stream

    def answers(
        self, stream: int, headers: Fields, body: bytes = b"", *, end: bool = True, trailers: Fields = (), status: str = "200"
    ) -> None:
        self.server.send_headers(stream, [(":status", status), *headers], end_stream=end and not body and not trailers)
        self.talk()
        if body:
            self._says(self.server, stream, body, end=end and not trailers)
        if trailers:
            self.server.send_headers(stream, trailers, end_stream=True)
            self.talk()

    def goes_on(self, stream: int, body: bytes, *, end: bool = False) -> None:
        """More of the answer."""
        self._says(self.server, stream, body, end=end)

    def _says(self, who: h2.connection.H2Connection, stream: int, body: bytes, *, end: bool) -> None:
        other = self.server if who is self.client else self.client
        at = 0
        while at < len(body):
            step = min(who.local_flow_control_window(stream), 16_000, len(body) - at)
            at += step
            who.send_data(stream, body[at - step : at], end_stream=end and at == len(body), pad_length=at % 3 or None)
            self.talk()
            other.acknowledge_received_data(step, stream)
            self.talk()
        if end and not body:
            who.end_stream(stream)
            self.talk()
