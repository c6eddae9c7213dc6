"""The fake server and its clients agree on every byte, and the agent gets its work done."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse, HTTPSConnection
from os import kill
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from agentsight_rx.runtime.demo.answers import DIALECTS, answer_to
from agentsight_rx.runtime.demo.shells import tool_among
from tests.live.capture import PATIENCE_S
from tests.live.peers import CLIENTS, Client, Peer, fake_llm, read_calls

_ROOT = Path(__file__).parents[3]
_ANTHROPIC = "/v1/messages"
_OPENAI = "/v1/chat/completions"
_TOOLS = {
    _ANTHROPIC: [{"name": "shell", "input_schema": {"type": "object"}}],
    _OPENAI: [{"type": "function", "function": {"name": "shell", "parameters": {"type": "object"}}}],
}
_RESULTS = {
    _ANTHROPIC: {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "done by tool"}]},
    _OPENAI: {"role": "tool", "tool_call_id": "t", "content": "done by tool"},
}
_CURL = pytest.mark.needs("curl")
every_client = pytest.mark.parametrize(
    "client", [pytest.param(each, id=each.name, marks=[_CURL] if "curl" in each.name else []) for each in CLIENTS]
)
both_apis = pytest.mark.parametrize("path", [_ANTHROPIC, _OPENAI])
whole_and_streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with fake_llm(tmp_path_factory.mktemp("peer")) as running:
        yield running


@pytest.fixture
def connection(peer: Peer) -> Iterator[HTTPSConnection]:
    with _connection(peer) as opened:
        yield opened


@every_client
def test_client_and_server_saw_the_same_bytes(client: Client, tmp_path: Path) -> None:
    with fake_llm(tmp_path) as peer:
        env = client.env(peer, tmp_path)
        subprocess.run(client.command(peer, 7, 300_007), env=env, check=True, timeout=PATIENCE_S)

    seen = peer.exchanges()
    calls = read_calls(Path(env["CLIENT_LOG"]))
    assert [exchange.status for exchange in seen] == [200] * 7
    assert [call.request for call in calls] == [exchange.request for exchange in seen]
    assert [call.response for call in calls] == [exchange.response for exchange in seen]
    assert [len(call.request) > 300_007 for call in calls] == [number % 3 == 1 for number in range(7)]
    assert [len(call.response) > 300_007 for call in calls] == [number % 3 == 2 for number in range(7)]
    assert [exchange.response_headers["content-type"].startswith("text/event-stream") for exchange in seen] == [
        number % 2 == 1 for number in range(7)
    ]


@every_client
def test_a_client_waits_until_it_may_begin(client: Client, peer: Peer, tmp_path: Path) -> None:
    env = client.env(peer, tmp_path)
    held = env | {"WAIT_FOR": str(tmp_path / "go"), "CLIENT_LOG": str(tmp_path / "held.jsonl")}

    with subprocess.Popen(client.command(peer, 1, 0), env=held) as waiting:
        subprocess.run(client.command(peer, 2, 0), env=env, check=True, timeout=PATIENCE_S)  # began later and does more
        assert waiting.poll() is None
        (tmp_path / "go").touch()
        assert waiting.wait(PATIENCE_S) == 0

    assert len(read_calls(Path(held["CLIENT_LOG"]))) == 1


def test_the_agent_runs_the_tool_and_answers_with_its_result(tmp_path: Path) -> None:
    with fake_llm(tmp_path, "--tool-command", "echo 6 times 7 is $((6 * 7))") as peer:
        env = {"PATH": "/bin:/usr/bin", "ANTHROPIC_API_KEY": "dummy"}
        env |= {"ANTHROPIC_BASE_URL": peer.base_url, "SSL_CERT_FILE": str(peer.ca_file)}
        argv = [sys.executable, "-m", "agentsight_rx.runtime.demo.agent", "What is 6 times 7?"]
        ran = subprocess.run(argv, cwd=_ROOT, env=env, check=True, capture_output=True, timeout=PATIENCE_S)

    first, second = peer.exchanges()
    assert ran.stdout.decode() == "Terminé 🦊 模型: the tool said “6 times 7 is 42”.\n"
    assert first.connection == second.connection
    roles = [message["role"] for message in json.loads(second.request)["messages"]]
    assert roles == ["user", "assistant", "user"]


@whole_and_streamed
@both_apis
def test_the_first_turn_asks_for_the_first_tool(connection: HTTPSConnection, path: str, stream: bool) -> None:
    said = _post(connection, path, stream=stream, tools=_TOOLS[path])

    assert said.tool == "shell"
    assert json.loads(said.arguments) == {"command": "echo hello from the tool"}
    assert said.reason in ("tool_use", "tool_calls")


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        ([], None),
        (["Edit", "Other"], "Edit"),
        (["Edit", "Bash"], "Bash"),
        (["update_topic", "run_shell_command"], "run_shell_command"),
    ],
)
def test_a_shell_comes_before_other_tools(names: list[str], chosen: str | None) -> None:
    assert tool_among(names) == chosen


def test_a_shell_gets_its_command_in_the_parameter_that_it_has(connection: HTTPSConnection) -> None:
    tools: Any = [{"type": "function", "function": {"name": "exec_command", "parameters": {"type": "object"}}}]
    said = _post(connection, "/v1/chat/completions", stream=False, tools=tools)

    assert json.loads(said.arguments) == {"cmd": "echo hello from the tool"}


@whole_and_streamed
@both_apis
def test_the_second_turn_quotes_the_result_of_the_tool(connection: HTTPSConnection, path: str, stream: bool) -> None:
    said = _post(connection, path, stream=stream, tools=_TOOLS[path], then=_RESULTS[path])

    assert said.text == "Terminé 🦊 模型: the tool said “done by tool”."
    assert said.tool == ""
    assert said.reason in ("end_turn", "stop")


@whole_and_streamed
@both_apis
def test_an_answer_has_the_size_that_was_asked_for(connection: HTTPSConnection, path: str, stream: bool) -> None:
    said = _post(connection, path, stream=stream, prompt="size=100003 please")

    assert len(said.text.encode()) == 100_003


@whole_and_streamed
@both_apis
def test_tokens_follow_from_the_request(connection: HTTPSConnection, path: str, stream: bool) -> None:
    prompts = ["short", "a prompt that is longer, size=300"]
    replies = [_post(connection, path, stream=stream, prompt=prompt) for prompt in prompts]

    assert [said.input_tokens for said in replies] == [said.request_size // 4 for said in replies]
    assert [said.output_tokens for said in replies] == [len(said.text.split()) for said in replies]
    assert replies[0].input_tokens < replies[1].input_tokens


@both_apis
def test_what_an_earlier_request_had_too_is_read_from_the_cache(path: str) -> None:
    said = {"role": "assistant", "content": "x" * 80}
    messages = [{"role": "user", "content": "p" * 800}, said, {"role": "user", "content": "and?"}]
    body = json.dumps({"model": "demo", "messages": messages}).encode()

    answer = answer_to(DIALECTS[path].read(body, 1), ())

    assert answer.cached_tokens > 200
    assert answer.input_tokens + answer.cached_tokens == pytest.approx(len(body) // 4, abs=1)


def test_openai_usage_is_streamed_only_if_asked_for(connection: HTTPSConnection) -> None:
    body = json.dumps({"model": "demo", "stream": True, "messages": [{"role": "user", "content": "hi"}]})
    connection.request("POST", _OPENAI, body)

    assert b"usage" not in connection.getresponse().read()


def test_an_anthropic_stream_has_every_kind_of_event(connection: HTTPSConnection) -> None:
    events = _post(connection, _ANTHROPIC, stream=True, tools=_TOOLS[_ANTHROPIC]).events

    kinds = list(dict.fromkeys(event["type"] for event in events))
    assert kinds == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    deltas = [event["delta"]["type"] for event in events if event["type"] == "content_block_delta"]
    assert deltas.count("input_json_delta") > 3


def test_head_has_no_body_and_the_connection_stays(connection: HTTPSConnection) -> None:
    for _ in range(2):
        connection.request("HEAD", "/")
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"")
        assert not response.will_close


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", _ANTHROPIC), ("POST", "/v1/other"), ("PUT", "/x")])
def test_what_is_not_served_gets_404(connection: HTTPSConnection, method: str, path: str) -> None:
    connection.request(method, path)
    response = connection.getresponse()

    assert response.status == 404
    assert json.loads(response.read())["error"]["type"] == "not_found_error"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"model":"demo"}', b'{"messages":[1]}', b"\xff"])
def test_a_body_that_is_no_request_gets_400(connection: HTTPSConnection, body: bytes) -> None:
    connection.request("POST", _ANTHROPIC, body)
    response = connection.getresponse()

    assert response.status == 400
    assert json.loads(response.read())["error"]["type"] == "invalid_request_error"


def test_a_chunked_request_is_answered_like_a_whole_one(connection: HTTPSConnection, peer: Peer) -> None:
    body = json.dumps({"model": "demo", "messages": [{"role": "user", "content": "é" * 5_000}]}).encode()
    parts = [body[start : start + 997] for start in range(0, len(body), 997)]
    connection.request("POST", _ANTHROPIC, iter(parts), encode_chunked=True)
    usage = json.loads(connection.getresponse().read())["usage"]

    assert usage["input_tokens"] == len(body) // 4


def test_a_client_that_expects_100_continue_gets_it(connection: HTTPSConnection) -> None:
    connection.connect()
    connection.sock.sendall(b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")

    assert connection.sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.sock.sendall(b"{}")
    response = HTTPResponse(connection.sock)
    response.begin()
    assert response.status == 404


def test_connections_are_closed_if_asked(tmp_path: Path) -> None:
    with fake_llm(tmp_path, "--close") as peer, _connection(peer) as connection:
        connection.request("HEAD", "/")
        sock = connection.sock
        response = connection.getresponse()

        assert response.getheader("connection") == "close"
        assert sock.recv(1) == b""


def test_a_slow_model_says_what_a_fast_one_says(tmp_path: Path) -> None:
    (tmp_path / "slow").mkdir()
    (tmp_path / "fast").mkdir()
    with fake_llm(tmp_path / "slow", "--think-ms", "1", "--event-ms", "1") as peer, _connection(peer) as connection:
        slow = _post(connection, "/v1/messages", stream=True)
    with fake_llm(tmp_path / "fast") as peer, _connection(peer) as connection:
        assert _post(connection, "/v1/messages", stream=True) == slow


def test_sigterm_ends_the_server_though_a_client_is_connected(tmp_path: Path) -> None:
    with fake_llm(tmp_path) as peer, _connection(peer) as connection:
        connection.request("HEAD", "/")
        connection.getresponse().read()
        kill(peer.pid, signal.SIGTERM)

        assert connection.sock.recv(1) == b""
    assert len(peer.exchanges()) == 1


@contextmanager
def _connection(peer: Peer) -> Generator[HTTPSConnection]:
    context = ssl.create_default_context(cafile=str(peer.ca_file))
    connection = HTTPSConnection(urlsplit(peer.base_url).netloc, timeout=10, context=context)
    try:
        yield connection
    finally:
        connection.close()


def _post(
    connection: HTTPSConnection,
    path: str,
    *,
    stream: bool,
    prompt: str = "hi",
    tools: object = None,
    then: object = None,
) -> _Said:
    messages = [{"role": "user", "content": prompt}, *([then] if then else [])]
    ask = {"model": "demo", "stream": stream, "messages": messages, "stream_options": {"include_usage": True}}
    body = json.dumps(ask | ({"tools": tools} if tools else {}))
    connection.request("POST", path, body)
    response = connection.getresponse()
    assert response.status == 200
    said = _Said(len(body), _events(response.read()) if stream else [json.loads(response.read())])
    for event in said.events:
        (_hear_anthropic if path == _ANTHROPIC else _hear_openai)(said, event)
    return said


@dataclass
class _Said:
    """What a reply says, in whichever of its four shapes it came."""

    request_size: int
    events: list[Any]
    text: str = ""
    tool: str = ""
    arguments: str = ""
    reason: str = ""
    input_tokens: int = 0
    output_tokens: int = 0


def _events(stream: bytes) -> list[Any]:
    lines = stream.decode().splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]


def _hear_anthropic(said: _Said, event: Any) -> None:
    message = event.get("message", event)
    delta = event.get("delta", {})
    blocks = [*message.get("content", []), event.get("content_block", {})]
    said.text += "".join(block.get("text", "") for block in blocks) + delta.get("text", "")
    said.tool += "".join(block.get("name", "") for block in blocks)
    said.arguments += "".join(json.dumps(block["input"]) for block in blocks if block.get("input"))
    said.arguments += delta.get("partial_json", "")
    said.reason = delta.get("stop_reason") or message.get("stop_reason") or said.reason
    usage = message.get("usage", {})
    said.input_tokens = usage.get("input_tokens", said.input_tokens)
    said.output_tokens = usage.get("output_tokens", said.output_tokens)


def _hear_openai(said: _Said, chunk: Any) -> None:
    for choice in chunk["choices"]:
        part = choice.get("delta", choice.get("message"))
        said.text += part.get("content", "")
        said.reason = choice["finish_reason"] or said.reason
        for call in part.get("tool_calls", []):
            said.tool += call["function"].get("name", "")
            said.arguments += call["function"]["arguments"]
    usage: Any = chunk["usage"] or {}
    said.input_tokens = usage.get("prompt_tokens", said.input_tokens)
    said.output_tokens = usage.get("completion_tokens", said.output_tokens)
