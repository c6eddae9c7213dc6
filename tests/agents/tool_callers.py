"""The agents of the tier: each asks a model, runs the shell command that it is told, and asks again with the result."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.agents.agent import Agent, Place
from tests.agents.install import INSTALLED, NPM, PROGRAMS, PYTHON
from tests.agents.versions import version
from tests.live.peers import find_node

__all__ = ["PROMPT", "TOOL_CALLERS"]

PROMPT = "Run one shell command"
_CODEX = str(NPM / "@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex")
_CODEX_OLD = str(NPM / "codex-0.120.0/vendor/x86_64-unknown-linux-musl/codex/codex")
_CLAUDE = str(NPM / "@anthropic-ai/claude-code-linux-x64/claude")
_CLAUDE_OLD = str(NPM / "claude-code-2.1.197/claude")
_OPENCODE = str(NPM / "opencode-linux-x64/bin/opencode")
_GEMINI = str(NPM / ".bin/gemini")
_PI = str(NPM / ".bin/pi")
_COPILOT = str(NPM / "@github/copilot-linux-x64/copilot")
_VIBE = str(INSTALLED / "vibe" / "bin" / "vibe")
_AT_THE_END = str(PROGRAMS / "at_the_end.py")
_CODES = ("--coding", "br")  # of answers, where the client takes it and asks for no other


def _claude(program: str) -> Callable[[Place], list[str]]:
    said = ("-p", PROMPT, "--tools", "Bash", "--output-format", "stream-json", "--verbose", "--allowedTools", "Bash")
    return lambda _: [program, *said]


def _claude_env(place: Place) -> dict[str, str]:
    off = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}
    return {"ANTHROPIC_BASE_URL": place.url, "ANTHROPIC_API_KEY": "dummy"} | off


def _codex(*settings: str, program: str = _CODEX) -> list[str]:
    flags = ("--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox")
    off = ("analytics.enabled=false", "check_for_update_on_startup=false", "model=gpt-5.5")
    said = [word for setting in (*off, *settings) for word in ("-c", setting)]
    return [program, "exec", *flags, "--disable", "plugins", "--disable", "apps", *said, PROMPT]


def _codex_websocket(place: Place) -> list[str]:
    return _codex(f'openai_base_url="{place.url}/v1"')


def _codex_sse(place: Place, program: str = _CODEX) -> list[str]:
    fake = f'{{name="fake",base_url="{place.url}/v1",env_key="FAKE_API_KEY",wire_api="responses"}}'
    return _codex("model_provider=fake", f"model_providers.fake={fake}", program=program)


def _codex_env(place: Place) -> dict[str, str]:
    return {"CODEX_API_KEY": "dummy", "FAKE_API_KEY": "dummy", "CODEX_CA_CERTIFICATE": str(place.peer.ca_file)}


def _gemini(_: Place) -> list[str]:
    return [find_node(), _GEMINI, "-m", "gemini-2.5-flash", "--yolo", "-o", "stream-json", "-p", PROMPT]


def _gemini_env(place: Place) -> dict[str, str]:
    return {"GEMINI_API_KEY": "dummy", "GOOGLE_GEMINI_BASE_URL": place.url, "GEMINI_CLI_TRUST_WORKSPACE": "true"}


def _gemini_settings(place: Place) -> None:
    settings = {"security": {"auth": {"selectedType": "gemini-api-key"}}, "privacy": {"usageStatisticsEnabled": False}}
    _write(place.home / ".gemini" / "settings.json", settings)


def _opencode(_: Place) -> list[str]:
    return [_OPENCODE, "run", "--format", "json", PROMPT]


def _opencode_env(_: Place) -> dict[str, str]:
    off = ("AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD", "DEFAULT_PLUGINS")
    return {f"OPENCODE_DISABLE_{name}": "1" for name in off}


def _opencode_settings(place: Place) -> None:
    options = {"baseURL": f"{place.url}/v1", "apiKey": "dummy"}
    models = {"demo": {"name": "demo", "tool_call": True}}
    fake = {"npm": "@ai-sdk/openai-compatible", "name": "Fake", "options": options, "models": models}
    chosen = {"model": "fake/demo", "small_model": "fake/demo", "permission": "allow", "provider": {"fake": fake}}
    _write(place.home / ".config" / "opencode" / "opencode.json", chosen | {"autoupdate": False, "share": "disabled"})


def _pi(_: Place) -> list[str]:
    return [find_node(), _PI, "--print", "--mode", "json", "--model", "anthropic/claude-opus-4-5", PROMPT]


def _pi_env(_: Place) -> dict[str, str]:
    return {"ANTHROPIC_API_KEY": "dummy", "PI_OFFLINE": "1", "PI_TELEMETRY": "0"}


def _pi_settings(place: Place) -> None:
    _write(place.home / ".pi" / "agent" / "models.json", {"providers": {"anthropic": {"baseUrl": place.url}}})


def _copilot(_: Place) -> list[str]:
    return [_COPILOT, "--allow-all-tools", "--no-color", "--prompt", PROMPT]


def _copilot_env(place: Place) -> dict[str, str]:
    provider = {"COPILOT_PROVIDER_BASE_URL": f"{place.url}/v1", "COPILOT_PROVIDER_API_KEY": "dummy"}
    return provider | {"COPILOT_MODEL": "gpt-5.4", "COPILOT_OFFLINE": "true", "COPILOT_AUTO_UPDATE": "false"}


def _vibe(_: Place) -> list[str]:
    return [_VIBE, "--prompt", PROMPT, "--auto-approve", "--output", "streaming"]


def _vibe_env(_: Place) -> dict[str, str]:
    return {"MISTRAL_API_KEY": "dummy"}


def _vibe_settings(place: Place) -> None:
    settings = place.home / ".vibe" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(
        f"""
enable_telemetry = false
enable_update_checks = false
enable_auto_update = false
enable_connectors = false
experimental_enable_model_catalog = false
active_model = "demo"

[[providers]]
name = "mistral"
backend = "mistral"
api_base = "{place.url}/mistral/v1"
api_key_env_var = "MISTRAL_API_KEY"

[[models]]
name = "demo"
alias = "demo"
provider = "mistral"
"""
    )


def _at_the_end(place: Place) -> list[str]:
    return [PYTHON, "-B", _AT_THE_END, place.url, PROMPT]


def _write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(value))


TOOL_CALLERS = (
    Agent(
        "claude-2.1.197",
        "BoringSSL in bun",
        _claude(_CLAUDE_OLD),
        version(_CLAUDE_OLD),
        2,
        _claude_env,
        needs=("npm",),
        server=("--coding", "zstd"),
    ),
    Agent(
        "codex-0.120",
        "OpenSSL in a program",
        partial(_codex_sse, program=_CODEX_OLD),
        version(_CODEX_OLD),
        2,
        _codex_env,
        needs=("npm",),
    ),
    Agent("claude", "BoringSSL in bun", _claude(_CLAUDE), version(_CLAUDE), 2, _claude_env, needs=("npm",), server=_CODES),
    Agent(
        "codex-websocket",
        "rustls, aws-lc",
        _codex_websocket,
        version(_CODEX),
        3,
        _codex_env,
        needs=("npm",),
    ),
    Agent("codex-h2", "rustls, aws-lc", _codex_sse, version(_CODEX), 2, _codex_env, needs=("npm",)),
    Agent(
        "gemini",
        "OpenSSL in node",
        _gemini,
        lambda: (find_node(), _GEMINI, "--version"),
        2,
        _gemini_env,
        _gemini_settings,
        needs=("npm",),
        server=_CODES,
    ),
    Agent(
        "opencode",
        "BoringSSL in bun",
        _opencode,
        version(_OPENCODE),
        2,
        _opencode_env,
        _opencode_settings,
        needs=("npm",),
        server=("--coding", "zstd"),
    ),
    Agent(
        "pi",
        "OpenSSL in node",
        _pi,
        lambda: (find_node(), _PI, "--version"),
        2,
        _pi_env,
        _pi_settings,
        needs=("npm",),
        server=_CODES,
    ),
    Agent("copilot", "rustls in an add-on", _copilot, version(_COPILOT), 2, _copilot_env, needs=("npm",), server=_CODES),
    Agent(
        "vibe",
        "libssl",
        _vibe,
        version(_VIBE),
        2,
        _vibe_env,
        _vibe_settings,
        needs=("vibe",),
    ),
    # It runs its tool at the end mark of the answer, before the body ends
    Agent("at-the-end", "libssl", _at_the_end, version(PYTHON), 2),
)
