"""Asked -> Prompt: the short form of a request, as rows show it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from ..events import Usage
from .canonical import Asked, ToolResultPart
from .lenient import Fields
from .reader import Draft


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


# -- usage ---------------------------------------------------------------------------------------------------------
# The counts of an event -> the counts of the answer: the last statement of each count is right.


C = TypeVar("C")

_LONGEST = 16_384  # bytes; real ones have a few hundred, and each event may bring one
_DIGITS = b"0123456789"
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_COUNTS = Fields(dict[str, int])


def counted(asked: int, said: int, *, read: int = 0, written: int = 0, reasoning: int = 0) -> Usage:
    """Counts of an API whose `asked` includes what came from a cache and went to it: no more than all of it can."""
    read = min(read, asked)
    written = min(written, asked - read)
    return Usage(asked - read - written, said, cache_creation=written, cache_read=read, reasoning=reasoning)


def take_counts(draft: Draft, asked: tuple[str, int | None], said: tuple[str, int | None], *, name: str = "usage") -> None:
    """As `take_usage`, for an API that has its two counts, by their names, beside other fields."""
    sent = {each: count for each, count in (asked, said) if count is not None}
    if sent:
        raw = Raw(msgspec.json.encode(sent))
        take_usage(draft, raw, _COUNTS, lambda all: Usage(all.get(asked[0], 0), all.get(said[0], 0)), name=name)


def take_usage(draft: Draft, raw: Raw, fields: Fields[C], normal: Callable[[C], Usage | None], *, name: str = "usage") -> None:
    """
    Add the counts of an event to those before. What it leaves out, or says as null or unreadably, stays as it was.

    `normal` makes our counts of all that were sent; None if none of them was. What cannot be read is noted in the draft.
    """
    sent = bytes(raw)
    if not sent or sent == b"null":
        return
    found = fields.read(sent) if len(sent) <= _LONGEST else None
    if found is None:
        draft.note([name])
        return
    draft.note([f"{name}.{each}" for each in found.unknown])
    value = found.value
    if draft.raw_usage and not _restates(draft.raw_usage.encode(), sent, found.unknown):
        sent = _merged(draft.raw_usage.encode(), sent, found.unknown)
        both = fields.read(sent) if len(sent) <= _LONGEST else None
        value = value if both is None else both.value
    usage = normal(value)
    if usage is not None:
        draft.usage, draft.raw_usage = usage, str(sent, "utf-8", "replace")


def _restates(before: bytes, after: bytes, unread: Collection[str]) -> bool:
    """Does it say all that was said before, with other numbers? That is usual, and quicker than merging."""
    return not unread and b"null" not in after and before.translate(None, _DIGITS) == after.translate(None, _DIGITS)


def _merged(before: bytes, after: bytes, unread: Collection[str], path: str = "") -> bytes:
    if before == after:
        return before
    try:
        old, new = _OBJECT.decode(before), _OBJECT.decode(after)
    except (msgspec.DecodeError, UnicodeError):
        return before
    for field, sent in new.items():
        value, name = bytes(sent), f"{path}{field}"
        if value == b"null" or name in unread:
            continue
        former = bytes(old.get(field, b""))
        is_nested = not path and value[:1] == b"{" == former[:1]
        old[field] = Raw(_merged(former, value, unread, f"{name}.")) if is_nested else sent
    return msgspec.json.encode(old)
