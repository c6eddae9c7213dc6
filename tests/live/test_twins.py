"""Both ends of connections in one recording: each call counts once, however fast the calls are."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from textwrap import dedent

import pytest
import trustme

from agentsight_rx.events import TlsOpen
from agentsight_rx.graphs import TraceOptions, trace
from agentsight_rx.runtime.run import Summary
from agentsight_rx.sources import PlainHttpOptions, Target, TlsOptions
from agentsight_rx.view import CallRow, TokenRow
from tests.live.capture import Gated, Kept, running, until
from tests.live.gate import waits_at

pytestmark = pytest.mark.live

CALLS = 500

# A model that answers at once, and a client that asks it over one connection. `keys` is the folder with their keys; "": no TLS.
PARTS = """
import http.client, http.server, json, os, signal, socket, ssl as tls, sys, threading, time

keys = sys.argv[2]

class Model(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_):
        pass
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
        choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
        said = json.dumps({"id": "c", "model": "m", "choices": [choice], "usage": usage}).encode()
        self.reply(said)
    def reply(self, said):
        head = f"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: {len(said)}\\r\\n\\r\\n"
        self.wfile.write(head.encode() + said)

def made(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if keys:
        context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(keys + "/cert.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    return server

def apart(handler):
    server = made(handler)
    server.daemon_threads = False  # so that its last answer returns before it ends
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
        server.serve_forever()
        server.server_close()
        os._exit(0)
    server.socket.close()
    return server.server_port, child

def within(handler):
    server = made(handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port, 0

def connected(port):
    if not keys:
        return http.client.HTTPConnection("127.0.0.1", port)
    return http.client.HTTPSConnection("127.0.0.1", port, context=tls.create_default_context(cafile=keys + "/ca.pem"))

def watched():
    open(sys.argv[1] + ".waits", "w").close()
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.005)

def ask(port, calls, say=lambda number: f"call {number}"):
    client = connected(port)
    for number in range(calls):
        asked = {"model": "m", "messages": [{"role": "user", "content": say(number)}]}
        client.request("POST", "/v1/chat/completions", json.dumps(asked))
        client.getresponse().read()
    client.close()
"""


def captured(directory: Path, code: str, *, plain: bool) -> tuple[Kept, Summary]:
    keys = ""
    if not plain:
        keys = str(directory)
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1")
        authority.cert_pem.write_to_path(f"{keys}/ca.pem")
        issued.private_key_and_cert_chain_pem.write_to_path(f"{keys}/cert.pem")
    gate = directory / "go"
    command = [sys.executable, "-c", PARTS + dedent(code), str(gate), keys]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            until(lambda: waits_at(gate).exists() or process.poll() is not None)
            target = Target(process.pid)
            options = TraceOptions(
                tls=None if plain else TlsOptions(target), plain_http=PlainHttpOptions(target), remove_auth=False
            )
            with running(trace(options)) as (run, kept):
                Gated(process, gate).run()
                summary = run.stop()
        finally:
            process.kill()
    return kept, summary


@pytest.mark.parametrize("plain", [False, True], ids=["tls", "plain"])
@pytest.mark.parametrize("where", ["apart", "within"])
@pytest.mark.parametrize("content", ["each its own", "equal"])
def test_calls_of_which_both_ends_are_seen_count_once(tmp_path: Path, where: str, plain: bool, content: str) -> None:
    said = 'lambda number: "the same"' if content == "equal" else 'lambda number: f"call {number}"'
    code = f"""
    port, child = {where}(Model)
    watched()
    ask(port, {CALLS}, {said})
    if child:
        os.kill(child, signal.SIGTERM)
        os.wait()
    """
    kept, summary = captured(tmp_path, code, plain=plain)
    rows = kept.rows(CallRow)
    assert ["complete"] * 2 * CALLS == [row.status for row in rows]
    twins = [row for row in rows if row.twin]
    assert CALLS == summary.tally.totals.calls == len(twins) == len({row.twin for row in twins})
    assert {row.llm_call_id for row in kept.rows(TokenRow)} == {row.twin for row in twins}
    assert 7 * CALLS == summary.tally.totals.total_tokens


@pytest.mark.parametrize("plain", [False, True], ids=["tls", "plain"])
def test_a_call_through_a_proxy_of_the_tree_is_one_call(tmp_path: Path, plain: bool) -> None:
    """Agent, proxy and model in three processes: four ends of two connections."""
    code = f"""
    port, child = apart(Model)

    class Proxy(Model):
        def setup(self):
            super().setup()
            self.model = connected(port)
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            self.model.request("POST", self.path, body)
            self.reply(self.model.getresponse().read())
        def finish(self):
            self.model.close()
            super().finish()

    proxy_port, proxy = apart(Proxy)
    watched()
    ask(proxy_port, {CALLS}, lambda number: f"call {{number % 7}}")
    for each in (proxy, child):
        os.kill(each, signal.SIGTERM)
        os.waitpid(each, 0)
    print(proxy)
    """
    kept, summary = captured(tmp_path, code, plain=plain)
    # at its end a connection is read in vain, behind what the thread received from the other one: that says nothing of its ends
    assert {True} == {event.sure for event in kept.of(TlsOpen) if event.local}
    assert 4 == len({(event.local, event.peer) for event in kept.of(TlsOpen) if event.local})
    rows = kept.rows(CallRow)
    assert ["complete"] * 4 * CALLS == [row.status for row in rows]
    calls = [row for row in rows if not row.twin]
    assert CALLS == summary.tally.totals.calls == len(calls)
    assert 1 == len({row.pid for row in calls})
    assert {3} == set(Counter(row.twin for row in rows if row.twin).values())
    assert {row.llm_call_id for row in kept.rows(TokenRow)} == {row.id for row in calls}
    assert 7 * CALLS == summary.tally.totals.total_tokens
    assert {"python"} == {row.through for row in calls}
