"""
Runs of the Assistants API of OpenAI (platform.openai.com/docs/api-reference/runs, …/assistants-streaming).

A run that is not streamed is only begun by its POST: GETs ask how far it is, and another one fetches the messages it made.
"""

from __future__ import annotations

import re

from msgspec import Raw, Struct

from agentsight_rx.events import SseEvent, Usage
from agentsight_rx.llm import Count, Failure, Fields, IdentifyingFields, Provider, counted, failure_text, take_usage
from agentsight_rx.llm.reader import Block, Draft, Place

from .prompt import request


class _Usage(Struct):
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    prompt_token_details: _Cached | None = None


class _Cached(Struct):
    cached_tokens: Count | None = None


class _Text(Struct, gc=False):
    value: str | None = None


class _Part(Struct, gc=False):
    index: Count | None = None
    text: _Text | None = None
    refusal: str | None = None

    def said(self) -> str:
        return (self.text and self.text.value) or self.refusal or ""


class _Function(Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class _Interpreter(Struct, gc=False):
    input: str | None = None


class _Call(Struct, gc=False):
    index: Count | None = None
    id: str | None = None
    type: str | None = None
    function: _Function | None = None
    code_interpreter: _Interpreter | None = None

    def sent(self) -> str:
        arguments = self.function and self.function.arguments
        return arguments or (self.code_interpreter and self.code_interpreter.input) or ""


class _Calls(Struct, gc=False):
    tool_calls: list[_Call] | None = None


class _Delta(Struct, gc=False):
    content: list[_Part] | None = None
    step_details: _Calls | None = None


class _Action(Struct, gc=False):
    submit_tool_outputs: _Calls | None = None


class _Incomplete(Struct, gc=False):
    reason: str | None = None


class _Object(Struct, gc=False, rename={"kind": "object"}):
    """A run, a step of it, a message, or a piece of one."""

    kind: str = ""
    id: str | None = None
    model: str | None = None
    status: str | None = None
    usage: Raw = Raw()
    required_action: _Action | None = None
    last_error: Failure | str | None = None
    incomplete_details: _Incomplete | None = None
    content: list[_Part] | None = None
    step_details: _Calls | None = None
    delta: _Delta | None = None
    error: Failure | str | None = None


_OBJECT = Fields(_Object)
_USAGE = Fields(_Usage)
_REASONS = {
    "completed": "stop",
    "requires_action": "tool_calls",
    "failed": "error",
    "incomplete": "incomplete",
    "cancelled": "cancelled",
    "expired": "expired",
}
_PENDING = ("queued", "in_progress", "cancelling")


def _normal(usage: _Usage) -> Usage | None:
    if usage.prompt_tokens is None and usage.completion_tokens is None:
        return None
    cached = (usage.prompt_token_details and usage.prompt_token_details.cached_tokens) or 0
    return counted(usage.prompt_tokens or 0, usage.completion_tokens or 0, read=cached)


def _take(draft: Draft, event: SseEvent) -> bool | None:
    if event.data == "[DONE]":
        draft.ended = True
        return False
    found = _OBJECT.read(event.data)
    if found is None or not (found.value.kind.startswith("thread") or found.value.error):
        return None
    draft.note(found.unknown)
    return _take_object(draft, found.value)


def _take_object(draft: Draft, said: _Object) -> bool:
    if said.error:
        draft.error, draft.ended = failure_text(said.error), True
        return False
    match said.kind:
        case "thread.run":
            return _take_run(draft, said)
        case "thread.message.delta":
            return _take_content(draft, _output(draft, said), (said.delta or _Delta()).content)
        case "thread.message":
            return _take_message(draft, _output(draft, said), said.content)
        case "thread.run.step.delta":
            return _take_calls(draft, _output(draft, said), ((said.delta or _Delta()).step_details or _Calls()).tool_calls)
        case "thread.run.step":
            return _take_step(draft, _output(draft, said), (said.step_details or _Calls()).tool_calls)
        case _:
            return False


def _take_run(draft: Draft, run: _Object) -> bool:
    draft.id = run.id or draft.id
    draft.model = run.model or draft.model
    draft.error = failure_text(run.last_error) or draft.error
    take_usage(draft, run.usage, _USAGE, _normal)
    status = run.status or ""
    reason = (run.incomplete_details and run.incomplete_details.reason) or _REASONS.get(status)
    draft.choices[0] = reason or draft.choices.get(0)
    draft.pending = status in _PENDING
    action = run.required_action and run.required_action.submit_tool_outputs
    known = {block.id for block in draft.blocks.values()}
    new = [call for call in (action and action.tool_calls) or () if call.id not in known]
    return _take_calls(draft, len(draft.items), new)


def _output(draft: Draft, said: _Object) -> int:
    """Messages and steps are in the order in which they came first."""
    return draft.items.setdefault(said.id or "", len(draft.items))


def _take_content(draft: Draft, output: int, content: list[_Part] | None) -> bool:
    new = False
    for position, part in enumerate(content or ()):
        text = part.said()
        if text:
            draft.block((output, position if part.index is None else part.index, 0), "text").parts.append(text)
            new = True
    return new


def _take_message(draft: Draft, output: int, content: list[_Part] | None) -> bool:
    """The whole message, which a stream has at its beginning, empty, and at its end."""
    new = False
    for position, part in enumerate(content or ()):
        new |= _replace(draft.block((output, position, 0), "text").parts, part.said())
    return new


def _take_calls(draft: Draft, output: int, calls: list[_Call] | None) -> bool:
    new = False
    for position, call in enumerate(calls or ()):
        block = _call(draft, (output, position if call.index is None else call.index, 0), call)
        sent = call.sent()
        if sent:
            block.parts.append(sent)
            new = True
    return new


def _take_step(draft: Draft, output: int, calls: list[_Call] | None) -> bool:
    """The whole step, as a message."""
    new = False
    for position, call in enumerate(calls or ()):
        new |= _replace(_call(draft, (output, position, 0), call).parts, call.sent())
    return new


def _call(draft: Draft, place: Place, call: _Call) -> Block:
    block = draft.block(place, "call")
    block.id = call.id or block.id
    block.server = block.server or (call.type or "function") != "function"
    name = call.function and call.function.name
    block.name = name or block.name or (call.type if block.server else None) or ""
    return block


def _replace(parts: list[str], whole: str) -> bool:
    """True if there was nothing before, so that it is new content."""
    new = bool(whole) and not parts
    if whole:
        parts[:] = [whole]
    return new


def _answer(body: bytes) -> Draft:
    draft = Draft()
    found = _OBJECT.read(body)
    if found:
        draft.note(found.unknown)
        _take_object(draft, found.value)
        draft.ended = False
    return draft


def _speaks(fields: IdentifyingFields) -> bool:
    return isinstance(fields.kind, str) and fields.kind.startswith("thread")


OPENAI_ASSISTANTS = Provider(
    name="openai_assistants",
    label="openai",
    hosts=(("openai.azure.com", "azure.ai.openai"), ("openai.com", "openai")),
    path=re.compile(r"/threads(?:/(?P<conversation>[^/]+))?/runs(?:/[^/]+/submit_tool_outputs)?/?$"),
    speaks=_speaks,
    asks=request,
    answers=_answer,
    take=_take,
    operation="invoke_agent",
    poll=re.compile(r"/threads/[^/]+/runs/(?P<id>[^/]+)$"),
)
