"""
The agents whose files are logs of events.

- Copilot CLI: ~/.copilot/session-state/SESSION/events.jsonl. The tokens of a call are an event before its message.
- Kimi Code: ~/.kimi-code/sessions/*/SESSION/agents/AGENT/wire.jsonl. The end of a step has the id and the tokens of its answer.
- Mistral Vibe 3: ~/.vibe/logs/session/unified/SESSION/journal/*.jsonl, of which Vibe keeps the two newest.
- An agent of the user's own: ~/.local/share/agentsight-rx/sessions/AGENT/SESSION.jsonl, each line an entry (docs/import.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Self, cast, get_args

from msgspec import field

from ....events import EntryKind, SessionEntry, ToolCall, Usage
from ..known import Agent
from ..said import MADE_UP
from .fields import at, mapping, moment, objects, shown, spoken, text
from .messages import Counts, output_of
from .parser import Parser, State

_USAGES_MOST = 16  # calls of sub-agents that run at once
_COPILOT = Counts(
    "inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens", reasoning="reasoningTokens", cached=True
)


class _CopilotState(State):
    usages: dict[str, Usage] = field(default_factory=dict[str, Usage])
    texts: dict[str, str] = field(default_factory=dict[str, str])


class Copilot(Parser[_CopilotState]):
    agent = "copilot"
    in_folder = 1
    state_type = _CopilotState

    def take(self, value: Mapping[str, object], /) -> Iterator[SessionEntry]:
        state, data = self.state, mapping(value.get("data"))
        self.saw(moment(value.get("timestamp")))
        state.thread = text(value.get("agentId"))
        match value.get("type"):
            case "session.start" | "session.resume" | "session.context_changed":
                yield from self._session(data)
            case "session.title_changed":
                yield from self.facts(title=text(data.get("title")))
            case "user.message" if not data.get("source"):
                yield self.entry("prompt", text=text(data.get("content")))
            case "session.usage_record":
                yield from self._usage(mapping(data.get("usage")))
            case "assistant.message":
                yield self._answer(data)
            case "tool.execution_complete":
                is_error = data.get("success") is False
                said = at(data, "error.message") if is_error else at(data, "result.content")
                yield self.entry("result", id=text(data.get("toolCallId")), text=output_of(said), is_error=is_error)
            case "session.compaction_complete" if data.get("success") is True:
                yield self.entry("note", text="compacted")
            case "abort":
                yield self.entry("note", text="interrupted")
            case "session.shutdown":
                for model, metrics in mapping(data.get("modelMetrics")).items():
                    yield self.entry("sum", model=model, usage=_COPILOT.usage(mapping(metrics, "usage")))
            case _:
                pass

    def _session(self, data: Mapping[str, object]) -> Iterator[SessionEntry]:
        self.state.session = text(data.get("sessionId")) or self.state.session
        context = mapping(data.get("context")) or data
        yield from self.facts(
            folder=self.state.folder or text(context.get("cwd")),
            branch=text(context.get("branch")),
            version=text(data.get("copilotVersion")),
            model=text(data.get("selectedModel")),
        )

    def _usage(self, said: Mapping[str, object]) -> Iterator[SessionEntry]:
        usages, identity, usage = self.state.usages, text(said.get("apiCallId")), _COPILOT.usage(said)
        if identity:
            usages[identity] = usage
            while len(usages) > _USAGES_MOST:
                usages.pop(next(iter(usages)))
        yield self.entry("answer", id=identity or self.made_up(), model=text(said.get("model")), usage=usage)

    def _answer(self, data: Mapping[str, object]) -> SessionEntry:
        """A part of an answer: one that thinks in between has several."""
        texts, identity = self.state.texts, text(data.get("apiCallId")) or f"{MADE_UP}{text(data.get('messageId'))}"
        before, said = texts.get(identity, ""), text(data.get("content"))
        texts.clear()
        texts[identity] = f"{before}\n{said}" if before else said
        tools = [
            ToolCall(text(each.get("toolCallId")) or self.made_up(), text(each.get("name")), shown(each.get("arguments")))
            for each in objects(data.get("toolRequests"))
        ]
        return self.entry(
            "answer",
            id=identity,
            text=texts[identity],
            thinking=text(data.get("reasoningText")),
            model=text(data.get("model")),
            usage=self.state.usages.get(identity) or Counts("", "outputTokens").usage(data),
            tools=tuple(tools),
        )


class _KimiState(State):
    step: str = ""
    provider: str = ""
    texts: list[str] = field(default_factory=list[str])
    thinking: list[str] = field(default_factory=list[str])
    tools: list[ToolCall] = field(default_factory=list[ToolCall])
    results: list[tuple[int, str, str, bool]] = field(default_factory=list[tuple[int, str, str, bool]])


class Kimi(Parser[_KimiState]):
    agent = "kimi"
    state_type = _KimiState

    @classmethod
    def of(cls, path: str, /) -> Self:
        folders = ["", "", "", *path.split("/")]
        parser = cls(folders[-4])
        parser.state.thread = folders[-2] if folders[-2] != "main" else ""
        return parser

    @classmethod
    def beside(cls, path: str, /) -> str:
        return f"{path.rsplit('/', 3)[0]}/state.json"

    def facts_beside(self, value: Mapping[str, object], /) -> Iterator[SessionEntry]:
        self.began(value.get("createdAt"))
        yield from self.facts(folder=text(value.get("cwd")), title=text(value.get("title")))

    def take(self, value: Mapping[str, object], /) -> Iterator[SessionEntry]:
        self.saw(moment(value.get("time")))
        match value.get("type"):
            case "turn.prompt" if at(value, "origin.kind") == "user":
                yield from self._end("")
                yield self.entry("prompt", text=spoken(value.get("input")))
            case "llm.request":
                self.note(model=text(value.get("model")))
                self.state.provider = text(value.get("provider"))
            case "context.append_loop_event":
                yield from self._event(mapping(value.get("event")))
            case _:
                pass

    def _event(self, event: Mapping[str, object]) -> Iterator[SessionEntry]:
        state, part, key = self.state, mapping(event.get("part")), text(event.get("toolCallId"))
        match event.get("type"):
            case "step.begin":
                yield from self._end("")
                state.step = text(event.get("uuid"))
            case "content.part":
                state.texts.append(text(part.get("text")))
                state.thinking.append(text(part.get("think")))
            case "tool.call":
                state.tools.append(ToolCall(key or self.made_up(), text(event.get("name")), shown(event.get("args"))))
            case "tool.result":
                result = mapping(event.get("result"))
                state.results.append((state.time_ms, key, output_of(dict(result)), result.get("isError") is True))
            case "step.end":
                yield from self._end(text(event.get("messageId")), event.get("usage"))
            case _:
                pass

    def _end(self, identity: str, counts: object = None) -> Iterator[SessionEntry]:
        """The answer of a step, and what its tools gave, which is known before."""
        state = self.state
        usage = Counts("inputOther", "output", "inputCacheRead", "inputCacheCreation").usage(counts)
        ended_ms = state.time_ms
        if usage.total or state.tools or any(state.texts):
            state.time_ms = min((at_ms for at_ms, *_ in state.results), default=ended_ms)
            yield self.entry(
                "answer",
                id=identity or f"{MADE_UP}{state.step}",
                text="\n".join(filter(None, state.texts)),
                thinking="\n".join(filter(None, state.thinking)),
                model=state.model,
                provider=state.provider,
                usage=usage,
                tools=tuple(state.tools),
            )
        for time_ms, key, output, is_error in state.results:
            state.time_ms = time_ms
            yield self.entry("result", id=key, text=output, is_error=is_error)
        state.time_ms = ended_ms
        state.texts, state.thinking, state.tools, state.results = [], [], [], []


class Vibe(Parser[State]):
    agent = "vibe"
    in_folder = 2
    state_type = State

    @classmethod
    def beside(cls, path: str, /) -> str:
        return f"{path.rsplit('/', 2)[0]}/meta.json"

    def facts_beside(self, value: Mapping[str, object], /) -> Iterator[SessionEntry]:
        self.began(value.get("start_time"))
        yield from self.facts(
            folder=text(at(value, "environment.working_directory")),
            branch=text(value.get("git_branch")),
            title=text(value.get("title")),
            model=text(at(value, "config.model_name")),
        )

    def take(self, value: Mapping[str, object], /) -> Iterator[SessionEntry]:
        given = mapping(value, "payload", "input") if value.get("type") == "core_input" else mapping(None)
        command = mapping(given.get("command"))
        self.saw(moment(at(given, "determinism.time_unix_ms")))
        result, kind = mapping(command.get("result")), command.get("type")
        if kind == "user_message":
            yield self.entry("prompt", text=spoken(command.get("content")))
        elif kind == "completion_succeeded":
            yield self._answer(text(command.get("action_id")), result)
        elif kind in ("tool_succeeded", "tool_failed"):
            output = result.get("structured_content") or result.get("content") or command.get("error")
            is_error = kind == "tool_failed" or result.get("type") == "error"
            yield self.entry("result", id=text(command.get("call_id")), text=spoken(output) or shown(output), is_error=is_error)

    def _answer(self, action: str, result: Mapping[str, object]) -> SessionEntry:
        parts = objects(result.get("parts"))
        counts = Counts(
            "input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "reasoning_tokens", cached=True
        )
        tools = [
            ToolCall(text(each.get("id")) or self.made_up(), text(each.get("name")), text(each.get("arguments_json")))
            for each in parts
            if each.get("type") == "tool_call"
        ]
        return self.entry(
            "answer",
            id=f"{MADE_UP}{action}",
            text="\n".join(text(each.get("text")) for each in parts if each.get("type") == "text"),
            thinking="\n".join(text(each.get("text")) for each in parts if each.get("type") == "reasoning"),
            model=self.state.model,
            usage=counts.usage(result.get("usage")),
            tools=tuple(tools),
        )


OWN = Agent(
    id="own",
    title="agents of your own",
    names=(),
    sessions=("$XDG_DATA_HOME/agentsight-rx/sessions", ".local/share/agentsight-rx/sessions"),
    session_files=("*/*.jsonl",),
)
_TEXTS = ("id", "request_id", "thread", "text", "thinking", "model", "provider", "folder", "branch", "version", "project")


class Own(Parser[State]):
    """Lines of the form that docs/import.md describes: the fields of a SessionEntry."""

    agent = OWN.id
    state_type = State

    @classmethod
    def of(cls, path: str, /) -> Self:
        folder, _, name = path.rpartition("/")
        parser = cls(name.removesuffix(".jsonl"))
        parser.state.agent = folder.rpartition("/")[2]
        return parser

    def take(self, value: Mapping[str, object], /) -> Iterator[SessionEntry]:
        kind = value.get("kind")
        if kind not in _KINDS:
            self.broken += 1
            return
        self.saw(moment(value.get("time")))
        usage = _OWN.usage(value.get("usage")) if kind in ("answer", "sum") else None
        said = {name: text(value.get(name)) for name in _TEXTS if name in value}
        if kind == "answer":
            said["id"] = said.get("id") or self.made_up()
        tools = (
            ToolCall(text(each.get("id")) or self.made_up(), text(each.get("name")), shown(each.get("input")))
            for each in objects(value.get("tools"))
        )
        paths = value.get("paths")
        given = cast("list[object]", paths) if isinstance(paths, list) else []
        files = tuple(path for path in map(text, given) if path)
        is_error = value.get("is_error") is True
        yield self.entry(kind, **said, usage=usage, tools=tuple(tools), paths=files, is_error=is_error)


_OWN = Counts("input", "output", "cache_read", "cache_creation", "reasoning", hourly="cache_creation_1h")
_KINDS: tuple[EntryKind, ...] = get_args(EntryKind)
