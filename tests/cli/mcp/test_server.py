"""The SDK's own client over standard input and output, and over HTTP: every tool, resource and prompt; the token, the host."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import httpx2
import pytest

from agentsight_rx.cli.mcp import server
from agentsight_rx.cli.mcp.answers import TOOLS_BY_NAME
from agentsight_rx.cli.mcp.paging import MOST

from .recordings import INJECTED, PROMPT
from .test_answers import NEEDED, WRONG

if TYPE_CHECKING:
    from mcp.client.client import Client

_PROGRAM = (sys.executable, "-m", "agentsight_rx", "mcp")


def _asked(recording: Path, questions: Callable[[Client], Awaitable[None]]) -> None:
    from mcp.client.client import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client

    program, *words = _PROGRAM
    program_of = StdioServerParameters(command=program, args=[*words, "--db", str(recording)], env=dict(os.environ))

    async def run() -> None:
        async with Client(stdio_client(program_of)) as client:
            await questions(client)

    anyio.run(run)


async def _called(client: Client, name: str, arguments: dict[str, object]) -> tuple[str, bool]:
    from mcp_types import TextContent

    answer = await client.call_tool(name, arguments)
    (content,) = answer.content
    assert isinstance(content, TextContent)
    assert answer.structured_content is None
    return content.text, answer.is_error


def test_every_tool_is_listed_called_and_answered(run: Path) -> None:
    async def questions(client: Client) -> None:
        listed = (await client.list_tools()).tools
        assert list(TOOLS_BY_NAME) == [tool.name for tool in listed]
        for tool in listed:
            assert tool.description
            assert tool.annotations is not None
            assert (True, False) == (tool.annotations.read_only_hint, tool.annotations.destructive_hint)
            text, failed = await _called(client, tool.name, NEEDED.get(tool.name, {}))
            assert not failed
            assert len(text.encode()) <= MOST
            assert {"answer", "not_seen", "recorded", "ask_next"} <= json.loads(text).keys()

    _asked(run, questions)


def test_wrong_questions_are_errors_and_the_server_goes_on(run: Path) -> None:
    async def questions(client: Client) -> None:
        for name, arguments, said in WRONG:
            text, failed = await _called(client, name, arguments)
            assert failed
            assert said in text
            assert "Traceback" not in text
        assert not (await _called(client, "session", {}))[1]

    _asked(run, questions)


def test_resources_are_the_sessions_and_have_no_text_of_a_recording(injected: Path) -> None:
    from mcp.shared.exceptions import MCPError
    from mcp_types import TextResourceContents

    async def questions(client: Client) -> None:
        listed = (await client.list_resources()).resources
        assert ["agentsight://sessions", "agentsight://session/7d1e0c52"] == [each.uri for each in listed]
        assert INJECTED not in "".join(each.model_dump_json() for each in listed)
        for each in listed:
            (content,) = (await client.read_resource(each.uri)).contents
            assert isinstance(content, TextResourceContents)
            assert INJECTED in json.dumps(json.loads(content.text)["recorded"])
        assert 1 == len((await client.list_resource_templates()).resource_templates)
        for wrong in ("agentsight://nothing", "agentsight://session/nothing", "file:///etc/passwd"):
            with pytest.raises(MCPError, match=r"no resource is|no session begins with"):
                await client.read_resource(wrong)

    _asked(injected, questions)


def test_prompts_name_the_tools_and_the_session(run: Path) -> None:
    from mcp.shared.exceptions import MCPError
    from mcp_types import TextContent

    async def questions(client: Client) -> None:
        for prompt in (await client.list_prompts()).prompts:
            for given, said in (({}, "the newest recorded session"), ({"session": "7d1e"}, "the recorded session '7d1e'")):
                (message,) = (await client.get_prompt(prompt.name, given)).messages
                assert isinstance(message.content, TextContent)
                assert said in message.content.text
                named = set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", message.content.text))
                assert named <= {*TOOLS_BY_NAME}
        with pytest.raises(MCPError, match="no prompt is 'nothing'; there are why-dear"):
            await client.get_prompt("nothing", {})

    _asked(run, questions)


@contextmanager
def _served(recording: Path) -> Generator[tuple[str, str]]:
    """The address and the token."""
    words = [*_PROGRAM, "--db", str(recording), "--http", "--server-port", "0"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        found = re.search(r"MCP: (\S+), with the head Authorization: Bearer (\S+)", server.stderr.readline())
        assert found is not None
        try:
            yield found[1], found[2]
        finally:
            server.send_signal(signal.SIGINT)
            rest = server.stderr.read()
    assert (0, True) == (server.returncode, "Traceback" not in rest), rest


@asynccontextmanager
async def _client(url: str, token: str) -> AsyncGenerator[Client]:
    from mcp.client.client import Client
    from mcp.client.streamable_http import streamable_http_client

    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client


def test_over_http_it_answers_who_has_the_token(run: Path) -> None:
    async def asks(url: str, token: str) -> None:
        async with _client(url, token) as client:
            assert list(TOOLS_BY_NAME) == [tool.name for tool in (await client.list_tools()).tools]
            text, failed = await _called(client, "turns", {})
            assert not failed
            assert PROMPT in text

    with _served(run) as (url, token):
        assert url.startswith("http://127.0.0.1:")
        assert url.endswith("/mcp")
        anyio.run(asks, url, token)
        question = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        bearer = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
        for status, head in (
            (401, {}),
            (401, {"Authorization": "Bearer x"}),
            (403, {**bearer, "Host": "evil.example"}),
            (403, {**bearer, "Origin": "http://evil.example"}),
        ):
            answer = httpx2.post(url, json=question, headers=head)
            assert status == answer.status_code
            assert PROMPT not in answer.text
        assert 405 == httpx2.get(url, headers=bearer).status_code


def test_a_signal_ends_it_with_the_status_of_that_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = list[int]()
    monkeypatch.setattr(os, "_exit", ended.append)
    server._leave("SIGTERM")  # pyright: ignore[reportPrivateUsage]
    assert [143] == ended
