"""A session -> every answer that the page asks for without a server, by path: what a file with all in it embeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from ...store.words import plural
from .alert_shapes import ToolCard, TurnCard
from .alerts import alert_of, alerts_of
from .bodies import Said, body_of_call, body_of_tool, diff_of
from .context.context import pairs_of
from .context.contexts import contexts_of, request_of
from .event_log import lines_of, short_events_of
from .funnel import health_of
from .head import Head, Strip, head_of
from .lanes import lanes_of
from .picture import WHOLE, Picture
from .rail import rail_of, row_of
from .tables import KINDS, Table, story_of, table_of
from .threads import failures_in, latency_in
from .turns import turns_of
from .words import FileLine

BYTES_MOST = 24 << 20  # of JSON: a browser reads it in about a second
_TURNS_MOST = 1000
_TURNS_AT_ONCE = 50
_ROWS_MOST = 2000  # of each tab
_EVENTS_MOST = 5000
_ALERTS_MOST = 500
_ALERTS_WHOLE_MOST = 50
_CONTEXTS_MOST = 40  # requests whose segments are in the file
_STORIES_MOST = 300  # files whose changes are in the file
_EVENT_MOST = 16 << 10  # bytes of one event whole
_CLOSE, _WIDE = 8000, 1600  # pixels of a timeline to zoom into, and of the whole


class Embedded(Struct, frozen=True):
    """
    `answers` by path, with `?` and the sorted parameters where they matter. Messages of several calls are in `said` once: a
    number stands for one in them. `left_out` says what the file does not have.
    """

    answers: dict[str, Raw]
    said: list[Raw]
    left_out: tuple[str, ...]


def embedded(picture: Picture, recording: str, session: str, /, *, most: int = BYTES_MOST) -> Embedded:
    """
    The session in at most about `most` bytes of JSON: what the tabs show first, then texts whole, in the order of the turns.
    Raises KeyError for a session that is not in the recording.
    """
    file = _File(picture, recording, session, most)
    file.put_lists()
    file.put_bodies()
    return file.made()


class _Room:
    """What fits: values as JSON, and how many bytes are left."""

    def __init__(self, most: int) -> None:
        self.left = most
        self.answers: dict[str, Raw] = {}
        self.said: list[Raw] = []
        self._known: dict[bytes, int] = {}

    def put(self, path: str, value: object) -> bool:
        raw = msgspec.json.encode(value)
        if len(raw) + len(path) > self.left:
            return False
        self.left -= len(raw) + len(path)
        self.answers[path] = Raw(raw)
        return True

    def put_with(self, path: str, value: object, messages: Sequence[Said], into: str) -> bool:
        """`value` with the numbers of these messages as its member `into`; a message that is there already costs its number."""
        texts = [msgspec.json.encode(each) for each in messages]
        fresh = list(dict.fromkeys(text for text in texts if text not in self._known))
        whole: dict[str, Any] = msgspec.to_builtins(value)
        numbers = dict(zip(fresh, range(len(self.said), len(self.said) + len(fresh)), strict=True))
        whole[into] = [self._known.get(text, numbers.get(text)) for text in texts]
        taken = sum(map(len, fresh))
        if taken > self.left:
            return False
        self.left -= taken
        if not self.put(path, whole):
            self.left += taken
            return False
        self._known |= numbers
        self.said += map(Raw, fresh)
        return True


class _File:
    def __init__(self, picture: Picture, recording: str, session: str, most: int) -> None:
        self._picture = picture
        self._recording = recording
        self._session = session
        self._room = _Room(most)
        self._base = f"r/{_quoted(recording)}"
        self._here = f"{self._base}/session/{_quoted(session)}"
        self._head = head_of(picture, session, recording=recording)
        self._left_out: list[str] = []
        self._cards: list[TurnCard] = []
        self._events: list[str] = []  # places in the log

    def made(self) -> Embedded:
        return Embedded(self._room.answers, self._room.said, tuple(self._left_out))

    def put_lists(self) -> None:
        picture, session = self._picture, self._session
        turns = self._turns()
        known = None if session == WHOLE else picture.session(session)
        rows = list(rail_of(picture, self._recording)) if known is None else [row_of(picture, known, self._recording)]
        self._put("sessions", {"sessions": rows[:1], "next": "", "recordings": 1, "unreadable": []}, "the list of sessions")
        self._put(self._here, _shorter(self._head, len(turns)), "the head")
        self._put(f"{self._here}/turns", {"start": 0, "total": len(turns), "cards": turns}, "the turns")
        self._put(f"{self._base}/health", health_of(picture), "the losses")
        for kind in KINDS:
            self._table(kind)
        self._put(f"{self._here}/timeline?width={_WIDE}", lanes_of(picture, session, width=_WIDE), "the timeline")
        self._put(f"{self._here}/timeline", lanes_of(picture, session, width=_CLOSE), "the timeline to zoom into")
        self._put(f"{self._here}/latency", latency_in(picture, session), "the latency")
        self._put(f"{self._here}/failures", failures_in(picture, session), "the failures")
        self._alerts()
        self._contexts()
        self._lines()

    def _alerts(self) -> None:
        """The list, and the first of them whole."""
        found = alerts_of(self._picture, self._session, start=0, count=_ALERTS_MOST)
        if not found.total:
            return
        self._put(f"{self._here}/alerts", found, "the alerts")
        for line in found.rows[:_ALERTS_WHOLE_MOST]:
            whole = alert_of(self._picture, self._session, f"a{line.n}", recording=self._recording)
            self._put(f"{self._here}/alerts/a{line.n}", whole, f"alert a{line.n}")
        if found.total > _ALERTS_WHOLE_MOST:
            self._left_out.append("the evidence of most alerts")

    def _contexts(self) -> None:
        """The main agent's context, with the requests that say most: where a cache was lost, the fullest, the newest."""
        if not any(agent.agent_id is None for agent in self._picture.contexts(self._session)):
            return
        found = contexts_of(self._picture, self._session)
        self._put(f"{self._here}/context", found, "the context")
        flags = zip(found.n, [value for value, times in pairs_of(found.flags) for _ in range(times)], strict=True)
        is_short = len(found.n) <= _CONTEXTS_MOST
        notable = [turn for turn, flag in flags if flag or is_short][:_CONTEXTS_MOST]
        for turn in sorted({*notable, found.fullest, found.n[-1]}):
            request = request_of(self._picture, self._session, turn)
            self._put(f"{self._here}/context/{turn}", request, f"the context of turn {turn}")
        if not is_short:
            self._left_out.append("the contexts of most turns")

    def _put(self, path: str, value: object, name: str) -> None:
        if not self._room.put(path, value):
            self._left_out.append(name)

    def _turns(self) -> list[Raw]:
        """The cards of the first turns, in at most half of the room."""
        found: list[Raw] = []
        room = self._room.left // 2
        for card in self._first_cards():
            raw = msgspec.json.encode(card)
            room -= len(raw)
            if room < 0:
                break
            found.append(Raw(raw))
            self._cards.append(card)
        if len(found) < self._head.turns:
            self._left_out.append(f"turns after the first {len(found):,} of {self._head.turns:,}")
        return found

    def _first_cards(self) -> Iterator[TurnCard]:
        for start in range(0, min(self._head.turns, _TURNS_MOST), _TURNS_AT_ONCE):
            yield from turns_of(self._picture, self._session, start=start, count=_TURNS_AT_ONCE).cards

    def _table(self, kind: str) -> None:
        whole = table_of(self._picture, self._session, kind, start=0, count=_ROWS_MOST)
        most = len(whole.rows)
        for count in (most, most // 4, 0):
            if self._room.put(f"{self._here}/{kind}", _first_rows(whole, count)):
                if count < whole.total:
                    self._left_out.append(f"{whole.total - count:,} of {whole.total:,} rows of {kind}")
                return
        self._left_out.append(f"all rows of {kind}")

    def _lines(self) -> None:
        """Of the processes of this session only."""
        found = lines_of(self._picture, self._session, count=_EVENTS_MOST)
        lines, after = list(found.lines), found.next
        while after and len(lines) < _EVENTS_MOST:
            more = lines_of(self._picture, self._session, start=after, count=_EVENTS_MOST - len(lines))
            lines += more.lines
            after = more.next
        for count in (len(lines), len(lines) // 4):
            shown = {"total": count, "lines": lines[:count], "sources": found.sources}
            if self._room.put(f"{self._here}/events", shown):
                self._events = [line.at for line in lines[:count]]
                if after or count < len(lines):
                    self._left_out.append(f"events after the first {count:,}")
                return
        self._left_out.append("the log")

    def put_bodies(self) -> None:
        """Turn by turn. What does not fit is left out, so that a later, shorter text is in the file."""
        calls = tools = diffs = 0
        before = ""
        for turn in self._cards:
            for card in _with_below(turn):
                calls += not self._call(card.call)
                tools += sum(not self._tool(tool) for tool in card.tools)
            diffs += bool(before) and not self._diff(before, turn.call)
            before = turn.call
        short = short_events_of(self._picture, self._events, most=_EVENT_MOST)
        events = len(self._events) - sum(self._event(at, event) for at, event in short)
        counted = (
            (calls, "whole call", None),
            (tools, "text of a tool", "texts of tools"),
            (diffs, "diff", None),
            (self._stories(), "change of a file", "changes of files"),
            (events, "long event", None),
        )
        self._left_out += [plural(count, one, many) for count, one, many in counted if count]

    def _stories(self) -> int:
        """What tools changed in files; how many do not fit."""
        rows = table_of(self._picture, self._session, "files", start=0, count=_ROWS_MOST, of="changed").rows
        paths = [row.path for row in rows if isinstance(row, FileLine) and row.edits]
        stories = [(path, story_of(self._picture, self._session, path)) for path in paths[:_STORIES_MOST]]
        left_out = sum(not self._room.put(f"{self._here}/file?path={path}", story) for path, story in stories)
        return left_out + max(0, len(paths) - _STORIES_MOST)

    def _call(self, id: str) -> bool:
        whole = body_of_call(self._picture, id, part="whole")
        return self._room.put_with(f"{self._base}/call/{_quoted(id)}", replace(whole, messages=()), whole.messages, "messages")

    def _tool(self, tool: ToolCard) -> bool:
        """Its input, and its result where the card has only the begin: of longer ones than one answer has, the begin."""
        parts = {"?part=input": "input"}
        if tool.result is not None and tool.result.more:
            parts["?offset=0&part=result"] = "result"
        fits = True
        for path, part in parts.items():
            body = body_of_tool(self._picture, tool.id, part=part, offset=0)
            fits &= self._room.put(f"{self._base}/tool/{_quoted(tool.id)}{path}", body) and len(body.text) == body.total
        return fits

    def _diff(self, a: str, b: str) -> bool:
        whole = diff_of(self._picture, a, b)
        said = [Said(line.role, line.parts) for line in whole.lines if line.change != "same"]
        rest = replace(whole, lines=tuple(replace(line, parts=()) for line in whole.lines))
        return self._room.put_with(f"{self._base}/diff?a={a}&b={b}", rest, said, "said")

    def _event(self, at: str, event: dict[str, Any]) -> bool:
        raw = msgspec.json.encode(event)
        return len(raw) <= _EVENT_MOST and self._room.put(f"{self._base}/event/{at}", Raw(raw))


def _first_rows(table: Table, count: int) -> Table:
    """Written files come first; the page counts the ones that are left out."""
    written = sum(isinstance(row, FileLine) and row.kind == "written" for row in table.rows[:count])
    unheld = table.unheld if table.unheld < 0 else table.unheld + table.kinds.get("written", 0) - written
    return replace(table, rows=table.rows[:count], total=count, unheld=unheld)


def _with_below(card: TurnCard) -> Iterator[TurnCard]:
    yield card
    for sub in card.subs:
        for below in sub.cards:
            yield from _with_below(below)


def _quoted(text: str) -> str:
    """As encodeURIComponent of a browser."""
    return quote(text, safe="-_.!~*'()")


def _shorter(head: Head, turns: int) -> Head:
    """With the first turns only: each bar of the strip has its card."""
    if head.strip is None or turns >= head.turns:
        return head
    columns = dict(_columns(head.strip, turns))
    return replace(head, strip=Strip(**columns), turns=turns)


def _columns(strip: Strip, count: int) -> Iterator[tuple[str, Any]]:
    names: Mapping[str, Any] = msgspec.structs.asdict(strip)
    for name, column in names.items():
        yield name, column[:count]
