"""
Lines of ~/.claude/projects/**/*.jsonl -> Transcript.

A line is a message with its `sessionId`, `cwd` and `timestamp`. An answer of the model is in as many lines as it has blocks,
each with all of its usage, so a call is counted once by its `requestId`, else by the id of the message, else of the line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...events import Usage
from ...policy.redaction.redactor import Redactor
from .draft import Draft, count, mapping, moment, objects, shown, spoken, text
from .transcript import Transcript, TranscriptCall, TranscriptTool

_NO_MODEL = "<synthetic>"  # of a message that Claude Code made itself, such as an error


def claude(chunks: Iterable[bytes], /, *, name: str, redactor: Redactor) -> Transcript:
    """`chunks`: the bytes of the file, cut anywhere. `name`: of the file without its suffix."""
    draft = Draft("claude", name, redactor)
    for line in draft.lines(chunks):
        _take(draft, line)
    return draft.done()


def _take(draft: Draft, line: Mapping[str, object]) -> None:
    time_ms = moment(line.get("timestamp"))
    draft.seen(time_ms)
    draft.session_id = text(line.get("sessionId")) or text(line.get("session_id")) or draft.session_id
    draft.cwd = draft.cwd or text(line.get("cwd"))
    kind = text(line.get("type"))
    if kind == "assistant":
        _assistant(draft, line, time_ms)
    elif kind == "user":
        _user(draft, line, time_ms)
    elif kind == "result":
        _result(draft, line)
    elif kind == "queue-operation" and line.get("operation", "enqueue") == "enqueue":
        draft.prompted(spoken(line.get("content")))
    elif kind == "last-prompt":
        draft.prompted(text(line.get("lastPrompt")))
    elif kind in _TITLES:
        draft.title = text(line.get(_TITLES[kind])) or draft.title


_TITLES = {"summary": "summary", "ai-title": "aiTitle", "custom-title": "customTitle"}


def _assistant(draft: Draft, line: Mapping[str, object], time_ms: int) -> None:
    message = mapping(line.get("message"))
    model = text(message.get("model"))
    if model != _NO_MODEL:
        identity, request = text(message.get("id")), text(line.get("requestId"))
        usage = _usage(mapping(message.get("usage")))
        key = request or identity or text(line.get("uuid"))
        if key and (usage.total or model):
            draft.call(key, TranscriptCall(id=identity, request_id=request, model=model, usage=usage, time_ms=time_ms))
    for block in objects(message.get("content")):
        if block.get("type") == "tool_use":
            given = block.get("input")
            draft.tool(
                TranscriptTool(id=text(block.get("id")), name=text(block.get("name")), input=shown(given), time_ms=time_ms)
            )
            draft.file(text(mapping(given).get("file_path")) or text(mapping(given).get("notebook_path")))


def _usage(usage: Mapping[str, object]) -> Usage:
    """Anthropic's `input_tokens` has no cached tokens, and its `output_tokens` has the tokens of thinking."""
    return Usage(
        count(usage.get("input_tokens")),
        count(usage.get("output_tokens")),
        cache_creation=count(usage.get("cache_creation_input_tokens")),
        cache_read=count(usage.get("cache_read_input_tokens")),
    )


def _user(draft: Draft, line: Mapping[str, object], time_ms: int) -> None:
    content = mapping(line.get("message")).get("content")
    results = [block for block in objects(content) if block.get("type") == "tool_result"]
    for block in results:
        output = block.get("content")
        draft.result(
            text(block.get("tool_use_id")),
            spoken(output) or shown(output),
            is_error=block.get("is_error") is True,
            time_ms=time_ms,
        )
    if not results and line.get("isMeta") is not True and line.get("isSidechain") is not True:
        draft.prompted(spoken(content))


def _result(draft: Draft, line: Mapping[str, object]) -> None:
    """The end of a run with --print: its own sums, which have calls that are in no other line."""
    for model, said in mapping(line.get("modelUsage")).items():
        usage = mapping(said)
        draft.total(
            model,
            Usage(
                count(usage.get("inputTokens")),
                count(usage.get("outputTokens")),
                cache_creation=count(usage.get("cacheCreationInputTokens")),
                cache_read=count(usage.get("cacheReadInputTokens")),
            ),
        )
        draft.model(model)
