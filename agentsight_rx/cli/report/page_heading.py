"""Summary -> the heading of a session's page: what it did in words, its numbers, what is missing."""

from __future__ import annotations

from ...exports import Heading
from ...view.queries.summary import Summary
from .call_words import cost_said
from .health import gaps_of, missing_said
from .screen import Screen
from .words import amount, count, listed, moment, took

__all__ = ["heading_of"]

_GAPS_MOST = 20


def heading_of(found: Summary, screen: Screen, /) -> Heading:
    """Of a summary of one session."""
    session = found.session
    who = f"{session.agent or session.comm or 'unknown program'} {session.pid or ''}".strip() if session else ""
    where = (session.cwd or "") if session else ""
    when = f"{moment(found.started_ms, screen.now_ms)}, {took(found.duration_ms)}"
    gaps = [f"{what}{f' ({why})' if why else ''}" for what, why in gaps_of(found.health, screen)]
    numbers = {
        "calls of the model": count(found.calls),
        "tokens in": amount(found.input_tokens),
        "of them cached": amount(found.cached_tokens),
        "tokens out": amount(found.output_tokens),
        "cost": cost_said(found.cost),
        "tools": count(found.tools),
        "files written": count(len(found.files.written)),
        "files removed": count(len(found.files.removed)),
        "peers": listed([peer.host for peer in found.peers], 5),
        "models": listed(list(found.models), 3),
    }
    return Heading(
        session.title if session and session.title else "a session",
        about=" · ".join(part for part in (who, where, when) if part),
        verdict=found.verdict.sentence,
        numbers=tuple((name, value) for name, value in numbers.items() if value),
        missing=(missing_said(found.health).text, *gaps[:_GAPS_MOST]) if gaps else (),
    )
