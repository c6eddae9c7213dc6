"""A call or a tool -> its texts whole, a part of at most 64 kB at a time."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from ...llm.canonical import Asked, LlmCall, MediaPart, Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from ...store.log.whole import read_entries, whole_call
from ...store.reasons import why_cut
from ...store.rows.kinds import SAID, CallRow, ToolRow
from ...store.rows.tables import TOOLS
from ..queries.calls.costs import priced
from ..queries.calls.diff import Changed, diff_calls
from ..queries.calls.lookup import call_row
from ..queries.context.falls import lost_tokens
from .picture import WHOLE, Picture

_PART = 65_536  # characters of one text
_ALL = 400_000  # of one answer
_MESSAGES_MOST = 400
_SHOWN = 6000  # characters of a message in a list


class Body(Struct, frozen=True, omit_defaults=True):
    """A part of a text of `total` characters. `kind`: text, reasoning, tool_call, tool_result, media, json."""

    kind: str
    text: str
    title: str = ""
    total: int = 0
    bad: bool = False


class Said(Struct, frozen=True, omit_defaults=True):
    role: str
    parts: tuple[Body, ...]


class CallBody(Struct, frozen=True, omit_defaults=True):
    """
    One call whole. `missing`: why its messages are not here. `messages` are the newest 400 of `total`, or the requested ones,
    from number `first` on. The request before had those before number `fresh`.
    """

    id: str
    model: str = ""
    answered_by: str = ""
    provider: str = ""
    host: str = ""
    through: str = ""
    status: int = 0
    finish: str = ""
    parameters: dict[str, str] = {}
    tools: tuple[str, ...] = ()
    messages: tuple[Said, ...] = ()
    first: int = 0
    fresh: int = 0
    total: int = 0
    answer: tuple[Body, ...] = ()
    error: str = ""
    unknown: tuple[str, ...] = ()
    missing: str = ""
    cost: float | None = None
    cost_by: str = ""


class DiffLine(Struct, frozen=True, omit_defaults=True):
    """`change`: same (count messages, folded), new, gone."""

    change: str
    at: int
    count: int = 1
    role: str = ""
    parts: tuple[Body, ...] = ()


class DiffBody(Struct, frozen=True, omit_defaults=True):
    """
    The additions in the request of call `b`, compared with the request of `a`. `uncached`: tokens that were read from the cache
    before.
    """

    a: str
    b: str
    turn_a: int = 0
    turn_b: int = 0
    parameters: tuple[Changed, ...] = ()
    lines: tuple[DiffLine, ...] = ()
    tools_added: tuple[str, ...] = ()
    tools_removed: tuple[str, ...] = ()
    tools_changed: tuple[str, ...] = ()
    uncached: int = 0
    missing: str = ""


_NOT_KEPT = "The messages of this call are not in the recording: only its row is."
_NOT_SAID = "the agent's own file does not contain the request, so its system prompt, tools and parameters are not known"


def call_named(picture: Picture, id: str, /) -> CallRow:
    """Raises KeyError for an unknown call."""
    found = call_row(picture.store, id)
    if found is None:
        raise KeyError(id)
    return found


def _exchange(picture: Picture, row: CallRow) -> LlmCall | None:
    if row.id in picture.exchanges:
        return picture.exchanges.use(row.id)
    found = whole_call(picture.store, row)
    picture.exchanges.put(row.id, found)
    return found


def body_of_call(picture: Picture, id: str, /, *, part: str, start: int = 0, count: int = 0) -> CallBody:
    """
    `part`: answer, request, or whole. `count`: so many messages from number `start` on; a single one is whole. Raises KeyError
    for an unknown call.
    """
    row = call_named(picture, id)
    whole = _exchange(picture, row)
    cost = priced(row, picture.prices)
    if whole is None:
        parts = [Body("reasoning", row.thinking)] if row.thinking else []
        parts += [Body("text", row.text)] if row.text else []
        return CallBody(id, row.model or "", answer=tuple(parts), missing=_NOT_KEPT, cost=cost.cost_usd)
    asked, answer = whole.asked, whole.answer
    first = start if count else max(0, len(asked.messages) - _MESSAGES_MOST)
    messages = asked.messages[first : first + (min(count, _MESSAGES_MOST) or _MESSAGES_MOST)]
    return CallBody(
        id,
        whole.model,
        answered_by=answer.model if answer.model != whole.model else "",
        provider=whole.provider,
        host=whole.host or "",
        through=row.through or "",
        status=whole.status,
        finish=", ".join(answer.finish_reasons),
        parameters=_parameters(asked) if row.view_source != SAID else {},
        tools=tuple(tool.name for tool in asked.tools),
        messages=() if part == "answer" else tuple(_said(message, most=_ALL if count == 1 else _SHOWN) for message in messages),
        first=first,
        fresh=_known_before(picture, row, asked.messages),
        total=len(asked.messages),
        answer=() if part == "request" else tuple(_parts(answer.parts, most=_ALL)),
        error=answer.error or "",
        unknown=whole.unknown,
        missing=_NOT_SAID if row.view_source == SAID else "" if whole.complete else why_cut(whole.reason or "")[0],
        cost=cost.cost_usd,
        cost_by=cost.cost_by or "",
    )


def _known_before(picture: Picture, row: CallRow, messages: Sequence[Message]) -> int:
    """How many messages the request before in the same conversation had, where this one goes on from it; else 0."""
    before, total = 0, len(messages)
    if row.view_source == SAID:
        return max((at for at, message in enumerate(messages) if message.role == "assistant"), default=0)
    for call in picture.work(row.session_id or WHOLE).calls:
        if call.id == row.id:
            break
        if (call.session_id, call.agent_id) == (row.session_id, row.agent_id) and not call.aside and call.twin is None:
            before = call.messages
    return before if before < total else 0


def _parameters(asked: Asked) -> dict[str, str]:
    found: dict[str, str] = {"model": asked.model, "stream": str(asked.stream).lower()}
    for name, value in msgspec.structs.asdict(asked.parameters).items():
        if value not in (None, ()):
            found[name] = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return found


def _said(message: Message, *, most: int) -> Said:
    return Said(message.role, tuple(_parts(message.parts, most=most)))


def _parts(parts: tuple[Part, ...], *, most: int) -> list[Body]:
    return [_body(part, most) for part in parts]


def _body(part: Part, most: int) -> Body:
    match part:
        case TextPart(text):
            return _cut("text", text, most)
        case ReasoningPart(text):
            return _cut("reasoning", text or "(encrypted)", most)
        case ToolCallPart(id, name, given):
            return _cut("tool_call", given, most, title=name)
        case ToolResultPart(id, output, is_error):
            return _cut("tool_result", output, most, title=id, bad=is_error)
        case MediaPart(kind, media_type, reference, size):
            return Body("media", f"{kind} {media_type} {reference}".strip() + (f", {size:,} characters" if size else ""))


def _cut(kind: str, text: str, most: int, /, *, title: str = "", bad: bool = False) -> Body:
    return Body(kind, text[:most], title, total=len(text), bad=bad)


def body_of_tool(picture: Picture, id: str, /, *, part: str, offset: int) -> Body:
    """`part`: input or result. All of it is in the messages of the call that asked, or that sent the result."""
    tool = picture.store.get(TOOLS, id)
    if tool is None:
        raise KeyError(id)
    text = whole_text(picture, tool, part)
    return Body(
        "tool_result" if part == "result" else "tool_call", text[offset : offset + _PART], tool.tool_name, total=len(text)
    )


def whole_text(picture: Picture, tool: ToolRow, part: str, /) -> str:
    """The input or the result of a tool; the begin of it where the messages are not in the recording."""
    source = tool.result_call_id if part == "result" else tool.llm_call_id
    known = tool.output if part == "result" else tool.input
    row = call_row(picture.store, source) if source else None
    if part == "result" and tool.view_source == SAID:
        said = read_entries(picture.store, tool.session_id or "")
        return next((each.text for each in said if each.kind == "result" and each.id == tool.tool_call_id), known)
    whole = _exchange(picture, row) if row is not None else None
    if whole is None:
        return known
    if part == "result":
        results = [result for message in whole.asked.messages for result in message.results() if result.id == tool.tool_call_id]
        return results[-1].output if results else known
    calls = [each.input for each in whole.answer.parts if isinstance(each, ToolCallPart) and each.id == tool.tool_call_id]
    return calls[-1] if calls else known


def diff_of(picture: Picture, a: str, b: str, /) -> DiffBody:
    """Raises KeyError for an unknown call."""
    first, second = call_named(picture, a), call_named(picture, b)
    before, after = _exchange(picture, first), _exchange(picture, second)
    known = DiffBody(a, b, turn_a=first.turn, turn_b=second.turn, uncached=lost_tokens(first, second))
    if before is None or after is None:
        return msgspec.structs.replace(known, missing=_NOT_KEPT)
    found = diff_calls(before, after)
    lines: list[DiffLine] = []
    for change in found.messages:
        if change.change == "same":
            lines.append(DiffLine("same", change.at, change.count))
            continue
        for at, message in enumerate(change.messages[:_MESSAGES_MOST]):
            lines.append(
                DiffLine(change.change, change.at + at, role=message.role, parts=tuple(_parts(message.parts, most=_SHOWN)))
            )
    return msgspec.structs.replace(
        known,
        missing=_NOT_SAID if SAID in (first.view_source, second.view_source) else "",
        parameters=found.parameters,
        lines=tuple(lines),
        tools_added=found.tools_added,
        tools_removed=found.tools_removed,
        tools_changed=found.tools_changed,
    )
