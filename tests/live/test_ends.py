"""An agent acts where the answer ends, before the body does: its tool has its process all the same."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
import trustme

from agentsight_rx.store.rows.kinds import HUNG_UP
from agentsight_rx.store.rows.tables import CALLS, TOOLS
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view import CallRow, ToolRow

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]
COMMAND = "wc -l /etc/hostname"
# Reads up to the end mark, runs the tool, and only then goes on: to read the rest, or to hang up
AGENT = """
import http.client, json, os, ssl, subprocess, sys
port, how, path = int(sys.argv[1]), sys.argv[2], sys.argv[3]
link = http.client.HTTPSConnection("127.0.0.1", port, context=ssl.create_default_context(cafile=sys.argv[4]))
body = json.dumps({"model": "m-1", "stream": True, "messages": [{"role": "user", "content": "count the lines"}]})
link.request("POST", path, body, {"content-type": "application/json"})
answer = link.getresponse()
for line in answer:
    if b"message_stop" in line or b"[DONE]" in line:
        break
answer.readline()
subprocess.run(["/bin/sh", "-c", sys.argv[5]])
if how == "reads on":
    link.sock.sendall(b"GET /go-on HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n")
    answer.read()
link.close()
"""


def anthropic() -> list[dict[str, object] | str]:
    tool: dict[str, object] = {"type": "tool_use", "id": "toolu_1", "name": "bash", "input": {}}
    said = {"type": "input_json_delta", "partial_json": json.dumps({"command": COMMAND})}
    return [
        {"type": "message_start", "message": {"id": "msg_1", "model": "m-1", "usage": {"input_tokens": 9, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": tool},
        {"type": "content_block_delta", "index": 0, "delta": said},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 7}},
        {"type": "message_stop"},
    ]


def chat() -> list[dict[str, object] | str]:
    function = {"name": "bash", "arguments": json.dumps({"command": COMMAND})}
    call = {"index": 0, "id": "call_1", "type": "function", "function": function}
    chunk = {"id": "c-1", "object": "chat.completion.chunk", "model": "m-1"}
    return [
        {**chunk, "choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]},
        {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
        {**chunk, "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16}},
        "[DONE]",
    ]


ANSWERS: dict[str, Callable[[], list[dict[str, object] | str]]] = {"/v1/messages": anthropic, "/v1/chat/completions": chat}


@contextmanager
def slow_end(directory: Path, path: str) -> Generator[int]:
    """A server whose body ends only once the client has said so, or has hung up."""
    authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Thread(target=serve, args=(context, listening, path))
        server.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.join()


def serve(context: ssl.SSLContext, listening: socket.socket, path: str) -> None:
    plain, _ = listening.accept()
    with context.wrap_socket(plain, server_side=True) as link:
        link.recv(65_536)
        link.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for event in ANSWERS[path]():
            data = event if isinstance(event, str) else json.dumps(event)
            part = f"data: {data}\n\n".encode()
            link.sendall(b"%x\r\n%b\r\n" % (len(part), part))
        if link.recv(65_536):
            link.sendall(b"0\r\n\r\n")


@pytest.mark.parametrize("how", ["reads on", "hangs up"])
@pytest.mark.parametrize("path", list(ANSWERS))
def test_an_agent_that_acts_at_the_end_mark_keeps_the_tie_to_its_process(tmp_path: Path, path: str, how: str) -> None:
    store = tmp_path / "run.lmdb"
    with slow_end(tmp_path, path) as port:
        agent = [sys.executable, "-c", AGENT, str(port), how, path, str(tmp_path / "ca.pem"), COMMAND]
        done = subprocess.run(
            [sys.executable, "-m", "agentsight_rx", "record", "--no-server", "--db", str(store), "--", *agent],
            env=os.environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    kept = LmdbStore.open(store, readonly=True)
    calls: list[CallRow] = [row for _, row in kept.scan(CALLS)]
    tools: list[ToolRow] = [row for _, row in kept.scan(TOOLS)]
    kept.close()
    (call,) = [each for each in calls if each.call_kind]
    assert (call.status, call.complete, call.reason) == ("complete", True, None)
    assert (call.input_tokens, call.output_tokens) == (9, 7)
    assert call.note == (HUNG_UP if how == "hangs up" else None)
    (tool,) = tools
    assert (tool.tool_name, tool.link, tool.exit_code) == ("bash", "argv", 0)
    assert tool.process_id is not None
    assert "nothing is missing" in done.stderr
