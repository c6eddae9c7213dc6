"""The sink over a real port: it is there before anything is captured, and gone in time whoever still looks."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace
from starlette.applications import Starlette

from agentsight_rx.core.sink import Writer
from agentsight_rx.core.stream import of
from agentsight_rx.errors import SinkError, UsageError
from agentsight_rx.events import AnswerPiece, AnswerProgress, Connection, Origin, ProcessExec
from agentsight_rx.events.loss import Ledger
from agentsight_rx.operators import materialize
from agentsight_rx.runtime.recording.deciding import Deciding
from agentsight_rx.runtime.recording.seen_file import SeenFile
from agentsight_rx.runtime.run import Run
from agentsight_rx.runtime.web import WebOptions, WebSink, web
from agentsight_rx.runtime.web.connections import Limits
from agentsight_rx.runtime.web.serving import Serving
from agentsight_rx.store.rows.ids import call_id
from agentsight_rx.view import AlertRow, CallRow, Output, SessionRow

ANY = WebOptions(port=0)
EXEC = ProcessExec(Origin(10, 7, wall_ns=5_000_000, comm="sh"), 1, 3, "/bin/sh", ("sh", "-c", "true"), "/")


@contextmanager
def opened(options: WebOptions = ANY, limits: Limits | None = None) -> Generator[tuple[WebSink, Writer[Output]]]:
    sink = web(options, limits=limits)
    writer = sink.open(Ledger())
    try:
        yield sink, writer
    finally:
        writer.close()


def browser(sink: WebSink) -> httpx2.Client:
    address, _, token = sink.url.partition("#token=")
    return httpx2.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=10, trust_env=False)


def _place(sink: WebSink) -> tuple[str, int]:
    address = httpx2.URL(sink.url)
    return address.host, address.port or 0


def messages(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    event = ""
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "event":
            event = value
        elif name == "data":
            yield event, json.loads(value)


def test_it_answers_over_http() -> None:
    with opened() as (sink, writer), browser(sink) as http:
        assert sink.url.startswith("http://127.0.0.1:")
        assert not sink.url.startswith("http://127.0.0.1:0/")
        writer.write([CallRow("llm-1", 1)])
        assert ["llm-1"] == [row["id"] for row in http.get("/api/v1/snapshot").json()["llm_calls"]]
        assert "text/html; charset=utf-8" == http.get("/").headers["content-type"]
        assert "server" not in http.get("/").headers
        assert 401 == http.get("/api/v1/snapshot", headers={"Authorization": "Bearer x"}).status_code
        assert 403 == http.get("/", headers={"Host": "evil.example"}).status_code


def test_rows_are_sent_while_they_are_written_and_then_the_end() -> None:
    with opened() as (sink, writer), browser(sink) as http, http.stream("GET", "/api/v1/live") as answer:
        received = messages(answer.iter_lines())
        assert "completeness" == next(received)[0]
        writer.write([CallRow("llm-1", 1)])
        name, rows = next(received)
        assert ("rows", ["llm-1"]) == (name, [row["id"] for row in rows])
        writer.write([CallRow("llm-1", 1, 2, status="complete")])
        name, rows = next(received)
        assert ("rows", ["complete"]) == (name, [row["status"] for row in rows])
        closing = threading.Thread(target=writer.close)
        closing.start()
        assert [("end", {})] == list(received)
        closing.join()


ASKED = Origin(10, 7, connection=Connection(7, 3, "", 9), direction="in")


def progress(number: int, text: str) -> AnswerProgress:
    return AnswerProgress(ASKED, 1, number, (AnswerPiece(0, "text", text),))


def test_what_an_open_answer_says_is_sent_as_it_comes_and_from_the_begin_to_each_page() -> None:
    call = CallRow(call_id(ASKED, 1), 1, pid=7, comm="agent", prompt="How many?")
    address = "/api/v1/live?rows=none&recording=live"
    with opened() as (sink, writer), browser(sink) as http:
        writer.write([call, progress(1, "Sev")])
        with http.stream("GET", address) as answer:
            received = (each for each in messages(answer.iter_lines()) if each[0] == "answer")
            first = next(received)[1]
            writer.write([progress(2, "en")])
            second = next(received)[1]
        with http.stream("GET", address) as answer:
            again = next(each for each in messages(answer.iter_lines()) if each[0] == "answer")[1]
    assert (call.id, 0, "Sev") == (first["call"], first["first"], first["pieces"][0]["text"])
    assert (1, "en") == (second["first"], second["pieces"][0]["text"])
    assert (0, ["Sev", "en"]) == (again["first"], [piece["text"] for piece in again["pieces"]])


def test_an_alert_is_said_at_once_and_each_time_it_comes() -> None:
    alert = AlertRow("alert-1", 1, "loop", "warn", "claude ran make", "make", number=1, session_id="s")
    with opened() as (sink, writer), browser(sink) as http:
        writer.write([SessionRow("s", 1)])
        with http.stream("GET", "/api/v1/live?rows=none&recording=live") as answer:
            received = messages(answer.iter_lines())
            assert "changed" == next(received)[0]
            writer.write([alert])
            assert ("alert", {"count": 1}) == next(each for each in received if each[0] == "alert")
            writer.write([replace(alert, count=2)])
            assert {"count": 2} == next(each for each in received if each[0] == "alert")[1]
        writer.flush()
        found = http.get("/api/v1/r/live/session/s/alerts").json()
    assert ([2], 1, "this page stores nothing") == ([row["count"] for row in found["rows"]], found["waiting"], found["refusal"])


def test_a_page_of_a_run_knows_what_was_seen(tmp_path: Path) -> None:
    alert = AlertRow("alert-1", 1, "loop", "warn", "claude ran make", "make", number=1, session_id="s")
    sink = web(ANY, deciding=lambda: Deciding(SeenFile(tmp_path / "seen.jsonl")))
    writer = sink.open(Ledger())
    try:
        writer.write([SessionRow("s", 1), alert])
        writer.flush()
        with browser(sink) as http:
            marked = http.post("/api/v1/seen", json={"recording": "live", "alerts": ["alert-1"]}).json()
            found = http.get("/api/v1/r/live/session/s/alerts").json()
    finally:
        writer.close()
    assert ({"marked": 1}, ["seen"]) == (marked, [row["state"] for row in found["rows"]])


def test_the_server_waits_until_an_open_page_has_read_what_came_last() -> None:
    with opened() as (sink, writer), browser(sink) as http:
        writer.write([CallRow("llm-1", 1, pid=7, session_id="s"), SessionRow("s", 1)])
        with http.stream("GET", "/api/v1/live?rows=none&recording=live") as answer:
            received = messages(answer.iter_lines())
            next(received)
            writer.write([CallRow("llm-1", 1, 2, status="complete", pid=7, session_id="s", text="Seven.")])
            closing = threading.Thread(target=writer.close)
            closing.start()
            assert "end" in (name for name, _ in received)
            (card,) = http.get("/api/v1/r/live/session/s/turns").json()["cards"]
        closing.join()
    assert "Seven." == card["answer"]["text"]


def test_each_run_has_a_token_of_its_own() -> None:
    with opened() as (one, _), opened() as (other, _):
        assert one.url.partition("#")[2] != other.url.partition("#")[2]
        assert 43 == len(one.url.partition("#token=")[2])


@pytest.mark.parametrize("listen", ["127.0.0.1", "::1"])
def test_a_taken_port_is_one_clear_sentence_before_anything_is_captured(listen: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in listen else socket.AF_INET) as taken:
        taken.bind((listen, 0))
        taken.listen()
        port = taken.getsockname()[1]
        captured: list[object] = []
        run = Run(of([EXEC]).pipe(materialize()), [web(WebOptions(listen, port))])
        with pytest.raises(SinkError, match=rf"^port {port} on {listen} is taken; give another with --server-port"), run:
            captured.append(1)
        assert not captured


def test_an_address_that_this_machine_does_not_have_is_an_error() -> None:
    with pytest.raises(SinkError, match=r"port 0 on 192\.0\.2\.1 cannot be listened on"):
        web(WebOptions("192.0.2.1", 0, allow_remote=True)).open(Ledger())


@pytest.mark.parametrize("listen", ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1"])
def test_addresses_for_other_machines_must_be_allowed(listen: str) -> None:
    with pytest.raises(UsageError, match="add --allow-remote"):
        web(WebOptions(listen))


def test_every_address_is_shown_as_one_that_can_be_opened() -> None:
    with opened(WebOptions("0.0.0.0", 0, allow_remote=True)) as (sink, _), browser(sink) as http:
        assert sink.url.startswith("http://127.0.0.1:")
        assert 200 == http.get("/api/v1/snapshot").status_code


@pytest.mark.parametrize("options", [WebOptions("box.example"), WebOptions(port=65_536), WebOptions(port=-1)])
def test_an_invalid_address_is_an_error(options: WebOptions) -> None:
    with pytest.raises(UsageError, match=r"^--"):
        web(options)


@pytest.mark.parametrize("listen", ["", "localhost", "127.0.0.1"])
def test_this_machine_has_several_names(listen: str) -> None:
    with opened(WebOptions(listen, 0)) as (sink, _):
        assert sink.url.startswith("http://127.0.0.1:")


def test_the_address_is_known_only_once_it_is_open() -> None:
    with pytest.raises(SinkError, match="open its sink first"):
        _ = web(ANY).url


def test_it_ends_in_time_with_open_streams_and_idle_connections() -> None:
    with opened() as (sink, writer):
        clients = [browser(sink) for _ in range(3)]
        streams = [client.stream("GET", "/api/v1/live") for client in clients]
        answers = [stream.__enter__() for stream in streams]
        idle = browser(sink)
        idle.get("/")
        silent = socket.create_connection(_place(sink))
        writer.close()
        assert not [thread for thread in threading.enumerate() if thread.name == "web"]
        assert ["end"] * 3 == [list(messages(answer.iter_lines()))[-1][0] for answer in answers]
        for stream in streams:
            stream.__exit__(None, None, None)
        for client in (*clients, idle):
            client.close()
        silent.close()
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(_place(sink))


def test_it_ends_in_time_with_a_reader_that_does_not_read() -> None:
    with opened() as (sink, writer), socket.create_connection(_place(sink)) as stuck:
        token = sink.url.partition("#token=")[2]
        stuck.sendall(f"GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        assert stuck.recv(12) == b"HTTP/1.1 200"
        writer.write([CallRow(f"llm-{number}", number, text="x" * 900_000) for number in range(16)])
        time.sleep(0.3)  # the server fills the socket and waits
        writer.close()
        assert not [thread for thread in threading.enumerate() if thread.name == "web"]


def test_a_run_shows_what_its_graph_makes() -> None:
    sink = web(ANY)
    with Run(of([EXEC]).pipe(materialize()), [sink], on_bug="raise_all") as run:
        assert "end of input" == run.wait(10)
        with browser(sink) as http:
            deadline = time.monotonic() + 10
            while not (rows := http.get("/api/v1/snapshot").json()["process_nodes"]) and time.monotonic() < deadline:
                time.sleep(0.02)
        assert [("/bin/sh", ["sh", "-c", "true"])] == [(row["command"], row["argv"]) for row in rows]
        assert run.stop().complete


# -- ports -------------------------------------------------------------------------------------------------------------


def test_without_a_port_each_page_takes_the_next_free_one() -> None:
    with opened(WebOptions()) as (one, _), opened(WebOptions()) as (two, _), opened(WebOptions()) as (three, _):
        ports = [_place(sink)[1] for sink in (one, two, three)]
        assert ports == sorted(set(ports))
        assert ports[0] >= 7395
        for sink in (one, two, three):
            with browser(sink) as http:
                assert 200 == http.get("/api/v1/snapshot").status_code


def test_a_page_that_is_not_required_does_not_stop_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sink = web(WebOptions(port=port, required=False))
        with Run(of([EXEC]).pipe(materialize()), [sink], on_bug="raise_all") as run:
            assert run.stop().complete
    assert not sink.is_served
    said = capsys.readouterr().err
    assert said.startswith(f"agentsight-rx: going on without the page: port {port} on 127.0.0.1 is taken; give another")


@pytest.mark.parametrize("required", [True, False])
def test_a_package_that_is_missing_is_said_before_anything_is_captured(
    required: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "sse_starlette", None)
    opening = web(WebOptions(port=0, required=required)).open
    if required:
        with pytest.raises(SinkError, match="the web page needs sse_starlette, not installed here"):
            opening(Ledger())
    else:
        opening(Ledger()).close()
        assert "going on without the page: the web page needs sse_starlette" in capsys.readouterr().err


def test_a_server_that_fails_says_why() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.close()
    with pytest.raises(SinkError, match=r"the web page did not start: .*[Bb]ad file descriptor"):
        Serving(Starlette(), listener)


# -- strangers ---------------------------------------------------------------------------------------------------------

HALF = b"GET / HTTP/1.1\r\nHost: localhost\r\n"


def stranger(sink: WebSink, text: bytes = HALF) -> socket.socket:
    """A connection without the token; the server may close it."""
    connection = socket.create_connection(_place(sink), timeout=60)
    connection.sendall(text)
    return connection


def is_closed(connection: socket.socket) -> bool:
    """Wait until the other side closes the connection; what it sends before is skipped."""
    try:
        while connection.recv(65_536):
            pass
    except ConnectionResetError:
        pass
    connection.close()
    return True


@pytest.mark.parametrize("text", [b"", HALF, b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"], ids=range(3))
def test_a_hundred_strangers_do_not_shut_out_the_owner(text: bytes) -> None:
    with opened() as (sink, writer), browser(sink) as before, before.stream("GET", "/api/v1/live") as answer:
        received = messages(answer.iter_lines())
        next(received)
        strangers = [stranger(sink, text) for _ in range(100)]
        with browser(sink) as http:
            writer.write([CallRow("llm-1", 1)])
            assert ["llm-1"] == [row["id"] for row in http.get("/api/v1/snapshot").json()["llm_calls"]]
            assert "rows" == next(received)[0]  # and the stream from before goes on
        assert all(map(is_closed, strangers[:60]))  # they made room
        for connection in strangers[60:]:
            connection.close()


@pytest.mark.parametrize("text", [b"", HALF], ids=["nothing", "half a head"])
def test_a_head_that_does_not_come_ends_the_connection(text: bytes) -> None:
    with opened(limits=Limits(head_s=0.1)) as (sink, _):
        assert is_closed(stranger(sink, text))


def test_a_stranger_that_goes_on_asking_is_cut_off_and_the_owner_is_not() -> None:
    with (
        opened(limits=Limits(stranger_s=0.3)) as (sink, writer),
        browser(sink) as http,
        http.stream("GET", "/api/v1/live") as answer,
    ):
        received = messages(answer.iter_lines())
        next(received)
        asking = stranger(sink, b"")
        with suppress(ConnectionError):
            asked = True
            while asked:
                asking.sendall(b"GET /api/v1/info HTTP/1.1\r\nHost: localhost\r\n\r\n")
                asked = bool(asking.recv(65_536))
        asking.close()
        writer.write([CallRow("llm-1", 1)])
        assert "rows" == next(received)[0]


def test_one_connection_of_the_owner_too_many_takes_the_place_of_the_one_that_asked_nothing_for_longest() -> None:
    with opened(limits=Limits(owners=3)) as (sink, writer), ExitStack() as stack:
        asks, *clients = [stack.enter_context(browser(sink)) for _ in range(4)]
        assert asks.get("/api/v1/snapshot").status_code == 200
        live = [stack.enter_context(client.stream("GET", "/api/v1/live")) for client in clients[:2]]
        streams = [messages(answer.iter_lines()) for answer in live]
        assert [answer.status_code for answer in live] == [200, 200]
        for stream in streams:
            next(stream)
        assert asks.get("/api/v1/snapshot").status_code == 200  # so it is the older stream that goes
        assert clients[2].get("/api/v1/snapshot").status_code == 200
        with pytest.raises(httpx2.TransportError):
            list(streams[0])
        writer.write([CallRow("llm-1", 1)])
        assert "rows" == next(streams[1])[0]
