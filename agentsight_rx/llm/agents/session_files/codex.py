"""
Lines of ~/.codex/sessions/**/rollout-*.jsonl -> entries.

A line is `{"timestamp", "type", "payload"}`. Tokens are in `token_count` events: `total_token_usage` is the sum of the session
so far, `last_token_usage` what the last call added. The event comes again without a call in between, so an event whose sum has
not changed is not a call. What stands between two of them is one answer. Older files have the payload as the line.

The file of a session that was forked of another one, or that a sub-agent has, may begin with a copy of the other one's lines,
with the time of the copy. The turns in it are older than the session: their ids are of UUID version 7 and have the time.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping

import msgspec
from msgspec import field

from ....events import SessionEntry, ToolCall, Usage
from ...resent import decoded
from ..said import MADE_UP
from .fields import count, mapping, moment, objects, shown, spoken, text
from .parser import Parser, State

# Kind of item -> the field of its input
_CALLS = {"function_call": "arguments", "custom_tool_call": "input", "local_shell_call": "action", "web_search_call": "action"}
_RESULTS = frozenset({"function_call_output", "custom_tool_call_output", "local_shell_call_output"})


_COPY_MS = 1000  # in which a copy of lines without ids of turns is written


class _State(State):
    provider: str = "openai"
    before: Usage = Usage()  # the sum of the session so far
    answers: int = 0
    texts: list[str] = field(default_factory=list[str])  # of the answer that comes
    thinking: list[str] = field(default_factory=list[str])
    tools: int = 0
    prompt: str = ""  # the newest
    copied: bool = False  # the lines are those of another session
    created_ms: int = 0
    turns: bool = False  # turns of the copy have ids that say a time


class Codex(Parser[_State]):
    agent = "codex"
    state_type = _State

    def take(self, value: Mapping[str, object], /) -> Iterator[SessionEntry]:
        self.saw(moment(value.get("timestamp")))
        payload = mapping(value.get("payload"))
        kind = value.get("type")
        if kind == "session_meta" or (kind is None and "id" in value):
            yield from self._session(payload or value)
            return
        if self.state.copied:
            self.state.copied = not self._is_own(text(payload.get("turn_id")), moment(value.get("timestamp")))
        if kind == "turn_context":
            yield from self.facts(model=text(payload.get("model")), folder=self.state.folder or text(payload.get("cwd")))
        elif self.state.copied:
            self._count_copied(payload)
        elif kind == "event_msg":
            yield from self._event(payload)
        elif kind == "compacted":
            yield self.entry("note", text="compacted")
        else:
            yield from self._item(payload or value)

    def _session(self, meta: Mapping[str, object]) -> Iterator[SessionEntry]:
        """The first one: a session that continues another one has that one's too."""
        state = self.state
        self.saw(moment(meta.get("timestamp")))
        identity = text(meta.get("id")) or text(meta.get("session_id"))
        if identity and not state.number:
            state.number, state.session = 1, identity
            spawn = mapping(meta, "source", "subagent", "thread_spawn")
            parents = (meta.get("forked_from_id"), meta.get("parent_thread_id"), spawn.get("parent_thread_id"))
            state.copied = any(map(text, parents))
            state.created_ms = _minted_ms(identity) or moment(meta.get("timestamp")) or state.time_ms
        state.provider = text(meta.get("model_provider")) or state.provider
        yield from self.facts(
            folder=state.folder or text(meta.get("cwd")),
            branch=text(mapping(meta.get("git")).get("branch")),
            version=text(meta.get("cli_version")),
        )

    def _is_own(self, turn: str, time_ms: int) -> bool:
        """Whether a line is the first one of the session itself, behind a copy of another one's."""
        state, minted_ms = self.state, _minted_ms(turn)
        state.turns = state.turns or minted_ms > 0
        return minted_ms >= state.created_ms if state.turns else time_ms > state.created_ms + _COPY_MS

    def _count_copied(self, payload: Mapping[str, object]) -> None:
        """Tokens of the other session are the base of the sums of this one."""
        if payload.get("type") == "token_count":
            total = _usage(mapping(payload, "info", "total_token_usage"))
            self.state.before = total if total.total else self.state.before

    def _event(self, event: Mapping[str, object]) -> Iterator[SessionEntry]:
        match event.get("type"):
            case "token_count":
                yield from self._tokens(mapping(event.get("info")))
            case "user_message":
                yield from self._prompt(text(event.get("message")))
            case "thread_name_updated":
                yield from self.facts(title=text(event.get("thread_name")))
            case "turn_aborted":
                yield self.entry("note", text="interrupted")
            case _:
                pass

    def _prompt(self, said: str) -> Iterator[SessionEntry]:
        """A file has it as an item and as an event."""
        if said and said != self.state.prompt:
            self.state.prompt = said
            if self.state.texts or self.state.tools:  # of which the file counts no tokens
                self._next()
            yield self.entry("prompt", text=said)

    def _tokens(self, spent: Mapping[str, object]) -> Iterator[SessionEntry]:
        state = self.state
        total, last = _usage(mapping(spent.get("total_token_usage"))), _usage(mapping(spent.get("last_token_usage")))
        if not total.total or total == state.before:
            return
        # A sum that is smaller than the one before began anew
        added = total.without(state.before) if total.total > state.before.total else total
        state.before = total
        yield self.entry("sum", model=state.model, usage=added)
        yield self._answer(last if last.total else added)
        self._next()

    def _next(self) -> None:
        """Another answer begins."""
        self.state.answers += 1
        self.state.texts, self.state.thinking, self.state.tools = [], [], 0

    def _answer(self, usage: Usage | None = None, *tools: ToolCall) -> SessionEntry:
        state = self.state
        return self.entry(
            "answer",
            id=f"{MADE_UP}{state.answers + 1}",
            text="\n".join(state.texts),
            thinking="\n".join(state.thinking),
            model=state.model,
            provider=state.provider,
            usage=usage,
            tools=tools,
        )

    def _item(self, item: Mapping[str, object]) -> Iterator[SessionEntry]:
        kind, state = text(item.get("type")), self.state
        call_id = text(item.get("call_id")) or text(item.get("id"))
        if kind in _CALLS:
            name = text(item.get("name")) or kind.removesuffix("_call")
            state.tools += 1
            made_up = f"{MADE_UP}t{state.answers}.{state.tools}"
            yield self._answer(None, ToolCall(call_id or made_up, name, shown(item.get(_CALLS[kind]))))
        elif kind in _RESULTS:
            output, is_error = _output(item.get("output"))
            yield self.entry("result", id=call_id, text=output, is_error=is_error)
        elif kind == "message" and item.get("role") == "user":
            for part in objects(item.get("content")):
                yield from self._prompt(text(part.get("text")))
        elif kind == "message" and item.get("role") == "assistant":
            state.texts.append(spoken(item.get("content")))
            yield self._answer()
        elif kind == "reasoning":
            state.thinking.append(spoken(item.get("summary")) or spoken(item.get("content")))


def _minted_ms(id: str) -> int:
    """When an id was made, Unix ms; 0: it does not say."""
    try:
        made = uuid.UUID(id)
    except ValueError:
        return 0
    return made.int >> 80 if made.version == 7 else 0


def _usage(usage: Mapping[str, object]) -> Usage:
    """OpenAI's `input_tokens` has the cached tokens, and its `output_tokens` the tokens of reasoning."""
    cached = count(usage.get("cached_input_tokens"))
    return Usage(
        max(0, count(usage.get("input_tokens")) - cached),
        count(usage.get("output_tokens")),
        cache_read=cached,
        reasoning=count(usage.get("reasoning_output_tokens")),
    )


_OUTPUT: msgspec.json.Decoder[object] = msgspec.json.Decoder(object)
_EXIT_CODE = re.compile(r"(?:Exit code:|Process exited with code) (\d+)")
_HEAD = 512  # characters of an output in which its exit code is


def _output(value: object) -> tuple[str, bool]:
    """The text of a result, and whether it says that the tool failed. Shells wrap it in JSON, or put the exit code in front."""
    if isinstance(value, str) and value.startswith("{"):
        inside = mapping(decoded(_OUTPUT, value))
        if "output" in inside:
            return spoken(inside.get("output")) or shown(inside.get("output")), _failed(inside)
    inside = mapping(value)
    if inside:
        output = inside.get("content") or inside.get("body") or inside.get("output")
        return spoken(output) or shown(output), inside.get("success") is False or _failed(inside)
    output = spoken(value) or shown(value)
    code = _EXIT_CODE.search(output[:_HEAD])
    return output, code is not None and code[1].strip("0") != ""


def _failed(result: Mapping[str, object]) -> bool:
    code = mapping(result.get("metadata")).get("exit_code")
    return isinstance(code, int) and code != 0
