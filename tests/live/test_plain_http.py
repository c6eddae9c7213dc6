"""HTTP without TLS: every byte on TCP that is HTTP is seen, in its place; TLS and other protocols are left out and counted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

import pytest

from agentsight_rx import operators as op
from agentsight_rx import sources
from agentsight_rx.core.merge import merge
from agentsight_rx.events import (
    PLAIN,
    BlindSpot,
    BodyPart,
    Connection,
    HttpRequest,
    HttpResponse,
    Loss,
    RpcMessage,
    SseMessage,
    TlsChunk,
    TlsClose,
)
from agentsight_rx.events.loss import Reason
from agentsight_rx.graphs import TraceOptions, trace
from agentsight_rx.runtime.run import Summary
from agentsight_rx.sources import PlainHttpOptions, Target, TlsOptions
from agentsight_rx.view import CallRow, TokenRow
from tests.live.capture import PATIENCE_S, Gated, Kept, running, started, until
from tests.live.peers import WIRE_CLIENTS, client_named, fake_llm, find_node, read_calls, wire_server

pytestmark = pytest.mark.live

# What every program here begins with: `watched()` waits for the capture; `server` answers in a process of its own.
PARTS = """
import http.client, http.server, json, os, signal, socket, struct, sys, threading, time

def watched():
    open(sys.argv[1] + ".waits", "w").close()
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.005)

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_):
        pass
    def do_GET(self):
        self.answer(b"")
    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["content-length"])))
    def answer(self, body):
        said = self.path.encode() + b":" + body
        self.send_response(200)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 64

def serve(handler=Handler):
    made = Server(("127.0.0.1", 0), handler)
    child = os.fork()
    if child == 0:
        made.serve_forever()
    made.socket.close()
    return made.server_port, child

def accept(server):
    connection, _ = server.accept()
    return connection

def pair():
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        return client, accept(server)

def exactly(connection, size):
    data = b""
    while len(data) < size:
        piece = connection.recv(min(65_536, size - len(data)))
        assert piece
        data += piece
    return data

def said(one, other, data):
    one.sendall(data)
    assert exactly(other, len(data)) == data
"""


@contextmanager
def held(directory: Path, code: str) -> Generator[Gated]:
    """A program that waits where it calls `watched`, else at its start. It has come there, however slow the machine is."""
    gate, program = directory / "go", directory / "program.py"
    (directory / "go.waits").unlink(missing_ok=True)
    program.write_text(PARTS + ("" if "watched()" in code else "watched()\n") + dedent(code))
    with subprocess.Popen([sys.executable, str(program), str(gate)], stdout=subprocess.PIPE) as process:
        try:
            until(lambda: (directory / "go.waits").exists() or process.poll() is not None)
            yield Gated(process, gate)
        finally:
            process.kill()


def captured(directory: Path, code: str, *, complete: bool = True) -> tuple[Kept, Summary, list[bytes]]:
    """Raw records and messages while the program runs, and the lines that it printed."""
    with held(directory, code) as program:
        options = TraceOptions(plain_http=PlainHttpOptions(Target(program.pid)), raw=True, remove_auth=False)
        with running(trace(options)) as (run, kept):
            printed = program.run()
            summary = run.stop()
    assert summary.complete is complete, summary.ledger.entries()
    return kept, summary, printed


def streams(kept: Kept) -> dict[tuple[Connection, str], bytes]:
    """What passed on each connection, by direction; a gap of n bytes is n times "?"."""
    found: dict[tuple[Connection, str], bytes] = {}
    for chunk in sorted(kept.of(TlsChunk), key=lambda chunk: chunk.seq):
        key = (chunk.origin.connection, chunk.origin.direction)
        before = found.get(key, b"")
        found[key] = before + b"?" * (chunk.offset - len(before)) + chunk.data + b"?" * chunk.lost
    return found


def way(kept: Kept, direction: str) -> list[bytes]:
    return sorted(data for (_, which), data in streams(kept).items() if which == direction)


def lost(summary: Summary, reason: Reason) -> tuple[int, int]:
    """(how many, bytes) of one reason at the source."""
    for entry in summary.ledger.entries():
        if (entry.stage, entry.reason) == ("plain_http", reason):
            return entry.count, entry.size
    return 0, 0


# -- connections -------------------------------------------------------------------------------------------------------


def test_three_requests_of_one_connection_are_three_exchanges(tmp_path: Path) -> None:
    code = """
    port, child = serve()
    watched()
    client = http.client.HTTPConnection("127.0.0.1", port)
    for number in range(3):
        client.request("POST", f"/{number}", b"x" * 1009 * number)
        assert client.getresponse().read() == b"/%d:" % number + b"x" * 1009 * number
    client.close()
    os.kill(child, signal.SIGKILL)
    os.wait()
    """
    with held(tmp_path, code) as program:
        options = TraceOptions(plain_http=PlainHttpOptions(Target(program.pid, children=False)))
        with running(trace(options)) as (run, kept):
            program.run()
            summary = run.stop()
    assert summary.complete, summary.ledger.entries()
    requests, responses = kept.of(HttpRequest), kept.of(HttpResponse)
    bodies = [b"x" * 1009 * number for number in range(3)]
    assert bodies == [request.body for request in requests]
    assert [b"/%d:" % number + body for number, body in enumerate(bodies)] == [response.body for response in responses]
    assert [1, 2, 3] == [request.exchange for request in requests] == [response.exchange for response in responses]
    (connection,) = {event.origin.connection for event in (*requests, *responses)}
    assert (program.pid, PLAIN) == (connection.pid, connection.library)
    (close,) = kept.of(TlsClose)
    assert close.origin.connection == connection
    assert close.in_offset > 3 * 1009


def test_parallel_connections_do_not_mix(tmp_path: Path) -> None:
    code = """
    port, child = serve()
    watched()
    def ask(number):
        client = http.client.HTTPConnection("127.0.0.1", port)
        for turn in range(11):
            body = b"<%d.%d>" % (number, turn) * 4001
            client.request("POST", f"/{number}/{turn}", body)
            assert client.getresponse().read() == f"/{number}/{turn}:".encode() + body
        client.close()
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    os.kill(child, signal.SIGTERM)
    os.wait()
    """
    kept, _, _ = captured(tmp_path, code)
    for direction in ("in", "out"):  # at the server, at the client
        requests = [request for request in kept.of(HttpRequest) if request.origin.direction == direction]
        asked = {request.target: request.body for request in requests}
        assert {f"/{n}/{turn}": b"<%d.%d>" % (n, turn) * 4001 for n in range(12) for turn in range(11)} == asked
        assert 132 == len(requests)
        answers = [response for response in kept.of(HttpResponse) if response.origin.direction != direction]
        assert {target: target.encode() + b":" + body for target, body in asked.items()} == {
            response.target: response.body for response in answers
        }
        by_connection: dict[Connection, set[str]] = {}
        for request in requests:
            by_connection.setdefault(request.origin.connection, set()).add(request.target.split("/")[1])
        assert [1] * 12 == [len(numbers) for numbers in by_connection.values()]
    assert all(message.complete for message in kept.of(HttpRequest, HttpResponse))


def test_every_system_call_gives_its_bytes_once(tmp_path: Path) -> None:
    code = """
    client, server = pair()
    head = b"POST /x HTTP/1.1\\r\\ncontent-length: 90000000\\r\\n\\r\\n"
    watched()
    os.write(client.fileno(), head)
    assert server.recv(5, socket.MSG_PEEK) == head[:5]
    server.recv(7), os.read(server.fileno(), 5)
    exactly(server, len(head) - 12)
    parts = [b"a" * 11, b"", b"b" * 40000, b"c" * 7]
    whole = b"".join(parts)
    def take(read):
        data = b""
        while len(data) < len(whole):
            data += read(len(whole) - len(data))
        assert data == whole
    def many(read):
        def into(size):
            buffers = [bytearray(5), bytearray(0), bytearray(9001), bytearray(60000)]
            count = read(buffers)
            return b"".join(buffers)[:count]
        return into
    os.writev(client.fileno(), parts)
    take(many(lambda buffers: os.readv(server.fileno(), buffers)))
    client.sendmsg(parts)
    take(many(lambda buffers: server.recvmsg_into(buffers)[0]))
    client.send(whole)
    take(server.recv)
    client.setblocking(False)
    try:
        server.recv(1, socket.MSG_DONTWAIT)
    except BlockingIOError:
        pass
    much, sent = b"".join(b"%08d" % n for n in range(1 << 20)), 0
    got = []
    reader = threading.Thread(target=lambda: got.append(exactly(server, len(much))))
    reader.start()
    while sent < len(much):
        try:
            sent += client.send(much[sent:sent + 400_000])
        except BlockingIOError:
            time.sleep(0.001)
    reader.join()
    assert got == [much]
    """
    kept, _, _ = captured(tmp_path, code)
    parts = b"a" * 11 + b"b" * 40000 + b"c" * 7
    truth = b"POST /x HTTP/1.1\r\ncontent-length: 90000000\r\n\r\n" + 3 * parts + b"".join(b"%08d" % n for n in range(1 << 20))
    assert [truth] == way(kept, "out")
    assert [truth] == way(kept, "in")


def test_bytes_that_the_process_never_had_are_counted_in_their_place(tmp_path: Path) -> None:
    code = """
    import ctypes
    path = sys.argv[1] + ".file"
    open(path, "wb").write(b"f" * 70_001)
    client, server = pair()
    watched()
    said(client, server, b"GET /1 HTTP/1.1\\r\\n\\r\\nGET /2 HTTP/1.1\\r\\n\\r\\n")
    said(server, client, b"HTTP/1.1 200 OK\\r\\ncontent-length: 70021\\r\\n\\r\\n" + b"<" * 10)
    with open(path, "rb") as file:
        at = 0
        while at < 70_001:
            at += os.sendfile(server.fileno(), file.fileno(), at, 70_001 - at)
    assert exactly(client, 70_001) == b"f" * 70_001
    said(server, client, b">" * 10 + b"HTTP/1.1 200 OK\\r\\ncontent-length: 3\\r\\n\\r\\nend")

    """
    kept, summary, _ = captured(tmp_path, code, complete=False)
    first, second = (response for response in kept.of(HttpResponse) if response.origin.direction == "out")
    assert (b"<" * 10 + b">" * 10, 70_001, False) == (first.body, first.body_lost, first.complete)
    assert 10 == first.tail
    assert (b"end", True, 2) == (second.body, second.complete, second.exchange)
    assert 70_001 == lost(summary, Reason.TRUNCATED)[1]
    assert {"moved inside the kernel"} == {loss.note for loss in kept.of(Loss) if loss.stage == "plain_http"}
    received = [response.body for response in kept.of(HttpResponse) if response.origin.direction == "in"]
    assert [b"<" * 10 + b"f" * 70_001 + b">" * 10, b"end"] == received


def test_what_is_thrown_away_by_the_reader_is_lost(tmp_path: Path) -> None:
    code = """
    client, server = pair()
    watched()
    said(client, server, b"POST / HTTP/1.1\\r\\ncontent-length: 2020\\r\\n\\r\\n" + b"a" * 10)
    client.sendall(b"b" * 2000 + b"c" * 10)
    libc = __import__("ctypes").CDLL(None)
    assert libc.recv(server.fileno(), None, 2000, socket.MSG_TRUNC | socket.MSG_WAITALL) == 2000
    exactly(server, 10)
    """
    kept, summary, _ = captured(tmp_path, code, complete=False)
    (request,) = (request for request in kept.of(HttpRequest) if request.origin.direction == "in")
    assert (b"a" * 10 + b"c" * 10, 2000, False) == (request.body, request.body_lost, request.complete)
    assert (1, 2000) == lost(summary, Reason.TRUNCATED)


ONE_CALL = """
    client, server = pair()
    watched()
    got = []
    body = b"y" * {size}
    head = b"POST /x HTTP/1.1\\r\\ncontent-length: %d\\r\\n\\r\\n" % len(body)
    reader = threading.Thread(target=lambda: got.append(exactly(server, len(head) + len(body))))
    reader.start()
    client.sendall(head)
    assert client.send(body) == len(body)
    reader.join()
    """


def test_a_body_that_one_call_sends_is_whole(tmp_path: Path) -> None:
    kept, _, _ = captured(tmp_path, ONE_CALL.format(size=5_000_003))
    for side in ("out", "in"):
        (request,) = (each for each in kept.of(HttpRequest) if each.origin.direction == side)
        assert request.complete
        assert request.body == b"y" * 5_000_003


def test_of_one_call_16_mib_are_kept_and_the_rest_is_counted(tmp_path: Path) -> None:
    kept, summary, _ = captured(tmp_path, ONE_CALL.format(size=17_000_003), complete=False)
    (sent,) = (each for each in kept.of(HttpRequest) if each.origin.direction == "out")
    assert not sent.complete
    assert 17_000_003 == len(sent.body) + sent.body_lost
    assert (1, 17_000_003 - (16 << 20)) == lost(summary, Reason.TRUNCATED)


def test_processes_that_share_a_socket_share_its_connection(tmp_path: Path) -> None:
    code = """
    client, server = pair()
    watched()
    client.sendall(b"POST / HTTP/1.1\\r\\ncontent-length: 8\\r\\n\\r\\nmine")
    if os.fork() == 0:
        client.sendall(b"its.")
        os._exit(0)
    os.wait()
    exactly(server, 46)
    said(server, client, b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
    """
    kept, _, _ = captured(tmp_path, code)
    (request,) = (request for request in kept.of(HttpRequest) if request.origin.direction == "out")
    assert (b"mineits.", True) == (request.body, request.complete)
    writers = {chunk.origin.pid for chunk in kept.of(TlsChunk) if chunk.origin.connection == request.origin.connection}
    assert 2 == len(writers)


def test_what_a_process_that_is_not_watched_writes_is_a_gap_in_its_place(tmp_path: Path) -> None:
    code = """
    client, server = pair()
    watched()
    client.sendall(b"POST / HTTP/1.1\\r\\ncontent-length: 1020\\r\\n\\r\\n" + b"a" * 5)
    if os.fork() == 0:
        client.sendall(b"b" * 1009)
        os._exit(0)
    os.wait()
    client.sendall(b"c" * 6)
    if os.fork() == 0:
        client.sendall(b"d" * 307)
        os._exit(0)
    os.wait()
    """
    with held(tmp_path, code) as program:
        options = TraceOptions(plain_http=PlainHttpOptions(Target(program.pid, children=False)), raw=True)
        with running(trace(options)) as (run, kept):
            program.run()
            summary = run.stop()
    (request,) = kept.of(HttpRequest)
    assert (b"aaaaacccccc", 1009, 6, False) == (request.body, request.body_lost, request.tail, request.complete)
    assert (2, 1009 + 307) == lost(summary, Reason.KERNEL_LOST)
    (close,) = (close for close in kept.of(TlsClose) if close.out_offset)
    assert 41 + 1020 + 307 == close.out_offset


def test_a_client_that_closes_its_half_reads_on(tmp_path: Path) -> None:
    code = """
    client, server = pair()
    watched()
    client.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
    client.shutdown(socket.SHUT_WR)
    exactly(server, 18)
    server.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n" + b"z" * 100_003)
    server.close()
    time.sleep(0.2)
    exactly(client, 100_022)
    assert client.recv(1) == b""
    client.close()
    """
    kept, _, _ = captured(tmp_path, code)
    (response,) = (response for response in kept.of(HttpResponse) if response.origin.direction == "in")
    assert (b"z" * 100_003, True) == (response.body, response.complete)
    assert {(18, 100_022), (100_022, 18)} == {(close.out_offset, close.in_offset) for close in kept.of(TlsClose)}


def test_a_connection_that_is_older_than_the_capture_begins_with_its_next_message(tmp_path: Path) -> None:
    code = """
    client, server = pair()
    said(client, server, b"POST /old HTTP/1.1\\r\\ncontent-length: 8\\r\\n\\r\\nhalf")
    watched()
    said(client, server, b"half")
    said(server, client, b"HTTP/1.1 200 OK\\r\\ncontent-length: 3\\r\\n\\r\\nold")
    said(client, server, b"GET /new HTTP/1.1\\r\\n\\r\\n")
    said(server, client, b"HTTP/1.1 200 OK\\r\\ncontent-length: 3\\r\\n\\r\\nnew")
    """
    kept, summary, _ = captured(tmp_path, code)
    assert ["/new", "/new"] == [request.target for request in kept.of(HttpRequest)]
    assert [b"old", b"old", b"new", b"new"] == [response.body for response in kept.of(HttpResponse)]
    assert (2, 8) == lost(summary, Reason.OTHER_PROTOCOL)


def test_a_read_that_began_before_the_capture_gives_its_bytes(tmp_path: Path) -> None:
    code = """
    client, server = pair()
    got = []
    reader = threading.Thread(target=lambda: got.append(server.recv(100)))
    reader.start()
    watched()
    client.sendall(b"GET /waited HTTP/1.1\\r\\n\\r\\n")
    reader.join()
    """
    kept, _, _ = captured(tmp_path, code)
    assert {("/waited", "in"), ("/waited", "out")} == {
        (request.target, request.origin.direction) for request in kept.of(HttpRequest)
    }


# -- what is not HTTP --------------------------------------------------------------------------------------------------


def test_tls_is_dropped_and_is_no_loss(tmp_path: Path) -> None:
    client = client_named("curl")
    with fake_llm(tmp_path) as peer:
        environment = client.env(peer, tmp_path) | {"WAIT_FOR": str(tmp_path / "go")}
        with started(client.command(peer, 5, 100_003), environment) as watched:
            target = Target(watched.pid)
            graph = merge(sources.plain_http(PlainHttpOptions(target)), sources.tls(TlsOptions(target)))
            with running(graph.pipe(op.normalize(), op.find_blind_spots(wait=2.0))) as (run, kept):
                (tmp_path / "go").touch()
                assert watched.wait(PATIENCE_S) == 0
                summary = run.stop()
    chunks = kept.of(TlsChunk)
    assert [] == [chunk for chunk in chunks if chunk.origin.connection.library == PLAIN]
    assert any(call.request in b"".join(chunk.data for chunk in chunks) for call in read_calls(tmp_path / "calls.jsonl"))
    assert ([], True) == (summary.ledger.entries(), summary.complete)


def test_behind_connect_the_tls_is_dropped(tmp_path: Path) -> None:
    with fake_llm(tmp_path) as peer, proxy() as port:
        words = ["curl", "-sS", "--noproxy", "", "--proxy", f"http://127.0.0.1:{port}", "--cacert", str(peer.ca_file)]
        words += ["-d", '{"model":"demo","messages":[]}', f"{peer.base_url}/v1/chat/completions"]
        with held(tmp_path, f"import subprocess; subprocess.run({words}, check=True)") as program:
            options = PlainHttpOptions(Target(program.pid))
            with running(sources.plain_http(options).pipe(op.normalize(), op.parse_http())) as (run, kept):
                program.run()
                summary = run.stop()
    (request,) = kept.of(HttpRequest)
    assert ("CONNECT", True) == (request.method, request.complete)
    (response,) = kept.of(HttpResponse)
    assert (200, "CONNECT") == (response.status, response.method)
    assert 1 == len(kept.of(TlsClose))
    assert ([], True, []) == (kept.of(TlsChunk), summary.complete, summary.ledger.entries())


@pytest.mark.parametrize("first", ["client", "server"])
def test_other_protocols_are_counted_and_leave_the_capture_complete(first: str, tmp_path: Path) -> None:
    code = f"""
    client, server = pair()
    one, other = (client, server) if {first!r} == "client" else (server, client)
    watched()
    one.sendall(b"220 hello\\r\\n")
    exactly(other, 11)
    other.sendall(b"GET it\\r\\n" * 100)
    exactly(one, 800)
    client.close(), server.close()
    """
    kept, summary, _ = captured(tmp_path, code)
    assert [] == kept.of(TlsChunk)
    assert (2, 2 * 811) == lost(summary, Reason.OTHER_PROTOCOL)


def test_of_an_open_connection_bytes_of_other_protocols_are_counted_at_the_end(tmp_path: Path) -> None:
    code = """
    client, server = pair()
    watched()
    client.sendall(b"\\0" * 1009)
    open(sys.argv[1] + ".sent", "w").close()
    time.sleep(1000)
    """
    with held(tmp_path, code) as program, running(sources.plain_http(PlainHttpOptions(Target(program.pid)))) as (run, _):
        (tmp_path / "go").touch()
        until(lambda: (tmp_path / "go.sent").exists())
        summary = run.stop()
    assert (1, 1009) == lost(summary, Reason.OTHER_PROTOCOL)


# -- beside the TLS source ---------------------------------------------------------------------------------------------


def test_plain_http_and_other_protocols_are_no_blind_spots_and_unread_tls_is_one(tmp_path: Path) -> None:
    code = """
    port, child = serve()
    watched()
    client = http.client.HTTPConnection("127.0.0.1", port)
    for number in range(5):
        client.request("GET", f"/{number}")
        client.getresponse().read()
        client.close()
    for first in (b"hello\\n", b"\\x16\\x03\\x01" + b"x" * 1006):
        one, other = pair()
        one.sendall(first)
        exactly(other, len(first))
        one.close(), other.close()
    os.kill(child, signal.SIGKILL)
    os.wait()
    """
    with held(tmp_path, code) as program:
        target = Target(program.pid)
        options = TraceOptions(tls=TlsOptions(target), plain_http=PlainHttpOptions(target))
        with running(trace(options)) as (run, kept):
            program.run()
            summary = run.stop()
    last = kept.of(BlindSpot)[-1]
    assert (1, 1009) == (last.connections, last.size)
    (entry,) = summary.ledger.unintended()
    assert (Reason.UNREADABLE, 1, 1009) == (entry.reason, entry.count, entry.size)


# -- what it means -----------------------------------------------------------------------------------------------------


def test_a_server_is_read_as_its_clients_are(tmp_path: Path) -> None:
    client = client_named("node-fetch", WIRE_CLIENTS)
    with wire_server(tmp_path, "--plain") as peer:
        with running(trace(TraceOptions(plain_http=PlainHttpOptions(Target(peer.pid)), remove_auth=False))) as (run, kept):
            subprocess.run(client.command(peer, 7, 100_003), env=client.env(peer, tmp_path), check=True)
            until(lambda: 7 == sum(row.status == "complete" for row in kept.rows(CallRow)))
            summary = run.stop()
        exchanges = peer.exchanges()
    assert summary.complete, summary.ledger.entries()
    assert [(one.path, one.request) for one in exchanges] == [(each.target, each.body) for each in kept.of(HttpRequest)]
    assert {"in"} == {each.origin.direction for each in kept.of(HttpRequest)}
    assert {peer.pid} == {each.origin.pid for each in kept.of(HttpRequest, HttpResponse, SseMessage)}
    rows = kept.rows(CallRow)
    assert ["complete"] * 7 == [row.status for row in rows]
    assert {"http"} == {row.scheme for row in rows}


def test_both_ends_of_a_call_in_one_tree_count_once(tmp_path: Path) -> None:
    code = """
    class Model(Handler):
        def answer(self, body):
            usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
            choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
            said = json.dumps({"id": "c", "model": "m", "choices": [choice], "usage": usage}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)
    port, child = serve(Model)
    watched()
    client = http.client.HTTPConnection("127.0.0.1", port)
    for number in range(5):
        asked = {"model": "m", "messages": [{"role": "user", "content": f"call {number}"}]}
        client.request("POST", "/v1/chat/completions", json.dumps(asked))
        client.getresponse().read()
    client.close()
    os.kill(child, signal.SIGTERM)
    os.wait()
    """
    kept, summary, _ = captured(tmp_path, code)
    rows = kept.rows(CallRow)
    assert ["complete"] * 10 == [row.status for row in rows]
    assert 5 == summary.tally.totals.calls == len([row for row in rows if row.twin])
    assert 5 == len(kept.rows(TokenRow))


def test_streams_of_servers_as_they_stand_on_a_desk(tmp_path: Path) -> None:
    """Answers in lines of JSON, as of Ollama, and in events, as of vLLM: each byte of the body."""
    code = """
    class Model(Handler):
        def answer(self, body):
            lines = self.path == "/api/chat"
            self.send_response(200)
            self.send_header("content-type", "application/x-ndjson" if lines else "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for n in range(53):
                if lines:
                    part = json.dumps({"model": "m", "message": {"content": f"w{n}"}, "done": n == 52}) + "\\n"
                else:
                    choices = [{"delta": {"content": f"w{n} "}}]
                    part = "data: " + json.dumps({"id": "c", "model": "m", "choices": choices}) + "\\n\\n"
                self.part(part)
            if not lines:
                self.part("data: [DONE]\\n\\n")
            self.wfile.write(b"0\\r\\n\\r\\n")
        def part(self, text):
            print(json.dumps([self.path, text]), flush=True)
            self.wfile.write(b"%x\\r\\n%s\\r\\n" % (len(text), text.encode()))
    port, child = serve(Model)
    watched()
    client = http.client.HTTPConnection("127.0.0.1", port)
    for path in ("/api/chat", "/v1/chat/completions"):
        client.request("POST", path, json.dumps({"model": "m", "stream": True, "messages": []}))
        client.getresponse().read()
    os.kill(child, signal.SIGTERM)
    os.wait()
    """
    with held(tmp_path, code) as program:
        graph = sources.plain_http(PlainHttpOptions(Target(program.pid))).pipe(op.normalize(), op.parse_http())
        with running(graph) as (run, kept):
            printed = [json.loads(line) for line in program.run()]
            assert run.stop().complete
    served = {path: "".join(text for where, text in printed if where == path).encode() for path, _ in printed}
    heads = {(each.origin.connection, each.exchange): each for each in kept.of(HttpResponse)}
    for key, head in heads.items():
        parts = [part.data for part in kept.of(BodyPart) if (part.origin.connection, part.exchange) == key]
        assert served[head.target or ""] == head.body + b"".join(parts)
    assert 4 == len(heads)


def test_mcp_over_http_without_tls(tmp_path: Path) -> None:
    client = client_named("mcp", WIRE_CLIENTS)
    with wire_server(tmp_path, "--plain") as peer:
        environment = client.env(peer, tmp_path) | {"WAIT_FOR": str(tmp_path / "go")}
        with started(client.command(peer, 3, 100), environment) as watched:
            graph = trace(TraceOptions(plain_http=PlainHttpOptions(Target(watched.pid))))
            with running(graph) as (run, kept):
                (tmp_path / "go").touch()
                assert watched.wait(PATIENCE_S) == 0
                assert run.stop().complete
    calls = [message for message in kept.of(RpcMessage) if message.method == "tools/call"]
    assert ["ok"] * 3 == [message.outcome for message in calls]


def test_node_fetch_and_the_whole_command_line(tmp_path: Path) -> None:
    client, db = client_named("node-fetch", WIRE_CLIENTS), tmp_path / "run.lmdb"
    program = [sys.executable, "-m", "agentsight_rx"]
    with wire_server(tmp_path, "--plain") as peer:
        words = [*program, "record", "--no-server", "--db", str(db), "--", find_node(), *client.command(peer, 3, 100)[1:]]
        done = subprocess.run(words, env=client.env(peer, tmp_path), capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    assert "3 calls · " in done.stderr
    assert "nothing is missing" in done.stderr


def test_what_this_program_serves_is_not_read(tmp_path: Path) -> None:
    """Else a browser that shows the page would make events of the events that it gets."""
    script = f"""
import socket, sys, threading
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from agentsight_rx.sources import Target
from agentsight_rx.sources.plain_http import PlainHttpOptions, PlainHttpReader
def serve(server):
    while True:
        connection, _ = server.accept()
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
        connection.close()
before = socket.create_server(("127.0.0.1", 0))
reader = PlainHttpReader(PlainHttpOptions(Target(int(sys.argv[1]))))
reader.open()
after = socket.create_server(("127.0.0.1", 0))
for server in (before, after):
    threading.Thread(target=serve, args=(server,), daemon=True).start()
print(before.getsockname()[1], after.getsockname()[1], flush=True)
sys.stdin.readline()
print([*reader.close()])
"""
    code = """
    for port in map(int, open(sys.argv[1] + ".ports").read().split()):
        client = http.client.HTTPConnection("127.0.0.1", port)
        client.request("GET", "/events")
        client.getresponse().read()
    """
    with held(tmp_path, code) as program:
        words = [sys.executable, "-c", script, str(program.pid)]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as tracer:
            assert tracer.stdin is not None
            assert tracer.stdout is not None
            (tmp_path / "go.ports").write_text(tracer.stdout.readline())
            program.run()
            printed, _ = tracer.communicate("stop\n", timeout=PATIENCE_S)
    assert "[]\n" == printed


# -- helpers -----------------------------------------------------------------------------------------------------------

PROXY = """
import socket, threading
def pump(one, other):
    while data := one.recv(65_536):
        other.sendall(data)
    other.shutdown(socket.SHUT_WR)
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    while True:
        client, _ = server.accept()
        head = b""
        while not head.endswith(b"\\r\\n\\r\\n"):
            head += client.recv(1)
        host, _, port = head.split()[1].partition(b":")
        upstream = socket.create_connection((host.decode(), int(port)))
        client.sendall(b"HTTP/1.1 200 Connection established\\r\\n\\r\\n")
        for pair in ((client, upstream), (upstream, client)):
            threading.Thread(target=pump, args=pair, daemon=True).start()
"""


@contextmanager
def proxy() -> Generator[int]:
    """A proxy that opens tunnels; gives its port."""
    with subprocess.Popen([sys.executable, "-c", PROXY], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()
