"""Store, selection -> what the reports about contexts say, as values: the parts of a context, and every lost cache."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from ....llm.context.losses import Cause
from ....llm.prices import Prices
from ....store.rows.kinds import SessionRow
from ....store.rows.tables import SESSIONS, TOOLS
from ....store.state import Store
from ..reading import newest_session, selected
from ..selection import Selection
from .context import AgentContext
from .findings import Avoidable, avoidable, with_instruction_files
from .reading import read_contexts
from .segments import Segment, carried, segments_of
from .words import lost_said, sentence_of


class ContextReport(Struct, frozen=True):
    """
    One turn: its tokens by origin (`sums`), its segments in the order of the model, all segments that were sent up to it, and
    possible savings. `agent_id`: of a sub-agent; None for the main one. `counted`: by the provider; else `total` is estimated.
    """

    session: str
    agent_id: str | None
    turn: int
    sentence: str
    total: int
    counted: bool
    window: int | None
    sums: dict[str, int]
    segments: list[Segment]
    carried: list[Segment]
    findings: list[Avoidable]


def context_report(session: str, agent: AgentContext, findings: Sequence[Avoidable], /) -> ContextReport:
    """Of its newest turn."""
    last = agent.turns[-1]
    return ContextReport(
        session,
        agent.agent_id,
        last.turn,
        sentence=sentence_of(agent, last, findings),
        total=last.total,
        counted=last.usage is not None,
        window=agent.window,
        sums=last.sums,
        segments=segments_of(agent),
        carried=carried(agent),
        findings=list(findings),
    )


def read_context_reports(store: Store, selection: Selection, prices: Prices, /) -> list[ContextReport]:
    """Of each agent of the sessions, the main one of a session first."""
    found: list[ContextReport] = []
    for session in sessions_meant(store, selection):
        called = called_tools(store, selection, session.id)
        agents = with_instruction_files(store, read_contexts(store, session.id, prices))
        found += [context_report(session.id, agent, avoidable(agent, called)) for agent in agents]
    return found


def called_tools(store: Store, selection: Selection, session: str, /) -> set[str]:
    """The names of the tools that the session used."""
    return {tool.tool_name for tool in selected(store, TOOLS, selection) if tool.session_id == session}


def sessions_meant(store: Store, selection: Selection, /) -> list[SessionRow]:
    """The selected sessions; where nothing is selected, the newest."""
    if selection.sessions is None and selection.whole:
        newest = newest_session(store)
        return [newest] if newest else []
    return list(selected(store, SESSIONS, selection))


class CacheLoss(Struct, frozen=True):
    """
    One lost cache: in which request (`call`), of which agent, and why. `tokens` were paid again, which cost `usd` more than
    reading them.
    """

    session: str
    agent_id: str | None
    turn: int
    call: str
    tokens: int
    usd: float | None
    why: str
    cause: Cause | None


def cache_losses(agents: Iterable[AgentContext], /) -> list[CacheLoss]:
    """Each loss, in the order of agents and turns."""
    return [
        CacheLoss(
            turn.call.session_id or "",
            agent.agent_id,
            turn.turn,
            call=turn.call.id,
            tokens=turn.lost.tokens,
            usd=turn.lost.usd,
            why=lost_said(turn.lost),
            cause=turn.lost.cause,
        )
        for agent in agents
        for turn in agent.turns
        if turn.lost is not None
    ]
