"""
The agents whose files are lists of messages: of each the table of its fields, and what its lines say beside messages.

- pi: ~/.pi/agent/sessions/*/*.jsonl. A fork begins with a copy of its parent's lines, which are older than the fork.
- droid: ~/.factory/sessions/*/*.jsonl, and beside it SESSION.settings.json with sums of tokens.
- qwen: ~/.qwen/projects/*/chats/*.jsonl, in parts of the Gemini API.
- gptme: ~/.local/share/gptme/logs/*/conversation.jsonl. Its tools are text of the answer.
- cline: ~/.cline/data/sessions/*/*.messages.json, and beside it SESSION.json.
- amp: ~/.local/share/amp/threads/T-*.json.
- mini-SWE-agent: the trajectory of the last run, as Chat Completions of OpenAI.
- goose: ~/.local/share/goose/sessions/sessions.db.
- crush: .crush/crush.db in each project that ~/.local/share/crush/projects.json lists.

Longer than 300 lines because it is a table: an agent has some 30 lines of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ....core.start import regex
from ....events import SessionEntry
from ..said import MADE_UP
from .fields import at, mapping, moment, objects, text, unpacked
from .messages import Block, Counts, Form, Messages
from .parser import Tables

_DROID_SUM = Counts("inputTokens", "outputTokens", "cacheReadTokens", "cacheCreationTokens", "thinkingTokens", beside=True)
_ANTHROPIC = Counts(
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    hourly="cache_creation.ephemeral_1h_input_tokens",
)


class Pi(Messages):
    agent = "pi"
    form = Form(
        role="message.role",
        content="message.content",
        id="message.responseId",
        model="message.model",
        provider="message.provider",
        usage="message.usage",
        counts=Counts("input", "output", "cacheRead", "cacheWrite"),
        tool=Block("toolCall", id="id", name="name", input="arguments"),
        answers="message.toolCallId",
        failed="message.isError",
    )

    def take(self, value: Mapping[str, object], /) -> Iterator[SessionEntry]:
        state, kind, time_ms = self.state, value.get("type"), moment(value.get("timestamp"))
        if kind == "session":
            self.saw(time_ms)
            state.session = text(value.get("id")) or state.session
            state.begun_ms = time_ms if value.get("parentSession") else 0
            yield from self.facts(folder=text(value.get("cwd")))
        elif time_ms < state.begun_ms:
            return  # a copy of the parent's
        elif kind == "message":
            yield from self.message(value)
        elif kind == "model_change":
            self.note(model=text(value.get("modelId")))
        elif kind == "session_info":
            yield from self.facts(title=text(value.get("name")))
        else:
            yield from self._beside(value)

    def _beside(self, value: Mapping[str, object]) -> Iterator[SessionEntry]:
        """Calls that are no part of the conversation: a summary, or one that keeps a cache warm."""
        self.saw(moment(value.get("timestamp")))
        if value.get("type") == "compaction":
            yield self.entry("note", text="compacted")
        usage = self.form.counts.usage(value.get("usage"))
        if usage.total:
            model = text(value.get("model")) or self.state.model
            said = text(value.get("summary"))
            yield self.entry("answer", id=f"{MADE_UP}{text(value.get('id'))}", text=said, model=model, usage=usage)


class Droid(Messages):
    agent = "droid"
    form = Form(content="message.content", role="message.role", usage="message.usage", model="message.model", counts=_ANTHROPIC)

    def take(self, value: Mapping[str, object], /) -> Iterator[SessionEntry]:
        kind = value.get("type")
        if kind == "session_start":
            self.state.session = text(value.get("id")) or self.state.session
            yield from self.facts(folder=text(value.get("cwd")), title=text(value.get("title")))
        elif kind == "message":
            yield from self.message(value)

    @classmethod
    def beside(cls, path: str, /) -> str:
        return f"{path.removesuffix('.jsonl')}.settings.json"

    def facts_beside(self, value: Mapping[str, object], /) -> Iterator[SessionEntry]:
        yield from self.facts(model=text(value.get("model")))
        if (usage := _DROID_SUM.usage(value.get("tokenUsage"))).total:
            yield self.entry("sum", model=self.state.model, usage=usage)


class Qwen(Messages):
    agent = "qwen"
    form = Form(
        role="type",
        content="message.parts",
        key="uuid",
        usage="usageMetadata",
        counts=Counts(
            "promptTokenCount", "candidatesTokenCount", "cachedContentTokenCount", reasoning="thoughtsTokenCount", cached=True
        ),
        tag="",
        thinking=Block("thought", "text"),
        tool=Block("functionCall", id="functionCall.id", name="functionCall.name", input="functionCall.args"),
        result=Block(
            "functionResponse",
            "functionResponse.response",
            id="functionResponse.id",
            failed="functionResponse.response.error",
        ),
    )

    def take(self, value: Mapping[str, object], /) -> Iterator[SessionEntry]:
        state = self.state
        state.session = text(value.get("sessionId")) or state.session
        self.saw(moment(value.get("timestamp")))
        yield from self.facts(
            folder=state.folder or text(value.get("cwd")),
            branch=text(value.get("gitBranch")),
            version=text(value.get("version")),
        )
        kind, payload = value.get("subtype"), mapping(value.get("systemPayload"))
        if value.get("type") != "system":
            yield from self.message(value)
        elif kind == "chat_compression":
            yield self.entry("note", text="compacted")
        elif kind == "custom_title":
            yield from self.facts(title=text(payload.get("customTitle")))

    def says_failed(self, value: object) -> bool:
        return value is not None


class Gptme(Messages):
    agent = "gptme"
    in_folder = 1
    form = Form(
        key="",
        model="metadata.served_model",
        usage="metadata.usage",
        counts=Counts("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens", "reasoning_tokens"),
        tool=Block("", id="id", name="name", input="input"),
        calls="calls",
        answers="call_id",
    )

    def take(self, value: Mapping[str, object], /) -> Iterator[SessionEntry]:
        if not value.get("hide"):
            self.state.model = text(at(value, "metadata.model")).partition("/")[2] or self.state.model
            asked = _GPTME_TOOL.finditer(text(value.get("content")))
            yield from self.message({**value, "calls": [found.groupdict() for found in asked]})


_GPTME_TOOL = regex(r"^@(?P<name>[\w-]+)\((?P<id>[\w-]+)\):\s*(?P<input>\{.*\})\s*$", re.MULTILINE)


class Cline(Messages):
    agent = "cline"
    at_once = True
    form = Form(
        times=("ts",),
        model="modelInfo.id",
        provider="modelInfo.provider",
        usage="metrics",
        counts=Counts("inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens", cached=True),
    )

    def __init__(self, name: str) -> None:
        super().__init__(name.removesuffix(".messages"))

    def take(self, value: Mapping[str, object], /) -> Iterator[SessionEntry]:
        self.state.session = text(value.get("sessionId")) or self.state.session
        yield from self.facts(version=text(at(value, "origin.version")))
        for message in objects(value.get("messages")):
            yield from self.message(message)

    @classmethod
    def beside(cls, path: str, /) -> str:
        return f"{path.removesuffix('.messages.json')}.json"

    def facts_beside(self, value: Mapping[str, object], /) -> Iterator[SessionEntry]:
        self.began(value.get("started_at"))
        yield from self.facts(folder=text(value.get("cwd")), title=text(at(value, "metadata.title")))


class Amp(Messages):
    agent = "amp"
    at_once = True
    form = Form(
        key="messageId",
        model="usage.model",
        times=("usage.timestamp", "meta.sentAt", "timestamp"),
        counts=Counts("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens"),
        result=Block("tool_result", "run.result", id="toolUseID", failed="run.status"),
    )

    def take(self, value: Mapping[str, object], /) -> Iterator[SessionEntry]:
        self.state.session = text(value.get("id")) or self.state.session
        self.saw(moment(value.get("created")))
        trees = objects(at(value, "env.initial.trees"))
        folder = text(trees[0].get("uri")).removeprefix("file://") if trees else ""
        version = text(at(value, "env.initial.platform.clientVersion"))
        yield from self.facts(folder=folder, title=text(value.get("title")), version=version)
        for message in objects(value.get("messages")):
            yield from self.message(message)

    def says_failed(self, value: object) -> bool:
        return value in ("error", "cancelled", "rejected-by-user")


class Mini(Messages):
    agent = "mini"
    at_once = True
    form = Form(
        key="",
        id="extra.response.id",
        model="extra.response.model",
        usage="extra.response.usage",
        times=("extra.timestamp", "extra.response.created"),
        counts=Counts(
            "prompt_tokens",
            "completion_tokens",
            "prompt_tokens_details.cached_tokens",
            reasoning="completion_tokens_details.reasoning_tokens",
            cached=True,
        ),
        tool=Block("", id="id", name="function.name", input="function.arguments"),
        calls="tool_calls",
        answers="tool_call_id",
        failed="extra.returncode",
    )

    def says_failed(self, value: object) -> bool:
        return isinstance(value, int) and value != 0

    def take(self, value: Mapping[str, object], /) -> Iterator[SessionEntry]:
        messages = objects(value.get("messages"))
        responses = (text(at(each, "extra.response.id")) for each in messages)
        # Each run has the same file
        first = next(filter(None, responses), "")
        self.state.session = f"mini-{first}" if first else self.state.session
        yield from self.facts(version=text(at(value, "info.mini_version")))
        for message in messages:
            # An answer without a tool stands in the message about this mistake
            answer = objects(at(message, "extra.response.choices"))
            if message.get("role") == "user" and answer:
                said = {"role": "assistant", "content": at(answer[0], "message.content"), "extra": message.get("extra")}
                yield from self.message(said)
            yield from self.message(message)


class Goose(Messages):
    agent = "goose"
    tables = Tables(session="sessions", changed="updated_at", message="messages", created="created_timestamp")
    form = Form(
        content="content_json",
        packed=True,
        times=("created_timestamp",),
        counts=Counts("", ""),
        tool=Block("toolRequest", id="id", name="toolCall.value.name", input="toolCall.value.arguments"),
        result=Block("toolResponse", "toolResult.value", id="id", failed="toolResult"),
    )

    def take(self, value: Mapping[str, object], /) -> Iterator[SessionEntry]:
        session, message = mapping(value.get("session")), mapping(value.get("message"))
        if session:
            self.state.session = text(session.get("id")) or self.state.session
            model = text(mapping(unpacked(session.get("model_config_json"))).get("model_name"))
            title = text(session.get("name")) or text(session.get("description"))
            self.began(session.get("created_at"))
            yield from self.facts(folder=text(session.get("working_dir")), title=title, model=model)
            counts = Counts("accumulated_input_tokens", "accumulated_output_tokens")
            if (usage := counts.usage(session)).total:
                yield self.entry("sum", model=model, usage=usage)
        elif message:
            yield from self.message(message)
            self.passed(str(message.get("id")), is_done=True)

    def says_failed(self, value: object) -> bool:
        return at(value, "status") == "error" or at(value, "value.isError") is True


class Crush(Messages):
    agent = "crush"
    tables = Tables(
        session="sessions", changed="updated_at", message="messages", created="created_at", parent="parent_session_id"
    )
    form = Form(
        content="parts",
        packed=True,
        times=("finished_at", "created_at"),
        counts=Counts("", ""),
        text=Block("text", "data.text"),
        thinking=Block("reasoning", "data.thinking"),
        tool=Block("tool_call", id="data.id", name="data.name", input="data.input"),
        result=Block("tool_result", "data.content", id="data.tool_call_id", failed="data.is_error"),
    )

    @classmethod
    def databases(cls, value: Mapping[str, object], /) -> list[str]:
        return [f"{folder}/crush.db" for each in objects(value.get("projects")) if (folder := text(each.get("data_dir")))]

    def take(self, value: Mapping[str, object], /) -> Iterator[SessionEntry]:
        session, message = mapping(value.get("session")), mapping(value.get("message"))
        if session:
            self.began(session.get("created_at"))
            yield from self.root(session, title=text(session.get("title")))
        elif message:
            yield from self.message(message)
            is_done = bool(message.get("finished_at")) or message.get("role") != "assistant"
            self.passed(text(message.get("id")), is_done=is_done)
