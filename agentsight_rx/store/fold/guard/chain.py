"""A process, a tool, a session -> the chain of a deed. It is looked up only where a rule asks for it."""

from __future__ import annotations

from functools import cached_property

from msgspec import Struct

from ....core.start import regex
from ....policy.rules.guard.searching import Command, came_by
from ...rows.kinds import ProcessRow, SessionRow, ToolRow
from ..processes import Processes
from ..sessions import Sessions
from ..tools import Tools
from .state import Memory, Sum

_TEMPORARY = regex(r"/(?:tmp|var/tmp|dev|proc)(?:/|\Z)")
_NOTHING = Sum()


def is_below(path: str, folder: str) -> bool:
    """Is the path the folder, or in it?"""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


class Known:
    """Where a chain is looked up."""

    def __init__(self, processes: Processes, sessions: Sessions, tools: Tools, memory: Memory) -> None:
        self.processes = processes
        self.sessions = sessions
        self.tools = tools
        self.memory = memory


class Link(Struct, dict=True):
    """
    The chain of one deed, as `rules.guard.deeds.Chain` has it, by the process, session and tool of the deed. `about`: the
    tool whose result it is about. `by_name`: the tool names what the agent itself did. `agent_id` names a sub-agent, `day`
    the day of a call. `asked`: the command that an agent asked for, by its own file.
    """

    known: Known
    pid: int | None
    by_process: str | None = None
    by_session: str | None = None
    by_tool: str | None = None
    about: ToolRow | None = None
    by_name: bool = False
    agent_id: str | None = None
    day: int = -1
    asked: str = ""

    @cached_property
    def process(self) -> ProcessRow | None:
        row = self.known.processes.get(self.pid) if self.pid is not None else None
        return row if row is not None and self.by_process in (None, row.id) else None

    @property
    def is_of_tool(self) -> bool:
        """It is about what a tool gave, and not about what one process did."""
        return self.about is not None

    @property
    def process_id(self) -> str | None:
        return self.by_process or (self.process.id if self.process else None)

    @cached_property
    def tool(self) -> ToolRow | None:
        return self.about or (self.known.tools.get(self.tool_id) if self.tool_id else None)

    @cached_property
    def tool_id(self) -> str | None:
        if self.about is not None:
            return self.about.id
        known = self.by_tool or (self.process.tool_call_id if self.process else None)
        return known or (self.known.memory.tools.get(self.by_process) if self.by_process else None)

    @cached_property
    def session(self) -> SessionRow | None:
        sessions, about = self.known.sessions, self.about
        id = self.by_session or (about.session_id if about else None)
        id = id or (sessions.of_process(self.by_process) if self.by_process else None)
        id = id or (sessions.of(self.pid) if self.pid is not None else None) or (self.tool.session_id if self.tool else None)
        return sessions.get(id) if id else None

    @cached_property
    def agent_process(self) -> ProcessRow | None:
        """The process of the agent, where it runs."""
        session = self.session
        if session is not None and session.pid is not None:
            row = self.known.processes.get(session.pid)
            if row is not None and row.id == session.process_id:
                return row
        return self.known.processes.agent(self.pid) if self.pid is not None else None

    @cached_property
    def owner(self) -> str | None:
        """Whose deed it is: a session, or the process of an agent that has none yet. None: of no agent."""
        return self.session.id if self.session else self.agent_process.id if self.agent_process else None

    @property
    def agent(self) -> str:
        if self.session is not None:
            return self.session.who
        return (self.agent_process.agent or "") if self.agent_process else ""

    @cached_property
    def agent_cwd(self) -> str:
        """The folder in which the agent was started."""
        known = self.session.cwd if self.session else None
        return known or (self.agent_process.cwd if self.agent_process else None) or ""

    @property
    def workspace(self) -> str:
        owner = self.owner
        return (self.known.memory.roots.get(owner) if owner else None) or self.agent_cwd

    @property
    def tool_name(self) -> str:
        return self.tool.tool_name if self.tool else ""

    @property
    def tool_input(self) -> str:
        return self.tool.input if self.tool else ""

    @property
    def argv(self) -> str:
        return self.asked or (" ".join(self.process.argv) if self.process else "")

    @property
    def program(self) -> str:
        process = self.process
        if process is None or self.asked:
            return self.asked.partition(" ")[0].rpartition("/")[2]
        name = process.argv[0] if process.argv else process.command or process.comm or ""
        return name.rpartition("/")[2].lstrip("-")

    @property
    def own(self) -> bool:
        agent = self.agent_process.id if self.agent_process else self.session.process_id if self.session else None
        if agent is None or self.process_id == agent:
            return agent is not None
        program = self.known.processes.itself(self.pid) if self.pid is not None and self.process is not None else None
        return program is not None and program.id == agent

    def outside(self, path: str, /) -> bool:
        root, owner = self.workspace, self.owner
        if not root or root == "/":
            return False
        trees = self.known.memory.worktrees.get(owner, ()) if owner else ()
        return not any(is_below(path, tree) for tree in (root, *trees)) and _TEMPORARY.match(path) is None

    def came_by(self, path: str, /) -> bool:
        process = self.process
        if process is None:
            return False
        parent = self.known.processes.get(process.ppid) if process.ppid is not None else None
        return came_by(path, Command(process.argv, process.cwd or ""), parent.argv if parent is not None else ())

    # -- sums ----------------------------------------------------------------------------------------------------------

    def _sum(self, key: str) -> Sum:
        return self.known.memory.sums.get(key, _NOTHING)

    @cached_property
    def _session_sum(self) -> Sum:
        return self._sum(f"session {self.session.id}") if self.session else _NOTHING

    @property
    def cost(self) -> float:
        return self._session_sum.cost

    @property
    def tokens(self) -> int:
        return self._session_sum.tokens

    @property
    def calls(self) -> int:
        return self._session_sum.calls

    @property
    def minutes(self) -> float:
        session = self.session
        return (max(0, (session.end_timestamp_ms or 0) - session.start_timestamp_ms) / 60_000) if session else 0.0

    @property
    def day_cost(self) -> float:
        return self._sum(f"day {self.day}").cost if self.day >= 0 else 0.0

    @cached_property
    def _agent_sum(self) -> Sum:
        return self._sum(f"agent {self.owner} {self.agent_id}") if self.agent_id else _NOTHING

    @property
    def agent_cost(self) -> float:
        return self._agent_sum.cost

    @property
    def agent_calls(self) -> int:
        return self._agent_sum.calls
