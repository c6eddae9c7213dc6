"""report call --against FILE: a recorded answer and one in a file, such as a program of --curl prints -> what differs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from ....core.errors import StoreError, UsageError
from ....core.files import why
from ....events import BodyPart, HttpResponse, Origin, SseMessage
from ....llm import call_of
from ....llm.canonical import Answer
from ....llm.reader import BODY
from ....operators.sessions.event_stream import About, EventStream
from ....operators.sessions.stream_kinds import kind_by_head, kind_of_body
from ....store.log.reading import Exchange
from ....store.rows.tool_words import asked_for
from ....store.words import count
from ....view import CallRow
from ....view.queries.calls.diff import AnswerDiff, TokenChange, ToolChange, diff_answers
from ..call_words import call_name
from ..shown.ask import Ask
from ..shown.screen import Column, Columns, Line, Span, table
from ..shown.words import changed_lines

_LARGEST = 64 << 20  # bytes of an answer
_HERE = Origin(1, 0, comm="file")
_NUMBERS: Columns[TokenChange] = (
    Column("", lambda each: each.name.replace("_", " ")),
    Column("recorded", lambda each: _number(each.first), right=True),
    Column("now", lambda each: _number(each.second), right=True),
    Column("", lambda each: _more(each.first, each.second)),
)


def show_against(ask: Ask, row: CallRow, recorded: Exchange, file: Path) -> None:
    """Raises UsageError for a file that is no answer, and StoreError where the recorded one is not there."""
    whole = recorded.call(row.call_kind) if recorded.answer else None
    if whole is None:
        raise StoreError(f"the answer of {row.id} is not in the store: only its row is")
    found = diff_answers(whole.answer, _answer_in(file, row, recorded))
    if ask.as_json:
        ask.write([found])
    else:
        ask.write_lines(chain([f"{call_name(row)} · recorded → {file}"], _lines(found, ask)))


def _answer_in(file: Path, row: CallRow, recorded: Exchange) -> Answer:
    """The answer that a file has as it came over HTTP: JSON, an event stream, lines of JSON or frames."""
    try:
        with file.open("rb") as opened:
            data = opened.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"--against {file}: it cannot be read: {why(error, file)}") from error
    if len(data) > _LARGEST:
        raise UsageError(f"--against {file}: it has more than {_LARGEST:,} bytes; an answer of a model has less")
    read = call_of(recorded.request, _message(data, row, recorded), dialect=row.call_kind)
    answer = read.answer if read else Answer(unknown=(BODY,))
    if BODY in answer.unknown or not data.strip():
        raise UsageError(
            f"--against {file}: this is no answer of {row.call_kind or 'a known API'}. Give the body as the server sent it, "
            "without the head, as `--curl` prints it"
        )
    return answer


def _message(data: bytes, row: CallRow, recorded: Exchange) -> HttpResponse | SseMessage:
    headers = recorded.response.headers if recorded.response else ()
    kind = kind_of_body(data) or kind_by_head(headers, row.path or "")
    if not kind or (data.lstrip()[:1] == b"{" and not kind_of_body(data)):
        return HttpResponse(_HERE, 1, 200, phrase="", version="HTTP/1.1", headers=(), body=data)
    stream = EventStream(About(_HERE, 1, status=200, method="POST", target=row.path, host=row.host, kind=kind))
    stream.take(BodyPart(_HERE, 1, data, size=len(data)))
    made = stream.end(BodyPart(_HERE, 1, b"", last=True))
    return next(each for each in made if isinstance(each, SseMessage))


def _lines(found: AnswerDiff, ask: Ask) -> Iterator[Line]:
    pairs = [("model", *found.model), ("ended by", *found.ended), ("error", *(each or "" for each in found.error))]
    for name, first, second in pairs:
        if first or second:
            yield f" {name:<10}  {first or '–'}" + (f" → {second or '–'}" if first != second else "")
    numbers = [each for each in found.tokens if each.first or each.second]
    if numbers:
        yield ""
        yield from table(_NUMBERS, numbers, ask.screen)
    if found.tools:
        yield from ("", Span("tools", "title"))
        yield from chain.from_iterable(map(_tool, found.tools))
    yield from ("", Span("text", "title"))
    yield from changed_lines(found.text) if found.text else [Span("   neither says any", "quiet")]
    if found.equal:
        yield "they say the same"


def _number(tokens: int | None) -> str:
    return "unknown" if tokens is None else count(tokens)


def _more(first: int | None, second: int | None) -> str:
    if first is None or second is None or first == second:
        return ""
    return f"{second - first:+,}"


def _tool(change: ToolChange) -> Iterator[Line]:
    if change.change in ("same", "changed", "gone"):
        sign = {"same": " ", "changed": "~", "gone": "-"}[change.change]
        yield f" {sign} {change.name}  {asked_for(change.first or '')}"
    if change.change in ("changed", "new"):
        yield f" {'+' if change.change == 'new' else '→'} {change.name}  {asked_for(change.second or '')}"
