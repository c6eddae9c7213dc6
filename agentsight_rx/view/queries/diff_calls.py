"""Two calls of a model -> the messages that are new, and the parameters and tools that changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

import msgspec
from msgspec import Struct
from msgspec.structs import fields

from ...llm.canonical import LlmCall, Message, Parameters

__all__ = ["CallDiff", "Changed", "MessageChange", "diff_calls"]

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
            yield Changed(name, _plain(before), _plain(after))


def _plain(value: object) -> str | int | float | None:
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
