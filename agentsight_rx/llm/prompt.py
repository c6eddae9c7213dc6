"""Asked -> Prompt: the short form of a request, as rows show it."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from .canonical import Asked, ToolResultPart

__all__ = ["New", "Prompt", "ToolResult", "new_in", "prompt_of"]


class ToolResult(Struct, frozen=True):
    """The output of a tool. `id` is the id of its `ToolCall`; `made_up_id` the one that this has if the API gave it none."""

    id: str
    output: str
    is_error: bool = False
    made_up_id: str = ""


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
    previous_response_id: str | None = None
    unknown: tuple[str, ...] = ()


class New(Struct, frozen=True):
    """What stands behind the model's last message: what this request adds to the conversation."""

    text: str = ""  # what the user typed, without the notes that agents add
    results: tuple[ToolResultPart, ...] = ()
    messages: int = 0
    written: str = ""  # the newest text, where the user typed none and no tool has a result


def prompt_of(asked: Asked, /) -> Prompt:
    """The short form of a request."""
    messages = asked.messages
    texts = [text for each in messages for text in (*(result.output for result in each.results()), *each.texts()) if text]
    return Prompt(
        model=asked.model,
        stream=asked.stream,
        system="\n".join(text for each in messages if each.role in ("system", "developer") for text in each.texts()),
        last_user_text=_newest(each.texts() for each in reversed(messages) if each.role == "user"),
        text="\n".join(texts),
        tools=tuple(tool.name for tool in asked.tools if tool.name),
        tool_results=tuple(map(_result, (result for each in messages for result in each.results()))),
        max_tokens=asked.parameters.max_tokens,
        temperature=asked.parameters.temperature,
        top_p=asked.parameters.top_p,
        session_id=asked.session_id,
        conversation_id=asked.conversation_id,
        previous_response_id=asked.previous_response_id,
        unknown=asked.unknown,
    )


def new_in(asked: Asked, /) -> New:
    """What a request adds to the conversation."""
    messages = asked.messages
    first = len(messages)
    while first and messages[first - 1].role != "assistant":
        first -= 1
    new = messages[first:]
    text = _newest([each.texts() for each in reversed(new) if each.role == "user"])
    results = tuple([result for each in new for result in each.results()])
    others = () if text or results else ("\n".join(each.texts()).strip() for each in reversed(new) if each.role != "system")
    return New(
        text,
        results=results,
        messages=len(new),
        written=next(filter(None, others), ""),
    )


def _result(part: ToolResultPart) -> ToolResult:
    return ToolResult(part.id, part.output, part.is_error)


def _newest(messages: Iterable[list[str]]) -> str:
    """The first text that the user typed, without an agent's wrapping. `messages`: texts of each, newest first."""
    for texts in messages:
        typed = "\n".join([text for text in texts if not _is_note(text)]).strip()
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
