"""The calls of a session -> the thread of its main agent, and the threads of sub-agents, each under the turn that began it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from ...store.rows.kinds import ProcessRow
from ...store.rows.tool_words import task_said
from ..queries.calls.costs import PricedCall
from ..queries.sessions.failures import Failures, failures_of
from ..queries.sessions.latency import Latency, latency_of
from .picture import WHOLE, Picture, Work

# -- helpers -------------------------------------------------------------------------------------------------------
# A program, the command of its tool -> is it a helper: does it prepare what runs, as the shims of a version manager do?


# Programs that choose a version, a folder or an environment, and the folders of their shims and parts
_MANAGERS = re.compile(
    r"(?:pyenv|rbenv|nodenv|goenv|jenv|phpenv|plenv|asdf|mise|rtx|fnm|nvm|volta|direnv|rustup|sdk|conda|brew)(?:-[\w-]+)?"
)
_THEIR_FOLDERS = re.compile(
    r"/(?:\.?(?:pyenv|rbenv|nodenv|goenv|jenv|phpenv|plenv|asdf|mise|volta))/(?:libexec|shims|bin|lib)/"
)
# What start scripts run to look at names, paths and the machine
_SMALL = frozenset(
    {
        "arch", "awk", "basename", "cat", "cut", "cygpath", "dirname", "expr", "gawk", "getconf", "head", "hostname", "id",
        "lesspipe", "locale", "locale-check", "manpath", "mawk", "mesg", "nproc", "readlink", "realpath", "sed", "sort", "stty",
        "tail", "tr", "tty", "uname", "uniq", "wc", "whoami",
    }
)  # fmt: skip
_SHELLS = frozenset({"bash", "sh", "dash", "zsh", "env"})
_WORD = re.compile(r"[\w.+-]+")


def is_helper(row: ProcessRow, command: str, /) -> bool:
    """
    True for shims and parts of version managers, and for small tools that the command does not name. A program that failed is
    none, so that it is seen.
    """
    if row.has_failed:
        return False
    argv = row.argv or ((row.command,) if row.command else ())
    if not argv:
        return False
    program, *arguments = argv
    name = _name(program)
    asked = set(_WORD.findall(command))
    if name in asked:
        return False
    files = [program, *arguments[:1]] if name in _SHELLS else [program]
    if _MANAGERS.fullmatch(name) or any(_THEIR_FOLDERS.search(each) for each in files if "/versions/" not in each):
        return True
    return name in _SMALL


def _name(path: str) -> str:
    return path.rpartition("/")[2]


# ------------------------------------------------------------------------------------------------------------------------


_NAME = 60  # characters


class Thread(Struct):
    """
    One agent's calls, oldest first. `tool` is the id of the ToolRow that it works on, where that is known, `asker` the name of
    that tool. `asked_in` is the turn that asked for it, and `answered_in` the one that got its answer.
    """

    key: str
    calls: list[PricedCall]
    tool: str = ""
    name: str = ""
    task: str = ""  # as the input of that tool says it
    asker: str = ""
    asked_in: int = 0
    answered_in: int = 0

    @property
    def ms(self) -> int:
        end = max(call.end_timestamp_ms or call.start_timestamp_ms for call in self.calls)
        return end - self.calls[0].start_timestamp_ms


class Threads(Struct):
    """
    `main` is the session's own; `below` has the sub-agents by the call under which they are shown. A call that failed and was
    asked again is no turn of its own: `tries` has the earlier ones, by the last one.
    """

    main: list[PricedCall]
    below: dict[str, list[Thread]]
    turns: dict[str, int]  # of each call: the turn of `main` that shows it, as every part of the product has it
    own: dict[str, int]  # its number among the turns of its own agent
    under: dict[str, int]  # of each call of a sub-agent alone: as in `turns`
    tries: dict[str, list[PricedCall]]

    def is_prompted(self, call: PricedCall) -> bool:
        """Whether a person's prompt came with it, or with an earlier try of it."""
        return any(each.is_prompted for each in (call, *self.tries.get(call.id, ())))

    @property
    def newest(self) -> int:
        return self.turns[self.main[-1].id] if self.main else 0


def threads_of(session: str, work: Work, /) -> Threads:
    """
    Calls of one program agent in another's session are a thread of their own, and so are the calls of a session that it
    started.
    """
    main: list[PricedCall] = []
    others: dict[str, Thread] = {}
    for call in work.calls:
        is_own = session == WHOLE or call.session_id == session
        if is_own and call.agent_id is None:
            main.append(call)
            continue
        key = call.agent_id or f"session {call.session_id}"
        others.setdefault(key, Thread(key, [])).calls.append(call)
    if not main and others:  # a session whose first agent has a name
        main = others.pop(next(iter(others))).calls
    tries: dict[str, list[PricedCall]] = {}
    main = _last_tries(main, tries)
    turns: dict[str, int] = {call.id: call.turn or at + 1 for at, call in enumerate(main)}
    own: dict[str, int] = {**turns}
    below: dict[str, list[Thread]] = {}
    tools = {tool.id: tool for tool in work.tools}
    for thread in others.values():
        thread.calls = _last_tries(thread.calls, tries)
        own |= {call.id: call.own_turn or at + 1 for at, call in enumerate(thread.calls)}
    last_of = {each.id: last for last, before in tries.items() for each in before}
    for thread in others.values():
        first = thread.calls[0]
        thread.name = (first.agent_name or first.agent or thread.key)[:_NAME]
        tool = tools.get(first.agent_tool or "")
        parent = last_of.get(tool.llm_call_id, tool.llm_call_id) if tool is not None else ""
        if tool is not None and parent not in {call.id for call in thread.calls}:
            thread.tool, thread.asker, thread.task = tool.id, tool.tool_name, task_said(tool)
        else:
            parent = _before(first, main)
        below.setdefault(parent, []).append(thread)
    under = _under(below, main, turns)
    turns |= under
    for each, last in last_of.items():
        turns[each] = turns.get(last, 0)
        under |= {each: under[last]} if last in under else {}
    for thread in others.values():
        if thread.tool:
            thread.asked_in = turns.get(tools[thread.tool].llm_call_id, 0)
            thread.answered_in = turns.get(tools[thread.tool].result_call_id or "", 0)
    return Threads(main, below, turns=turns, own=own, under=under, tries=tries)


def _last_tries(calls: Sequence[PricedCall], tries: dict[str, list[PricedCall]]) -> list[PricedCall]:
    """The calls without those that failed and were asked again, which go to `tries`."""
    found: dict[object, PricedCall] = {}
    for call in calls:
        key = (call.session_id, call.turn, call.own_turn) if call.turn or call.own_turn else call.id
        before = found.pop(key, None)
        if before is not None:
            tries[call.id] = [*tries.pop(before.id, ()), before]
        found[key] = call
    return sorted(found.values(), key=lambda call: call.start_timestamp_ms)


def tries_of(picture: Picture, session: str, call: str, /) -> tuple[tuple[str, int], ...]:
    """The calls that were tried for the answer of `call`, and their statuses; none where it is the only one."""
    try:
        work = picture.work(session)
    except KeyError:
        return ()
    calls = {each.id: each for each in work.calls}
    for last, before in threads_of(session, work).tries.items():
        tried = [*(each.id for each in before), last]
        if call in tried:
            return tuple((id, calls[id].status_code or 0) for id in tried)
    return ()


def latency_in(picture: Picture, session: str, /) -> Latency:
    """How long its first words and tools took. Raises KeyError for an unknown session."""
    work = picture.work(session)
    falls, _ = picture.falls(session)
    return latency_of(work.calls, work.tools, threads_of(session, work).turns, falls)


def failures_in(picture: Picture, session: str, /) -> Failures:
    """The failures of a session and of its sub-agents, equal ones together. Raises KeyError for an unknown session."""
    work = picture.work(session)
    return failures_of(work.calls, work.tools, threads_of(session, work).turns)


def _before(call: PricedCall, main: Sequence[PricedCall]) -> str:
    found = [each for each in main if each.start_timestamp_ms <= call.start_timestamp_ms]
    return found[-1].id if found else main[0].id if main else ""


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
