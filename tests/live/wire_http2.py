"""A connection that speaks HTTP/2 -> its streams answered, all at the same time."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError

from tests.live.wire_link import Link
from tests.live.wire_site import LARGEST_BODY, Answered, Request, Sending, Site

__all__ = ["serve_http2"]


async def serve_http2(site: Site, link: Link) -> None:
    """Serve until the client leaves or, when the server stops, until the open streams are answered."""
    await _Http2(site, link).run()


@dataclass
class _Incoming:
    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)


@dataclass
class _Progress:
    sent: int = 0
    ended: bool = False
    frames: tuple[int, int] = (0, 0)


class _Http2:
    def __init__(self, site: Site, link: Link) -> None:
        self._site = site
        self._link = link
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._incoming: dict[int, _Incoming] = {}
        self._answers: dict[int, asyncio.Task[None]] = {}
        self._window = asyncio.Event()  # set and replaced whenever a window may have grown
        self._frames = 0

    async def run(self) -> None:
        self._h2.initiate_connection()
        self._flush()
        reading = asyncio.create_task(self._read())
        await self._link.until_stop_or(reading)
        while self._answers and not reading.done():
            await asyncio.wait((reading, *self._answers.values()), return_when=asyncio.FIRST_COMPLETED)
        rest = (reading, *self._answers.values())
        for task in rest:
            task.cancel()
        await asyncio.wait(rest)
        self._h2.close_connection()  # GOAWAY
        self._flush()

    async def _read(self) -> None:
        while data := await self._link.receive_always():
            try:
                taken = self._h2.receive_data(data)
            except ProtocolError:
                return
            for event in taken:
                self._take(event)
            self._flush()
            self._window.set()
            self._window = asyncio.Event()

    def _take(self, event: events.Event) -> None:
        match event:
            case events.RequestReceived():
                if self._link.stopping:
                    self._h2.reset_stream(event.stream_id, ErrorCodes.REFUSED_STREAM)
                else:
                    self._incoming[event.stream_id] = _Incoming(_headers(event))
            case events.DataReceived():
                self._h2.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
                if incoming := self._incoming.get(event.stream_id):
                    incoming.body += event.data or b""
                    if len(incoming.body) > LARGEST_BODY:
                        del self._incoming[event.stream_id]
                        self._h2.reset_stream(event.stream_id, ErrorCodes.ENHANCE_YOUR_CALM)
            case events.StreamEnded():
                if incoming := self._incoming.pop(event.stream_id, None):
                    answer = asyncio.create_task(self._answer(event.stream_id, incoming))
                    self._answers[event.stream_id] = answer
                    answer.add_done_callback(lambda _: self._answers.pop(event.stream_id))
            case events.StreamReset():
                self._incoming.pop(event.stream_id, None)
                if running := self._answers.get(event.stream_id):
                    running.cancel()
            case events.ConnectionTerminated():
                for running in self._answers.values():
                    running.cancel()
            case _:
                pass

    async def _answer(self, stream: int, incoming: _Incoming) -> None:
        headers = incoming.headers
        method, target = headers.pop(":method"), headers.pop(":path")
        request = Request(next(self._site.numbers), method, target, headers, bytes(incoming.body))
        sending = self._site.sending(request)
        progress = _Progress()
        try:
            with contextlib.suppress(ConnectionError):
                await self._send(stream, sending, progress)
        finally:
            how = Answered("h2", self._link.number, stream, progress.sent, progress.ended, progress.frames)
            self._site.record_exchange(request, sending, how)

    async def _send(self, stream: int, sending: Sending, progress: _Progress) -> None:
        bare = not sending.parts and not sending.tail and not sending.trailers
        self._h2.send_headers(stream, [(":status", str(sending.status)), *sending.headers.items()], end_stream=bare)
        await self._drain()
        if not (bare or sending.streamed or sending.reset or sending.trailers):
            # In its last frame a body of known length ends, too: curl 7.88 reads nothing behind that
            await self._send_data(stream, b"".join(coded for _, coded in sending.parts) + sending.tail, progress, last=True)
            progress.sent = len(sending.parts)
            progress.ended = True
            await self._drain()
            return
        for _, coded in sending.parts:
            await self._send_data(stream, coded, progress)
            progress.sent += 1
            await asyncio.sleep(self._site.options.gap if sending.streamed else 0)
        if sending.reset:
            self._h2.reset_stream(stream, ErrorCodes.INTERNAL_ERROR)
        elif sending.trailers:
            await self._send_data(stream, sending.tail, progress)
            self._h2.send_headers(stream, list(sending.trailers.items()), end_stream=True)
        elif not bare:
            await self._send_data(stream, sending.tail, progress)
            self._h2.end_stream(stream)
        progress.ended = True
        await self._drain()

    async def _send_data(self, stream: int, data: bytes, progress: _Progress, *, last: bool = False) -> None:
        at = 0
        while at < len(data):
            room = min(self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size)
            if room <= 0:
                await self._window.wait()
                continue
            self._h2.send_data(stream, data[at : at + room], end_stream=last and at + room >= len(data))
            at += room
            self._frames += 1
            progress.frames = (progress.frames[0] or self._frames, self._frames)
            await self._drain()
            await asyncio.sleep(0)  # let the other streams send

    def _flush(self) -> None:
        self._link.write(self._h2.data_to_send())

    async def _drain(self) -> None:
        await self._link.send(self._h2.data_to_send())


def _headers(event: events.RequestReceived) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in event.headers:
        name, value = str(raw_name), str(raw_value)
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
