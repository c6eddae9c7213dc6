"""
Lines of ~/.claude/projects/**/*.jsonl -> entries.

A line is a message with its `sessionId`, `cwd` and `timestamp`. An answer of the model is in as many lines as it has blocks,
each with all of its usage: they are one, by the id of the message. Sub-agents have lines with `isSidechain`, or a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import field

from ....events import SessionEntry, ToolCall, Usage
from ..said import MADE_UP
from .fields import count, mapping, moment, objects, shown, spoken, text
from .parser import Parser, State

_NO_MODEL = "<synthetic>"  # of a message that Claude Code made itself, such as an error
_TITLES = {"summary": "summary", "ai-title": "aiTitle", "custom-title": "customTitle"}
_MESSAGES = ("user", "assistant")
_INTERRUPTED = "[Request interrupted by user"
_REFUSED = "The user doesn't want to proceed with this tool use"
_SUB_AGENT = "agent-"  # the begin of a file's name


class _State(State):
    named: bool = False  # a line had the id of the session: a title may stand before
    key: str = ""  # of the newest answer
    texts: list[str] = field(default_factory=list[str])
    thinking: list[str] = field(default_factory=list[str])
    usage: Usage = Usage()


class ClaudeCode(Parser[_State]):
    agent = "claude"
    state_type = _State

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._of_file = name.removeprefix(_SUB_AGENT) if name.startswith(_SUB_AGENT) else ""

    def take(self, value: Mapping[str, object], /) -> Iterator[SessionEntry]:
        state, kind = self.state, text(value.get("type"))
        self.saw(moment(value.get("timestamp")))
        session = text(value.get("sessionId")) or text(value.get("session_id"))
        state.session, state.named = session or state.session, state.named or bool(session)
        self.note(
            folder=state.folder or text(value.get("cwd")),
            branch=text(value.get("gitBranch")),
            version=text(value.get("version")),
            title=text(value.get(_TITLES[kind])) if kind in _TITLES else "",
        )
        if state.named or kind in _MESSAGES:
            yield from self.facts()
        if kind == "assistant":
            yield from self._answer(value)
        elif kind == "user":
            yield from self._user(value)
        elif kind == "result":
            yield from self._sums(value)
        elif kind == "queue-operation" and value.get("operation", "enqueue") == "enqueue":
            yield self.entry("hint", text=spoken(value.get("content")))
        elif kind == "last-prompt":
            yield self.entry("hint", text=text(value.get("lastPrompt")))
        elif kind == "system" and value.get("subtype") == "compact_boundary":
            yield self.entry("note", text="compacted", thread=self._thread(value))

    def _thread(self, line: Mapping[str, object]) -> str:
        if line.get("isSidechain") is not True:
            return self._of_file
        return text(line.get("agentId")) or self._of_file or "sidechain"

    def _answer(self, line: Mapping[str, object]) -> Iterator[SessionEntry]:
        message, state = mapping(line.get("message")), self.state
        identity, request = text(message.get("id")), text(line.get("requestId"))
        model = text(message.get("model"))
        key = request or identity or text(line.get("uuid"))
        if key != state.key or not key:
            state.key, state.texts, state.thinking, state.usage = key, [], [], Usage()
        tools, paths = self._blocks(message)
        if model == _NO_MODEL or not key:
            if tools:
                yield self.entry("answer", id=f"{MADE_UP}{key}" if key else self.made_up(), tools=tools, paths=paths)
            return
        state.usage = state.usage.largest(_usage(mapping(message.get("usage"))))
        yield self.entry(
            "answer",
            id=identity or f"{MADE_UP}{key}",
            request_id=request,
            thread=self._thread(line),
            text="".join(state.texts),
            thinking="\n".join(state.thinking),
            model=model,
            provider="anthropic",
            usage=state.usage,
            tools=tools,
            paths=paths,
            is_error=line.get("isApiErrorMessage") is True,
        )

    def _blocks(self, message: Mapping[str, object]) -> tuple[tuple[ToolCall, ...], tuple[str, ...]]:
        """Take the blocks of a line; returns its tools, and the files that they work on."""
        state, tools, paths, content = self.state, list[ToolCall](), list[str](), message.get("content")
        if isinstance(content, str):
            state.texts.append(content)
        for block in objects(content):
            match block.get("type"):
                case "text":
                    state.texts.append(text(block.get("text")))
                case "thinking":
                    state.thinking.append(text(block.get("thinking")))
                case "tool_use":
                    given = block.get("input")
                    identity = text(block.get("id")) or self.made_up()
                    tools.append(ToolCall(identity, text(block.get("name")), shown(given)))
                    paths.append(text(mapping(given).get("file_path")) or text(mapping(given).get("notebook_path")))
                case _:
                    pass
        return tuple(tools), tuple(filter(None, paths))

    def _user(self, line: Mapping[str, object]) -> Iterator[SessionEntry]:
        content, thread = mapping(line.get("message")).get("content"), self._thread(line)
        results = [block for block in objects(content) if block.get("type") == "tool_result"]
        for block in results:
            output = block.get("content")
            said = spoken(output) or shown(output)
            is_error = block.get("is_error") is True
            identity = text(block.get("tool_use_id"))
            if is_error and said.startswith(_REFUSED):
                yield self.entry("note", text="refused", id=identity, thread=thread)
            yield self.entry("result", id=identity, text=said, is_error=is_error, thread=thread)
        if not results and line.get("isMeta") is not True:
            said = spoken(content)
            if said.startswith(_INTERRUPTED):
                yield self.entry("note", text="interrupted", thread=thread)
            yield self.entry("prompt", text=said, thread=thread)

    def _sums(self, line: Mapping[str, object]) -> Iterator[SessionEntry]:
        """The end of a run with --print: its own sums, which have calls that are in no other line."""
        for model, said in mapping(line.get("modelUsage")).items():
            usage = mapping(said)
            found = Usage(
                count(usage.get("inputTokens")),
                count(usage.get("outputTokens")),
                cache_creation=count(usage.get("cacheCreationInputTokens")),
                cache_read=count(usage.get("cacheReadInputTokens")),
            )
            yield self.entry("sum", model=model, usage=found)


def _usage(usage: Mapping[str, object]) -> Usage:
    """Anthropic's `input_tokens` has no cached tokens, and its `output_tokens` has the tokens of thinking."""
    return Usage(
        count(usage.get("input_tokens")),
        count(usage.get("output_tokens")),
        cache_creation=count(usage.get("cache_creation_input_tokens")),
        cache_read=count(usage.get("cache_read_input_tokens")),
        cache_creation_1h=count(mapping(usage, "cache_creation").get("ephemeral_1h_input_tokens")),
    )
