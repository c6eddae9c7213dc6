"""Two answers to one request -> what they say differently: text by line, tools that they ask for, tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import fields

from ...events.tokens import Usage
from ...llm.canonical import Answer, TextPart, ToolCallPart
from .diff_lines import LineChange, blocks, diff_lines

__all__ = ["AnswerDiff", "TokenChange", "ToolChange", "diff_answers"]


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
