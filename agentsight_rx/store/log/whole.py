"""Row of a call -> the call with all of its texts, from the messages in the log, or the entries of an agent's own file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from ...events import SessionEntry
from ...llm.canonical import Answer, Asked, LlmCall, Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from ..rows.ids import said_id
from ..rows.kinds import SAID, CallRow
from ..rows.tables import EXCHANGES
from ..state import Store
from .parts import LogReader
from .reading import read_events, read_exchange


class WholeCalls:
    """The calls of rows with all of their content. What an agent's own file says of a session is read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._said: tuple[tuple[str, str | None], list[SaidTurn]] = (("", None), [])

    def of(self, row: CallRow, /) -> LlmCall | None:
        """None where the log has no message of it."""
        if row.view_source != SAID:
            return read_exchange(self._store, row.id).call(row.call_kind)
        session, agent = row.session_id or "", row.agent_id
        if self._said[0] != (session, agent):
            self._said = (session, agent), said_turns(read_entries(self._store, session), agent)
        return said_call(row, self._said[1])


def whole_call(store: Store, row: CallRow, /) -> LlmCall | None:
    """One call with all of its content; None where the log has no message of it."""
    return WholeCalls(store).of(row)


def read_entries(store: Store, session: str, /) -> Iterator[SessionEntry]:
    """What the agent's own file says of a session, in the order of reading."""
    name = said_id(session, "")
    if not store.indexed:
        yield from (each for each in read_events(store) if isinstance(each, SessionEntry) and each.session == session)
        return
    places = [(position, None) for _, position in store.scan(EXCHANGES, prefix=name)]
    for _, entry in LogReader(store).each(places):
        if isinstance(entry, SessionEntry):
            yield entry


# -- the word of the agent -----------------------------------------------------------------------------------------------


class SaidTurn(Struct):
    """
    One call: its id, what came before it since the call before, and its answer. `compacted`: before that the agent had made
    the conversation smaller, so nothing of earlier calls is sent again.
    """

    call: str
    news: tuple[Message, ...] = ()
    answer: tuple[Part, ...] = ()
    compacted: bool = False

    def sent_again(self) -> tuple[Message, ...]:
        """What a request behind it has of it."""
        return (*self.news, Message("assistant", self.answer)) if self.answer else self.news


def said_call(row: CallRow, turns: Iterable[SaidTurn], /) -> LlmCall | None:
    """The call of a row with all that the file has of it, whose agent's `turns` these are; None where none is of it."""
    before: list[Message] = []
    for turn in turns:
        if turn.compacted:
            before.clear()
        if turn.call == row.id:
            return _call(row, (*before, *turn.news), turn.answer)
        before += turn.sent_again()
    return None


def _call(row: CallRow, messages: tuple[Message, ...], answer: tuple[Part, ...]) -> LlmCall:
    return LlmCall(
        "",
        row.provider or "",
        row.operation,
        Asked(row.model or "", messages=messages),
        Answer(row.response_id or "", row.response_model or "", answer, usage=row.usage),
        start_ns=row.start_ns,
        end_ns=row.end_ns,
    )


def said_turns(entries: Iterable[SessionEntry], thread: str | None, /) -> list[SaidTurn]:
    """The calls of the main agent of a session, or of a sub-agent, in the order of its file."""
    turns: dict[str, SaidTurn] = {}
    news: list[Message] = []
    compacted = False
    for entry in _once(each for each in entries if each.thread == (thread or "")):
        match entry.kind:
            case "prompt":
                news.append(Message("user", (TextPart(entry.text),)))
            case "result":
                news.append(Message("tool", (ToolResultPart(entry.id, entry.text, entry.is_error),)))
            case "note" if entry.text == "compacted":
                news, compacted = [], True
            case "answer":
                id = said_id(entry.session, entry.id)
                known = turns.get(id)
                if known is None:
                    known = turns[id] = SaidTurn(id, tuple(news), compacted=compacted)
                    news, compacted = [], False
                elif known is not next(reversed(turns.values())):
                    news, compacted = [], False  # the file is read anew
                known.answer = tuple(_answer(entry, known.answer))
            case _:
                pass
    return list(turns.values())


def _once(entries: Iterable[SessionEntry]) -> Iterator[SessionEntry]:
    """What stood in the file when it was read before, as where it was written anew, is not said again."""
    seen = set[tuple[str, str, int, str]]()
    for entry in entries:
        key = (entry.kind, entry.id, entry.origin.wall_ns, entry.text)
        if key not in seen or entry.kind == "answer" or not entry.origin.wall_ns:
            seen.add(key)
            yield entry


def _answer(entry: SessionEntry, before: tuple[Part, ...]) -> Iterator[Part]:
    """A later one of the same id has its texts anew, and further tools."""
    if entry.thinking:
        yield ReasoningPart(entry.thinking)
    if entry.text:
        yield TextPart(entry.text)
    asked = [part for part in before if isinstance(part, ToolCallPart)]
    yield from asked
    known = {part.id for part in asked if part.id}
    yield from (ToolCallPart(tool.id, tool.name, tool.input) for tool in entry.tools if tool.id not in known)
