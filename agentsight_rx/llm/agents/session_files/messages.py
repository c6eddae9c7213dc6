"""
A list of messages, or a message a line, and a table of where each of its fields is -> entries.

Most agents keep the messages that went to and came from a model, much as its API has them. A `Form` says where; a path in it is
names with dots between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from msgspec import Struct

from ....events import SessionEntry, ToolCall, Usage
from ..said import MADE_UP
from .fields import at, count, mapping, moment, objects, shown, spoken, text, unpacked
from .parser import Parser, State

_PATHS = ("file_path", "path", "absolute_path", "filePath")  # of the input of a tool that works on a file


class Counts(Struct, frozen=True):
    """
    Where numbers of tokens are. `cached`: the input has the cached tokens, too; `beside`: the output has no reasoning;
    `hourly`: the part of `written` that is kept for an hour.
    """

    input: str
    output: str
    read: str = ""
    written: str = ""
    reasoning: str = ""
    cached: bool = False
    beside: bool = False
    hourly: str = ""

    def usage(self, value: object) -> Usage:
        paths = (self.input, self.output, self.read, self.written, self.reasoning, self.hourly)
        asked, output, read, written, thought, hourly = (count(at(value, path)) if path else 0 for path in paths)
        return Usage(
            max(0, asked - read - written) if self.cached else asked,
            output + thought if self.beside else output,
            cache_creation=written,
            cache_read=read,
            reasoning=thought,
            cache_creation_1h=hourly,
        )


class Block(Struct, frozen=True):
    """A kind of block in a content: the value of its tag, or a member where there is no tag, and where its parts are."""

    kind: str
    text: str = ""  # or the output of a tool
    id: str = ""
    name: str = ""
    input: str = ""
    failed: str = ""


class Form(Struct, frozen=True, kw_only=True):
    """
    Where a message has what: `id` of the answer as the provider gave it, `key` the message's own, `calls` tools beside the
    content, `answers` the id of the tool whose result the message is.
    """

    counts: Counts
    role: str = "role"
    content: str = "content"
    id: str = ""
    key: str = "id"
    model: str = "model"
    provider: str = "provider"
    usage: str = "usage"
    times: tuple[str, ...] = ("timestamp",)
    user: tuple[str, ...] = ("user",)
    answer: tuple[str, ...] = ("assistant",)
    tag: str = "type"
    text: Block = Block("text", "text")
    thinking: Block = Block("thinking", "thinking")
    tool: Block = Block("tool_use", id="id", name="name", input="input")
    result: Block = Block("tool_result", "content", id="tool_use_id", failed="is_error")
    packed: bool = False  # the content is a text of JSON, as in databases
    calls: str = ""
    answers: str = ""
    failed: str = ""


class Messages(Parser[State]):
    """A parser by the table of its agent."""

    form: ClassVar[Form]
    state_type = State

    def message(self, line: Mapping[str, object]) -> Iterator[SessionEntry]:
        form = self.form
        self.saw(next(filter(None, (moment(at(line, path)) for path in form.times)), 0))
        content, role = at(line, form.content), at(line, form.role)
        content = unpacked(content) if form.packed else content
        blocks = objects(content)
        if role in form.answer:
            yield from self._answer(line, content)
        answers = text(at(line, form.answers)) if form.answers else ""
        results = [block for block in blocks if self._is(block, form.result)]
        if answers:
            is_error = self.says_failed(at(line, form.failed)) if form.failed else False
            yield self.entry("result", id=answers, text=output_of(content), is_error=is_error)
        for block in results:
            output, failed = at(block, form.result.text), at(block, form.result.failed) if form.result.failed else None
            identity = text(at(block, form.result.id))
            yield self.entry("result", id=identity, text=output_of(output), is_error=self.says_failed(failed))
        if role in form.user and not results and (said := self._texts(content, form.text)):
            yield self.entry("prompt", text=said)

    def says_failed(self, value: object) -> bool:
        return value is True

    def _is(self, block: Mapping[str, object], kind: Block) -> bool:
        if self.form.tag:
            return block.get(self.form.tag) == kind.kind
        # A thought is a text with a mark
        is_other = kind is self.form.text and block.get(self.form.thinking.kind) is True
        return block.get(kind.kind) not in (None, False) and not is_other

    def _texts(self, content: object, kind: Block) -> str:
        if isinstance(content, str):
            return content if kind is self.form.text else ""
        found = (text(at(block, kind.text)) for block in objects(content) if self._is(block, kind))
        return "\n".join(filter(None, found))

    def _answer(self, line: Mapping[str, object], content: object) -> Iterator[SessionEntry]:
        form = self.form
        asked = [block for block in objects(content) if self._is(block, form.tool)]
        asked += objects(at(line, form.calls)) if form.calls else []
        tools, paths = list[ToolCall](), list[str]()
        identity = text(at(line, form.id)) if form.id else ""
        for block in asked:
            given = at(block, form.tool.input)
            tools.append(
                ToolCall(text(at(block, form.tool.id)) or self.made_up(), text(at(block, form.tool.name)), shown(given))
            )
            paths += (path for name in _PATHS if (path := text(mapping(unpacked(given)).get(name))))
        usage = form.counts.usage(at(line, form.usage))
        said = self._texts(content, form.text)
        if usage.total or said or tools:
            key = at(line, form.key) if form.key else None
            yield self.entry(
                "answer",
                id=identity or (f"{MADE_UP}{key}" if isinstance(key, str | int) else self.made_up()),
                text=said,
                thinking=self._texts(content, form.thinking),
                model=text(at(line, form.model)) or self.state.model,
                provider=text(at(line, form.provider)),
                usage=usage,
                tools=tuple(tools),
                paths=tuple(paths),
            )


def output_of(value: object) -> str:
    """The text of a tool's output in any of the shapes that APIs give it."""
    inside = mapping(value)
    value = next((inside[name] for name in ("output", "error", "content") if name in inside), value)
    return spoken(value) or shown(value)
