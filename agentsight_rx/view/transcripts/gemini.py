"""
~/.gemini/tmp/**/chats/*.json and *.jsonl -> Transcript.

A .json file is one object with `messages`. A .jsonl file has one record a line: the facts about the session, messages, of which
a later one with the same id replaces the earlier one, `$set` with new values, and `$rewindTo` with the id of the message to
which the user went back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...core.bounded import Recent
from ...events import Usage
from ...policy.redaction.redactor import Redactor
from .draft import Draft, count, mapping, moment, objects, shown, spoken, text
from .transcript import Transcript, TranscriptCall, TranscriptTool

_MESSAGES_MOST = 20_000


def gemini_json(chunks: Iterable[bytes], /, *, name: str, redactor: Redactor) -> Transcript:
    """`chunks`: the bytes of a .json file, cut anywhere. `name`: of the file without its suffix."""
    draft = Draft("gemini", name, redactor)
    session = draft.whole(chunks)
    _session(draft, session)
    for number, message in enumerate(objects(session.get("messages"))):
        _message(draft, message, number)
    return draft.done()


def gemini_lines(chunks: Iterable[bytes], /, *, name: str, redactor: Redactor) -> Transcript:
    """`chunks`: the bytes of a .jsonl file, cut anywhere. `name`: of the file without its suffix."""
    draft = Draft("gemini", name, redactor)
    messages: Recent[str, Mapping[str, object]] = Recent(_MESSAGES_MOST)
    number = 0
    for line in draft.lines(chunks):
        if "$set" in line:
            changed = mapping(line.get("$set"))
            _session(draft, changed)
            for message in objects(changed.get("messages")):
                number += 1
                messages[text(message.get("id")) or f"#{number}"] = message
        elif "$rewindTo" not in line and "type" in line:  # tokens of messages that were taken back were spent all the same
            number += 1
            key = text(line.get("id")) or f"#{number}"
            if key in messages or len(messages) < _MESSAGES_MOST:
                messages[key] = line
            else:
                draft.drop()
        else:
            _session(draft, line)
    for place, message in enumerate(messages.values()):
        _message(draft, message, place)
    return draft.done()


def _session(draft: Draft, session: Mapping[str, object]) -> None:
    draft.session_id = text(session.get("sessionId")) or draft.session_id
    draft.project = text(session.get("projectHash")) or draft.project
    draft.title = text(session.get("summary")) or draft.title
    draft.seen(moment(session.get("startTime")))
    draft.seen(moment(session.get("lastUpdated")))


def _message(draft: Draft, message: Mapping[str, object], number: int) -> None:
    time_ms = moment(message.get("timestamp"))
    draft.seen(time_ms)
    if message.get("type") == "user":
        draft.prompted(spoken(message.get("content")))
    if message.get("type") != "gemini":
        return
    usage, model = _usage(mapping(message.get("tokens"))), text(message.get("model"))
    if usage.total or model:
        key = text(message.get("id")) or f"#{number}"
        draft.call(key, TranscriptCall(model=model, usage=usage, time_ms=time_ms))
    for tool in objects(message.get("toolCalls")):
        _tool(draft, tool, time_ms)


def _usage(tokens: Mapping[str, object]) -> Usage:
    """Gemini's `input` has the cached tokens but not the tokens of its own tools, and its `output` has no thoughts."""
    cached, thoughts = count(tokens.get("cached")), count(tokens.get("thoughts"))
    return Usage(
        max(0, count(tokens.get("input")) + count(tokens.get("tool")) - cached),
        count(tokens.get("output")) + thoughts,
        cache_read=cached,
        reasoning=thoughts,
    )


def _tool(draft: Draft, tool: Mapping[str, object], time_ms: int) -> None:
    """
    The time of a tool is the time of its end; the time of its message is the time of its begin. An id of the API stands behind
    the name of the tool: `read_file__call_1`.
    """
    name = text(tool.get("name"))
    identity = text(tool.get("id")).removeprefix(f"{name}__")
    given = tool.get("args")
    draft.tool(TranscriptTool(id=identity, name=name, input=shown(given), time_ms=time_ms))
    draft.file(text(mapping(given).get("file_path")) or text(mapping(given).get("absolute_path")))
    status = text(tool.get("status"))
    if identity and status in ("success", "error", "cancelled"):
        draft.result(identity, _output(tool), is_error=status != "success", time_ms=moment(tool.get("timestamp")) or time_ms)


def _output(tool: Mapping[str, object]) -> str:
    results = tool.get("result")
    answers = (mapping(part, "functionResponse", "response") for part in objects(results))
    said = "\n".join(shown(answer.get("output") or answer.get("error") or dict(answer)) for answer in answers if answer)
    return said or spoken(results) or text(tool.get("resultDisplay"))
