"""Finding -> its line, with its turns and its cost."""

from __future__ import annotations

from ...store.rows.tool_words import asked_for
from ...store.words import error_said, times_said
from ...view.queries.findings import Finding
from .words import amount, money, plural

__all__ = ["finding_said"]

_TURNS = 6


def finding_said(finding: Finding, /) -> str:
    """One finding with its turns and its cost."""
    where = _where(finding)
    match finding.kind:
        case "loop":
            name, _, given = finding.what.partition(" ")
            what = asked_for(given)
            return f"same call, same result, {times_said(finding.amount)}{where}: {name} {what}"
        case "repeated":
            return f"{plural(finding.amount, 'request')} sent again unchanged{where}"
        case "retried":
            return f"{plural(finding.amount, 'retry', 'retries')} after a failure{where}"
        case "failed":
            return f"{plural(finding.amount, 'call')} failed: {error_said(finding.what)}{where}"
        case "limit":
            return f"{plural(finding.amount, 'answer')} ended at the limit of tokens{where}"
        case "uncached":
            if not finding.what:
                return f"{amount(finding.amount)} tokens no longer cached{where}"
            return f"Cache lost: {finding.what}, {amount(finding.amount)} tokens paid again{where}"
        case "growth":
            return f"context grows {amount(finding.amount)} a turn"


def _where(finding: Finding) -> str:
    turns = [str(turn) for turn in finding.turns if turn]
    named = ", ".join(turns[:_TURNS]) + (", …" if len(turns) > _TURNS else "")
    cost = f": {money(finding.cost_usd)}" if finding.cost_usd else ""
    return f" (turn{'s' if len(turns) > 1 else ''} {named}{cost})" if turns else ""
