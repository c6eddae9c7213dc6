"""The name and the arguments of a process -> the agent that it is; one table of all agents."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from msgspec import Struct

from .programs import LAUNCHER, base_name

__all__ = ["AGENTS", "Agent", "agent_named", "agent_of"]


class Agent(Struct, frozen=True, kw_only=True):
    """
    One agent. `names` are the names of its programs, `prefixes` begin such names, `packages` are parts of the path of its
    package. `sessions` is the directory of its own session files below the home directory; `session_files` are patterns of
    their paths in there, and none where no parser here reads them. `capture` is the command that captures it.
    """

    id: str
    title: str
    names: tuple[str, ...]
    prefixes: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    sessions: str | None = None
    session_files: tuple[str, ...] = ()
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
        capture=_record("codex"),
    ),
    Agent(
        id="gemini",
        title="Gemini CLI",
        names=("gemini", "gemini-cli"),
        packages=("@google/gemini-cli", "/gemini-cli/"),
        sessions=".gemini/tmp",
        session_files=("chats/*.json", "chats/*.jsonl"),
        capture=_record("gemini"),
    ),
    Agent(
        id="opencode",
        title="opencode",
        names=("opencode",),
        packages=("/opencode-ai/", "/opencode-linux-"),
        sessions=".local/share/opencode",
        session_files=("opencode.db",),
        capture=_record("opencode"),
    ),
    Agent(id="aider", title="aider", names=("aider",), packages=("/aider-chat/",), capture=_record("aider")),
    Agent(
        id="goose",
        title="goose",
        names=("goose", "goosed"),
        sessions=".local/share/goose/sessions",
        capture=_record("goose"),
    ),
    Agent(
        id="openclaw",
        title="OpenClaw",
        names=("openclaw",),
        prefixes=("openclaw-",),  # its gateway is a service of its own: openclaw-gateway
        packages=("/node_modules/openclaw/",),
        sessions=".openclaw/agents",
        capture="agentsight-rx record --comm openclaw,openclaw-gatewa",
    ),
    Agent(
        id="cursor",
        title="Cursor CLI",
        names=("cursor-agent",),
        packages=("/cursor-agent/",),
        sessions=".cursor/projects",
        capture=_record("cursor-agent"),
    ),
    Agent(
        id="kimi",
        title="Kimi CLI",
        names=("kimi", "kimi-cli"),
        packages=("/kimi-cli/",),
        sessions=".kimi/sessions",
        capture=_record("kimi"),
    ),
    Agent(
        id="grok",
        title="Grok CLI",
        names=("grok", "grok-cli"),
        packages=("@vibe-kit/grok-cli",),
        sessions=".grok/sessions",
        capture=_record("grok"),
    ),
    Agent(
        id="qwen",
        title="Qwen Code",
        names=("qwen", "qwen-code"),
        packages=("@qwen-code/qwen-code",),
        sessions=".qwen/projects",
        capture=_record("qwen"),
    ),
    Agent(
        id="copilot",
        title="GitHub Copilot CLI",
        names=("copilot",),
        packages=("@github/copilot",),
        sessions=".copilot/session-state",
        capture=_record("copilot"),
    ),
    Agent(
        id="amp",
        title="Amp",
        names=("amp",),
        packages=("@sourcegraph/amp",),
        sessions=".local/share/amp/threads",
        capture=_record("amp"),
    ),
    Agent(id="crush", title="Crush", names=("crush",), packages=("@charmland/crush",), capture=_record("crush")),
    Agent(id="droid", title="Factory Droid", names=("droid",), sessions=".factory/sessions", capture=_record("droid")),
    Agent(id="auggie", title="Auggie", names=("auggie",), packages=("@augmentcode/auggie",), capture=_record("auggie")),
    Agent(id="openhands", title="OpenHands", names=("openhands",), sessions=".openhands", capture=_record("openhands")),
)

_COMM = 15  # bytes of a process's name that the kernel keeps (TASK_COMM_LEN - 1)
_NAMES = {cut: agent.id for agent in AGENTS for name in agent.names for cut in (name, name[:_COMM])}
_PREFIXES = tuple((prefix, agent.id) for agent in AGENTS for prefix in agent.prefixes)
_STARTS = tuple(prefix for prefix, _ in _PREFIXES)
_PACKAGES = {part: agent.id for agent in AGENTS for part in agent.packages}
# A package has programs of others too, such as vendor/ripgrep/x64-linux/rg and node_modules/.bin/tsc
_PACKAGE = re.compile(f"({'|'.join(map(re.escape, _PACKAGES))})(?!(?:.*/)?(?:vendor|node_modules)/)")
_SUFFIXES = (".js", ".mjs", ".cjs", ".py", ".exe")

_MODULE = "-m"  # of Python: the argument behind it is a program by its name
_KNOWN_MOST = 1024  # programs: a build starts a few of them thousands of times
_ARGUMENTS_MOST = 32  # in front of the script; the rest are its own


def agent_named(name: str, /) -> Agent | None:
    """The agent with this id."""
    return next((agent for agent in AGENTS if agent.id == name), None)


def agent_of(comm: str | None, argv: Sequence[str], /) -> str | None:
    """
    The id of the agent that a process is; None if it is no known agent. `comm` is cut to 15 bytes by the kernel.

    The name of the process decides, then argv[0], then the program that a launcher runs (`node /opt/npm/bin/codex`): an
    argument with a slash, before the arguments of the script. `python x.py --model claude-sonnet` and `docker run img bash -c
    claude` are not agents.
    """
    program = argv[0] if argv else ""
    launched = LAUNCHER.match(base_name(program)) is not None
    found = (_of(comm) if comm else None) or (_of(program) if program and not launched else None)
    if found or len(argv) < 2 or not (launched or (comm and LAUNCHER.match(comm))):
        return found
    return _first(_of(path) for path in _scripts(argv))


def _scripts(argv: Sequence[str]) -> Iterator[str]:
    """The arguments that may be the program that a launcher runs."""
    before = argv[0]
    for word in argv[1 : _ARGUMENTS_MOST + 1]:
        if word.startswith("-"):
            before = word
            continue
        option = before.startswith("-")  # this may be its value
        if before == _MODULE or ("/" in word and not _NO_PATH.search(word)):
            yield word
        if not option and "=" not in word and not LAUNCHER.match(base_name(word)):
            return
        before = word


_NO_PATH = re.compile(r"[\s:]")  # the text of a shell, or a URL


@lru_cache(_KNOWN_MOST)
def _of(path: str) -> str | None:
    base = base_name(path)
    found = _NAMES.get(base)
    if found:
        return found
    if base.startswith(_STARTS):
        return _first(agent for prefix, agent in _PREFIXES if base.startswith(prefix))
    if "/" not in path:
        return None
    if base.endswith(_SUFFIXES):
        found = _NAMES.get(base.rpartition(".")[0])
    if found:
        return found
    hit = _PACKAGE.search(path)
    return _PACKAGES[hit[1]] if hit else None


def _first(found: Iterable[str | None]) -> str | None:
    return next((each for each in found if each), None)
