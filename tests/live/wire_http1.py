"""A connection that speaks HTTP/1.1 -> its requests answered, one after the other; or a WebSocket."""

from __future__ import annotations

import asyncio
import contextlib

import h11

from tests.live.wire_link import Link
from tests.live.wire_site import LARGEST_BODY, SOCKETS, Answered, Request, Site
from tests.live.wire_websocket import serve_websocket

__all__ = ["serve_http1"]


async def serve_http1(site: Site, link: Link) -> None:
    connection = _Http1(site, link)
    while await connection.answer_one():
        pass


class _Http1:
    def __init__(self, site: Site, link: Link) -> None:
        self._site = site
        self._link = link
        self._h11 = h11.Connection(h11.SERVER)

    async def answer_one(self) -> bool:
        """Whether another request may come."""
        request = await self._request()
        if request is None:
            return False
        if "sec-websocket-key" in request.headers and request.path in SOCKETS:
            await serve_websocket(self._site, self._link, request, self._h11.trailing_data[0])
            return False
        await self._answer(request)
        if self._h11.our_state is not h11.DONE or self._link.stopping:
            return False
        self._h11.start_next_cycle()
        return True

    async def _request(self) -> Request | None:
        body = bytearray()
        head = await self._next()
        if not isinstance(head, h11.Request):
            return None
        number = next(self._site.numbers)
        while not isinstance(event := await self._next(), h11.EndOfMessage):
            if event is None or len(body) > LARGEST_BODY:
                return None
            body += event.data if isinstance(event, h11.Data) else b""
        headers: dict[str, str] = {}
        for raw_name, raw_value in head.headers:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return Request(number, head.method.decode(), head.target.decode("latin-1"), headers, bytes(body))

    async def _next(self) -> h11.Event | None:
        """The next event, or None if no more can be read."""
        while True:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError:
                return None
            if event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                return None
            if event is not h11.NEED_DATA:
                assert not isinstance(event, type)
                return event
            if self._h11.they_are_waiting_for_100_continue:
                await self._send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))
            # When the server stops, it still reads a request that has begun.
            begun = self._h11.their_state is not h11.IDLE
            self._h11.receive_data(await (self._link.receive_always() if begun else self._link.receive()))

    async def _answer(self, request: Request) -> None:
        sending = self._site.sending(request)
        headers = sending.headers
        if sending.streamed:
            headers["transfer-encoding"] = "chunked"
        headers["connection"] = "close" if self._link.stopping else "keep-alive"
        sent, ended = 0, False
        try:
            await self._send(h11.Response(status_code=sending.status, headers=list(headers.items()), reason=b""))
            for _, coded in sending.parts:
                await self._send(h11.Data(data=coded))
                sent += 1
                await asyncio.sleep(self._site.options.gap if sending.streamed else 0)
            if sending.reset:
                self._link.abort()
                return
            # In separate TLS records: the openai SDK closes the connection at [DONE] and never reads them.
            with contextlib.suppress(ConnectionError):
                if sending.tail:
                    await self._send(h11.Data(data=sending.tail))
                await self._send(h11.EndOfMessage(headers=list(sending.trailers.items())))
            ended = True
        finally:
            answered = Answered("http/1.1", self._link.number, sent=sent, ended=ended)
            self._site.record_exchange(request, sending, answered)

    async def _send(self, event: h11.Event) -> None:
        await self._link.send(self._h11.send(event) or b"")
