"""SseEvents -> Reply: put one streamed answer together. The provider says what the events mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ..events import Reply, SseEvent, ToolCall, Usage

__all__ = ["Call", "Draft", "Place", "StreamReader", "Take", "TakeAll", "counted", "largest"]

Place: TypeAlias = tuple[int, int, int]  # (output, kind, part) of a piece of text; they sort in the order of the answer


class Call(Struct, array_like=True):
    """An unfinished tool call. `whole` is its input if that came in one piece; `parts` override it."""

    id: str = ""
    name: str = ""
    whole: str = ""
    parts: list[str] = []

    def done(self) -> ToolCall:
        return ToolCall(self.id, self.name, "".join(self.parts) or self.whole)


class Draft(Struct, array_like=True):
    """An unfinished answer. Parts are joined once, in `reply`."""

    id: str = ""
    model: str = ""
    text: list[str] = []
    thinking: list[str] = []
    calls: dict[int, Call] = {}  # by the index the provider gives them
    choices: dict[int, str | None] = {}  # finish reason of each choice that was seen; only choice 0 is in the reply
    usage: Usage | None = None
    error: str | None = None
    ended: bool = False
    unknown: int = 0
    texts: dict[Place, list[str]] = {}  # used instead of `text` and `thinking` if later events may replace earlier text
    thoughts: dict[Place, list[str]] = {}
    items: dict[str, int] = {}  # output of each item, for events that only have the id of the item

    def call(self, index: int) -> Call:
        """The call with that index; a new one if there is none."""
        call = self.calls.get(index)
        if call is None:
            call = self.calls[index] = Call()
        return call

    def reply(self) -> Reply:
        return Reply(
            id=self.id,
            model=self.model,
            text="".join(self.text) + "".join(_in_order(self.texts)),
            thinking="".join(self.thinking) + "\n\n".join(_in_order(self.thoughts)),
            tool_calls=tuple(self.calls[index].done() for index in sorted(self.calls)),
            usage=self.usage,
            finish_reason=self.choices.get(0),
            error=self.error,
        )


def _in_order(texts: dict[Place, list[str]]) -> list[str]:
    return [text for place in sorted(texts) if (text := "".join(texts[place]))]


# Adds an event to the draft. True if it carried content; None if it is not an event of this provider.
Take: TypeAlias = Callable[[Draft, SseEvent], bool | None]
# The same for many events at once, which is faster. Returns how many carried content; None, and nothing is done, if they must
# be taken one by one.
TakeAll: TypeAlias = Callable[[Draft, Sequence[SseEvent]], int | None]


class StreamReader:
    """Reads the events of one answer. It never raises."""

    __slots__ = ("_draft", "_take", "_take_all")

    def __init__(self, take: Take, take_all: TakeAll | None = None) -> None:
        self._take = take
        self._take_all = take_all
        self._draft = Draft()

    @property
    def ended(self) -> bool:
        """True once the stream had its own end mark or an error."""
        return self._draft.ended

    @property
    def finished_choices(self) -> bool:
        """
        True if every choice seen so far has its finish reason.

        If a stream has no end mark but its HTTP body ended properly, the answer is complete if this is True.
        """
        reasons = self._draft.choices.values()
        return bool(reasons) and None not in reasons

    @property
    def unknown(self) -> int:
        """How many events were ignored: invalid JSON, or unknown for this provider."""
        return self._draft.unknown

    def feed(self, event: SseEvent, /) -> bool:
        """Take one event. True if it carried content: text, thinking or a tool's input."""
        content = self._take(self._draft, event)
        if content is not None:
            return content
        if event.event == "error":  # sent by a proxy
            self._draft.error = event.data
            self._draft.ended = True
        else:
            self._draft.unknown += 1
        return False

    def feed_all(self, events: Sequence[SseEvent], /) -> int:
        """Take many events; return how many carried content."""
        if self._take_all is not None and len(events) > 1:
            content = self._take_all(self._draft, events)
            if content is not None:
                return content
        return sum(map(self.feed, events))

    def reply(self) -> Reply:
        """The answer so far."""
        return self._draft.reply()

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(self._draft)

    def restore(self, state: bytes, /) -> None:
        self._draft = msgspec.msgpack.decode(state, type=Draft)


def largest(first: Usage, second: Usage) -> Usage:
    """Field by field: counts only grow in a stream, but later events may leave some out or repeat them as 0."""
    return Usage(
        input=max(first.input, second.input),
        output=max(first.output, second.output),
        cache_creation=max(first.cache_creation, second.cache_creation),
        cache_read=max(first.cache_read, second.cache_read),
        reasoning=max(first.reasoning, second.reasoning),
    )


def counted(old: Usage | None, sent: Usage | None) -> Usage | None:
    """The larger of both, field by field. `input` of `sent` includes the cached tokens, `input` of the result does not."""
    if sent is None:
        return old
    if old:
        sent = largest(replace(old, input=old.input + old.cache_read), sent)
    return replace(sent, input=max(0, sent.input - sent.cache_read))
