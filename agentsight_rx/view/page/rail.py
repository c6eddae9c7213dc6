"""A recording -> one short row for each of its sessions, the newest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from ...store.rows.kinds import SessionRow
from ...store.words import cut
from ..queries.costs import CostSum, seller_of, summed
from ..queries.decided import is_waiting
from .alert_shapes import AlertLine
from .head import agent_title, head_of
from .picture import WHOLE, Picture
from .threads import threads_of
from .wholeness import wholeness_of
from .words import context_of, newest_plan

__all__ = ["RailRow", "flagged", "rail_of", "row_of"]

_TITLE = 120  # characters
_SESSIONS_MOST = 500  # of one recording: each costs a look at its calls, at every change of a run


class RailRow(Struct, frozen=True, omit_defaults=True):
    """
    `id` and `recording` are its address. `left`: of the context window, 0 to 1. `missing`: how many things. `flagged` gives it
    the alerts that wait now.
    """

    id: str
    recording: str
    agent: str
    start_ms: int
    end_ms: int
    live: bool = False
    model: str = ""
    title: str = ""
    step: str = ""
    turns: int = 0
    turn: int = 0  # the number of the newest
    tokens: int = 0
    cost: CostSum = CostSum()
    left: float | None = None
    missing: int = 0
    failed: int = 0
    failed_tools: int = 0
    waiting: int = 0  # alerts
    stopped: bool = False  # by one of them


def rail_of(picture: Picture, recording: str, /) -> Iterator[RailRow]:
    """The newest 500 sessions. Where no call of a model was seen, one row stands for all of the recording."""
    roots = picture.roots
    if not roots:
        head = head_of(picture, WHOLE, recording=recording)
        yield RailRow(
            WHOLE,
            recording,
            head.agent,
            start_ms=head.start_ms,
            end_ms=head.end_ms,
            live=head.live,
            title="".join(clause.text for clause in head.verdict)[:_TITLE],
            missing=head.whole.missing,
        )
    for row in roots[:_SESSIONS_MOST]:
        yield row_of(picture, row, recording)


def flagged(row: RailRow, lines: Iterable[AlertLine], /) -> RailRow:
    """The same with the alerts of its recording that wait."""
    waiting = [line.state for line in lines if line.session == row.id and is_waiting(line.state)]
    return replace(row, waiting=len(waiting), stopped="stopped" in waiting) if waiting else row


def row_of(picture: Picture, row: SessionRow, recording: str, /) -> RailRow:
    """The rail of one session."""
    work = picture.work(row.id)
    threads = threads_of(row.id, work)
    last = next((call for call in reversed(threads.main) if call.total_tokens), None)
    window = picture.prices.window_of(seller_of(last), last.response_model or last.model) if last else None
    steps = newest_plan(work.tools)
    doing = next((at for at, (_, state) in enumerate(steps) if state == "doing"), len(steps) - 1)
    return RailRow(
        row.id,
        recording,
        agent_title(row),
        start_ms=row.start_timestamp_ms,
        end_ms=max(row.end_timestamp_ms or 0, row.start_timestamp_ms),
        live=picture.is_live(row.id),
        model=row.model or "",
        title=cut(row.title, _TITLE),
        step=f"{doing + 1} of {len(steps)}: {cut(steps[doing][0], 60)}" if steps else "",
        turns=len(threads.main),
        turn=max(threads.turns.values(), default=0),
        tokens=sum(call.total_tokens for call in work.calls),
        cost=summed(work.calls),
        left=max(0.0, round(1 - context_of(last) / window, 6)) if last and window else None,
        missing=wholeness_of(picture.healths.of(row)).missing,
        failed=row.failed_calls,
        failed_tools=row.failed_tools,
    )
