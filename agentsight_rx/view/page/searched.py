"""A store -> the texts that a search looks through: prompts, answers, commands, results, programs, files and hosts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from ...llm.canonical import LlmCall, TextPart
from ...store.log.whole import WholeCalls
from ...store.rows.kinds import CallRow, ToolRow
from ...store.rows.tables import AUDIT, CALLS, HTTP, PREVIEW, PROCESSES, TOOLS
from ...store.rows.tool_words import asked_for
from ...store.state import Store, by_index, pages
from ..queries.calls.lookup import call_row, turn_of_call
from .words import program_of

KINDS = ("host", "file", "program", "answer", "result", "command", "prompt")

_ROWS_MOST = 1_000_000  # of each kind in one store: a year of imported sessions may have 300,000 calls
_TEXT_MOST = 16_000  # characters of one entry: of a longer text the begin and the end, where errors stand
_EXCHANGES_MOST = 2000  # requests that are read for the texts of which rows have the begin
_PLAIN = str.maketrans({"\x00": " ", "\x02": " ", "\x03": " "})


class Entry(Struct, frozen=True):
    """
    One text. No other text of its kind has its `key`. The page selects `row`. Where `call` is given, only the begin of the text
    is here: the messages of this call have all of it.
    """

    kind: str
    key: str
    session: str
    turn: int
    at_ms: int
    row: str
    text: str
    call: str = ""

    @property
    def is_cut(self) -> bool:
        return bool(self.call)


def entries_of(store: Store, *, since_ms: int = 0) -> Iterator[Entry]:
    """The texts of all rows from that time on."""
    turns: dict[str, int] = {}
    for _, call in islice(pages(store, CALLS, start=since_ms), _ROWS_MOST):
        if call.twin is None:
            turns[call.id] = call.turn
            yield from _said(call)
    for _, tool in islice(by_index(store, TOOLS, "time", start=since_ms), _ROWS_MOST):
        turn = turns.get(tool.llm_call_id)
        yield from _tool(tool, turn_of_call(store, tool.llm_call_id) if turn is None else turn)
    for _, row in islice(by_index(store, PROCESSES, "time", start=since_ms), _ROWS_MOST):
        if row.command:
            at_ms = row.start_timestamp_ms or 0
            yield Entry("program", row.id, row.session_id or "-", 0, at_ms, row=row.id, text=_shown(program_of(row)))
    yield from _targets(store, since_ms)


def _said(call: CallRow) -> Iterator[Entry]:
    for kind, text in (("prompt", call.prompt), ("answer", call.text)):
        if text:
            more = call.id if len(text) >= PREVIEW else ""
            yield Entry(
                kind,
                call.id,
                call.session_id or "-",
                call.turn,
                call.start_timestamp_ms,
                row=call.id,
                text=_shown(text),
                call=more,
            )


def _tool(tool: ToolRow, turn: int) -> Iterator[Entry]:
    asked = f"{tool.tool_name} {asked_for(tool.input)}"
    session = tool.session_id or "-"
    yield Entry("command", tool.id, session, turn, tool.timestamp_ms, row=tool.id, text=_shown(asked))
    if tool.output:
        more = tool.result_call_id or "" if len(tool.output) >= PREVIEW else ""
        at_ms = tool.end_timestamp_ms or tool.timestamp_ms
        yield Entry("result", tool.id, session, turn, at_ms, row=tool.id, text=_shown(tool.output), call=more)


def _targets(store: Store, since_ms: int) -> Iterator[Entry]:
    """Each path and each host once, where it was used last."""
    seen: set[str] = set()
    newest = by_index(store, AUDIT, "type", prefix="file", start=("file", since_ms), reverse=True)
    for _, row in islice(newest, _ROWS_MOST):
        if row.target and row.target not in seen:
            seen.add(row.target)
            path = row.target
            yield Entry("file", path, row.session_id or "-", 0, row.timestamp_ms, row=path, text=_shown(path))
    hosts: set[str] = set()
    for _, each in islice(pages(store, HTTP, start=since_ms), _ROWS_MOST):
        if each.host and each.host not in hosts:
            hosts.add(each.host)
            yield Entry("host", each.host, each.session_id or "-", 0, each.timestamp_ms, row=each.id, text=_shown(each.host))


def _shown(text: str) -> str:
    """On one line, so that words that a line break divides are found side by side."""
    text = text.translate(_PLAIN)
    if len(text) > 2 * _TEXT_MOST:
        text = f"{text[:_TEXT_MOST]} … {text[-_TEXT_MOST:]}"
    text = " ".join(text.split())
    half = _TEXT_MOST // 2
    return text if len(text) <= _TEXT_MOST else f"{text[:half]} … {text[-half:]}"


def whole_texts(store: Store, cut: Iterable[Entry]) -> Iterator[Entry]:
    """
    Entries whose text is cut -> the same with all of it, where the messages of a call have it. A request carries the whole
    conversation, so the newest one is read first, and it has most of the others.
    """
    open_ = {(entry.kind, entry.key): entry for entry in sorted(cut, key=lambda entry: entry.at_ms)}
    if not store.indexed:  # each exchange would be searched for in all of the log
        return
    calls = WholeCalls(store)
    for _ in range(_EXCHANGES_MOST):
        if not open_:
            return
        key, newest = next(reversed(open_.items()))
        row = call_row(store, newest.call)
        whole = calls.of(row) if row is not None else None
        texts = {_shown(text[:PREVIEW]): text for text in _texts(whole)} if whole is not None else {}
        for each in [at for at, entry in open_.items() if entry.text in texts]:
            entry = open_.pop(each)
            yield replace(entry, text=_shown(texts[entry.text]), call="")
        open_.pop(key, None)


def _texts(call: LlmCall) -> Iterator[str]:
    for message in call.asked.messages:
        for part in message.parts:
            if isinstance(part, TextPart) and len(part.text) > PREVIEW:
                yield part.text
        for result in message.results():
            if len(result.output) > PREVIEW:
                yield result.output
    yield "".join(part.text for part in call.answer.parts if isinstance(part, TextPart))
