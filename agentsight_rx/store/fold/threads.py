"""
A call that begins -> which agent of its session makes it: the main one, or one that works on a tool call.

A client may name the agent in the head of its request. Else its conversation decides, the first of these that is true:

1. It goes on from a response, a first message or a tool call of an agent that is known.
2. It begins while a tool call is open whose input has its prompt, or whose process sends it: a new agent works on that tool.
3. It has the instructions or the tools of an agent that is known, which has begun anew: it was compacted, or cleared.
4. It begins while a tool call is open, with instructions and tools that no agent had: a new agent works on that tool. Without
   tools it is an aside of the agent.
5. It is of the main agent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from ...core.bounded import Recent
from ..rows.kinds import CallRow, SessionRow
from ..rows.tool_words import is_command, is_edit, task_name
from .needles import NamedIds, Tried
from .processes import Processes
from .requests import Asking, Frame, Said, is_alike
from .tools import OpenTool, Tools

_AGENTS_MOST = 1024
_NAMED_MOST = 8192  # agents that have an id, whose turns are counted
_KNOWN_MOST = 8192  # conversations and responses by which an agent is known again, 1 MB
_SHARED = "\n"  # stands for several agents, whose conversations begin alike


class Thread(Struct, array_like=True, frozen=True):
    """
    An agent of a session. `tool` is the id of the ToolRow that it works on, `call` its newest call that may use tools, `head`
    how its newest conversation began.
    """

    id: str | None = None
    tool: str | None = None
    name: str = ""
    parent: str | None = None
    frame: Frame = (b"", b"")
    call: str = ""
    head: str = ""
    tools: int = 0  # that it may use; with another number its frame is another one


_MAIN = Thread()


class ThreadsState(Struct, array_like=True):
    """What `Threads.snapshot` keeps."""

    agents: tuple[list[str], list[Thread]] = field(default_factory=lambda: ([], []))
    known: tuple[list[str], list[str]] = field(default_factory=lambda: ([], []))
    series: tuple[list[str], list[tuple[int, int]]] = field(default_factory=lambda: ([], []))


class Threads:
    """The agents of the sessions, and by what each is known again."""

    def __init__(self, processes: Processes, tools: Tools) -> None:
        self._processes, self._tools = processes, tools
        self._agents: Recent[str, Thread] = Recent(_AGENTS_MOST)  # by session and id; the main one has the id ""
        self._known: Recent[str, str] = Recent(_KNOWN_MOST)  # the ids of agents below main ones, by head and response
        self._series: Recent[str, tuple[int, int]] = Recent(_NAMED_MOST)  # the turn that each began in, and its own turns

    def begin(self, row: CallRow, named: NamedIds, said: Said | None) -> tuple[CallRow, bool]:
        """The row of a call, which has its session, with its agent, and whether that is a new one below the main one."""
        if said is None:
            return replace(row, agent_id=named.agent, parent_agent_id=named.parent_agent), False
        if named.agent is None and not (self._known or self._tools.any_open or said.asked.tools):
            main = self._agents.get(f"{row.session_id} ")  # as most calls of a program without tools are
            if main is not None and main.tool is None:
                return row, False
        asking = Asking(row, said)
        if named.agent is None:
            thread = self._found(asking)
        else:
            thread = self._get(asking, named.agent) or self._named(asking, named.agent, named.parent_agent)
        if thread.id is None and self._tools.any_open and self._is_within_tool(asking):
            row = replace(row, aside="other")
        if thread.tool is not None or thread.id is not None:
            row = replace(
                row, agent_id=thread.id, parent_agent_id=thread.parent, agent_tool=thread.tool, agent_name=thread.name
            )
        return row, self._put(asking, thread, row)

    def numbered(self, call: CallRow, session: SessionRow, tried: Tried | None = None, *, is_below: bool = False) -> CallRow:
        """
        With its turn. The main agent's turns count from 1. A sub-agent's call has the turn that its agent began in, and a
        number of its own. An agent that has a name and begins the session is its main one,
        unless it `is_below` one for certain.
        """
        if tried is not None and tried.session == session.id:
            return replace(call, turn=tried.turn, own_turn=tried.own_turn)
        if call.agent_id is None:
            return replace(call, turn=session.turns + 1)
        key = f"{session.id} {call.agent_id}"
        began, own = self._series.get(key, (session.turns, 0))
        is_below = is_below or began > 0
        self._series.put(key, (began, own + is_below))
        if is_below:
            return replace(call, turn=began, own_turn=own + 1)
        return replace(call, turn=session.turns + 1)

    def _put(self, asking: Asking, thread: Thread, row: CallRow) -> bool:
        """Remember the agent; returns whether it is a new one below the main one."""
        key = f"{asking.session} {thread.id or ''}"
        is_new = key not in self._agents
        if is_new or (asking.asked.tools and not row.aside):
            tools = len(asking.asked.tools)
            if is_new or asking.begins:
                thread = replace(thread, call=row.id, frame=asking.frame, head=asking.head, tools=tools)
            else:  # a frame takes 10 us
                frame = thread.frame if thread.tools == tools else asking.frame
                thread = replace(thread, call=row.id, frame=frame, tools=tools)
            self._agents.put(key, thread)
        if thread.id is not None and asking.head:
            before = self._known.get(asking.head, thread.id)
            self._known.put(asking.head, thread.id if before == thread.id else _SHARED)
        return is_new and thread.id is not None

    def ended(self, row: CallRow) -> None:
        """A call has a response, from which a later request may go on."""
        if row.agent_id is not None:
            self._known.put(f"response {row.response_id}", row.agent_id)

    def _get(self, asking: Asking, id: str) -> Thread | None:
        return self._agents.get(f"{asking.session} {id}")

    def _main(self, asking: Asking) -> Thread:
        return self._get(asking, "") or self._above(asking)

    def _above(self, asking: Asking) -> Thread:
        """The main agent of a session that began: a tool call of another session may have started its program."""
        program = self._processes.program(asking.row.pid or 0)
        return replace(_MAIN, tool=program.tool_call_id) if program is not None and program.tool_call_id else _MAIN

    def _found(self, asking: Asking) -> Thread:
        if not self._known and not (self._tools.any_open and asking.begins):
            return self._main(asking)  # there is no other agent, and none begins
        agent = self._with_head(asking)
        if agent is not None and not asking.begins:
            return agent
        open_tools = self._tools.open_in(asking.session)
        if not asking.begins:
            return self._asked_for(asking, open_tools) or self._alike(asking, open_tools) or self._main(asking)
        tool = self._task(asking, open_tools) if open_tools else None
        if tool is not None and (agent is None or self._is_another(asking, agent, tool)):
            return self._new(asking, tool)
        if agent is not None:
            return agent
        if asking.row.aside or not asking.asked.tools:
            return self._main(asking)
        return self._alike(asking, open_tools) or self._beside(asking, open_tools) or self._main(asking)

    def _with_head(self, asking: Asking) -> Thread | None:
        """The only agent whose conversation began so, or that had the response before."""
        main, known = self._get(asking, ""), self._known.get(asking.head)
        is_main = main is not None and main.head == asking.head != ""
        if known is None:
            return main if is_main else None
        return None if is_main else self._get(asking, known)

    def _asked_for(self, asking: Asking, open_tools: Sequence[OpenTool]) -> Thread | None:
        """The agent that asked for the tools of which this sends results. Small numbers may be ids of several."""
        results = asking.said.results[-asking.row.new_results :] if asking.row.new_results else ()
        ids = {id for result in results for id in (result.id, result.made_up_id) if id}
        agents = {each.row.agent_id or "" for each in open_tools if each.row.tool_call_id in ids}
        return self._get(asking, agents.pop()) if len(agents) == 1 else None

    def _alike(self, asking: Asking, open_tools: Sequence[OpenTool]) -> Thread | None:
        """The agent with these instructions or these tools, the main one first, that may begin anew."""
        main = self._get(asking, "")
        if main is None or is_alike(main.frame, asking.frame):
            return self._main(asking)
        at_work = {each.row.id for each in open_tools}
        return next((each for each in self._of(asking) if each.tool in at_work and is_alike(each.frame, asking.frame)), None)

    def _of(self, asking: Asking) -> Iterable[Thread]:
        """The agents of the session that work on tools."""
        begin = f"{asking.session} "
        return [each for key, each in self._agents.items() if each.id is not None and key.startswith(begin)]

    def _task(self, asking: Asking, open_tools: Sequence[OpenTool]) -> OpenTool | None:
        """The tool whose process sends the request, else a tool whose input has the prompt."""
        process = self._processes.get(asking.row.pid or 0)
        by_process = process.tool_call_id if process is not None else None
        mine = [each for each in open_tools if each.row.id == by_process]
        wrapped = bool(asking.asked.tools) and not is_alike(self._main(asking).frame, asking.frame)
        return self._free(
            asking,
            mine or [each for each in open_tools if any(asking.is_task(given, wrapped=wrapped) for given in each.needles)],
        )

    def _beside(self, asking: Asking, open_tools: Sequence[OpenTool]) -> Thread | None:
        """The agent that a tool may have started which is neither a command nor an edit. It has a task, and no summary."""
        able = [each for each in open_tools if asking.prompt and not (each.sent or is_command(each.row) or is_edit(each.row))]
        tool = self._free(asking, [each for each in able if self._is_waited_for(asking, each)])
        return None if tool is None else self._new(asking, tool)

    def _free(self, asking: Asking, tools: Sequence[OpenTool]) -> OpenTool | None:
        """The first of them that no agent works on; one tool may also start several."""
        used = {each.tool for each in self._of(asking)} if tools else ()
        return next((each for each in tools if each.row.id not in used), tools[-1] if tools else None)

    def _is_waited_for(self, asking: Asking, tool: OpenTool) -> bool:
        """Its agent has the whole answer that asked for it, and did nothing since."""
        agent = self._get(asking, tool.row.agent_id or "")
        return tool.whole and agent is not None and agent.call == tool.row.llm_call_id

    def _is_another(self, asking: Asking, agent: Thread, tool: OpenTool) -> bool:
        """A known agent began with the same prompt: does it begin anew, or did it hand its prompt on to the tool?"""
        if agent.tool == tool.row.id or asking.row.retry:
            return False
        return agent.id is not None or (agent.frame != asking.frame and self._is_waited_for(asking, tool))

    def _is_within_tool(self, asking: Asking) -> bool:
        """Does the agent ask for itself, in the middle of a tool, with other instructions than its own?"""
        row = asking.row
        if asking.asked.tools or row.aside or row.repeat or not (row.prompt and asking.begins):
            return False
        main = self._get(asking, "")
        if main is None or main.head == asking.head or asking.frame[0] == main.frame[0]:
            return False
        return any(self._is_waited_for(asking, each) for each in self._tools.open_in(asking.session))

    def _new(self, asking: Asking, tool: OpenTool) -> Thread:
        id = name = tool.row.tool_call_id or tool.row.id
        number = 1
        while self._get(asking, id) is not None:
            number += 1
            id = f"{name}-{number}"
        return Thread(id, tool.row.id, task_name(tool.row), tool.row.agent_id)

    def _named(self, asking: Asking, id: str, parent: str | None) -> Thread:
        """An agent that the client has named: which tool call it works on."""
        open_tools = self._tools.open_in(asking.session)
        tool = self._task(asking, open_tools)
        found = self._new(asking, tool) if tool is not None else self._beside(asking, open_tools)
        found = found or _MAIN
        return replace(found, id=id, parent=parent or found.parent)

    def snapshot(self) -> ThreadsState:
        return ThreadsState(self._agents.columns, self._known.columns, self._series.columns)

    def restore(self, state: ThreadsState) -> None:
        self._agents.fill(state.agents)
        self._known.fill(state.known)
        self._series.fill(state.series)
