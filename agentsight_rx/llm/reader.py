"""SseEvents -> Answer: put one answer together, streamed or whole. The provider says what its JSON means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from ..events import Reply, SseEvent, ToolCall, Usage
from ..wire.json_stream import JsonStreamDecoder
from .by_path import json_at
from .canonical import Answer, MediaPart, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from .lenient import Fields

__all__ = ["BODY", "NOT_UNDERSTOOD", "Block", "Draft", "Place", "StreamReader", "Take", "TakeAll", "read_beside", "read_values"]

T = TypeVar("T")

Place: TypeAlias = tuple[int, int, int]  # of a piece of an answer; places sort in the order of the answer
_UNKNOWN_MOST = 32
NOT_UNDERSTOOD = "not_understood"  # why an answer with that is not complete
BODY = "(body)"  # the unknown field of an answer of which nothing was understood


class Block(Struct, array_like=True):
    """
    An unfinished piece of an answer. `kind`: text, reasoning, call, result or media. Of a call, `whole` is its input if that
    came in one piece, and `parts` override it. Of a result, `id` is the id of its call.
    """

    kind: str
    parts: list[str] = []
    id: str = ""
    name: str = ""
    whole: str = ""
    server: bool = False  # of a call: the provider runs it itself
    media: MediaPart | None = None
    failed: bool = False  # of a result: the tool reports an error
    paths: list[str] = []  # of a call whose input comes value by value: where in it each of `parts` stands

    def text(self) -> str:
        if self.paths:
            return json_at(self.paths, self.parts)
        return "".join(self.parts) or self.whole

    def part(self) -> Part:
        if self.kind == "call":
            return ToolCallPart(self.id, self.name, self.text(), server=self.server)
        if self.kind == "result":
            return ToolResultPart(self.id, self.text(), self.failed)
        if self.kind == "media":
            return self.media or MediaPart("file")
        return ReasoningPart(self.text()) if self.kind == "reasoning" else TextPart(self.text())


class Draft(Struct, array_like=True):
    """An unfinished answer. Pieces are joined once, in `reply` or `answer`."""

    id: str = ""
    model: str = ""
    blocks: dict[Place, Block] = {}
    choices: dict[int, str | None] = {}  # finish reason of each choice that was seen; only choice 0 is in the reply
    usage: Usage | None = None
    raw_usage: str = ""
    error: str | None = None
    ended: bool = False
    unread: int = 0  # events that were ignored
    unread_names: list[str] = []
    unknown: list[str] = []  # fields that could not be read
    items: dict[str, int] = {}  # output of each item, for events that only have the id of the item
    gap: str = ""  # stands between two pieces of reasoning in a reply
    rest: str = ""  # the end of an event that goes on in the next one
    pending: bool = False  # the answer is still being made, see `Answer.pending`

    def block(self, place: Place, kind: str) -> Block:
        """The piece at `place`, or behind it where pieces of other kinds are there; a new one if there is none."""
        block = self.blocks.get(place)
        if block is not None and block.kind != kind:
            return self.block((place[0], place[1], place[2] + 1), kind)
        if block is None:
            block = self.blocks[place] = Block(kind)
        return block

    def add(self, kind: str, text: str) -> None:
        """
        Add to the newest piece, or begin a new one where it has another kind: the order of arrival is the order of the answer.
        """
        last = len(self.blocks)
        block = self.blocks.get((last - 1, 0, 0))
        if block is None or block.kind != kind:
            block = self.blocks[last, 0, 0] = Block(kind)
        block.parts.append(text)

    def call(self, index: int) -> Block:
        """The tool call with that index; a new one if there is none."""
        return self.block((index, 0, 0), "call")

    def put(self, place: Place, part: Part) -> None:
        """A piece that comes whole, or the beginning of one: more text may follow, and the input of a call in its stead."""
        match part:
            case ToolCallPart():
                block = self.block(place, "call")
                block.id, block.name, block.whole, block.server = part.id, part.name, part.input, part.server
            case ToolResultPart():
                block = self.block(place, "result")
                block.id, block.whole, block.failed = part.id, part.output, part.is_error
            case MediaPart():
                self.block(place, "media").media = part
            case _:
                block = self.block(place, "text" if isinstance(part, TextPart) else "reasoning")
                block.parts += [part.text] if part.text else []

    @property
    def understood(self) -> bool:
        """Does it say anything? An answer without content has at least a finish reason."""
        said = any(block.kind != "text" or block.text() for block in self.blocks.values())
        return said or bool(self.error) or self.pending or any(self.choices.values())

    def note(self, unknown: Sequence[str]) -> None:
        """Fields that could not be read."""
        for name in unknown:
            if name not in self.unknown and len(self.unknown) < _UNKNOWN_MOST:
                self.unknown.append(name)

    def reply(self) -> Reply:
        blocks = self._in_order()
        return Reply(
            id=self.id,
            model=self.model,
            text="".join([block.text() for block in blocks if block.kind == "text"]),
            thinking=self.gap.join([text for block in blocks if block.kind == "reasoning" and (text := block.text())]),
            tool_calls=tuple(ToolCall(each.id, each.name, each.text()) for each in blocks if each.kind == "call"),
            usage=self.usage,
            finish_reason=self.choices.get(0) or None,
            error=self.error,
            unknown=tuple(self.unknown),
        )

    def answer(self) -> Answer:
        """A model that said nothing and ended has said an empty text."""
        parts = tuple(block.part() for block in self._in_order() if block.kind != "text" or block.text())
        reasons = tuple(reason for _, reason in sorted(self.choices.items()) if reason)
        said_nothing = bool(reasons) and not self.error
        return Answer(
            id=self.id,
            model=self.model,
            parts=parts or ((TextPart(""),) if said_nothing else ()),
            finish_reasons=reasons,
            usage=self.usage,
            raw_usage=self.raw_usage,
            error=self.error,
            unknown=tuple(self.unknown),
            pending=self.pending,
        )

    def _in_order(self) -> list[Block]:
        return [self.blocks[place] for place in sorted(self.blocks)]


def read_beside(fields: Fields[T], raw: msgspec.Raw, name: str, draft: Draft, /) -> T | None:
    """A field that is decoded by itself; None where it was not sent or cannot be read, which the draft then notes."""
    if not raw or bytes(raw) == b"null":
        return None
    found = fields.read(raw)
    draft.note([name] if found is None else [f"{name}.{each}" for each in found.unknown])
    return None if found is None else found.value


# Adds an event to the draft. True if it carried content; None if it is not an event of this provider.
Take: TypeAlias = Callable[[Draft, SseEvent], bool | None]
# The same for many events at once, which is faster. Returns how many carried content; None, and nothing is done, if they must
# be taken one by one.
TakeAll: TypeAlias = Callable[[Draft, Sequence[SseEvent]], int | None]


def read_values(body: bytes, take: Take, /) -> Draft:
    """A plain body that is one JSON value or several in a row; one that is cut inside of a value is named as unknown."""
    draft, decoder = Draft(), JsonStreamDecoder(longest=len(body))
    for value in decoder.feed(body):
        take(draft, value)
    if draft.understood and (decoder.finish() or decoder.lost):
        draft.note([BODY])
    return draft


class StreamReader:
    """Reads the events of one answer. It never raises."""

    __slots__ = ("_draft", "_has_mark", "_take", "_take_all")

    def __init__(self, take: Take, take_all: TakeAll | None = None, *, has_mark: bool = True) -> None:
        self._take = take
        self._take_all = take_all
        self._has_mark = has_mark
        self._draft = Draft()

    @property
    def ended(self) -> bool:
        """
        True once the answer has ended: with the end mark of its dialect or an error; without such a mark, once every choice has
        its finish reason. More events may follow.
        """
        return self._draft.ended or (not self._has_mark and self.finished_choices)

    @property
    def finished_choices(self) -> bool:
        """
        True if every choice seen so far has its finish reason.

        If a stream has no end mark but its HTTP body ended properly, the answer is complete if this is True.
        """
        reasons = self._draft.choices.values()
        return bool(reasons) and None not in reasons

    @property
    def has_answered(self) -> bool:
        """True with all finish reasons and the counts: nothing but the end mark is missing."""
        return self.finished_choices and self._draft.usage is not None

    @property
    def understood(self) -> bool:
        """True if anything of the answer was read: one that says nothing has at least a beginning."""
        return self._draft.understood or bool(self._draft.id or self._draft.model)

    @property
    def unknown(self) -> int:
        """How many events were ignored: invalid JSON, or unknown for this provider."""
        return self._draft.unread

    @property
    def unread(self) -> tuple[str, ...]:
        """Their names, as `event ping`."""
        return tuple(self._draft.unread_names)

    def feed(self, event: SseEvent, /) -> bool:
        """Take one event. True if it carried content: text, thinking or a tool's input."""
        content = self._take(self._draft, event)
        if content is not None:
            return content
        if event.event == "error":  # sent by a proxy
            self._draft.error = event.data
            self._draft.ended = True
        else:
            self._draft.unread += 1
            name = f"event {event.event}"
            if name not in self._draft.unread_names and len(self._draft.unread_names) < _UNKNOWN_MOST:
                self._draft.unread_names.append(name)
        return False

    def take_whole(self, answer: Draft, /) -> None:
        """One plain answer came, announced as a stream."""
        self._draft = answer
        self._draft.ended = True

    def feed_all(self, events: Sequence[SseEvent], /) -> int:
        """Take many events; return how many carried content."""
        if self._take_all is not None and len(events) > 1:
            content = self._take_all(self._draft, events)
            if content is not None:
                return content
        return sum(map(self.feed, events))

    @property
    def draft(self) -> Draft:
        """The unfinished answer, only to be looked at."""
        return self._draft

    def reply(self) -> Reply:
        """The answer so far, in short."""
        return self._draft.reply()

    def answer(self) -> Answer:
        """The answer so far, with its parts in their order."""
        return self._draft.answer()

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(self._draft)

    def restore(self, state: bytes, /) -> None:
        self._draft = msgspec.msgpack.decode(state, type=Draft)
