"""
~/.gemini/tmp/**/chats/*.json and *.jsonl -> entries.

A .json file is one object with `messages`. A .jsonl file has one record a line: the facts about the session, messages, of which
a later one with the same id replaces the earlier one, `$set` with new values, and `$rewindTo` with the id of the message to
which the user went back: tokens of messages that were taken back were spent all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ....core.bounded import Recent
from ....events import SessionEntry, ToolCall, Usage
from ..said import MADE_UP
from .fields import count, mapping, moment, objects, shown, spoken, text
from .parser import Parser, State

_MESSAGES_MOST = 20_000


class GeminiCli(Parser[State]):
    agent = "gemini"
    at_once = True
    state_type = State

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._messages: Recent[str, Mapping[str, object]] = Recent(_MESSAGES_MOST)
        self._tools = 0

    def take(self, value: Mapping[str, object], /) -> Iterator[SessionEntry]:
        if "$set" in value:
            value = mapping(value.get("$set"))
        elif "type" in value and "$rewindTo" not in value:
            self._message(value)
            return
        yield from self._session(value)
        for message in objects(value.get("messages")):
            self._message(message, replaces=True)

    def _message(self, message: Mapping[str, object], *, replaces: bool = False) -> None:
        self.state.number += 1
        key = f"{MADE_UP}{text(message.get('id')) or self.state.number}"  # it is not the id that the API gave the answer
        if replaces or key in self._messages or len(self._messages) < _MESSAGES_MOST:
            self._messages[key] = message
        else:
            self.dropped += 1

    def _session(self, session: Mapping[str, object]) -> Iterator[SessionEntry]:
        self.state.session = text(session.get("sessionId")) or self.state.session
        self.saw(moment(session.get("startTime")))
        yield from self.facts(project=text(session.get("projectHash")), title=text(session.get("summary")))
        last_ms = moment(session.get("lastUpdated"))
        if last_ms:
            self.times.append(last_ms)

    def finish(self) -> Iterator[SessionEntry]:
        for key, message in self._messages.items():
            self.saw(moment(message.get("timestamp")))
            if message.get("type") == "user":
                yield self.entry("prompt", text=spoken(message.get("content")))
            elif message.get("type") == "gemini":
                yield from self._answer(key, message)

    def _answer(self, key: str, message: Mapping[str, object]) -> Iterator[SessionEntry]:
        usage, model = _usage(mapping(message.get("tokens"))), text(message.get("model"))
        tools, paths, results = list[ToolCall](), list[str](), list[Mapping[str, object]]()
        for tool in objects(message.get("toolCalls")):
            given = tool.get("args")
            tools.append(ToolCall(self._id(tool), text(tool.get("name")), shown(given)))
            paths.append(text(mapping(given).get("file_path")) or text(mapping(given).get("absolute_path")))
            if text(tool.get("id")) and text(tool.get("status")) in ("success", "error", "cancelled"):
                results.append(tool)
        if usage.total or model or tools:
            yield self.entry(
                "answer",
                id=key if key.startswith(MADE_UP) else f"{MADE_UP}{key}",  # its own, which the API does not know
                text=spoken(message.get("content")),
                thinking="\n".join(text(each.get("description")) for each in objects(message.get("thoughts"))),
                model=model,
                provider="gemini",
                usage=usage,
                tools=tuple(tools),
                paths=tuple(filter(None, paths)),
            )
        for tool in results:
            self.saw(moment(tool.get("timestamp")))
            is_error = text(tool.get("status")) != "success"
            yield self.entry("result", id=self._id(tool), text=_output(tool), is_error=is_error)

    def _id(self, tool: Mapping[str, object]) -> str:
        """An id of the API stands behind the name of the tool: `read_file__call_1`."""
        identity = text(tool.get("id")).removeprefix(f"{text(tool.get('name'))}__")
        if not identity:
            self._tools += 1
        return identity or f"{MADE_UP}t{self._tools}"


def _usage(tokens: Mapping[str, object]) -> Usage:
    """Gemini's `input` has the cached tokens but not the tokens of its own tools, and its `output` has no thoughts."""
    cached, thoughts = count(tokens.get("cached")), count(tokens.get("thoughts"))
    return Usage(
        max(0, count(tokens.get("input")) + count(tokens.get("tool")) - cached),
        count(tokens.get("output")) + thoughts,
        cache_read=cached,
        reasoning=thoughts,
    )


def _output(tool: Mapping[str, object]) -> str:
    results = tool.get("result")
    answers = (mapping(part, "functionResponse", "response") for part in objects(results))
    said = "\n".join(shown(answer.get("output") or answer.get("error") or dict(answer)) for answer in answers if answer)
    return said or spoken(results) or text(tool.get("resultDisplay"))
