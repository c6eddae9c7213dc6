"""
Lines of `WHERE SIZE RECORDS RATE` -> the seconds, by the clock and of the processor, that so many TLS records took.

WHERE is `loopback`, a TCP connection, or `memory`. Both ends are in this process.
"""

from __future__ import annotations

import socket
import ssl
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import trustme

__all__ = ["IN_AN_ANSWER", "Ends", "connected", "in_memory", "main", "records_of"]

IN_AN_ANSWER = 200  # records, each an event
_PART = 64  # records between two looks at the clock, at a rate
_ASK = b"POST /v1/messages HTTP/1.1\r\nHost: load\r\nContent-Length: 2\r\n\r\n{}"
_BEGIN = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","model":"claude-sonnet-4-5"}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
)
_STOP = (
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":200}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (
    len(_BEGIN),
    _BEGIN,
)
_END = b"%x\r\n%b\r\n0\r\n\r\n" % (len(_STOP), _STOP)
_EVENT = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%b"}}\n\n'
)


class Ends(NamedTuple):
    """How each end of a connection sends and receives."""

    ask: Callable[[bytes], int]
    heard: Callable[[int], bytes]
    answer: Callable[[bytes], int]
    taken: Callable[[int], bytes]


def _contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    inside, outside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(inside)  # pyright: ignore[reportUnknownMemberType]
    authority.configure_trust(outside)  # pyright: ignore[reportUnknownMemberType]
    return inside, outside


def _over_loopback() -> Ends:
    inside, outside = _contexts()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    for end in (near, far):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with ThreadPoolExecutor(1) as other:
        accepted = other.submit(inside.wrap_socket, far, server_side=True)
        client = outside.wrap_socket(near, server_hostname="localhost")
        server = accepted.result()
    return Ends(client.send, server.recv, server.send, client.recv)


def connected() -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """The client's and the server's end of a TLS connection in memory, after the handshake."""
    inside, outside = _contexts()
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = outside.wrap_bio(back, there, server_hostname="localhost")
    server = inside.wrap_bio(there, back, server_side=True)
    done: set[ssl.SSLObject] = set()
    while len(done) < 2:
        for end in (client, server):
            try:
                end.do_handshake()
                done.add(end)
            except ssl.SSLWantReadError:
                pass
    return client, server


def in_memory() -> Ends:
    """Without sockets: the fastest that Python makes records."""
    client, server = connected()
    return Ends(client.write, server.read, server.write, client.read)


def records_of(size: int) -> list[bytes]:
    """An answer as event stream, each event a chunk and a record of exactly `size` bytes."""
    empty = len(b"%x\r\n%b\r\n" % (size, _EVENT % b""))
    event = _EVENT % (b"x" * (size - empty))
    record = b"%0*x\r\n%b\r\n" % (size - len(event) - 4, len(event), event)
    return [record] * IN_AN_ANSWER


def main() -> None:
    ends = {"loopback": _over_loopback(), "memory": in_memory()}
    for line in sys.stdin:
        where, *numbers = line.split()
        size, records, rate = map(int, numbers)
        answer = records_of(size)
        used = time.process_time()
        took = _exchange(ends[where], answer, records=records, rate=rate)
        print(took, time.process_time() - used, flush=True)


def _exchange(ends: Ends, answer: list[bytes], *, records: int, rate: int) -> float:
    """Each record is written by one end and read by the other, so each is two events of a trace. A rate of 0 is full speed."""
    most = len(answer[0]) + 1
    _, _, write, read = ends
    sent, began = 0, time.perf_counter()
    while sent < records:
        ends.ask(_ASK)
        ends.heard(len(_ASK) + 1)
        write(_HEAD)
        read(len(_HEAD) + 1)
        for at in range(0, len(answer), _PART):
            for record in answer[at : at + _PART]:
                write(record)
                read(most)
            if rate:
                time.sleep(max(0.0, began + (sent + at) / rate - time.perf_counter()))
        write(_END)
        read(len(_END) + 1)
        sent += len(answer)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
