"""SessionRow and the calls of a session -> the `invoke_agent` spans of its agents; AlertRow -> the span of an alert."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from ...core.bounded import Recent
from ...events.tokens import Usage
from ...view import AlertRow, CallRow, ProcessRow, SessionRow
from ...view.queries.context.words import ORIGINS
from .chat import INT_MOST, call_times, provider_of
from .names import SPANS, Fields, attributes_of, context_field
from .spans import Planned, span_id
from .work import exit_error

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

_AGENTS_MOST = 256  # within one session
_SUMMED = (*map(context_field, ORIGINS), "cache_lost_tokens")


class Agent(Struct):
    """An agent within a session, with what its calls add up to. `id` None: the main one."""

    id: str | None = None
    parent: str | None = None
    provider: str | None = None
    model: str | None = None
    start_ns: int = 0
    end_ns: int = 0
    calls: int = 0
    tools: int = 0
    usage: Usage = Usage()
    sums: dict[str, int] = {}  # fields of the calls that are added up

    def called(self, row: CallRow, fields: Fields) -> None:
        start_ns, end_ns = call_times(row)
        self.start_ns = min(self.start_ns or start_ns, start_ns)
        self.end_ns = max(self.end_ns, end_ns)
        self.provider, self.model = provider_of(row), row.model or self.model
        self.calls += 1
        self.tools += row.tools
        self.usage += row.usage
        for name in _SUMMED:
            value = fields.get(name)
            if isinstance(value, int):
                self.sums[name] = min(self.sums.get(name, 0) + value, INT_MOST)


class AgentSession:
    """The part of a session that is kept until its span is sent."""

    def __init__(self, row: SessionRow) -> None:
        self.row = row
        self.trace = 0  # known once its span is sent
        self.main = Agent()
        self.within: Recent[str, Agent] = Recent(_AGENTS_MOST)
        self.program: ProcessRow | None = None  # once it ended

    def called(self, row: CallRow, fields: Fields) -> Agent | None:
        """A call ended; returns an agent for which there is no room any more. `fields` of its span."""
        self.main.called(row, fields)
        if row.agent_id is None:
            return None
        agent = self.within.get(row.agent_id) or Agent(row.agent_id, row.parent_agent_id)
        agent.called(row, fields)
        evicted = self.within.put(row.agent_id, agent)
        return evicted[1] if evicted else None


def agent_span_id(session: str | None, agent: str | None) -> int:
    return span_id(f"invoke_agent {session}" if agent is None else f"invoke_agent {session}/{agent}")


def planned_agents(session: AgentSession, parent: int) -> list[Planned]:
    """The spans of a session: the spans of the agents within it, and its own, which is below `parent`."""
    agents = *session.within.values(), session.main
    return [planned_agent(session, agent, parent) for agent in agents]


def planned_agent(session: AgentSession, agent: Agent, parent: int) -> Planned:
    """`parent` of the main one; one within the session is below it, or below another one in it."""
    row, is_main = session.row, agent.id is None
    # a client may name the main agent as the parent, which has a span under the session's own name
    above = agent.parent if agent.parent in session.within and agent.parent != agent.id else None
    start_ns = _earliest(row.start_timestamp_ms * 1_000_000 if is_main else 0, agent.start_ns)
    program_ns = (session.program.end_timestamp_ms or 0) * 1_000_000 if session.program and is_main else 0
    row_ns = (row.end_timestamp_ms or 0) * 1_000_000 if is_main else 0
    name = row.agent or row.program or row.comm
    error = exit_error(session.program) if session.program and is_main else None
    usage, counted = agent.usage, agent.usage.total > 0
    fields: dict[str, AttributeValue | None] = {
        "operation": "invoke_agent",
        "provider": agent.provider or "unknown",
        "error": error,
        "agent": name,
        "agent_id": agent.id,
        "agent_version": row.agent_version or None,
        "conversation": row.conversation_id or row.id,
        "model": agent.model or row.model,
        "input_tokens": min(usage.asked, INT_MOST) if counted else None,
        "output_tokens": min(usage.output, INT_MOST) if counted else None,
        "cache_read_tokens": min(usage.cache_read, INT_MOST) or None,
        "cache_write_tokens": min(usage.cache_creation, INT_MOST) or None,
        "cache_creation_tokens": min(usage.cache_creation, INT_MOST) or None,
        **agent.sums,
        "session": row.id,
        "calls": agent.calls,
        "tools": agent.tools,
        "pid": row.pid,
        "comm": row.comm,
        "complete": row.status == "ended",
        "reason": None if row.status == "ended" else "capture_end",
        "view_source": row.view_source,
    }
    return Planned(
        " ".join(filter(None, ("invoke_agent", name))),
        "internal",
        session.trace,
        agent_span_id(row.id, agent.id),
        parent if is_main else agent_span_id(row.id, above),
        start_ns=start_ns,
        end_ns=max(start_ns, agent.end_ns, row_ns, program_ns),
        attributes=attributes_of(SPANS["invoke_agent"], fields, with_content=False),
        failure=error,
    )


def _earliest(*times: int) -> int:
    return min((each for each in times if each > 0), default=0)


# -- alerts --------------------------------------------------------------------------------------------------------
# AlertRow -> a span without duration, below the span of its tool, or in the trace of its session.


_NAME = "agentsight.alert"
_NANOSECONDS = 1_000_000  # of a millisecond


def planned_alert(row: AlertRow, trace: int, *, with_content: bool) -> Planned:
    """`trace` is the trace of its session. A note is no failure."""
    fields: dict[str, AttributeValue | None] = {
        "error": None if row.do == "note" else row.rule,
        "rule": row.rule,
        "level": row.do,
        "sentence": row.sentence,
        "target": row.target,
        "count": row.count,
        "proven": row.proven,
        "links": row.links,
        "evidence": row.evidence,
        "session": row.session_id,
        "pid": row.pid,
        "complete": row.complete,
        "prompt": row.prompt or None,
        "tool": row.tool or None,
        "command": row.command or None,
    }
    return Planned(
        _NAME,
        "internal",
        trace,
        span_id(row.id),
        span_id(row.tool_id) if row.tool_id else 0,
        start_ns=row.timestamp_ms * _NANOSECONDS,
        end_ns=max(row.timestamp_ms, row.last_timestamp_ms) * _NANOSECONDS,
        attributes=attributes_of(SPANS[_NAME], fields, with_content=with_content),
        failure=None if row.do == "note" else row.sentence,
    )
