"""agentsight-rx report prompts: what the users typed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...view.queries.prompts import PromptLine, read_prompts
from .ask import Ask
from .screen import Column, Line, Screen, table
from .words import amount, moment

__all__ = ["COLUMNS", "prompts"]

_NEWEST = 20
COLUMNS = (
    Column("time"),
    Column("agent", most=20),
    Column("turn", right=True),
    Column("tokens", right=True),
    Column("model", flexible=True, most=24),
    Column("prompt", flexible=True),
)


def prompts(ask: Ask) -> None:
    """The users' prompts, each once, without tool results and the notes that agents add."""
    ask.show(lambda selection: read_prompts(ask.store, selection, ask.prices), _lines, most=_NEWEST)


def _lines(rows: Sequence[PromptLine], screen: Screen) -> Iterable[Line]:
    return table(
        COLUMNS,
        (
            (
                moment(row.timestamp_ms, screen.now_ms, short=True),
                row.agent or row.comm or "",
                str(row.turn or ""),
                amount(row.total_tokens),
                row.model or "unknown",
                row.prompt,
            )
            for row in rows
        ),
        screen,
    )
