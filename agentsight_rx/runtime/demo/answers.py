"""
A request body of an LLM client -> the answer of a fake model, whole or as server-sent events; equal ones for equal requests.

The model calls a shell, or else the first tool offered, once for each command that it has, and quotes the result. A command
`@NAME JSON` calls that tool. Where an agent asks for a summary of the conversation, it says what it did so far, and goes on
from there. Where the prompt has `size=N`, its text has N bytes. Longer than 300 lines because the two dialects are best read
side by side.

https://docs.claude.com/en/api/messages-streaming, https://platform.openai.com/docs/api-reference/chat-streaming.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...core.start import regex
from .prompt_cache import Counted, count, text_of
from .shells import tool_among, tool_call

_SAID = "  # "  # behind a command: what the model says with it
_SUMMARY = regex(r"^Summarize the conversation so far", re.MULTILINE)  # what an agent asks for
_DONE = regex(r"^Tools called so far: (\d+)$", re.MULTILINE)  # in such a summary


def reply_to(
    dialect: Dialect,
    path: str,
    body: bytes,
    number: int,
    commands: Sequence[str],
    *,
    counter: Callable[[Any], Counted] | None = None,
) -> Reply:
    """
    The answer to request `number` at `path`; the tool that the request offers is called with one command after the other.
    `counter` is given a request that marks what to cache.
    """
    try:
        ask = dialect.read(body, number)
        if counter and b'"cache_control"' in body:
            ask = replace(ask, counted=counter(json.loads(body)))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        return error_reply(400, "invalid_request_error", f"not a request of {path}: {error!r}")
    answer = answer_to(ask, commands)
    if ask.stream:
        headers = {"content-type": dialect.stream_type, "cache-control": "no-cache"}
        return Reply(200, headers, tuple(dialect.events(answer)), streamed=True)
    return Reply(200, {"content-type": "application/json"}, (json_bytes(dialect.whole(answer)),))


@dataclass(frozen=True)
class Dialect:
    """One of the APIs: how to read its requests and to write its answers, whole or as parts of a stream."""

    read: Callable[[bytes, int], Ask]  # a body, its number; ValueError, KeyError, …: it is not a request
    whole: Callable[[Answer], dict[str, object]]
    events: Callable[[Answer], Iterator[bytes]]
    stream_type: str = "text/event-stream; charset=utf-8"


@dataclass(frozen=True)
class Reply:
    """One HTTP response before it is framed."""

    status: int
    headers: dict[str, str]
    parts: tuple[bytes, ...] = ()
    streamed: bool = False  # each part is sent as a chunk of its own
    close: bool = False


def error_reply(status: int, kind: str, message: str, *, close: bool = False) -> Reply:
    body = json_bytes({"type": "error", "error": {"type": kind, "message": message}})
    return Reply(status, {"content-type": "application/json"}, (body,), close=close)


@dataclass(frozen=True)
class Ask:
    """A request, whatever its API."""

    number: int
    size: int  # bytes of the request's body
    model: str
    stream: bool
    stream_usage: bool
    prompt: str  # the last text of a user
    tool: str | None  # of the tools offered: a shell, or else the first
    results: tuple[str, ...]  # of tools
    known: int = 0  # bytes that an earlier request had too: they are in the cache
    before: int = 0  # calls of tools before these results, of which there is only a summary
    counted: Counted | None = None  # None: four bytes are a token


def _read(body: bytes, number: int) -> Ask:
    request: Any = json.loads(body)
    messages: list[Any] = request["messages"]
    tools: list[Any] = request.get("tools") or []
    streaming: Any = request.get("stream_options") or {}
    said = [_text(message["content"]) for message in messages if message["role"] == "user"]
    return Ask(
        number=number,
        size=len(body),
        model=str(request["model"]),
        stream=bool(request.get("stream")),
        stream_usage=bool(streaming.get("include_usage")),
        prompt=next((text for text in reversed(said) if text), ""),
        tool=tool_among([(tool.get("function") or tool.get("custom") or tool)["name"] for tool in tools]),
        results=tuple(result for message in messages for result in _results(message)),
        known=len(json_bytes(messages[:-2])) if len(messages) > 1 else 0,
        before=sum(int(found[1]) for text in said for found in _DONE.finditer(text)),
    )


def _results(message: Any) -> list[str]:
    content = message.get("content")
    if message["role"] == "tool":
        return [_text(content)]
    if isinstance(content, str):
        return []
    return [_text(block.get("content")) for block in content or () if block.get("type") == "tool_result"]


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(block["text"] for block in content or () if block.get("type") == "text")


@dataclass(frozen=True)
class Answer:
    ask: Ask
    text: str
    arguments: str  # JSON text of the tool call's input; "" = no call

    @property
    def output_tokens(self) -> int:
        if self.ask.counted:
            return sum(count(text_of(block)) for block in _content(self))
        return len(self.text.split()) + len(self.arguments.split())

    @property
    def counted(self) -> Counted:
        size, known = self.ask.size, self.ask.known
        return self.ask.counted or Counted(size // 4 - known // 4, (size - known) // 16, known // 4 or size // 32)

    @property
    def input_tokens(self) -> int:
        return self.counted.uncached

    @property
    def cached_tokens(self) -> int:
        return self.counted.read

    @property
    def id(self) -> str:
        return f"{self.ask.number:024d}"


def answer_to(ask: Ask, commands: Sequence[str]) -> Answer:
    done = ask.before + len(ask.results)
    if _SUMMARY.search(ask.prompt):
        steps = [said or command for command, _, said in (each.partition(_SAID) for each in commands[:done])]
        text, arguments = "\n".join([f"Tools called so far: {done}", *(f"- {step}" for step in steps)]), ""
    elif ask.tool and done < len(commands):
        command, _, said = commands[done].partition(_SAID)
        tool, arguments = tool_call(ask.tool, command)
        ask, text = replace(ask, tool=tool), said or "Voilà, 模型 asks the shell 🐚."
    elif ask.results:
        text, arguments = f"Terminé 🦊 模型: the tool said “{ask.results[-1].strip()[:80]}”.", ""
    else:
        text, arguments = f"Réponse 模型 🙂: the prompt has {len(ask.prompt)} characters.", ""
    wanted = re.search(r"size=(\d{1,7})\b", ask.prompt)
    return Answer(ask, _padded(text, int(wanted[1]) if wanted else 0), arguments)


def _padded(text: str, size: int) -> str:
    """`text` and then numbers, which show lost or repeated parts, `size` bytes in all."""
    missing = max(0, size - len(text.encode(errors="replace")))
    return text + "".join(f" {number}" for number in range(missing // 2 + 1))[:missing]


def text_pieces(text: str) -> list[str]:
    return _pieces(text, max(12, len(text) // 500))  # some 500 events are enough for the largest answer


def argument_pieces(arguments: str) -> list[str]:
    return ["", *_pieces(arguments, max(5, len(arguments) // 20))]  # the APIs begin with an empty piece


def _pieces(text: str, longest: int) -> list[str]:
    return [text[start : start + longest] for start in range(0, len(text), longest)]


def _content(answer: Answer) -> list[dict[str, object]]:
    content: list[dict[str, object]] = [{"type": "text", "text": answer.text}]
    if answer.arguments:
        content.append(_tool_use(answer) | {"input": json.loads(answer.arguments)})
    return content


def _anthropic_whole(answer: Answer) -> dict[str, object]:
    return _message(answer, _content(answer), _stop_reason(answer), answer.output_tokens)


def _anthropic_events(answer: Answer) -> Iterator[bytes]:
    yield _event("message_start", message=_message(answer, [], None, 1))
    yield _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    yield _event("ping")
    for piece in text_pieces(answer.text):
        yield _event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
    yield _event("content_block_stop", index=0)
    if answer.arguments:
        yield _event("content_block_start", index=1, content_block=_tool_use(answer))
        for piece in argument_pieces(answer.arguments):
            yield _event("content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": piece})
        yield _event("content_block_stop", index=1)
    delta = {"stop_reason": _stop_reason(answer), "stop_sequence": None}
    yield _event("message_delta", delta=delta, usage={"output_tokens": answer.output_tokens})
    yield _event("message_stop")


def _message(answer: Answer, content: Sequence[object], stop_reason: str | None, output_tokens: int) -> dict[str, object]:
    return {
        "id": f"msg_{answer.id}",
        "type": "message",
        "role": "assistant",
        "model": answer.ask.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": answer.input_tokens,
            "cache_creation_input_tokens": answer.counted.written,
            "cache_read_input_tokens": answer.cached_tokens,
            "output_tokens": output_tokens,
        },
    }


def _tool_use(answer: Answer) -> dict[str, object]:
    return {"type": "tool_use", "id": f"toolu_{answer.id}", "name": answer.ask.tool, "input": {}}


def _stop_reason(answer: Answer) -> str:
    return "tool_use" if answer.arguments else "end_turn"


def _event(kind: str, **fields: object) -> bytes:
    return server_sent(kind, {"type": kind, **fields})


def server_sent(event: str, value: object) -> bytes:
    """One named server-sent event; its data is `value` as JSON."""
    return b"event: %b\ndata: %b\n\n" % (event.encode(), json_bytes(value))


def _openai_whole(answer: Answer) -> dict[str, object]:
    message: dict[str, object] = {"role": "assistant", "content": answer.text, "refusal": None}
    if answer.arguments:
        message["tool_calls"] = [_function_call(answer, answer.arguments)]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(answer)}
    return _completion(answer, "chat.completion", [choice]) | {"usage": _openai_usage(answer)}


def _openai_events(answer: Answer) -> Iterator[bytes]:
    yield _delta(answer, {"role": "assistant", "content": "", "refusal": None})
    for piece in text_pieces(answer.text):
        yield _delta(answer, {"content": piece})
    if answer.arguments:
        first, *rest = argument_pieces(answer.arguments)
        yield _delta(answer, {"tool_calls": [{"index": 0} | _function_call(answer, first)]})
        for piece in rest:
            yield _delta(answer, {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    yield _delta(answer, {}, finish_reason=_finish_reason(answer))
    if answer.ask.stream_usage:
        chunk = _completion(answer, "chat.completion.chunk", []) | {"usage": _openai_usage(answer)}
        yield b"data: %b\n\n" % json_bytes(chunk)
    yield b"data: [DONE]\n\n"


def _delta(answer: Answer, delta: dict[str, object], *, finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    chunk = _completion(answer, "chat.completion.chunk", [choice])
    if answer.ask.stream_usage:
        chunk["usage"] = None
    return b"data: %b\n\n" % json_bytes(chunk)


def _completion(answer: Answer, kind: str, choices: list[object]) -> dict[str, object]:
    return {
        "id": f"chatcmpl-{answer.id}",
        "object": kind,
        "created": int(time.time()),
        "model": answer.ask.model,
        "choices": choices,
    }


def _function_call(answer: Answer, arguments: str) -> dict[str, object]:
    function = {"name": answer.ask.tool, "arguments": arguments}
    return {"id": f"call_{answer.id}", "type": "function", "function": function}


def _finish_reason(answer: Answer) -> str:
    return "tool_calls" if answer.arguments else "stop"


def _openai_usage(answer: Answer) -> dict[str, object]:
    asked = answer.ask.size // 4  # cached or not
    return {
        "prompt_tokens": asked,
        "completion_tokens": answer.output_tokens,
        "total_tokens": asked + answer.output_tokens,
        "prompt_tokens_details": {"cached_tokens": answer.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def json_bytes(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


DIALECTS = {
    "/v1/messages": Dialect(_read, _anthropic_whole, _anthropic_events),
    "/v1/chat/completions": Dialect(_read, _openai_whole, _openai_events),
}
