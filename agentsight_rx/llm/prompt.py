"""The request to a model, in one shape for every provider."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from .decode import decoded

__all__ = ["Prompt", "RequestFields", "ToolResult", "Turn", "prompt_of"]


class ToolResult(Struct, frozen=True):
    """The output of a tool. `id` is that of its `ToolCall`."""

    id: str
    output: str
    is_error: bool = False


class Prompt(Struct, frozen=True):
    """
    One request to a model. A body that is not a request gives an empty one.

    Agents send the whole conversation with every request: `text` and `tool_results` contain all of it, in order.
    """

    model: str = ""
    stream: bool = False
    system: str = ""
    last_user_text: str = ""  # what the user typed last: without tool results and the notes that agents add
    text: str = ""  # all text with its whitespace: system, messages, tool results
    tools: tuple[str, ...] = ()  # names of the available tools
    tool_results: tuple[ToolResult, ...] = ()
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    session_id: str | None = None
    conversation_id: str | None = None  # as the client named it, never taken from a response


class Turn(Struct, frozen=True):
    """One message of the conversation in a request."""

    role: str
    texts: list[str]
    results: list[ToolResult] = []


class _Ids(Struct, rename={"session_camel": "sessionId", "conversation_camel": "conversationId"}):
    """Clients may put any JSON here: only strings are used."""

    session_id: object = None
    session_camel: object = None
    conversation_id: object = None
    conversation_camel: object = None
    user_id: object = None

    def session(self) -> str | None:
        return _text(self.session_id) or _text(self.session_camel)

    def conversation(self) -> str | None:
        return _text(self.conversation_id) or _text(self.conversation_camel)


class RequestFields(_Ids):
    """Fields that the requests of all providers have in common."""

    model: str = ""
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    metadata: _Ids | None = None


_IDS = msgspec.json.Decoder(_Ids)


def prompt_of(fields: RequestFields, turns: list[Turn], *, tools: Iterable[str], max_tokens: int | None) -> Prompt:
    """The prompt of a request: its turns, and the common fields."""
    metadata = fields.metadata or _Ids()
    texts = [text for one in turns for text in (*(result.output for result in one.results), *one.texts) if text]
    return Prompt(
        model=fields.model,
        stream=fields.stream or False,
        system="\n".join(text for one in turns if one.role in ("system", "developer") for text in one.texts),
        last_user_text=_newest(one.texts for one in reversed(turns) if one.role == "user"),
        text="\n".join(texts),
        tools=tuple(name for name in tools if name),
        tool_results=tuple(result for one in turns for result in one.results),
        max_tokens=max_tokens,
        temperature=fields.temperature,
        top_p=fields.top_p,
        session_id=fields.session() or metadata.session() or _session_of_user(_text(metadata.user_id) or ""),
        conversation_id=fields.conversation() or metadata.conversation(),
    )


def _session_of_user(user: str) -> str | None:
    """The session that Claude Code puts into the user's id: as JSON, or in old versions `user_…_account_…_session_<id>`."""
    if user.startswith("{"):
        ids = decoded(_IDS, user)
        return ids.session() if ids else None
    return user.partition("_session_")[2] or None


def _newest(messages: Iterable[list[str]]) -> str:
    """The first text that the user typed, without an agent's wrapping. `messages`: texts of each, newest first."""
    for texts in messages:
        typed = "\n".join(text for text in texts if not _is_note(text)).strip()
        if typed.startswith("<session>") and typed.endswith("</session>"):
            typed = typed.removeprefix("<session>").removesuffix("</session>").strip()
        if typed:
            return typed
    return ""


# Tags of the notes that Claude Code, Codex and Gemini CLI add to the words of their users
_NOTES = ("system-reminder", "environment_context", "user_instructions", "turn_aborted", "session_context")


def _is_note(text: str) -> bool:
    inner = text.strip()
    if not inner or inner.startswith("# AGENTS.md instructions"):
        return True
    return inner.startswith("<") and any(inner.startswith(f"<{tag}>") and inner.endswith(f"</{tag}>") for tag in _NOTES)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
