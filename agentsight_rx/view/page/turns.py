"""
A session, some of its turns -> their cards: new messages, thoughts and answers, tools with the programs that really ran for
them.

Longer than 300 lines because a card has all that its turn caused: tries, tools, programs, files and sub-agents.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from msgspec import Struct

from ...store.rows.kinds import SAID, AlertRow, AuditRow, ProcessRow, ToolRow
from ...store.rows.tables import AUDIT, PROCESSES
from ...store.rows.tool_words import asked_for, has_failed
from ...store.state import by_index
from ...store.words import aside_said, cut, end_said, error_said, lasted_ms, plural, written_said
from ..queries.calls.costs import PricedCall, summed
from ..queries.effects.file_fates import Lives, kinds_of
from .alert_shapes import Mark, Program, Prompt, SubAgent, Text, ToolCard, Try, TurnCard, Turns
from .alerts import marks_of
from .picture import Picture
from .threads import Thread, Threads, is_helper, threads_of
from .words import context_of, gap_of_call, how_tool_ended, plan_of, program_of

_SAID = 900  # characters of an answer or a prompt that a card shows
_THOUGHT = 400
_ASKED = 240
_NAMED = 80  # of a prompt that names what a turn works on
_RESULT = 300
_ROWS_MOST = 60_000  # processes, and lines of the audit trail, in the time of the turns
_LATE_MS = 2000  # a process may start, and an effect be seen, so long behind the result
_SHOWN = 12
_DEPTH_MOST = 3
_SIGNS = {"written": "+", "removed": "−", "moved": "→", "refused": "!", "temporary": "~"}


class _Effects(Struct):
    """The programs and files of each tool."""

    programs: dict[str, list[ProcessRow]]
    used: dict[str, tuple[int, int]]  # ms of processors, and the most bytes of one process
    lines: dict[str, list[AuditRow]]


def turns_of(picture: Picture, session: str, /, *, start: int, count: int, by_cost: bool = False) -> Turns:
    """In the order of time, or the dearest first. Raises KeyError for a session that is not in the recording."""
    work = picture.work(session)
    threads = threads_of(session, work)
    ordered = sorted(threads.main, key=lambda call: -(call.cost_usd or 0.0)) if by_cost else threads.main
    calls = ordered[start : start + count]
    tools: dict[str, list[ToolRow]] = {}
    for tool in work.tools:
        tools.setdefault(tool.llm_call_id, []).append(tool)
    effects = _effects(picture, calls, threads, tools)
    maker = _Maker(picture, threads, tools, effects, alerts=picture.alerts_of(session))
    prompts = _prompts(threads.main, threads)
    return Turns(start, len(threads.main), tuple(maker.card(call, asked=prompts.get(call.id)) for call in calls))


def _prompts(calls: Sequence[PricedCall], threads: Threads) -> dict[str, Prompt]:
    """For each call that has none of its own: the newest prompt that a person typed before it."""
    found: dict[str, Prompt] = {}
    newest: Prompt | None = None
    for call in calls:
        if threads.is_prompted(call):
            newest = Prompt(threads.turns[call.id], cut(" ".join(call.prompt.split()), _NAMED))
        elif newest is not None:
            found[call.id] = newest
    return found


def _all_calls(calls: Iterable[PricedCall], threads: Threads) -> Iterator[PricedCall]:
    waiting, seen = list(calls), set[str]()
    while waiting:
        call = waiting.pop()
        if call.id in seen:
            continue
        seen.add(call.id)
        yield call
        waiting += threads.tries.get(call.id, ())
        waiting += [each for thread in threads.below.get(call.id, ()) for each in thread.calls]


def _effects(picture: Picture, calls: Sequence[PricedCall], threads: Threads, tools: dict[str, list[ToolRow]]) -> _Effects:
    """One pass over what happened in the time of these turns."""
    wanted = {tool.id: tool for call in _all_calls(calls, threads) for tool in tools.get(call.id, ())}
    effects = _Effects({}, {}, {})
    if not wanted:
        return effects
    begin = min(tool.timestamp_ms for tool in wanted.values())
    ends = [tool.end_timestamp_ms for tool in wanted.values()]
    end = None if None in ends else max(each for each in ends if each is not None) + _LATE_MS
    store, causes = picture.store, picture.causes
    for _, row in islice(by_index(store, PROCESSES, "time", start=begin, stop=end), _ROWS_MOST):
        if row.tool_call_id not in wanted:
            continue
        tool = row.tool_call_id or ""
        cpu, memory = effects.used.get(tool, (0, 0))
        effects.used[tool] = cpu + (row.cpu_ms or 0), max(memory, row.peak_bytes or 0)
        if row.command:
            effects.programs.setdefault(tool, []).append(row)
    for kind in ("file", "network"):
        stop = None if end is None else (kind, end)
        for _, line in islice(by_index(store, AUDIT, "type", prefix=kind, start=(kind, begin), stop=stop), _ROWS_MOST):
            cause = causes.of(line)
            if cause is not None and cause.tool_id in wanted:
                effects.lines.setdefault(cause.tool_id, []).append(line)
    return effects


class _Maker:
    def __init__(
        self,
        picture: Picture,
        threads: Threads,
        tools: dict[str, list[ToolRow]],
        effects: _Effects,
        *,
        alerts: Sequence[AlertRow],
    ) -> None:
        self._alerts: dict[str, list[AlertRow]] = {}
        for row in alerts:
            self._alerts.setdefault(row.call_id or "", []).append(row)
        self._causes = picture.causes
        self._live = picture.being_written
        self._goes_on = picture.goes_on
        self._lives = picture.lives
        self._threads = threads
        self._tools = tools
        self._effects = effects

    def card(self, call: PricedCall, depth: int = 0, *, asked: Prompt | None = None) -> TurnCard:
        before = self._threads.tries.get(call.id, ())
        rows = [tool for each in (*before, call) for tool in self._tools.get(each.id, ())]
        tools = tuple(map(self._tool, rows))
        subs = tuple(self._sub(thread, depth) for thread in self._threads.below.get(call.id, ()))
        goes_on = self._goes_on(call)
        gap = gap_of_call(call, goes_on=goes_on)
        alerts = [row for each in (*before, call) for row in self._alerts.get(each.id, ())]
        return TurnCard(
            call.id,
            self._threads.own.get(call.id, 0),
            call.start_timestamp_ms,
            ms=lasted_ms(call.start_timestamp_ms, call.end_timestamp_ms),
            first_ms=call.time_to_first_chunk_ms,
            tokens_in=context_of(call),
            cached=call.cache_read_tokens,
            out=call.output_tokens,
            cost=call.cost_usd,
            model=call.model or "",
            through=call.through or "",
            status=call.status if call.status != "pending" or goes_on else "partial",
            new=_new(call, tried=bool(before)),
            prompt=_text(call.prompt, _SAID),
            asked=asked,
            thinking=_text(call.thinking, _THOUGHT),
            words=len(call.thinking.split()),
            answer=_text(call.text, _SAID),
            tools=tools,
            subs=subs,
            gap=gap,
            error=_error(call),
            tries=_tries((*before, call)) if before else (),
            bad=bool(before) or call.status == "error" or any(map(has_failed, rows)),
            alerts=tuple(marks_of(alerts, {tool.id for tool in tools})),
        )

    def _sub(self, thread: Thread, depth: int) -> SubAgent:
        calls = thread.calls
        cards = tuple(self.card(call, depth + 1) for call in calls) if depth < _DEPTH_MOST else ()
        return SubAgent(
            thread.key,
            thread.name,
            len(calls),
            calls[0].start_timestamp_ms,
            ms=thread.ms,
            tokens_in=sum(map(context_of, calls)),
            tool=thread.tool,
            task=thread.task,
            asker=thread.asker,
            asked_in=thread.asked_in,
            answered_in=thread.answered_in,
            cost=summed(calls).usd,
            bad=any(card.bad for card in cards),
            gap=any(card.gap is not None for card in cards),
            cards=cards,
        )

    def _tool(self, row: ToolRow) -> ToolCard:
        how, state = how_tool_ended(row)
        if state == "running" and not self._live:
            how, state = "no result seen", "ok"
        steps = plan_of(row)
        asked = (
            f"{plural(len(steps), 'step')}, {sum(done == 'done' for _, done in steps)} done" if steps else asked_for(row.input)
        )
        programs = self._effects.programs.get(row.id, [])
        lines = self._effects.lines.get(row.id, [])
        cpu_ms, memory = self._effects.used.get(row.id, (0, 0))
        marks, read = _files(lines, self._lives)
        command = asked_for(row.input)
        marked = [(each, is_helper(each, command)) for each in programs]
        first = {each.id for kind in (False, True) for each, _ in [one for one in marked if one[1] is kind][:_SHOWN]}
        shown = tuple(self._program(each, programs[0], helps) for each, helps in marked if each.id in first)
        if not shown and row.related_pid is not None:
            shown = (Program(row.related_pid, shlex.join(row.related_argv), end=how if row.exit_code is not None else ""),)
        hosts = dict.fromkeys(
            line.target or "" for line in lines if line.audit_type == "network" and line.action in ("connect", "send")
        )
        return ToolCard(
            row.id,
            row.tool_name,
            cut(asked.replace("\n", " "), _ASKED),
            "plan" if steps else how,
            state,
            start_ms=row.start_timestamp_ms or row.timestamp_ms,
            ms=row.duration_ms,
            tied=_tied(row),
            sure=row.confidence if row.link else 1.0,
            cwd=next((each.cwd for each in programs if each.cwd), None) or "",
            programs=shown,
            more_programs=len(programs) - len(first),
            files=tuple(marks[:_SHOWN]),
            more_files=max(0, len(marks) - _SHOWN),
            read=read,
            hosts=tuple(islice((each for each in hosts if each and not each.startswith("/")), _SHOWN)),
            result=_text(row.output, _RESULT),
            repeat=row.repeat,
            cpu_ms=cpu_ms,
            memory=memory,
            pause_ms=row.pause_ms,
        )

    def _program(self, row: ProcessRow, first: ProcessRow, helper: bool) -> Program:
        chain = self._causes.chain(row.id)
        depth = next((at for at, each in enumerate(chain) if each.id == first.id), 0)
        return Program(
            row.pid,
            cut(program_of(row), _ASKED),
            depth,
            end_said(row.exit_code, row.signal),
            ms=row.duration_ms,
            bad=row.has_failed,
            cpu_ms=row.cpu_ms,
            memory=row.peak_bytes,
            start_ms=row.start_timestamp_ms or 0,
            helper=helper,
        )


def _text(text: str, most: int) -> Text | None:
    """A row has at most 1,000 characters of a text: one of that length may be longer."""
    if not text:
        return None
    return Text(text[:most].rstrip(), True) if len(text) > most else Text(text)


def _new(call: PricedCall, *, tried: bool) -> tuple[str, ...]:
    """`tried`: it is a retry, and the card shows the tries before it."""
    found: list[str] = []
    if call.repeat and not tried:
        found.append("a retry of an earlier request" if call.retry else "the same request again")
    if call.aside and not call.repeat:
        found.append(aside_said(call.aside))
    elif call.prompt and not call.repeat:
        found.append("your prompt" if call.agent_id is None else "its task")
    if call.new_results:
        found.append(plural(call.new_results, "tool result"))
    if not found and call.written:
        found.append(written_said(call.written))
    return tuple(found)


def _tries(calls: Sequence[PricedCall]) -> tuple[Try, ...]:
    """The failed tries of a call, oldest first, and the last one."""
    found: list[Try] = []
    for at, call in enumerate(calls):
        end = call.end_timestamp_ms
        wait = calls[at + 1].start_timestamp_ms - end if at + 1 < len(calls) and end is not None else None
        why = error_said(call.error_type or call.reason or "") if call.status != "complete" else ""
        found.append(
            Try(
                call.id,
                status=call.status_code or 0,
                ms=lasted_ms(call.start_timestamp_ms, end),
                why=call.text if call.status == "error" and call.text else why,
                waited_ms=None if wait is None else max(0, wait),
                retry_after_s=call.retry_after_s,
                state=call.status,
            )
        )
    return tuple(found)


def _error(call: PricedCall) -> str:
    if call.status != "error":
        return ""
    status = f"HTTP {call.status_code}" if call.status_code and call.status_code >= 400 else ""
    error = error_said(call.error_type or call.reason or "")
    return ": ".join(dict.fromkeys(filter(None, (status, error)))) or "the call failed"


def _tied(row: ToolRow) -> str:
    match row.link:
        case "argv":
            return "matched with the tool call by its arguments"
        case "time":
            return "the only program that started then"
        case None:
            if row.related_pid:
                return ""
            if row.view_source == SAID:
                return "from the agent's own file, which notes no processes"
            return "no process found: the agent did it itself, or its process was not seen"
        case other:
            return f"matched by {other}"


def _files(lines: Sequence[AuditRow], lives: Lives) -> tuple[list[Mark], int]:
    """What became of the files that a tool changed or was refused, and how many it only read."""
    kinds = kinds_of(lines, lives)
    order = list(_SIGNS)
    changed = sorted((order.index(kind), path) for path, kind in kinds.items() if kind in _SIGNS)
    read = sum(kind == "read" for kind in kinds.values())
    return [Mark(_SIGNS[order[at]], path) for at, path in changed], read
