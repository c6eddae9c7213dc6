"""Two calls of a model -> the messages that are new, and the parameters and tools that changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

import msgspec
from msgspec import Struct
from msgspec.structs import fields

from ....events.tokens import Usage
from ....llm.canonical import Answer, LlmCall, Message, Parameters, TextPart, ToolCallPart

# -- diff lines ----------------------------------------------------------------------------------------------------
# Two lists, such as the lines of texts -> the equal parts, and the parts that only one of them has.


_PAIRS_MOST = 200_000  # of equal items; what has more, such as texts of many equal lines, is one change between begin and end


class LineChange(Struct, frozen=True):
    """`change`: same, gone (only the first text has it), new (only the second)."""

    change: str
    lines: tuple[str, ...]


def diff_lines(first: Sequence[str], second: Sequence[str], /) -> Iterator[LineChange]:
    """The changes that lead from the first text to the second, in order."""
    for kind, one, other in blocks(first, second):
        if kind == "equal":
            yield LineChange("same", tuple(first[one]))
            continue
        if one.start < one.stop:
            yield LineChange("gone", tuple(first[one]))
        if other.start < other.stop:
            yield LineChange("new", tuple(second[other]))


def blocks(first: Sequence[object], second: Sequence[object], /) -> Iterator[tuple[str, slice, slice]]:
    """The parts that are `equal`, and those between them, of any other name. The items are hashable."""
    shorter = min(len(first), len(second))
    begin = next((at for at in range(shorter) if first[at] != second[at]), shorter)
    end = next((at for at in range(shorter - begin) if first[-1 - at] != second[-1 - at]), shorter - begin)
    if begin:
        yield "equal", slice(0, begin), slice(0, begin)
    yield from _between(first, second, slice(begin, len(first) - end), slice(begin, len(second) - end))
    if end:
        yield "equal", slice(len(first) - end, len(first)), slice(len(second) - end, len(second))


def _between(first: Sequence[object], second: Sequence[object], one: slice, other: slice) -> Iterator[tuple[str, slice, slice]]:
    """The same, of a part of each, whose first items differ, and whose last ones."""
    some, others = first[one], second[other]
    if not some and not others:
        return
    if _pairs(some, others) > _PAIRS_MOST:
        yield "replace", one, other
        return
    for kind, at, to, other_at, other_to in SequenceMatcher(None, some, others, autojunk=False).get_opcodes():
        yield kind, slice(one.start + at, one.start + to), slice(other.start + other_at, other.start + other_to)


def _pairs(some: Sequence[object], others: Sequence[object]) -> int:
    """How many items of the one are equal to how many of the other: what it takes to compare them."""
    counts = Counter(others)
    return len(some) + sum(counts[each] for each in some)


# -- diff answers --------------------------------------------------------------------------------------------------
# Two answers to one request -> what they say differently: text by line, tools that they ask for, tokens.


class ToolChange(Struct, frozen=True):
    """A tool that is asked for. `change`: same, changed (with another input), gone, new; an input that is not there is null."""

    change: str
    name: str
    first: str | None = None
    second: str | None = None


class TokenChange(Struct, frozen=True):
    """A count of tokens; null: the answer has no counts."""

    name: str
    first: int | None
    second: int | None


class AnswerDiff(Struct, frozen=True):
    """
    The recorded answer and another one. `model`, `ended` and `error` are pairs. Inputs of tools are compared as JSON, so the
    order of members and the space between them make no difference. Ids are not compared.
    """

    model: tuple[str, str]
    ended: tuple[str, str]
    error: tuple[str | None, str | None]
    text: tuple[LineChange, ...]
    tools: tuple[ToolChange, ...]
    tokens: tuple[TokenChange, ...]

    @property
    def equal(self) -> bool:
        """True where both say the same and ask for the same; the counts of tokens may differ."""
        changes = {*(each.change for each in self.text), *(each.change for each in self.tools)}
        return changes <= {"same"} and self.ended[0] == self.ended[1] and self.error[0] == self.error[1]


def diff_answers(first: Answer, second: Answer, /) -> AnswerDiff:
    """Compare what two answers say."""
    return AnswerDiff(
        model=(first.model, second.model),
        ended=(", ".join(first.finish_reasons), ", ".join(second.finish_reasons)),
        error=(first.error, second.error),
        text=tuple(diff_lines(_text(first), _text(second))),
        tools=tuple(_tools(_calls(first), _calls(second))),
        tokens=tuple(
            TokenChange(each.name, *(getattr(usage, each.name) if usage else None for usage in (first.usage, second.usage)))
            for each in fields(Usage)
        ),
    )


def _text(answer: Answer) -> list[str]:
    return "\n".join(part.text for part in answer.parts if isinstance(part, TextPart)).splitlines()


def _calls(answer: Answer) -> list[ToolCallPart]:
    return [part for part in answer.parts if isinstance(part, ToolCallPart)]


def _tools(first: Sequence[ToolCallPart], second: Sequence[ToolCallPart]) -> Iterator[ToolChange]:
    """In the order of the answers; one that only its input tells from the other is changed."""
    for kind, one, other in blocks(*([(each.name, _plain(each.input)) for each in calls] for calls in (first, second))):
        if kind == "equal":
            yield from (ToolChange("same", each.name, each.input, each.input) for each in first[one])
            continue
        gone, new = list(first[one]), list(second[other])
        while gone and new and gone[0].name == new[0].name:
            before, after = gone.pop(0), new.pop(0)
            yield ToolChange("changed", before.name, before.input, after.input)
        yield from (ToolChange("gone", each.name, first=each.input) for each in gone)
        yield from (ToolChange("new", each.name, second=each.input) for each in new)


def _plain(text: str) -> bytes:
    """JSON with its members in order; any other text as it is."""
    try:
        return msgspec.json.encode(msgspec.json.decode(text), order="sorted")
    except (msgspec.DecodeError, RecursionError):
        return text.encode("utf-8", "surrogatepass")


# ------------------------------------------------------------------------------------------------------------------------


_MATCHED_MOST = 2000  # messages behind the equal beginning that are compared with each other


class Changed(Struct, frozen=True):
    """A parameter: its value in the first and in the second call; null: it was not sent."""

    name: str
    first: str | int | float | None
    second: str | int | float | None


class MessageChange(Struct, frozen=True):
    """`change`: same (so many equal messages in a row), new, gone. `at` is the place of the first of them in its call."""

    change: str
    at: int
    count: int = 1
    messages: tuple[Message, ...] = ()  # none of equal ones


class CallDiff(Struct, frozen=True):
    """What the second call says that the first did not. Parameters that are equal are left out."""

    parameters: tuple[Changed, ...]
    messages: tuple[MessageChange, ...]
    tools_added: tuple[str, ...] = ()
    tools_removed: tuple[str, ...] = ()
    tools_changed: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """True where both ask the same."""
        tools = self.tools_added or self.tools_removed or self.tools_changed
        return not self.parameters and not tools and all(each.change == "same" for each in self.messages)


def diff_calls(first: LlmCall, second: LlmCall, /) -> CallDiff:
    """Compare what two calls asked."""
    before = {tool.name: tool for tool in first.asked.tools}
    after = {tool.name: tool for tool in second.asked.tools}
    return CallDiff(
        tuple(_parameters(first, second)),
        tuple(_messages(first.asked.messages, second.asked.messages)),
        tools_added=tuple(name for name in after if name not in before),
        tools_removed=tuple(name for name in before if name not in after),
        tools_changed=tuple(name for name in after if name in before and before[name] != after[name]),
    )


def _parameters(first: LlmCall, second: LlmCall) -> Iterator[Changed]:
    named = [
        ("provider", first.provider, second.provider),
        ("host", first.host, second.host),
        ("model", first.asked.model, second.asked.model),
        ("stream", first.asked.stream, second.asked.stream),
        *(
            (field.name, getattr(first.asked.parameters, field.name), getattr(second.asked.parameters, field.name))
            for field in fields(Parameters)
        ),
    ]
    for name, before, after in named:
        if before != after:
            yield Changed(name, _scalar(before), _scalar(after))


def _scalar(value: object) -> str | int | float | None:
    return value if isinstance(value, str | int | float | None) else msgspec.json.encode(value).decode()


def _messages(first: Sequence[Message], second: Sequence[Message]) -> Iterator[MessageChange]:
    """Agents send the whole conversation each time, so most calls begin alike: that part is compared first, one by one."""
    same = next(
        (at for at, (one, other) in enumerate(zip(first, second, strict=False)) if one != other), min(len(first), len(second))
    )
    if same:
        yield MessageChange("same", 0, same)
    rest, others = first[same:], second[same:]
    if len(rest) > _MATCHED_MOST or len(others) > _MATCHED_MOST:
        yield from _replaced(rest, others, same, same)
        return
    keys, other_keys = [list(map(msgspec.msgpack.encode, each)) for each in (rest, others)]
    for kind, at, end, other_at, other_end in SequenceMatcher(None, keys, other_keys, autojunk=False).get_opcodes():
        if kind == "equal":
            yield MessageChange("same", same + other_at, end - at)
        else:
            yield from _replaced(rest[at:end], others[other_at:other_end], same + at, same + other_at)


def _replaced(gone: Sequence[Message], new: Sequence[Message], at: int, other_at: int) -> Iterator[MessageChange]:
    if gone:
        yield MessageChange("gone", at, len(gone), tuple(gone))
    if new:
        yield MessageChange("new", other_at, len(new), tuple(new))
