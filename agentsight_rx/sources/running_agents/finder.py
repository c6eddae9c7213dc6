"""Programs that start, and /proc now and then -> the Roots of a run: the agents, with the start of each that was seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from ...core.bounded import Recent
from ...core.messages import detail
from ...core.options import Options
from ...core.stream import Stream, origin
from ...events import Loss, Origin, ProcessEvent, ProcessExec, time_of
from ...events.loss import Reason
from ...llm.agents.registry import known_agents
from ...store.words import plural
from ..containers.contents import Placing
from ..kernel.program import Program
from ..kernel.reader import ProgramReader
from ..proc import read_stat
from ..process import PROCESS_FIELDS, decode
from ..running import ancestors, running
from ..target import Target, fits_now, found
from .choice import Choice, Roots, awaited_names

_RING = 1 << 20  # bytes: 0.2 s of 1,000 programs a second, of interpreters and agents alone
_LOOK_S = 5.0  # between two looks at /proc, for agents that the kernel's names do not show; each takes some ms
_KNOWN_MOST = 32_768  # processes that are no agents, which are not looked at again


class AgentOptions(Options, frozen=True):
    """
    Which agents are found, and where: among the processes of `target`, whose `comms` and `children` do not count. They are the
    `roots` of the targets of other sources. `paused` is asked once a second: while it holds there are none.
    """

    roots: Roots
    target: Target = Target()
    choice: Choice = Choice()
    paused: Callable[[], bool] | None = None


def agents(options: AgentOptions) -> Stream[ProcessEvent]:
    """The programs of agents as they start, and losses. What they do next is for other sources, whose target has the roots."""
    return origin("agents", lambda: AgentReader(options), time_of=time_of, live=True, options=str(options.target))


class AgentReader(ProgramReader[ProcessEvent]):
    """A Reader. The kernel reports the programs of some names that start; nothing is attached to any of them."""

    shares = ""  # its thread looks at all processes now and then

    def __init__(self, options: AgentOptions, program: Callable[..., Program[ProcessEvent]] = Program) -> None:
        self._placing = Placing()
        self._options = options
        self._make = program
        self._roots = options.roots
        self._due_s = 0.0
        self._others: Recent[tuple[int, str, str], bool] = Recent(_KNOWN_MOST)  # processes that are no agents
        self._is_paused = False
        self._known = known_agents()

    def open(self) -> None:
        target, names = self._options.target, awaited_names(self._options.choice)
        self._program = self._make(
            "process",
            replace(target, comms=names, children=target.pid is not None),
            ring_size=_RING,
            decode=decode,
            fields=PROCESS_FIELDS,
        )
        self._program.seed()

    def poll(self, timeout: float, /) -> Sequence[ProcessEvent] | None:
        assert self._program is not None
        over = self._program.over()
        pausing = self._pause()
        self._roots.drop_ended()
        if over and not len(self._roots):
            return None
        now_s = time.monotonic()
        if now_s >= self._due_s:
            self._due_s = now_s + _LOOK_S
            self._look()
        if not self._program.wait(timeout):
            return pausing
        started = [
            self._placing.exec(event)
            for event in self._program.read()
            if isinstance(event, ProcessExec) and self._starts(event)
        ]
        return [*pausing, *started]

    def close(self) -> Sequence[ProcessEvent]:
        if self._program is None:
            return ()
        program, self._program = self._program, None
        self._roots.finish()
        rest = program.lost()
        program.close()
        return rest

    def _pause(self) -> list[ProcessEvent]:
        """While the person wants nothing recorded there are no roots; the agents that run then are found by a look."""
        paused = self._options.paused
        before, self._is_paused = self._is_paused, paused is not None and paused()
        if self._is_paused == before:
            return []
        self._due_s = 0.0
        if not self._is_paused:
            return []
        dropped = self._roots.clear()
        note = f"paused by the user, while {plural(dropped, 'agent')} ran"
        return [Loss(Origin(time.monotonic_ns(), 0), "agents", Reason.PAUSED, 1, note=note)]

    # -- as they start -----------------------------------------------------------------------------------------------------

    def _starts(self, event: ProcessExec) -> bool:
        """Whether an agent starts, and no other source emits this event."""
        pid, origin = event.origin.pid, event.origin
        if pid in self._roots.pids:
            return not self._roots.is_followed(pid)
        agent = self._options.choice.agent(origin.comm, event.argv)
        if agent is None or self._is_paused or not self._options.choice.allows(origin.uid, event.cwd):
            return False
        if not self._roots.pids.isdisjoint(ancestors(pid)) or not self._roots.add(pid, started=True):
            return False  # an agent that another one started is part of it; or it has ended
        detail(f"recording {agent} {pid}")
        return True

    # -- those that run already --------------------------------------------------------------------------------------------

    def _look(self) -> None:
        if self._is_paused:
            return
        if self._known is not known_agents():  # what was no agent may be one now
            self._known = known_agents()
            self._others = Recent(_KNOWN_MOST)
        for pid, agent in sorted(self._running(), key=lambda each: len(ancestors(each[0]))):  # parents before their children
            if self._roots.pids.isdisjoint(ancestors(pid)) and self._roots.add(pid):
                detail(f"recording {agent} {pid}, which ran already")

    def _running(self) -> list[tuple[int, str]]:
        """The agents among the processes of the target, without the roots."""
        target, agents = replace(self._options.target, children=True), list[tuple[int, str]]()
        for each in found(target):
            known = each.pid, *_identity(each.pid)
            if each.pid in self._roots.pids or self._others.use(known) is not None or not target.fits(each.met):
                continue
            agent = self._agent(each.pid) if fits_now(target, each.pid) else None
            if agent is None:
                self._others.put(known, True)
            else:
                agents.append((each.pid, agent))
        return agents

    def _agent(self, pid: int) -> str | None:
        choice = self._options.choice
        for seen in running((pid,)):
            agent = choice.agent(seen.origin.comm, seen.argv)
            if agent is not None and choice.allows(seen.origin.uid, seen.cwd):
                return agent
        return None


def _identity(pid: int) -> tuple[str, str]:
    """The name and the start of a process: another program in it, and another process with its number, are looked at anew."""
    found = read_stat(pid)
    return ("", "") if found is None else (found[0], found[1][19])
