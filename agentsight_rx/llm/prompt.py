"""What was asked of a model, in one shape for every provider."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from .decode import decoded

__all__ = ["Frame", "Prompt", "Said", "ToolResult", "prompt_of"]


class ToolResult(Struct, frozen=True):
    """What a tool gave back. `id` is that of the `ToolCall` it answers."""

    id: str
    output: str
    is_error: bool = False


class Prompt(Struct, frozen=True):
    """
    One request to a model. A body that is no request gives an empty one.

    Agents send the whole conversation with every request: `text` and `tool_results` hold all of it, in order.
    """

    model: str = ""
    stream: bool = False
    system: str = ""
    last_user_text: str = ""  # what the person typed last: no tool results, none of the notes an agent adds
    text: str = ""  # everything in words, whitespace kept: system, messages, tool results
    tools: tuple[str, ...] = ()  # the names of the tools on offer
    tool_results: tuple[ToolResult, ...] = ()
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    session_id: str | None = None
    conversation_id: str | None = None  # as the client named it, never made up from a response


class Said(Struct, frozen=True):
    """One message of the conversation that a request carries."""

    role: str
    texts: list[str]
    results: list[ToolResult] = []


class _Ids(Struct, rename={"session_camel": "sessionId", "conversation_camel": "conversationId"}):
    """Anybody may put anything there: only texts are taken."""

    session_id: object = None
    session_camel: object = None
    conversation_id: object = None
    conversation_camel: object = None
    user_id: object = None

    def session(self) -> str | None:
        return _text(self.session_id) or _text(self.session_camel)

    def conversation(self) -> str | None:
        return _text(self.conversation_id) or _text(self.conversation_camel)


class Frame(_Ids):
    """What the requests of all providers have in common."""

    model: str = ""
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    metadata: _Ids | None = None


_IDS = msgspec.json.Decoder(_Ids)


def prompt_of(frame: Frame, said: list[Said], *, tools: Iterable[str], max_tokens: int | None) -> Prompt:
    """The prompt made of what was said, and of what every provider names alike in its request."""
    metadata = frame.metadata or _Ids()
    texts = [text for one in said for text in (*(result.output for result in one.results), *one.texts) if text]
    return Prompt(
        model=frame.model,
        stream=frame.stream or False,
        system="\n".join(text for one in said if one.role in ("system", "developer") for text in one.texts),
        last_user_text=_newest(one.texts for one in reversed(said) if one.role == "user"),
        text="\n".join(texts),
        tools=tuple(name for name in tools if name),
        tool_results=tuple(result for one in said for result in one.results),
        max_tokens=max_tokens,
        temperature=frame.temperature,
        top_p=frame.top_p,
        session_id=frame.session() or metadata.session() or _session_of_user(_text(metadata.user_id) or ""),
        conversation_id=frame.conversation() or metadata.conversation(),
    )


def _session_of_user(user: str) -> str | None:
    """Claude Code puts its session into the user's id: as JSON, before that as `user_…_account_…_session_<id>`."""
    if user.startswith("{"):
        ids = decoded(_IDS, user)
        return ids.session() if ids else None
    return user.partition("_session_")[2] or None


def _newest(messages: Iterable[list[str]]) -> str:
    """Of the texts of each message, newest first: the first that a person typed, without an agent's wrapping."""
    for texts in messages:
        typed = "\n".join(text for text in texts if not _is_note(text)).strip()
        if typed.startswith("<session>") and typed.endswith("</session>"):
            typed = typed.removeprefix("<session>").removesuffix("</session>").strip()
        if typed:
            return typed
    return ""


# What Claude Code, Codex and Gemini CLI put beside the words of their users
_NOTES = ("system-reminder", "environment_context", "user_instructions", "turn_aborted", "session_context")


def _is_note(text: str) -> bool:
    inner = text.strip()
    if not inner or inner.startswith("# AGENTS.md instructions"):
        return True
    return inner.startswith("<") and any(inner.startswith(f"<{tag}>") and inner.endswith(f"</{tag}>") for tag in _NOTES)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
