"""
The calls of a session -> the thread of its main agent, and the threads of its sub-agents, each under the turn that began it.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ..queries.costs import PricedCall
from ..rows.kinds import ToolRow
from .picture import WHOLE, Work

__all__ = ["Thread", "Threads", "threads_of"]

# Tools that start a sub-agent, in lower case
_STARTERS = frozenset({"task", "agent", "spawn_agent", "dispatch_agent", "delegate", "new_task", "subagent"})
_COMPARED = 120  # characters of a prompt that are looked for in the input of the tool


class Thread(Struct):
    """One agent's calls, oldest first. `tool` started it, where that is known, else `parent` is the call before it."""

    key: str
    calls: list[PricedCall]
    tool: str = ""
    parent: str = ""
    name: str = ""


class Threads(Struct):
    """`main` is the session's own; `below` has the sub-agents by the call under which they are shown."""

    main: list[PricedCall]
    below: dict[str, list[Thread]]
    turns: dict[str, int]  # the number of each call in the session, as every part of the product has it
    under: dict[str, int]  # of each call of a sub-agent: the number of the turn of `main` that shows it


def threads_of(session: str, work: Work, /) -> Threads:
    """
    Calls of one program agent in another's session are a thread of their own, and so are the calls of a session that it
    started.
    """
    main: list[PricedCall] = []
    others: dict[str, Thread] = {}
    for call in work.calls:
        own = session == WHOLE or call.session_id == session
        if own and call.agent_id is None:
            main.append(call)
            continue
        key = call.agent_id or f"session {call.session_id}"
        others.setdefault(key, Thread(key, [])).calls.append(call)
    if not main and others:  # a session whose first agent has a name
        main = others.pop(next(iter(others))).calls
    turns: dict[str, int] = {call.id: call.turn or at + 1 for at, call in enumerate(main)}
    below: dict[str, list[Thread]] = {}
    starters = [tool for tool in work.tools if tool.tool_name.lower() in _STARTERS]
    used: set[str] = set()
    for thread in others.values():
        started = _starter(thread, starters, used)
        parent = started.llm_call_id if started is not None else _before(thread.calls[0], main)
        if started is not None:
            used.add(started.id)
            thread.tool = started.id
        thread.parent, thread.name = parent, _name(thread, started)
        below.setdefault(parent, []).append(thread)
    turns |= {call.id: call.turn for thread in others.values() for call in thread.calls if call.turn}
    return Threads(main, below, turns, _under(below, main, turns))


def _starter(thread: Thread, starters: Sequence[ToolRow], used: set[str]) -> ToolRow | None:
    """The tool whose input has the first prompt of the thread; else the one that was under way when it began."""
    first = thread.calls[0]
    begin = first.prompt[:_COMPARED].strip()
    open_then = [
        tool
        for tool in starters
        if tool.id not in used
        and tool.timestamp_ms <= first.start_timestamp_ms
        and (tool.end_timestamp_ms is None or first.start_timestamp_ms <= tool.end_timestamp_ms)
        and tool.llm_call_id not in {call.id for call in thread.calls}
    ]
    exact = next((tool for tool in open_then if begin and begin in tool.input.replace("\\n", "\n").replace('\\"', '"')), None)
    return exact or next(iter(open_then), None)


def _before(call: PricedCall, main: Sequence[PricedCall]) -> str:
    found = [each for each in main if each.start_timestamp_ms <= call.start_timestamp_ms]
    return found[-1].id if found else main[0].id if main else ""


def _name(thread: Thread, tool: ToolRow | None) -> str:
    if tool is not None:
        for name in ("subagent_type", "agent_type", "description", "name"):
            _, found, rest = tool.input.partition(f'"{name}"')
            value = rest.partition('"')[2].partition('"')[0] if found else ""
            if value:
                return value[:60]
    return (thread.calls[0].agent or thread.key)[:60]


def _under(below: dict[str, list[Thread]], main: Sequence[PricedCall], turns: dict[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    waiting = [(call.id, turns[call.id]) for call in main]
    while waiting:
        parent, turn = waiting.pop()
        for thread in below.get(parent, ()):
            for call in thread.calls:
                if call.id not in found:
                    found[call.id] = turn
                    waiting.append((call.id, turn))
    return found
