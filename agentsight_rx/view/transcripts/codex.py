"""
Lines of ~/.codex/sessions/**/rollout-*.jsonl -> Transcript.

A line is `{"timestamp", "type", "payload"}`. Tokens are in `token_count` events: `total_token_usage` is the sum of the session
so far, `last_token_usage` what the last call added. The event comes again without a call in between, so an event whose sum has
not changed is not a call. Older files have the payload as the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from ...events import Usage
from ...llm.resent import decoded
from ...policy.redaction.redactor import Redactor
from .draft import Draft, count, mapping, moment, objects, shown, spoken, text
from .transcript import Transcript, TranscriptCall, TranscriptTool


def codex(chunks: Iterable[bytes], /, *, name: str, redactor: Redactor) -> Transcript:
    """`chunks`: the bytes of the file, cut anywhere. `name`: of the file without its suffix."""
    reading = _Reading(Draft("codex", name, redactor))
    for line in reading.draft.lines(chunks):
        reading.take(line)
    return reading.draft.done()


class _Reading:
    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self._model = ""
        self._before = Usage()  # the sum of the session so far
        self._number = 0

    def take(self, line: Mapping[str, object]) -> None:
        time_ms = moment(line.get("timestamp"))
        self.draft.seen(time_ms)
        payload = mapping(line.get("payload"))
        kind = line.get("type")
        if kind == "session_meta" or (kind is None and "id" in line):
            self._session(payload or line)
        elif kind == "turn_context":
            self._model = text(payload.get("model")) or self._model
            self.draft.model(self._model)
            self.draft.cwd = self.draft.cwd or text(payload.get("cwd"))
        elif kind == "event_msg":
            self._event(payload, time_ms)
        else:
            self._item(payload or line, time_ms)

    def _session(self, meta: Mapping[str, object]) -> None:
        """The first one: a session that continues another one has that one's too."""
        self.draft.session_id = self.draft.session_id or text(meta.get("id")) or text(meta.get("session_id"))
        self.draft.cwd = self.draft.cwd or text(meta.get("cwd"))
        self.draft.seen(moment(meta.get("timestamp")))

    def _event(self, event: Mapping[str, object], time_ms: int) -> None:
        kind = event.get("type")
        if kind == "token_count":
            self._tokens(mapping(event.get("info")), time_ms)
        elif kind == "user_message":
            self.draft.prompted(text(event.get("message")))
        elif kind == "thread_name_updated":
            self.draft.title = text(event.get("thread_name")) or self.draft.title

    def _tokens(self, spent: Mapping[str, object], time_ms: int) -> None:
        total, last = _usage(mapping(spent.get("total_token_usage"))), _usage(mapping(spent.get("last_token_usage")))
        if not total.total or total == self._before:
            return
        # A sum that is smaller than the one before began anew
        added = total.without(self._before) if total.total > self._before.total else total
        self._before = total
        self.draft.total(self._model, added)
        self._number += 1
        usage = last if last.total else added
        self.draft.call(f"call-{self._number}", TranscriptCall(model=self._model, usage=usage, time_ms=time_ms))

    def _item(self, item: Mapping[str, object], time_ms: int) -> None:
        kind = text(item.get("type"))
        call_id = text(item.get("call_id")) or text(item.get("id"))
        if kind in _CALLS:
            given = shown(item.get(_CALLS[kind]))
            name = text(item.get("name")) or kind.removesuffix("_call")
            self.draft.tool(TranscriptTool(id=call_id, name=name, input=given, time_ms=time_ms))
        elif kind in _RESULTS:
            output, is_error = _output(item.get("output"))
            self.draft.result(call_id, output, is_error=is_error, time_ms=time_ms)
        elif kind == "message" and item.get("role") == "user":
            for part in objects(item.get("content")):
                self.draft.prompted(text(part.get("text")))


# Kind of item -> the field of its input
_CALLS = {"function_call": "arguments", "custom_tool_call": "input", "local_shell_call": "action", "web_search_call": "action"}
_RESULTS = frozenset({"function_call_output", "custom_tool_call_output", "local_shell_call_output"})


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
