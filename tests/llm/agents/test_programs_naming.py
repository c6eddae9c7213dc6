from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.llm.agents.programs import product_of, program_name


@pytest.mark.parametrize(
    ("headers", "product"),
    [
        ([("user-agent", "my-bot/1.2 (linux; x64)")], "my-bot"),
        ([("user-agent", "claude-cli/2.1.331 (external, cli)")], "claude-cli"),
        ([("user-agent", "Anthropic/JS 0.71")], ""),
        ([("user-agent", "AsyncOpenAI/Python 3.57")], ""),
        ([("user-agent", "python-httpx/0.28")], ""),
        ([("user-agent", "node")], ""),
        ([("user-agent", "google-genai-sdk/3.6 gl-python/3.13")], ""),
        ([("user-agent", "Mozilla/5.0 (X11)")], ""),
        ([("user-agent", "OpenAI/JS 6"), ("x-title", "Cline")], "Cline"),
        ([("user-agent", "ls/JS 5.2")], ""),
        ([("user-agent", "e/Python 1.93.0"), ("x-title", "My Bot")], "My Bot"),
        ([("user-agent", "js-bot/5.2")], "js-bot"),
        ([("user-agent", "<b>/1")], ""),
        ([("host", "my-bot/1.2")], ""),
        ([], ""),
    ],
)
def test_the_head_of_a_request_may_name_its_program(headers: list[tuple[str, str]], product: str) -> None:
    assert product == product_of(headers).name


@pytest.mark.parametrize(
    ("headers", "version"),
    [
        ([("user-agent", "claude-cli/2.1.331 (external, cli)")], "2.1.331"),
        ([("user-agent", "codex_cli_rs/0.55.0-alpha.1 (Debian 13.0.0; x86_64) xterm")], "0.55.0-alpha.1"),
        ([("user-agent", "GeminiCLI/0.11.0/gemini-2.5-pro (linux; x64)")], "0.11.0"),
        ([("user-agent", "my-bot/v3")], "3"),
        ([("user-agent", "my-bot/dev")], ""),
        ([("user-agent", "my-bot/1.<b>")], ""),
        ([("user-agent", f"my-bot/1{'0' * 40}")], ""),
        ([("user-agent", "my-bot")], ""),
        ([("user-agent", "OpenAI/JS 6.1")], ""),
        ([("user-agent", "OpenAI/JS 6"), ("x-title", "Cline"), ("x-client-version", "3.2.0")], "3.2.0"),
        ([("x-client-version", "3.2.0")], ""),
        ([("user-agent", "my-bot/1.2"), ("x-client-version", "3.2.0")], "1.2"),
    ],
)
def test_a_version_is_the_one_of_the_program(headers: list[tuple[str, str]], version: str) -> None:
    assert version == product_of(headers).version


@pytest.mark.parametrize(
    ("comm", "line", "name"),
    [
        ("node", "node /usr/lib/node_modules/my-bot/dist/index.js", "my-bot"),
        ("MainThread", "node /usr/lib/node_modules/@me/bot/cli.js", "@me/bot"),
        ("python3", "python3 -m my_bot --fast", "my_bot"),
        ("python3", "/venv/bin/python3 /venv/bin/bot", "bot"),
        ("python3", "python3 /src/bot/main.py", "bot"),
        ("python3", "python a.py", "a.py"),
        ("python3", "python -W ignore a.py", "a.py"),
        ("node", "node --env-file .env bot.js", "bot.js"),
        ("bun", "bun run bot.ts", "bot.ts"),
        ("bash", "bash agent.sh", "agent.sh"),
        ("python3", "python3 -c x", ""),
        ("node", "node", ""),
        ("my-bot", "/opt/my-bot a b", ""),
        ("", "", ""),
    ],
)
def test_a_program_of_an_interpreter_is_named_by_its_package_or_script(comm: str, line: str, name: str) -> None:
    assert name == program_name(comm, line.split())


@given(st.text(max_size=80), st.lists(st.text(max_size=30), max_size=5))
def test_any_head_and_any_arguments_give_a_short_name(value: str, argv: list[str]) -> None:
    product = product_of([("user-agent", value), ("x-title", value), ("x-client-version", value)])
    assert len(product.name) <= 64
    assert len(product.version) <= 32
    assert len(program_name("node", argv)) <= 64
