"""The table of all agents that are known by name."""

from __future__ import annotations

from msgspec import Struct


def _record(command: str) -> str:
    return f"agentsight-rx record -- {command}"


class Agent(Struct, frozen=True, kw_only=True):
    """
    One agent. `names` are the names of its programs, `prefixes` begin such names, `packages` are parts of the path of its
    package. `sessions` are the directories of its own session files, below the home directory or below the one that a variable
    of the environment names; `session_files` are patterns of their paths in there, and `other_files` of other files. `products`
    are its names in the head of a request, in lower case: of the product in `User-Agent`, or in `X-Title`. `capture` is the
    command that captures it.
    """

    id: str
    title: str
    names: tuple[str, ...]
    prefixes: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    session_files: tuple[str, ...] = ()
    other_files: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    capture: str = _record("COMMAND")


AGENTS: tuple[Agent, ...] = (
    Agent(
        id="claude",
        title="Claude Code",
        names=("claude", "claude-code"),
        packages=("@anthropic-ai/claude-code", "/claude-code/", "/share/claude/versions/"),
        products=("claude-cli", "claude-code"),
        sessions=("$CLAUDE_CONFIG_DIR/projects", ".claude/projects", ".config/claude/projects"),
        session_files=("*.jsonl",),
        capture=_record("claude"),
    ),
    Agent(
        id="codex",
        title="Codex CLI",
        names=("codex", "codex-cli"),
        prefixes=("codex-x86_64-", "codex-aarch64-", "codex-linux-"),
        packages=("@openai/codex", "/codex-linux-"),
        products=("codex_cli_rs", "codex_exec", "codex-tui", "codex"),
        sessions=("$CODEX_HOME/sessions", "$CODEX_HOME/archived_sessions", ".codex/sessions", ".codex/archived_sessions"),
        session_files=("rollout-*.jsonl",),
        capture=_record("codex"),
    ),
    Agent(
        id="gemini",
        title="Gemini CLI",
        names=("gemini", "gemini-cli"),
        packages=("@google/gemini-cli", "/gemini-cli/"),
        products=("geminicli", "gemini-cli"),
        sessions=("$GEMINI_CLI_HOME/.gemini/tmp", ".gemini/tmp"),
        session_files=("chats/*.json", "chats/*.jsonl"),
        capture=_record("gemini"),
    ),
    Agent(
        id="opencode",
        title="opencode",
        names=("opencode",),
        packages=("/opencode-ai/", "/opencode-linux-"),
        products=("opencode",),
        sessions=("$XDG_DATA_HOME/opencode", ".local/share/opencode"),
        session_files=("opencode*.db",),
        capture=_record("opencode"),
    ),
    Agent(
        id="aider", title="aider", names=("aider",), packages=("/aider-chat/",), products=("aider",), capture=_record("aider")
    ),
    Agent(
        id="goose",
        title="goose",
        names=("goose", "goosed"),
        packages=("@block/goose",),
        products=("goose",),
        sessions=("$XDG_DATA_HOME/goose/sessions", ".local/share/goose/sessions"),
        session_files=("sessions.db",),
        capture=_record("goose"),
    ),
    Agent(
        id="openclaw",
        title="OpenClaw",
        names=("openclaw",),
        prefixes=("openclaw-",),  # its gateway is a service of its own: openclaw-gateway
        packages=("/node_modules/openclaw/",),
        sessions=(".openclaw/agents",),
        products=("openclaw",),
        capture="agentsight-rx record --comm openclaw,openclaw-gatewa",
    ),
    Agent(
        id="cursor",
        title="Cursor CLI",
        names=("cursor-agent",),
        packages=("/cursor-agent/",),
        sessions=(".cursor/projects",),
        products=("cursor-agent",),
        capture=_record("cursor-agent"),
    ),
    Agent(
        id="kimi",
        title="Kimi CLI",
        names=("kimi", "kimi-cli", "kimi-code"),
        packages=("/kimi-cli/", "@moonshot-ai/kimi-code"),
        products=("kimicli", "kimi-cli", "kimi-code"),
        sessions=("$KIMI_CODE_HOME/sessions", ".kimi-code/sessions"),
        session_files=("agents/*/wire.jsonl",),
        capture=_record("kimi"),
    ),
    Agent(
        id="grok",
        title="Grok CLI",
        names=("grok", "grok-cli"),
        packages=("@vibe-kit/grok-cli",),
        sessions=(".grok/sessions",),
        products=("grok-cli",),
        capture=_record("grok"),
    ),
    Agent(
        id="qwen",
        title="Qwen Code",
        names=("qwen", "qwen-code"),
        packages=("@qwen-code/qwen-code",),
        products=("qwencode", "qwen-code"),
        sessions=("$QWEN_HOME/projects", ".qwen/projects"),
        session_files=("chats/*.jsonl",),
        capture=_record("qwen"),
    ),
    Agent(
        id="copilot",
        title="GitHub Copilot CLI",
        names=("copilot",),
        packages=("@github/copilot",),
        products=("copilot", "githubcopilotcli"),
        sessions=("$COPILOT_HOME/session-state", ".copilot/session-state"),
        session_files=("events.jsonl",),
        capture=_record("copilot"),
    ),
    Agent(
        id="amp",
        title="Amp",
        names=("amp",),
        packages=("@sourcegraph/amp", "@ampcode/cli"),
        products=("amp", "amp-cli"),
        sessions=("$XDG_DATA_HOME/amp/threads", ".local/share/amp/threads"),
        session_files=("T-*.json",),
        capture=_record("amp"),
    ),
    Agent(
        id="crush",
        title="Crush",
        names=("crush",),
        packages=("@charmland/crush",),
        products=("charm-crush", "crush"),
        sessions=("$CRUSH_GLOBAL_DATA", "$XDG_DATA_HOME/crush", ".local/share/crush"),
        session_files=("projects.json",),
        capture=_record("crush"),
    ),
    Agent(
        id="droid",
        title="Factory Droid",
        names=("droid",),
        packages=("@factory/cli", "/.factory/bin/"),
        products=("factory-cli", "droid"),
        sessions=(".factory/sessions",),
        session_files=("*.jsonl",),
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
        sessions=(".openhands",),
        packages=("/openhands-ai/", "/site-packages/openhands/", "/tools/openhands/"),
        products=("openhands",),
        capture=_record("openhands"),
    ),
    Agent(
        id="pi",
        title="pi",
        names=("pi", "pi-coding-agent"),
        packages=("@mariozechner/pi-coding-agent", "@earendil-works/pi-coding-agent", "/pi-coding-agent/"),
        products=("pi",),
        sessions=("$PI_CODING_AGENT_SESSION_DIR", "$PI_CODING_AGENT_DIR/sessions", ".pi/agent/sessions"),
        session_files=("*.jsonl",),
        other_files=("*subagent-artifacts/*",),  # each call of these is in a session of its own, too
        capture=_record("pi"),
    ),
    Agent(
        id="vibe",
        title="Mistral Vibe",
        names=("vibe", "vibe-rs", "vibe-app-server", "vibe-acp", "mistral-vibe"),
        packages=("/mistral-vibe/", "/site-packages/vibe/"),
        products=("mistral-vibe", "vibe", "vibe-rs"),
        sessions=("$VIBE_HOME/logs/session", ".vibe/logs/session"),
        session_files=("journal/*.jsonl",),
        capture=_record("vibe"),
    ),
    Agent(
        id="cline",
        title="Cline",
        names=("cline", "cline-core", "cline-host"),
        packages=("/node_modules/cline/", "@cline/"),
        products=("cline",),
        sessions=("$CLINE_SESSION_DATA_DIR", "$CLINE_DATA_DIR/sessions", "$CLINE_DIR/data/sessions", ".cline/data/sessions"),
        session_files=("*.messages.json",),
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
        sessions=("$GPTME_LOGS_HOME", "$XDG_DATA_HOME/gptme/logs", ".local/share/gptme/logs"),
        session_files=("conversation.jsonl",),
        capture=_record("gptme"),
    ),
    Agent(
        id="mini",
        title="mini-SWE-agent",
        names=("mini", "mini-swe-agent", "mini-extra"),
        packages=("/mini-swe-agent/", "/minisweagent/"),
        products=("mini-swe-agent",),
        sessions=("$MSWEA_GLOBAL_CONFIG_DIR", ".config/mini-swe-agent"),
        session_files=("*.traj.json",),
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
