"""The table of all agents that are known by name."""

from __future__ import annotations

from msgspec import Struct


class Agent(Struct, frozen=True, kw_only=True):
    """
    One agent. `names` are the names of its programs, `prefixes` begin such names, `packages` are parts of the path of its
    package. `sessions` is the directory of its own session files below the home directory; `session_files` are patterns of
    their paths in there, and none where no parser here reads them. `products` are its names in the head of a request, in lower
    case: of the product in `User-Agent`, or in `X-Title`. `capture` is the command that captures it.
    """

    id: str
    title: str
    names: tuple[str, ...]
    prefixes: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    sessions: str | None = None
    session_files: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    capture: str


def _record(command: str) -> str:
    return f"agentsight-rx record -- {command}"


AGENTS: tuple[Agent, ...] = (
    Agent(
        id="claude",
        title="Claude Code",
        names=("claude", "claude-code"),
        packages=("@anthropic-ai/claude-code", "/claude-code/", "/share/claude/versions/"),
        sessions=".claude/projects",
        session_files=("*.jsonl",),
        products=("claude-cli", "claude-code"),
        capture=_record("claude"),
    ),
    Agent(
        id="codex",
        title="Codex CLI",
        names=("codex", "codex-cli"),
        prefixes=("codex-x86_64-", "codex-aarch64-", "codex-linux-"),
        packages=("@openai/codex", "/codex-linux-"),
        sessions=".codex/sessions",
        session_files=("rollout-*.jsonl",),
        products=("codex_cli_rs", "codex_exec", "codex-tui", "codex"),
        capture=_record("codex"),
    ),
    Agent(
        id="gemini",
        title="Gemini CLI",
        names=("gemini", "gemini-cli"),
        packages=("@google/gemini-cli", "/gemini-cli/"),
        sessions=".gemini/tmp",
        session_files=("chats/*.json", "chats/*.jsonl"),
        products=("geminicli", "gemini-cli"),
        capture=_record("gemini"),
    ),
    Agent(
        id="opencode",
        title="opencode",
        names=("opencode",),
        packages=("/opencode-ai/", "/opencode-linux-"),
        sessions=".local/share/opencode",
        session_files=("opencode.db",),
        products=("opencode",),
        capture=_record("opencode"),
    ),
    Agent(
        id="aider", title="aider", names=("aider",), packages=("/aider-chat/",), products=("aider",), capture=_record("aider")
    ),
    Agent(
        id="goose",
        title="goose",
        names=("goose", "goosed"),
        sessions=".local/share/goose/sessions",
        packages=("@block/goose",),
        products=("goose",),
        capture=_record("goose"),
    ),
    Agent(
        id="openclaw",
        title="OpenClaw",
        names=("openclaw",),
        prefixes=("openclaw-",),  # its gateway is a service of its own: openclaw-gateway
        packages=("/node_modules/openclaw/",),
        sessions=".openclaw/agents",
        products=("openclaw",),
        capture="agentsight-rx record --comm openclaw,openclaw-gatewa",
    ),
    Agent(
        id="cursor",
        title="Cursor CLI",
        names=("cursor-agent",),
        packages=("/cursor-agent/",),
        sessions=".cursor/projects",
        products=("cursor-agent",),
        capture=_record("cursor-agent"),
    ),
    Agent(
        id="kimi",
        title="Kimi CLI",
        names=("kimi", "kimi-cli", "kimi-code"),
        packages=("/kimi-cli/", "@moonshot-ai/kimi-code"),
        sessions=".kimi/sessions",
        products=("kimicli", "kimi-cli", "kimi-code"),
        capture=_record("kimi"),
    ),
    Agent(
        id="grok",
        title="Grok CLI",
        names=("grok", "grok-cli"),
        packages=("@vibe-kit/grok-cli",),
        sessions=".grok/sessions",
        products=("grok-cli",),
        capture=_record("grok"),
    ),
    Agent(
        id="qwen",
        title="Qwen Code",
        names=("qwen", "qwen-code"),
        packages=("@qwen-code/qwen-code",),
        sessions=".qwen/projects",
        products=("qwencode", "qwen-code"),
        capture=_record("qwen"),
    ),
    Agent(
        id="copilot",
        title="GitHub Copilot CLI",
        names=("copilot",),
        packages=("@github/copilot",),
        sessions=".copilot/session-state",
        products=("copilot", "githubcopilotcli"),
        capture=_record("copilot"),
    ),
    Agent(
        id="amp",
        title="Amp",
        names=("amp",),
        packages=("@sourcegraph/amp", "@ampcode/cli"),
        sessions=".local/share/amp/threads",
        products=("amp", "amp-cli"),
        capture=_record("amp"),
    ),
    Agent(
        id="crush",
        title="Crush",
        names=("crush",),
        packages=("@charmland/crush",),
        products=("charm-crush", "crush"),
        capture=_record("crush"),
    ),
    Agent(
        id="droid",
        title="Factory Droid",
        names=("droid",),
        sessions=".factory/sessions",
        packages=("@factory/cli", "/.factory/bin/"),
        products=("factory-cli", "droid"),
        capture=_record("droid"),
    ),
    Agent(
        id="auggie",
        title="Auggie",
        names=("auggie",),
        packages=("@augmentcode/auggie",),
        products=("augment.cli", "auggie"),
        capture=_record("auggie"),
    ),
    Agent(
        id="openhands",
        title="OpenHands",
        names=("openhands",),
        sessions=".openhands",
        packages=("/openhands-ai/", "/site-packages/openhands/", "/tools/openhands/"),
        products=("openhands",),
        capture=_record("openhands"),
    ),
    Agent(
        id="pi",
        title="pi",
        names=("pi", "pi-coding-agent"),
        packages=("@mariozechner/pi-coding-agent", "@earendil-works/pi-coding-agent", "/pi-coding-agent/"),
        sessions=".pi/agent/sessions",
        products=("pi",),
        capture=_record("pi"),
    ),
    Agent(
        id="vibe",
        title="Mistral Vibe",
        names=("vibe", "vibe-rs", "vibe-app-server", "vibe-acp", "mistral-vibe"),
        packages=("/mistral-vibe/", "/site-packages/vibe/"),
        sessions=".vibe/logs/session",
        products=("mistral-vibe", "vibe", "vibe-rs"),
        capture=_record("vibe"),
    ),
    Agent(
        id="cline",
        title="Cline",
        names=("cline", "cline-core", "cline-host"),
        packages=("/node_modules/cline/", "@cline/"),
        sessions=".cline/data/tasks",
        products=("cline",),
        capture=_record("cline"),
    ),
    Agent(
        id="kilocode",
        title="Kilo Code",
        names=("kilocode", "kilo"),
        packages=("@kilocode/cli",),
        products=("kilo-code", "kilocode"),
        capture=_record("kilocode"),
    ),
    Agent(
        id="gptme",
        title="gptme",
        names=("gptme",),
        packages=("/site-packages/gptme/", "/tools/gptme/", "/venvs/gptme/"),
        products=("gptme",),
        capture=_record("gptme"),
    ),
    Agent(
        id="mini",
        title="mini-SWE-agent",
        names=("mini", "mini-swe-agent", "mini-extra"),
        packages=("/mini-swe-agent/", "/minisweagent/"),
        products=("mini-swe-agent",),
        capture=_record("mini"),
    ),
    Agent(
        id="letta",
        title="Letta Code",
        names=("letta", "letta-code"),
        packages=("@letta-ai/letta-code",),
        products=("letta-code",),
        capture=_record("letta"),
    ),
)
