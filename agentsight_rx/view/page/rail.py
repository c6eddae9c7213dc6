"""
A recording -> one short row for each of its sessions, the newest first.

Longer than 300 lines because the rows, what counts once among them, and what the page asks of one are a list and its parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from msgspec.structs import replace

from ...store.rows.kinds import SessionRow
from ...store.words import cut
from ..queries.calls.costs import priced, seller_of
from ..queries.calls.raw import raw_body, raw_call
from ..queries.decided import is_waiting
from ..queries.sessions.listing import Entry, ListRow, Tally, without_twins
from ..queries.sessions.once import APART_MS, Counted
from .alert_shapes import AlertLine
from .alerts import alert_of, alerts_of
from .bodies import body_of_call, body_of_tool, diff_of
from .context.contexts import contexts_of, request_of
from .counts import wholeness_of
from .event_log import RuleError, event_of, lines_of
from .funnel import health_of
from .head import agent_title, head_of
from .lanes import lanes_of
from .picture import WHOLE, Picture, Work
from .tables import KINDS, story_of, table_of
from .threads import Threads, failures_in, latency_in, threads_of, tries_of
from .turns import turns_of
from .words import context_of, newest_plan

_TITLE = 120  # characters
_SESSIONS_MOST = 500  # of one recording: each costs a look at its calls, at every change of a run


def rail_of(picture: Picture, recording: str, /) -> Iterator[ListRow]:
    """The row of each of `entries_in`."""
    return (entry.row for entry in entries_in(picture, recording))


def entries_in(picture: Picture, recording: str, /) -> Iterator[Entry]:
    """The newest 500 sessions. Where no call of a model was seen, one row stands for all of the recording."""
    roots = picture.roots
    if not roots:
        head = head_of(picture, WHOLE, recording=recording)
        yield Entry(
            ListRow(
                WHOLE,
                recording,
                head.agent,
                start_ms=head.start_ms,
                end_ms=head.end_ms,
                live=head.live,
                title="".join(clause.text for clause in head.verdict)[:_TITLE],
                missing=head.whole.missing,
            )
        )
    for row in roots[:_SESSIONS_MOST]:
        yield entry_of_session(picture, row, recording)


def flagged(entries: Iterable[Entry], lines: Iterable[AlertLine], /) -> Iterator[Entry]:
    """The same with the alerts that wait of each session, also where another recorder that saw it has the rules."""
    waiting: dict[str, list[AlertLine]] = {}
    for line in alerts_once(line for line in lines if is_waiting(line.state)):
        waiting.setdefault(line.session, []).append(line)
    for entry in entries:
        states = [line.state for line in waiting.get(entry.row.id, ()) if _is_of(line, entry.row)]
        yield replace(entry, row=replace(entry.row, waiting=len(states), stopped="stopped" in states)) if states else entry


def _is_of(line: AlertLine, row: ListRow) -> bool:
    is_then = row.start_ms - APART_MS <= line.at_ms <= row.end_ms + APART_MS
    return line.recording == row.recording or (row.id != WHOLE and is_then)


def row_of(picture: Picture, row: SessionRow, recording: str, /) -> ListRow:
    """The row of one session."""
    return entry_of_session(picture, row, recording).row


class Recorded(NamedTuple):
    """A session, as one recording has it."""

    picture: Picture
    row: SessionRow
    recording: str
    work: Work
    threads: Threads


def recorded_in(picture: Picture, row: SessionRow, recording: str, /) -> Recorded:
    work = picture.work(row.id)
    return Recorded(picture, row, recording, work, threads_of(row.id, work))


def entry_of_session(picture: Picture, row: SessionRow, recording: str, /) -> Entry:
    """The same, with what only the sums need. What the agent's own file alone has counts too."""
    part = recorded_in(picture, row, recording)
    made, threads = _summed([part]), part.threads
    last = next((call for call in reversed(threads.main) if call.total_tokens), None)
    window = picture.prices.window_of(seller_of(last), last.response_model or last.model) if last else None
    steps = newest_plan(part.work.tools)
    doing = next((at for at, (_, state) in enumerate(steps) if state == "doing"), len(steps) - 1)
    listed = replace(
        made.row,
        live=picture.is_live(row.id),
        step=f"{doing + 1} of {len(steps)}: {cut(steps[doing][0], 60)}" if steps else "",
        turn=threads.newest,
        left=max(0.0, round(1 - context_of(last) / window, 6)) if last and window else None,
        missing=wholeness_of(picture.healths.of(row)).missing,
    )
    return replace(made, row=listed)


def entry_of_parts(parts: Sequence[Recorded], entries: Sequence[Entry], /) -> Entry:
    """
    One entry in place of those of several recordings, in the order in which they count: each call and tool counts once. Its
    address is the recording that goes on, else the one with most turns.
    """
    rows = {_seen(each): each.row for each in entries}
    _, row = max(rows.items(), key=lambda each: (each[1].live, each[0].much))
    made = _summed(parts)
    missing = sum(rows[each].missing for each in _fullest([*rows]))
    names = tuple(part.recording for part in parts)
    turn = max(each.row.turn for each in entries)
    listed = replace(made.row, recording=row.recording, live=row.live, step=row.step, turn=turn, left=row.left)
    return replace(made, row=replace(listed, missing=missing, recordings=names))


def _summed(parts: Sequence[Recorded]) -> Entry:
    first = parts[0]
    counted, tally, tools = Counted(), Tally(), set[str]()
    turns = failed = failed_tools = 0
    for at, part in enumerate(parts):
        work = part.work
        new = [call for call in work.calls if call not in counted] if at else work.calls
        main = {call.id for call in part.threads.main}
        turns += sum(call.id in main for call in new)
        failed += sum(call.status == "error" for call in new) if at else 0
        for call in new:
            tally.add(call)
        if len(parts) > 1:
            counted.join(Counted.of(new))
        for tool in work.tools:
            if at and tool.tool_call_id in tools:
                continue
            tally.add_tool(tool)
            failed_tools += at > 0 and tool.status == "failed"
        tools |= {tool.tool_call_id for tool in work.tools if tool.tool_call_id}
    twin = first.picture.healths.twin(first.row)
    for only_in_file in twin.calls if twin else ():
        if only_in_file not in counted:
            tally.add(priced(only_in_file, first.picture.prices))
            turns += only_in_file.agent_id is None
            failed += only_in_file.status == "error"
    whole = first.row if twin is None else twin.row
    row = replace(
        whole,
        start_timestamp_ms=min(whole.start_timestamp_ms, *(part.row.start_timestamp_ms for part in parts)),
        end_timestamp_ms=max(whole.end_timestamp_ms or 0, *(part.row.end_timestamp_ms or 0 for part in parts)) or None,
        failed_calls=first.row.failed_calls + failed,
        failed_tools=whole.failed_tools + failed_tools,
        model_ms=sum(part.row.model_ms for part in parts),
    )
    agreement, said = (twin.agreement, twin.said.id) if twin else (None, "")
    return tally.entry(row, first.recording, agent_title(row), turns=turns, agreement=agreement, said=said)


# -- answers -------------------------------------------------------------------------------------------------------
# A path below a recording, its parameters -> what the page asked for: of a server, or of a file with all in it.


_COUNT_MOST = 500


class PageError(ValueError):
    """The requested thing does not exist, or cannot be read; `status` is the status of HTTP."""

    def __init__(self, text: str, status: int = 404) -> None:
        super().__init__(text)
        self.status = status


def answer(picture: Picture, recording: str, path: str, given: Mapping[str, str], /) -> object:
    """
    `path` is one of `sessions`, `session/ID`, `session/ID/turns`, `…/processes`, `…/files`, `…/file`, `…/network`, `…/mcp`,
    `…/http`, `…/timeline`, `…/failures`, `…/latency`, `…/events`, `…/alerts`, `…/alerts/ALERT`, `…/context`,
    `…/context/TURN`, `health`, `call/ID`, `raw/ID`, `raw/ID/PART`, `tool/ID`, `diff`, `event/AT`. Raises PageError.
    """
    asked = _Asked(picture, recording, given)
    first, *rest = map(unquote, path.strip("/").split("/"))
    try:
        match first, rest:
            case "sessions", []:
                return list(rail_of(picture, recording))
            case "health", []:
                return health_of(picture)
            case "diff", []:
                return diff_of(picture, asked.text("a"), asked.text("b"))
            case "call", [id]:
                start, count = asked.number("from", 0), asked.number("count", 0)
                return body_of_call(picture, id, part=asked.text("part") or "whole", start=start, count=count)
            case "raw", [id]:
                found = raw_call(picture.store, id)
                return replace(found, tries=tries_of(picture, asked.text("session"), found.id))
            case "raw", [id, "request" | "response" as part]:
                form, offset = asked.text("form") or "pretty", asked.number("offset", 0)
                return raw_body(picture.store, id, part=part, form=form, offset=offset)
            case "tool", [id]:
                return body_of_tool(picture, id, part=asked.text("part") or "result", offset=asked.number("offset", 0))
            case "event", [at]:
                return event_of(picture, at)
            case "session", [id]:
                return head_of(picture, id, recording=recording, from_turn=asked.number("from", 0))
            case "session", [id, "context"]:
                return contexts_of(picture, id, of=asked.text("of"))
            case "session", [id, "context", turn] if turn.isdecimal() and len(turn) < 10:
                return request_of(
                    picture,
                    id,
                    int(turn),
                    of=asked.text("of"),
                    row=asked.text("row"),
                    origin=asked.text("origin"),
                    opened=bool(asked.text("opened")),
                )
            case "session", [id, "alerts", name]:
                return alert_of(picture, id, name, recording=recording)
            case "session", [id, tab]:
                return _tab(asked, id, tab)
            case _:
                pass
    except KeyError as error:
        raise PageError(f"{str(error.args[0])[:120]} is not in this recording") from error
    except RuleError as error:
        raise PageError(str(error), 400) from error
    raise PageError("nothing is at this path")


class _Asked:
    def __init__(self, picture: Picture, recording: str, given: Mapping[str, str]) -> None:
        self.picture = picture
        self.recording = recording
        self._given = given

    def text(self, name: str) -> str:
        return self._given.get(name, "")

    def number(self, name: str, otherwise: int, *, most: int = 1 << 53) -> int:
        given = self._given.get(name, "")
        if given and not (given.isascii() and given.isdecimal() and len(given) < 17):
            raise PageError(f"{name}={given[:40]!r} is not a number", 400)
        return min(int(given), most) if given else otherwise

    def part(self) -> tuple[int, int] | None:
        start, end = self.number("from", 0), self.number("to", 0)
        return (start, end) if end > start else None


def _tab(asked: _Asked, id: str, tab: str) -> object:
    picture = asked.picture
    count = asked.number("count", 200, most=_COUNT_MOST)
    start = asked.number("since", 0) if tab != "events" else 0
    others: dict[str, Callable[[], object]] = {
        "alerts": lambda: alerts_of(picture, id, start=start, count=count),
        "file": lambda: story_of(picture, id, asked.text("path")),
        "latency": lambda: latency_in(picture, id),
        "failures": lambda: failures_in(picture, id),
        "turns": lambda: turns_of(picture, id, start=start, count=count, by_cost=asked.text("order") == "cost"),
        "timeline": lambda: lanes_of(picture, id, width=asked.number("width", 1200, most=8000), part=asked.part()),
        "events": lambda: lines_of(picture, id, rule=asked.text("rule"), start=asked.text("since"), count=count),
    }
    if tab in others:
        return others[tab]()
    if tab in KINDS:
        return table_of(picture, id, tab, start=start, count=count, words=asked.text("q"), of=asked.text("of"))
    raise PageError("nothing is at this path")


# -- counted once --------------------------------------------------------------------------------------------------
# Rows of several recordings -> the same, each once, where two recorders saw it at the same time.


class _Seen(NamedTuple):
    """What a recording has of something with an id: from when to when, and how much."""

    id: str
    recording: str
    start_ms: int
    end_ms: int
    much: tuple[int, ...]


def sessions_once(entries: Iterable[Entry], joined: Callable[[list[Entry]], Entry], /) -> list[Entry]:
    """
    `record` and `watch` beside it each have all of a session in their own store, and a session may go on in a later recording:
    it is one, which `joined` makes of them. What has no session counts in each. What an agent's own file has of a recorded
    session is the same one.
    """
    parts: dict[str, list[Entry]] = {}
    for entry in without_twins(list(entries)):
        parts.setdefault(_seen(entry).id, []).append(entry)
    return [some[0] if len(some) == 1 else joined(some) for some in parts.values()]


def _seen(entry: Entry) -> _Seen:
    row = entry.row
    name = f"{WHOLE}{row.recording}" if row.id == WHOLE else row.id
    return _Seen(name, row.recording, row.start_ms, row.end_ms, (row.turns, row.tokens, -row.start_ms))


def alerts_once(lines: Iterable[AlertLine], /) -> list[AlertLine]:
    """Of an alert that several recordings have at one time, the one with more deeds."""
    rows = [(_of_alert(line), line) for line in lines]
    by_id: dict[str, list[_Seen]] = {}
    for one, _ in rows:
        by_id.setdefault(one.id, []).append(one)
    kept = {one for some in by_id.values() for one in _fullest(some)}
    return [line for one, line in rows if one in kept]


def _of_alert(line: AlertLine) -> _Seen:
    much = (line.count, line.proven, -line.at_ms)
    return _Seen(line.id, line.recording, line.at_ms, max(line.at_ms, line.last_ms), much)


def _fullest(some: list[_Seen]) -> list[_Seen]:
    """Of sessions that overlap in time, and come from different recordings, the one with most."""
    kept: list[_Seen] = []
    for one in sorted(some, key=lambda each: each.much, reverse=True):
        if not any(one.recording != other.recording and _overlap(one, other) for other in kept):
            kept.append(one)
    return kept


def _overlap(one: _Seen, other: _Seen) -> bool:
    return one.start_ms <= other.end_ms + APART_MS and other.start_ms <= one.end_ms + APART_MS
