"""
Rows of ~/.local/share/opencode/opencode.db -> entries.

The database (opencode 1.2 and later) has the tables `session`, `message` and `part`; the last two keep JSON in `data`. A
message has its role and the model, its parts have the texts, each tool with its state, and as `step-finish` the tokens of a
call. A sub-agent has a session of its own, whose parent is the one that asked for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct, field

from ....events import SessionEntry, ToolCall, Usage
from ...resent import decoded
from ..said import MADE_UP
from .fields import count, mapping, moment, objects, shown, text
from .parser import Parser, State, Tables

_DATA: msgspec.json.Decoder[object] = msgspec.json.Decoder(object)


class _Step(Struct):
    """What stands in an answer before the tokens of its call."""

    texts: list[str] = field(default_factory=list[str])
    thinking: list[str] = field(default_factory=list[str])
    tools: list[Mapping[str, object]] = field(default_factory=list[Mapping[str, object]])


class Opencode(Parser[State]):
    agent = "opencode"
    tables = Tables(
        session="session", changed="time_updated", message="message", created="time_created", parent="parent_id", part="part"
    )
    state_type = State

    def take(self, value: Mapping[str, object], /) -> Iterator[SessionEntry]:
        session, message = mapping(value.get("session")), mapping(value.get("message"))
        if session:
            facts = {"folder": "directory", "title": "title", "version": "version"}
            yield from self.root(session, **{name: text(session.get(column)) for name, column in facts.items()})
        elif message:
            data = self._data(message)
            parts = [(text(each.get("id")), self._data(each)) for each in objects(message.get("parts"))]
            is_done = bool(parts) if data.get("role") == "user" else bool(mapping(data, "time").get("completed"))
            yield from self._message(text(message.get("id")), data, parts)
            self.passed(text(message.get("id")), is_done=is_done or "error" in data)

    def _data(self, row: Mapping[str, object]) -> Mapping[str, object]:
        value = row.get("data")
        if not isinstance(value, str | bytes):
            return mapping(value)
        found = decoded(_DATA, value)
        self.broken += found is None
        return mapping(found)

    def _message(
        self, id: str, data: Mapping[str, object], parts: list[tuple[str, Mapping[str, object]]]
    ) -> Iterator[SessionEntry]:
        times = mapping(data.get("time"))
        for time in times.values():
            self.saw(moment(time))
        if data.get("role") == "user":
            yield from self._prompt(part for _, part in parts)
            return
        self.saw(moment(times.get("completed")) or moment(times.get("created")))
        step, steps = _Step(), 0
        for _, part in parts:
            match part.get("type"):
                case "text":
                    step.texts.append(text(part.get("text")))
                case "reasoning":
                    step.thinking.append(text(part.get("text")))
                case "tool":
                    step.tools.append(part)
                case "step-finish":
                    yield from self._answer(f"{id}.{steps}" if steps else id, data, step, mapping(part.get("tokens")))
                    step, steps = _Step(), steps + 1
                case _:
                    pass
        if not steps or step.texts or step.tools:
            tokens = mapping(None if steps else data.get("tokens"))
            yield from self._answer(f"{id}.{steps}" if steps else id, data, step, tokens)
        if text(mapping(data.get("error")).get("name")) == "MessageAbortedError":
            yield self.entry("note", text="interrupted")

    def _prompt(self, parts: Iterator[Mapping[str, object]]) -> Iterator[SessionEntry]:
        for part in parts:
            if part.get("type") == "text" and not part.get("synthetic"):
                yield self.entry("prompt", text=text(part.get("text")))
            elif part.get("type") == "compaction":
                yield self.entry("note", text="compacted")

    def _answer(self, id: str, data: Mapping[str, object], step: _Step, tokens: Mapping[str, object]) -> Iterator[SessionEntry]:
        usage = _usage(tokens)
        if not (usage.total or step.texts or step.tools or "error" in data):
            return
        ended_ms = self.state.time_ms  # of the message, whose tools ran before
        starts = [moment(mapping(tool, "state", "time").get("start")) for tool in step.tools]
        said: dict[str, Any] = {
            "id": f"{MADE_UP}{id}",
            "text": "\n".join(step.texts),
            "thinking": "\n".join(step.thinking),
            "model": text(data.get("modelID")),
            "provider": text(data.get("providerID")),
            "is_error": "error" in data,
        }
        keys = [text(tool.get("callID")) or self.made_up() for tool in step.tools]
        for key, tool, start_ms in zip(keys, step.tools, starts, strict=True):
            self.saw(start_ms)
            given = mapping(tool.get("state")).get("input")
            path = text(mapping(given).get("filePath"))
            called = ToolCall(key, text(tool.get("tool")), shown(given))
            yield self.entry("answer", **said, tools=(called,), paths=(path,) if path else ())
        self.saw(min(filter(None, (ended_ms, *starts)), default=0))
        yield self.entry("answer", **said, usage=usage)
        for key, tool in zip(keys, step.tools, strict=True):
            yield from self._result(key, mapping(tool.get("state")))
        self.state.time_ms = ended_ms

    def _result(self, key: str, state: Mapping[str, object]) -> Iterator[SessionEntry]:
        is_error = state.get("status") == "error"
        if is_error or state.get("status") == "completed":
            self.saw(moment(mapping(state.get("time")).get("end")))
            yield self.entry("result", id=key, text=shown(state.get("error" if is_error else "output")), is_error=is_error)


def _usage(tokens: Mapping[str, object]) -> Usage:
    """`input` has no cached tokens. Whether `output` has the tokens of reasoning depends on the release: the sum shows it."""
    asked, output, thought = (count(tokens.get(name)) for name in ("input", "output", "reasoning"))
    read, written = (count(mapping(tokens.get("cache")).get(name)) for name in ("read", "write"))
    beside = count(tokens.get("total")) == asked + output + thought + read + written or thought > output
    return Usage(asked, output + thought if beside else output, cache_creation=written, cache_read=read, reasoning=thought)
